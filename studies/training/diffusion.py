"""What a network learns to undo: noise schedules, what it predicts, and back from its output to the image.

`Diffusion` has discrete timesteps, from 0 (least noise) to T−1; its noisy image is x_t = a_t·x0 + s_t·eps with
a_t² + s_t² = 1 (Ho et al. 2020, eq. 4), where a_t² is their alpha-bar. `Preconditioned` is the denoiser of Karras et
al. 2022, whose noisy image is x0 + σ·eps. Both know the same noise levels: σ = s_t/a_t, and log-SNR = −2·ln σ.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from studies.sections.objective import Edm, Objective

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
        x0: ``(output, x_t, a, s)`` to its estimate of the image.
    """

    target: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    x0: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


PREDICTIONS: dict[str, Prediction] = {
    # Ho et al. 2020, eq. 14 for the target and eq. 15 for x0.
    "eps": Prediction(
        target=lambda x0, eps, a, s: eps,
        x0=lambda out, x_t, a, s: (x_t - s * out) / a,
    ),
    # Salimans & Ho 2022, appendix D: v = a·eps − s·x0, hence x0 = a·x_t − s·v.
    "v": Prediction(
        target=lambda x0, eps, a, s: a * eps - s * x0,
        x0=lambda out, x_t, a, s: a * x_t - s * out,
    ),
    # Salimans & Ho 2022, section 4: the image itself.
    "x0": Prediction(
        target=lambda x0, eps, a, s: x0,
        x0=lambda out, x_t, a, s: out,
    ),
}


