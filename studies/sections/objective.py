"""What a network learns: discrete diffusion with one of three predictions, or the preconditioned denoiser of EDM."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from studies.sections.section import Positive, Section


class Objective(Section):
    """Denoising diffusion with discrete timesteps (Ho et al. 2020)."""

    kind: Literal["ddpm"] = Field("ddpm", description="Discrete timesteps, which are the network's time input.")
    schedule: Literal["linear", "cosine"] = Field(
        "linear", description="Noise schedule: linear betas (Ho et al. 2020) or cosine (Nichol & Dhariwal 2021)."
    )
    prediction: Literal["eps", "v", "x0"] = Field(
        "eps",
        description="What the network predicts, trained with the plain squared error of it: the noise eps, "
        "v = a·eps − s·x0 (Salimans & Ho 2022), or the image x0. Held-out losses compare across the three.",
    )
    timesteps: Annotated[int, Field(strict=True, ge=2)] = Field(1000, description="Number of timesteps.")


class Edm(Section):
    """The preconditioned denoiser of Karras et al. 2022: D(x; σ) = c_skip·x + c_out·F(c_in·x; ¼ ln σ) (eq. 7, table 1).

    Evaluated at the 1,000 noise levels of Ho et al.'s linear schedule, so that its held-out losses compare with those
    of `kind: ddpm` under that schedule.
    """

    kind: Literal["edm"] = Field(description="Continuous noise levels; the network's time input is ln(σ)/4.")
    p_mean: Annotated[float, Field(strict=True)] = Field(
        -1.2, description="Mean of ln σ in training (Karras et al. 2022, table 1; EDM2 takes -0.4)."
    )
    p_std: Positive = Field(1.2, description="Standard deviation of ln σ in training (EDM2 takes 1.0).")
    sigma_data: Positive = Field(0.5, description="Standard deviation of the images that the preconditioning assumes.")

    schedule: ClassVar[Literal["linear"]] = "linear"
    timesteps: ClassVar[int] = 1000


def _kind_of(value: Any) -> str | None:
    """The kind that a mapping or a model names; without a word it is `ddpm`."""
    kind = value.get("kind", "ddpm") if isinstance(value, dict) else getattr(value, "kind", "ddpm")
    return kind if kind in ("ddpm", "edm") else None


AnyObjective = Annotated[
    Annotated[Objective, Tag("ddpm")] | Annotated[Edm, Tag("edm")],
    Discriminator(
        _kind_of,
        custom_error_type="objective_kind",
        custom_error_message="Must have the kind ddpm or edm",
    ),
]
