"""From the timestep to an embedding: sinusoidal features and a small multilayer perceptron."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def sinusoidal(
    timesteps: Tensor,
    dim: int,
    *,
    cos_first: bool = False,
    freq_shift: float = 1.0,
    max_period: float = 10_000.0,
    scale: float = 1.0,
) -> Tensor:
    """Sines and cosines of the timesteps (Vaswani et al. 2017, in the form of Ho et al. 2020): ``[b] -> [b, dim]``.

    Frequencies are ``exp(-ln(max_period) * k / (half - freq_shift))`` for k = 0 … half-1 with half = dim // 2 (a single
    frequency is 1); an odd `dim` gets one zero column at the end. The timesteps are multiplied by `scale` before.
    Computed in float32 whatever the timesteps' type.

    Raises:
        ValueError: the timesteps are not one-dimensional.
    """
    if timesteps.ndim != 1:
        raise ValueError(
            f"timesteps must have one dimension, one number per image, not the shape {list(timesteps.shape)}; "
            "for one number write torch.tensor([number])."
        )
    half = dim // 2
    step = math.log(max_period) / (half - freq_shift) if half > 1 else 0.0
    frequencies = torch.exp(-step * torch.arange(half, dtype=torch.float32, device=timesteps.device))
    steps = timesteps.float() if scale == 1.0 else scale * timesteps.float()
    angles = steps[:, None] * frequencies[None, :]
    halves = [torch.cos(angles), torch.sin(angles)] if cos_first else [torch.sin(angles), torch.cos(angles)]
    features = torch.cat(halves, dim=1)
    return functional.pad(features, (0, 1)) if dim % 2 else features


def get_timestep_embedding(timesteps: Tensor, embedding_dim: int) -> Tensor:
    """Sinusoidal features as the reference U-Net computes them: ``[b] -> [b, embedding_dim]``, sines first."""
    return sinusoidal(timesteps, embedding_dim)


class LearnedTimesteps(nn.Embedding):
    """A row for each of the timesteps 0 … steps-1: whole numbers of any type ``[b] -> [b, dim]``. Weight ``weight``.

    A timestep outside of them is an `IndexError` of torch's; one between two of them is taken as the lower.
    """

    def forward(self, timesteps: Tensor) -> Tensor:
        """The rows; `ValueError` unless there is one number per image."""
        if timesteps.ndim != 1:
            raise ValueError(f"timesteps must have one dimension, one number per image, not {list(timesteps.shape)}.")
        return super().forward(timesteps.long())


class Mlp(nn.Module):
    """Linear, SiLU, linear: ``[b, in_dim] -> [b, out_dim]``. Weight names ``dense.0``, ``dense.1``."""

    def __init__(self, in_dim: int, hidden_dim: int, out_dim: int) -> None:
        super().__init__()
        self.dense = nn.ModuleList([nn.Linear(in_dim, hidden_dim), nn.Linear(hidden_dim, out_dim)])

    def forward(self, x: Tensor) -> Tensor:
        """The embedding, in the weights' type (sinusoidal features are always float32)."""
        first, second = self.dense
        out: Tensor = second(functional.silu(first(x.to(next(self.parameters()).dtype))))
        return out
