"""The held-out denoising loss: one fixed set of (image, timestep, noise) for every variant and training seed.

Every held-out image gets one timestep in each of the bins (strata) of timesteps, drawn uniformly in it, and noise of
its own; no antithetic pairs, which raise the variance here. The bins have equal shares of a mixture, half uniform
timesteps and half EDM's distribution of noise levels, since the two headline weightings look at different levels.

The error is that of the image, whatever the network predicts, in float64 from the network's float32 output, so that
eps-, v- and x0-prediction and preconditioned denoisers compare. From it come two headline numbers, each a weighted
mean over noise levels (see `studies.sections.weighting`):

- `loss`: the error of the noise, uniform in timesteps (Ho et al. 2020, eq. 14);
- `loss_edm`: Karras et al. 2022, eq. 2 and table 1: λ(σ)·mse_x0(σ) with ln σ normal (−1.2, 1.2) and σ_data 0.5.

Evaluation is in eval mode.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn

from studies.sections.evaluation import Evaluate
from studies.sections.objective import Edm, Objective
from studies.sections.weighting import SIGMA_DATA, SnrBin, edm_shares
from studies.training.data.dataset import Dataset, tensor_hash
from studies.training.diffusion import noise_levels, process

Bin = tuple[int, int, float]


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """Fixed evaluations, on the CPU, ordered by stratum and then by image.

    Attributes:
        images: ``[n, c, h, w]`` in [-1, 1].
        timesteps: ``[n]``.
        noise: like the images.
        bounds: (low, high) of each stratum: low <= t < high.
        sigmas: σ of every timestep, float64.
        hash: SHA-256 of images, timesteps, their noise levels and noise, as hex.
    """

    images: Tensor
    timesteps: Tensor
    noise: Tensor
    bounds: tuple[tuple[int, int], ...]
    sigmas: Tensor
    hash: str

    def summary(self) -> dict[str, str | int]:
        """Hash and counts, as a record keeps them."""
        strata, count = len(self.bounds), len(self.timesteps)
        return {"hash": self.hash, "evaluations": count, "images": count // strata, "strata": strata}


@dataclass(frozen=True)
class Quality:
    """A network's loss.

    Attributes:
        loss: mean squared error of the noise, uniform in timesteps.
        loss_edm: error of the image under EDM's weighting.
        bins: (t_low, t_high, error of the noise), t_high excluded.
        levels: the same bins over log-SNR, with the error in every space.
    """

    loss: float
    loss_edm: float
    bins: tuple[Bin, ...]
    levels: tuple[SnrBin, ...]

    def is_finite(self) -> bool:
        """Whether no error was NaN or infinite."""
        return math.isfinite(self.loss) and math.isfinite(self.loss_edm)


@lru_cache(maxsize=1)
def evaluation_set(data: Dataset, evaluate: Evaluate, objective: Objective | Edm) -> EvaluationSet:
    """The evaluation set of a study; it depends on nothing but its arguments, and neither on seed nor device.

    Of the objective only the noise levels enter: all predictions share one set.

    Args:
        data: its held-out images; the first `evaluate.images` of them are used.
        evaluate: strata, images and seed.
        objective: its noise levels.
    """
    images, sigmas = data.held_out[: evaluate.images], noise_levels(objective)
    bounds = strata(sigmas, evaluate.strata)
    draw = torch.Generator().manual_seed(evaluate.seed)
    drawn = [torch.randint(low, high, (len(images),), generator=draw) for low, high in bounds]
    repeated = images.repeat(evaluate.strata, 1, 1, 1)
    noise = torch.randn(repeated.shape, generator=draw)
    t = torch.cat(drawn)
    return EvaluationSet(repeated, t, noise, bounds, sigmas, tensor_hash([repeated, t, sigmas[t], noise]))


def strata(sigmas: Tensor, count: int) -> tuple[tuple[int, int], ...]:
    """Contiguous bins (low, high) of timesteps with equal shares of half uniform timesteps, half EDM's levels.

    Every bin has a timestep at least, so that shares are equal only as far as whole timesteps allow.

    Args:
        sigmas: σ of every timestep, rising.
        count: number of bins, at most that of the timesteps.
    """
    total = len(sigmas)
    mass = [0.0, *accumulate(0.5 / total + share / 2 for share in edm_shares(sigmas.tolist()))]
    edges = [0]
    for k in range(1, count):
        nearest = min(range(total + 1), key=lambda t: abs(mass[t] - k / count))
        edges.append(min(max(nearest, edges[-1] + 1), total - (count - k)))
    return tuple(pairwise([*edges, total]))


@torch.inference_mode()
def denoising_loss(
    module: nn.Module,
    chosen: EvaluationSet,
    objective: Objective | Edm,
    batch: int,
    device: torch.device,
    between: Callable[[], None] = lambda: None,
) -> Quality:
    """The loss of a network on an evaluation set.

    Args:
        module: takes ``(x_t, t)``; lies on `device`; left in the mode it was in.
        chosen: the evaluation set.
        objective: what the network predicts.
        batch: evaluations per forward pass.
        device: where it runs.
        between: called before each batch, such as to give way to a measurement.

    Returns:
        Losses and errors per stratum; not finite where the network's output is not.
    """
    return judged(image_errors(module, chosen, objective, batch, device, between), chosen)


@torch.inference_mode()
def image_errors(
    module: nn.Module,
    chosen: EvaluationSet,
    objective: Objective | Edm,
    batch: int,
    device: torch.device,
    between: Callable[[], None] = lambda: None,
) -> Tensor:
    """The mean squared error of the image at each evaluation, float64 ``[n]`` on the CPU; see `denoising_loss`."""
    known = process(objective, device)
    training = module.training
    module.eval()
    errors = []
    for i in range(0, len(chosen.timesteps), batch):
        between()
        x0, t, eps = (x[i : i + batch].to(device) for x in (chosen.images, chosen.timesteps, chosen.noise))
        x0 = x0.double()
        # Float64 keeps what float32 would lose where the image is all but noise, or the noise next to nothing.
        x_t = known.noisy(x0, t, eps.double())
        output = module(x_t.float(), known.time(t))
        errors.append((known.x0_of(output.double(), x_t, t) - x0).square().flatten(1).mean(dim=1))
    module.train(training)
    return torch.cat(errors).cpu()


def judged(errors: Tensor, chosen: EvaluationSet) -> Quality:
    """Losses from the error of the image at each evaluation, float64 ``[n]``.

    Within a stratum a weighted mean is divided by the weights drawn there, and multiplied by the weight of the whole
    stratum: a network whose weighted error is the same everywhere gets exactly that.
    """
    per_stratum = (len(chosen.bounds), -1)
    t = chosen.timesteps
    lam = (chosen.sigmas**2 + SIGMA_DATA**2) / (chosen.sigmas * SIGMA_DATA) ** 2
    noise, edm = errors / chosen.sigmas[t] ** 2, errors * lam[t]
    shares = torch.tensor(edm_shares(chosen.sigmas.tolist()), dtype=torch.float64)
    drawn = shares[t].view(per_stratum)
    whole = torch.stack([shares[low:high].sum() for low, high in chosen.bounds])
    loss_edm = whole * (drawn * edm.view(per_stratum)).sum(dim=1) / drawn.sum(dim=1)
    widths = torch.tensor([high - low for low, high in chosen.bounds], dtype=torch.float64) / len(chosen.sigmas)
    means = [x.view(per_stratum).mean(dim=1) for x in (errors, noise, edm)]
    return Quality(
        loss=float((means[1] * widths).sum()),
        loss_edm=float(loss_edm.sum()),
        bins=tuple((low, high, float(mse)) for (low, high), mse in zip(chosen.bounds, means[1], strict=True)),
        levels=tuple(
            SnrBin(*_log_snr(chosen.sigmas, low, high), float(width), *(float(mean[k]) for mean in means))
            for k, ((low, high), width) in enumerate(zip(chosen.bounds, widths, strict=True))
        ),
    )


def _log_snr(sigmas: Tensor, low: int, high: int) -> tuple[float, float]:
    """The lowest and highest log-SNR of timesteps low to high − 1."""
    return -2 * math.log(float(sigmas[high - 1])), -2 * math.log(float(sigmas[low]))
