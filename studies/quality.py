"""The held-out denoising loss: one fixed set of (image, timestep, noise) for every variant and training seed.

Every held-out image gets one timestep in each of the equal bins (strata) of timesteps, drawn uniformly in it, and
noise of its own; no antithetic pairs, which raise the variance here. The error is that of the noise,
mean (eps_hat − eps)², whatever the network predicts, so that losses of eps- and v-prediction compare. Evaluation is
in float32, in eval mode.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor, nn

from studies.data.dataset import Dataset, tensor_hash
from studies.diffusion import Diffusion
from studies.protocol import Evaluate, Objective

Bin = tuple[int, int, float]


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """Fixed evaluations, on the CPU, ordered by stratum and then by image.

    Attributes:
        images: ``[n, c, h, w]`` in [-1, 1].
        timesteps: ``[n]``.
        noise: like the images.
        bounds: (low, high) of each stratum: low <= t < high.
        hash: SHA-256 of images, timesteps and noise, as hex.
    """

    images: Tensor
    timesteps: Tensor
    noise: Tensor
    bounds: tuple[tuple[int, int], ...]
    hash: str

    def summary(self) -> dict[str, str | int]:
        """Hash and counts, as a record keeps them."""
        strata, count = len(self.bounds), len(self.timesteps)
        return {"hash": self.hash, "evaluations": count, "images": count // strata, "strata": strata}


@dataclass(frozen=True)
class Quality:
    """A network's loss: `loss` is the mean over timesteps, `bins` holds (t_low, t_high, mse) with t_high excluded."""

    loss: float
    bins: tuple[Bin, ...]

    def is_finite(self) -> bool:
        """Whether no error was NaN or infinite."""
        return math.isfinite(self.loss)


@lru_cache(maxsize=1)
def evaluation_set(data: Dataset, evaluate: Evaluate, timesteps: int) -> EvaluationSet:
    """The evaluation set of a study; it depends on nothing but its arguments, and neither on seed nor device.

    Args:
        data: its held-out images; the first `evaluate.images` of them are used.
        evaluate: strata, images and seed.
        timesteps: number of timesteps of the objective.
    """
    images = data.held_out[: evaluate.images]
    edges = [timesteps * k // evaluate.strata for k in range(evaluate.strata + 1)]
    bounds = tuple(pairwise(edges))
    draw = torch.Generator().manual_seed(evaluate.seed)
    drawn = [torch.randint(low, high, (len(images),), generator=draw) for low, high in bounds]
    repeated = images.repeat(evaluate.strata, 1, 1, 1)
    noise = torch.randn(repeated.shape, generator=draw)
    t = torch.cat(drawn)
    return EvaluationSet(repeated, t, noise, bounds, tensor_hash([repeated, t, noise]))


@torch.inference_mode()
def denoising_loss(
    module: nn.Module, chosen: EvaluationSet, objective: Objective, batch: int, device: torch.device
) -> Quality:
    """The loss of a network on an evaluation set, in eps space.

    Args:
        module: takes ``(x_t, t)``; lies on `device`; left in the mode it was in.
        chosen: the evaluation set.
        objective: what the network predicts.
        batch: evaluations per forward pass.
        device: where it runs.

    Returns:
        MSE per stratum, and their mean weighted by the number of timesteps in each; not finite where the network's
        output is not.
    """
    diffusion = Diffusion(objective, device)
    training = module.training
    module.eval()
    errors = []
    for i in range(0, len(chosen.timesteps), batch):
        x0, t, eps = (x[i : i + batch].to(device) for x in (chosen.images, chosen.timesteps, chosen.noise))
        x_t = diffusion.noisy(x0, t, eps)
        eps_hat = diffusion.eps_of(module(x_t, t), x_t, t)
        errors.append((eps_hat - eps).square().flatten(1).mean(dim=1))
    module.train(training)
    per_stratum = torch.cat(errors).cpu().double().view(len(chosen.bounds), -1).mean(dim=1)
    widths = torch.tensor([high - low for low, high in chosen.bounds], dtype=torch.float64)
    bins = tuple((low, high, float(mse)) for (low, high), mse in zip(chosen.bounds, per_stratum, strict=True))
    return Quality(loss=float((per_stratum * widths).sum() / widths.sum()), bins=bins)
