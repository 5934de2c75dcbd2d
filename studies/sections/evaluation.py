"""How a trained network is judged: the fixed set of its held-out loss, and samples where they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from archspec.text.wording import shown
from studies.sections.section import Count, Natural, Place, Section


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | float | str):
        return value
    raise PydanticCustomError(
        "plain_type", "must be a number, text, true or false, not {given}", {"given": shown(value)}
    )


_Plain = Annotated[bool | int | float | str, Field(union_mode="left_to_right")]
Plain = Annotated[_Plain, BeforeValidator(_plain, json_schema_input_type=_Plain)]


class FeatureNetwork(Section):
    """A network of the user's whose output is the space of the distances, as Inception's for FID or DINOv2's."""

    torchscript: Place = Field(
        description="TorchScript file that maps images [n, 3, size, size] to features [n, d]; relative to the study."
    )
    name: str = Field(min_length=1, max_length=80, description="What reports call the space, such as Inception-v3.")
    size: Count | None = Field(
        None,
        description="Pixels per side that the images are resized to, bicubic with anti-aliasing; null: as they are.",
    )
    values: Literal["uint8", "unit", "imagenet"] = Field(
        "uint8",
        description="What the network takes: whole numbers 0 to 255, numbers 0 to 1, or those normalised by ImageNet's "
        "means and deviations. Grey images are repeated to three channels.",
    )
    arguments: dict[str, Plain] = Field(
        default_factory=dict, description="Keyword arguments of the network's call, such as {return_features: true}."
    )

    def __hash__(self) -> int:
        return hash((self.torchscript, self.name))  # the arguments, a mapping, have none; equality looks at them

    def resolved(self, folder: Path) -> FeatureNetwork:
        """The same with the path taken relative to `folder`."""
        return self.model_copy(update={"torchscript": (folder / self.torchscript.expanduser()).resolve()})


class Samples(Section):
    """Images drawn from every trained network, from the same noise for all, and their distance to the training images.

    Gives the metrics `fd` (Fréchet distance) and `kd` (kernel distance). Without `features` their space is that of a
    small classifier trained on the study's own images: of their labels where the source has labels, else of four
    rotations.
    """

    number: Annotated[int, Field(strict=True, ge=20)] = Field(512, description="Images drawn from each network.")
    sampler: Literal["ddim", "heun"] = Field(
        "heun",
        description="heun: second order, Karras et al. 2022, algorithm 1; ddim: first order, Song et al. "
        "2021, eq. 12 without noise. Both are deterministic.",
    )
    steps: Count = Field(18, description="Noise levels; heun calls the network 2·steps − 1 times, ddim steps times.")
    clip: bool = Field(default=True, description="Limit the network's estimate of the image to [-1, 1] at every step.")
    batch: Count = Field(128, description="Images per forward pass.")
    seed: Natural = Field(0, description="Seed of the starting noise; unrelated to the seeds of training.")
    reference: Annotated[int, Field(strict=True, ge=20)] = Field(
        10_000, description="Training images compared with, all of them when there are fewer."
    )
    grid: Natural = Field(16, description="Images kept as a PNG for each trial; 0: none.")
    features: FeatureNetwork | None = Field(
        None, description="A network of your own as the space of the distances; null: a small classifier."
    )


class Evaluate(Section):
    """The fixed set of (image, timestep, noise) on which every trial's loss is taken."""

    strata: Count = Field(
        20,
        description="Bins of timesteps, each with the same share of a half-and-half mixture of uniform timesteps and "
        "EDM's noise levels; every image gets one timestep in each of them.",
    )
    images: Count = Field(64, description="Held-out images used; all of them when there are fewer.")
    batch: Count = Field(64, description="Evaluations per forward pass.")
    seed: Natural = Field(0, description="Seed of timesteps and noise; unrelated to the seeds of training.")
    samples: Samples | None = Field(None, description="Draw and judge samples too; null: the loss alone.")

    def resolved(self, folder: Path) -> Evaluate:
        """The same with its paths taken relative to `folder`."""
        if self.samples is None or self.samples.features is None:
            return self
        features = self.samples.features.resolved(folder)
        return self.model_copy(update={"samples": self.samples.model_copy(update={"features": features})})
