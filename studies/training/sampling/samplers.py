"""Deterministic samplers: from noise to images along the probability flow, whatever the denoiser is.

All work on images with noise added, x0 + σ·eps, and on a denoiser D(x; σ), the expected image: dx/dσ = (x − D(x; σ))/σ
(Karras et al. 2022, eq. 3 with σ(t) = t and s(t) = 1). Noise levels fall, and the last step is to none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor

Denoiser = Callable[[Tensor, float], Tensor]
Sampler = Callable[[Denoiser, Tensor, Sequence[float]], Tensor]

#: Karras et al. 2022, table 1: lowest and highest noise level, and how they crowd at the low end.
SIGMA_MIN, SIGMA_MAX, RHO = 0.002, 80.0, 7.0


def ddim(denoise: Denoiser, noisy: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Song et al. 2021 (DDIM), eq. 12 with no noise added: first order, one call of the denoiser for each level.

    Args:
        denoise: D(x; σ).
        noisy: ``[b, c, h, w]``, x0 + σ·eps at the first level.
        sigmas: falling noise levels, all above zero.

    Returns:
        Images ``[b, c, h, w]``.
    """
    for now, after in pairwise([*sigmas, 0.0]):
        image = denoise(noisy, now)
        noisy = image + (after / now) * (noisy - image)
    return noisy


def heun(denoise: Denoiser, noisy: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Karras et al. 2022, algorithm 1: second order, two calls of the denoiser for each level but the last.

    Arguments and result as of `ddim`.
    """
    for now, after in pairwise([*sigmas, 0.0]):
        slope = (noisy - denoise(noisy, now)) / now
        there = noisy + (after - now) * slope
        if after > 0:
            slope = (slope + (there - denoise(there, after)) / after) / 2
            there = noisy + (after - now) * slope
        noisy = there
    return noisy


def even_timesteps(levels: Sequence[float], steps: int) -> list[float]:
    """Noise levels of evenly spaced timesteps from the last to the first, falling (Song et al. 2021, appendix D.2).

    Args:
        levels: σ of every timestep, rising.
        steps: how many; fewer where there are fewer timesteps.
    """
    last = len(levels) - 1
    chosen = {round(last * k / (steps - 1)) for k in range(steps)} if steps > 1 else {last}
    return [levels[t] for t in sorted(chosen, reverse=True)]


def rho_levels(levels: Sequence[float], steps: int) -> list[float]:
    """Noise levels whose 7th roots are evenly spaced, falling (Karras et al. 2022, eq. 5).

    From 80 to 0.002, as far as the lowest and highest of the rising `levels` allow.
    """
    low, high = max(SIGMA_MIN, levels[0]), min(SIGMA_MAX, levels[-1])
    if steps == 1:
        return [high]
    ends = high ** (1 / RHO), low ** (1 / RHO)
    return [(ends[0] + k / (steps - 1) * (ends[1] - ends[0])) ** RHO for k in range(steps)]


#: sampler -> (itself, how it spaces its noise levels)
SAMPLERS: dict[str, tuple[Sampler, Callable[[Sequence[float], int], list[float]]]] = {
    "ddim": (ddim, even_timesteps),
    "heun": (heun, rho_levels),
}