class Process(ABC):
    """A noising process and what a network has to say about it, on one device.

    A noise level is a timestep (integers: an index of `levels`) or, where the process is continuous, σ itself (floats).

    Attributes:
        levels: σ of every timestep, float64 ``[timesteps]`` on the CPU, rising.
    """

    levels: Tensor

    @property
    def timesteps(self) -> int:
        """Number of levels."""
        return len(self.levels)

    @abstractmethod
    def level(self, sigma: float) -> Tensor:
        """The noise level nearest to σ (in ln σ), a scalar on the CPU."""

    def nearest(self, sigmas: Sequence[float]) -> list[float]:
        """The σ nearest to the falling ones asked for, each once."""
        found = [float(self.sigma_of(self.level(sigma))) for sigma in sigmas]
        return list(dict.fromkeys(found))

    @abstractmethod
    def sigma_of(self, t: Tensor) -> Tensor:
        """σ of levels on the CPU, float64."""

    @abstractmethod
    def range(self) -> list[float]:
        """σ of the levels that a sampler may ask for, rising; of a continuous process they stand for all between."""

    @abstractmethod
    def draw(self, size: int, generator: torch.Generator) -> Tensor:
        """Noise levels of a training batch, ``[size]`` on the CPU."""

    @abstractmethod
    def scaled(self, noisy: Tensor, t: Tensor) -> Tensor:
        """What the network is shown for x0 + σ·eps, ``[b, c, h, w]``."""

    @abstractmethod
    def noisy(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """What the network is shown for images ``[b, c, h, w]``, levels ``[b]`` and noise like the images."""

    @abstractmethod
    def time(self, t: Tensor) -> Tensor:
        """The network's time input for levels ``[b]``."""

    @abstractmethod
    def target(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """What the network should give for what it is shown, ``[b, c, h, w]``."""

    @abstractmethod
    def x0_of(self, output: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """The image that an output for `x_t`, as the network was shown it, amounts to, ``[b, c, h, w]``."""


class Diffusion(Process):
    """Discrete timesteps: noisy images, targets, and a network's output as noise or image.

    Args:
        objective: schedule, prediction and number of timesteps.
        device: where the tables of a_t and s_t lie (float32, computed in float64).
    """

    def __init__(self, objective: Objective, device: torch.device) -> None:
        alpha_bar = SCHEDULES[objective.schedule](objective.timesteps)
        self.levels = noise_levels(objective)
        self.a = alpha_bar.sqrt().float().to(device)
        self.s = (1 - alpha_bar).sqrt().float().to(device)
        self._prediction = PREDICTIONS[objective.prediction]

    def _at(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return self.a[t].view(-1, 1, 1, 1), self.s[t].view(-1, 1, 1, 1)

    def level(self, sigma: float) -> Tensor:
        """The timestep with the noise level nearest to σ, an int64 scalar."""
        return (self.levels.log() - math.log(sigma)).abs().argmin()

    def sigma_of(self, t: Tensor) -> Tensor:
        """σ of timesteps."""
        return self.levels[t]

    def range(self) -> list[float]:
        """σ of every timestep."""
        return [float(sigma) for sigma in self.levels]

    def draw(self, size: int, generator: torch.Generator) -> Tensor:
        """Uniform timesteps, int64 ``[size]``."""
        return torch.randint(self.timesteps, (size,), generator=generator)

    def time(self, t: Tensor) -> Tensor:
        """The timesteps themselves."""
        return t

    def scaled(self, noisy: Tensor, t: Tensor) -> Tensor:
        """x_t = a_t·(x0 + σ·eps)."""
        return self._at(t)[0] * noisy

    def noisy(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """x_t for images ``[b, c, h, w]``, timesteps ``[b]`` and noise like the images (Ho et al. 2020, eq. 4)."""
        a, s = self._at(t)
        return a * x0 + s * eps

    def target(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """What the network should give for x_t, ``[b, c, h, w]``."""
        return self._prediction.target(x0, eps, *self._at(t))

    def x0_of(self, output: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """The image that an output for x_t amounts to, ``[b, c, h, w]``."""
        return self._prediction.x0(output, x_t, *self._at(t))


class Preconditioned(Process):
    """The denoiser of Karras et al. 2022, D(x; σ) = c_skip·x + c_out·F(c_in·x; ¼ ln σ) (eq. 7 and table 1).

    The target of F is (x0 − c_skip·x)/c_out: the plain squared error of F is then their loss, whose weight
    λ(σ) = 1/c_out² makes every noise level start alike (eq. 8).

    Args:
        objective: the training's distribution of σ, and sigma_data.
        device: where the table of levels lies.
    """

    def __init__(self, objective: Edm, device: torch.device) -> None:
        self.objective = objective
        self.levels = noise_levels(objective)
        self._table = self.levels.float().to(device)

    def _sigma(self, t: Tensor) -> Tensor:
        return t if t.is_floating_point() else self._table[t]

    def _factors(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """σ, c_in, c_skip and c_out, each ``[b, 1, 1, 1]``."""
        sigma, data = self._sigma(t).view(-1, 1, 1, 1), self.objective.sigma_data
        root = (sigma.square() + data**2).sqrt()
        return sigma, 1 / root, data**2 / root.square(), sigma * data / root

    def level(self, sigma: float) -> Tensor:
        """σ itself, a float32 scalar."""
        return torch.tensor(sigma, dtype=torch.float32)

    def sigma_of(self, t: Tensor) -> Tensor:
        """The levels themselves."""
        return t.double()

    def range(self) -> list[float]:
        """From 0.002 to 80, the range of Karras et al. 2022, table 1, with the levels of evaluation between."""
        return [0.002, *(float(sigma) for sigma in self.levels if 0.002 < sigma < 80), 80.0]

    def draw(self, size: int, generator: torch.Generator) -> Tensor:
        """Noise levels σ with normal logarithms, float32 ``[size]``."""
        return (self.objective.p_mean + self.objective.p_std * torch.randn(size, generator=generator)).exp()

    def time(self, t: Tensor) -> Tensor:
        """¼ ln σ, c_noise of table 1."""
        return self._sigma(t).log() / 4

    def scaled(self, noisy: Tensor, t: Tensor) -> Tensor:
        """c_in·(x0 + σ·eps), of unit variance for images of sigma_data."""
        return self._factors(t)[1] * noisy

    def noisy(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """c_in·(x0 + σ·eps) for images ``[b, c, h, w]``, levels ``[b]`` and noise like the images."""
        sigma, c_in, _, _ = self._factors(t)
        return c_in * (x0 + sigma * eps)

    def target(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """What F should give, ``[b, c, h, w]``."""
        sigma, _, c_skip, c_out = self._factors(t)
        return (x0 - c_skip * (x0 + sigma * eps)) / c_out

    def x0_of(self, output: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """The denoised image D for F's output, ``[b, c, h, w]``."""
        _, c_in, c_skip, c_out = self._factors(t)
        return c_skip * x_t / c_in + c_out * output


def noise_levels(objective: Objective | Edm) -> Tensor:
    """σ = s_t/a_t of every timestep at which an objective is evaluated, float64 ``[timesteps]``, rising."""
    alpha_bar = SCHEDULES[objective.schedule](objective.timesteps)
    return ((1 - alpha_bar) / alpha_bar).sqrt()


def process(objective: Objective | Edm, device: torch.device) -> Process:
    """The process of an objective, with its tables on a device."""
    return Preconditioned(objective, device) if isinstance(objective, Edm) else Diffusion(objective, device)
