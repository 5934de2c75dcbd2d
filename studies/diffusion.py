"""Denoising diffusion with discrete timesteps: noise schedules, what a network predicts, and back to noise and image.

A noisy image is x_t = a_t·x0 + s_t·eps with a_t² + s_t² = 1 (Ho et al. 2020, eq. 4), where a_t² is their
alpha-bar. Timesteps run from 0 (least noise) to T−1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from studies.protocol import Objective

MAX_BETA = 0.999  # Nichol & Dhariwal 2021, below eq. 17: keeps the last steps from being singular


def linear_alpha_bar(timesteps: int) -> Tensor:
    """Alpha-bar of betas that rise linearly from 1e-4 to 0.02 in 1,000 steps (Ho et al. 2020, section 4).

    With another number of steps the betas are multiplied by 1000/T, so that the last image is as noisy, and cut at
    0.999.

    Returns:
        float64 ``[timesteps]``, falling.
    """
    scale = 1000 / timesteps
    betas = torch.linspace(1e-4 * scale, 0.02 * scale, timesteps, dtype=torch.float64).clamp(max=MAX_BETA)
    return torch.cumprod(1 - betas, dim=0)


def cosine_alpha_bar(timesteps: int) -> Tensor:
    """Alpha-bar that follows a squared cosine with offset 0.008, betas cut at 0.999 (Nichol & Dhariwal 2021, eq. 17).

    Returns:
        float64 ``[timesteps]``, falling.
    """
    steps = torch.arange(timesteps + 1, dtype=torch.float64) / timesteps
    f = torch.cos((steps + 0.008) / 1.008 * math.pi / 2) ** 2
    betas = (1 - f[1:] / f[:-1]).clamp(max=MAX_BETA)
    return torch.cumprod(1 - betas, dim=0)


SCHEDULES: dict[str, Callable[[int], Tensor]] = {"linear": linear_alpha_bar, "cosine": cosine_alpha_bar}


@dataclass(frozen=True)
class Prediction:
    """What a network predicts, as functions of tensors that broadcast; a and s are a_t and s_t.

    Attributes:
        target: ``(x0, eps, a, s)`` to what the network should give.
        eps: ``(output, x_t, a, s)`` to its estimate of the noise.
        x0: ``(output, x_t, a, s)`` to its estimate of the image.
    """

    target: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    eps: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    x0: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


PREDICTIONS: dict[str, Prediction] = {
    # Ho et al. 2020, eq. 14 for the target and eq. 15 for x0.
    "eps": Prediction(
        target=lambda x0, eps, a, s: eps,
        eps=lambda out, x_t, a, s: out,
        x0=lambda out, x_t, a, s: (x_t - s * out) / a,
    ),
    # Salimans & Ho 2022, appendix D: v = a·eps − s·x0, hence x0 = a·x_t − s·v and eps = s·x_t + a·v.
    "v": Prediction(
        target=lambda x0, eps, a, s: a * eps - s * x0,
        eps=lambda out, x_t, a, s: s * x_t + a * out,
        x0=lambda out, x_t, a, s: a * x_t - s * out,
    ),
}


class Diffusion:
    """An objective on one device: noisy images, targets, and a network's output as noise or image.

    Args:
        objective: schedule, prediction and number of timesteps.
        device: where the tables of a_t and s_t lie (float32, computed in float64).
    """

    def __init__(self, objective: Objective, device: torch.device) -> None:
        alpha_bar = SCHEDULES[objective.schedule](objective.timesteps)
        self.timesteps = objective.timesteps
        self.a = alpha_bar.sqrt().float().to(device)
        self.s = (1 - alpha_bar).sqrt().float().to(device)
        self._prediction = PREDICTIONS[objective.prediction]

    def _at(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return self.a[t].view(-1, 1, 1, 1), self.s[t].view(-1, 1, 1, 1)

    def noisy(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """x_t for images ``[b, c, h, w]``, timesteps ``[b]`` and noise like the images (Ho et al. 2020, eq. 4)."""
        a, s = self._at(t)
        return a * x0 + s * eps

    def target(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """What the network should give for x_t, ``[b, c, h, w]``."""
        return self._prediction.target(x0, eps, *self._at(t))

    def eps_of(self, output: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """The noise that an output for x_t amounts to, ``[b, c, h, w]``."""
        return self._prediction.eps(output, x_t, *self._at(t))

    def x0_of(self, output: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """The image that an output for x_t amounts to, ``[b, c, h, w]``."""
        return self._prediction.x0(output, x_t, *self._at(t))
