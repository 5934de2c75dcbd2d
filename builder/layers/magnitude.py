"""Layers that preserve magnitudes; equation numbers are those of Karras et al. 2024 (EDM2).

The magnitude of a tensor is the root mean square of its numbers. Inputs of magnitude 1 give outputs of magnitude 1, in
expectation. Written from the paper's equations.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Magnitude of SiLU of unit normal numbers (eq. 81).
SILU_MAGNITUDE = 0.596


def unit_magnitude(x: Tensor, dims: tuple[int, ...], eps: float = 1e-4) -> Tensor:
    """`x` divided by its magnitude over `dims`, to which `eps` is added; computed in float32, in the type of `x`."""
    count = math.prod([x.shape[dim] for dim in dims])  # a list, because torch.compile cannot follow a generator here
    magnitude = torch.linalg.vector_norm(x, dim=dims, keepdim=True, dtype=torch.float32) / math.sqrt(count)
    unit: Tensor = x / (magnitude + eps).to(x.dtype)
    return unit


def pixel_norm(x: Tensor, eps: float = 1e-4) -> Tensor:
    """Each pixel's vector of channels at magnitude 1: ``[b, c, h, w] -> [b, c, h, w]``."""
    return unit_magnitude(x, (1,), eps)


def mp_silu(x: Tensor) -> Tensor:
    """SiLU at unit magnitude (eq. 81)."""
    return functional.silu(x) / SILU_MAGNITUDE


def mp_sum(x: Tensor, skip: Tensor, t: float = 0.5) -> Tensor:
    """``((1 - t) x + t skip) / sqrt((1 - t)² + t²)`` (eq. 88), in the type of `x`: under autocast they may differ."""
    return torch.lerp(x, skip.to(x.dtype), t) / math.hypot(1.0 - t, t)


def mp_concat(x: Tensor, skip: Tensor, t: float = 0.5) -> Tensor:
    """``[b, n, h, w]`` and ``[b, m, h, w]`` joined on channels with the weights of eq. 103: ``[b, n + m, h, w]``."""
    n, m = x.shape[1], skip.shape[1]
    whole = math.sqrt(n + m) / math.hypot(1.0 - t, t)
    return torch.cat([x * (whole * (1.0 - t) / math.sqrt(n)), skip * (whole * t / math.sqrt(m))], dim=1)


def ones_channel(x: Tensor) -> Tensor:
    """``[b, c, h, w]`` with a channel of ones behind: ``[b, c + 1, h, w]``."""
    return torch.cat([x, torch.ones_like(x[:, :1])], dim=1)


def one_hot(label: Tensor, classes: int, *, scaled: bool = True) -> Tensor:
    """``[b]`` integers to one-hot ``[b, classes]`` in float32, times √classes if scaled; zeros for any other number."""
    hot = (label[:, None] == torch.arange(classes, device=label.device)).float()
    return hot * math.sqrt(classes) if scaled else hot


class _Normalised(nn.Module):
    """A weight that acts with rows of unit length, whatever it holds (eq. 47).

    In training it is also stored normalised before each use (eq. 66), so that the effective learning rate does not
    fall as it grows.
    """

    def __init__(self, *shape: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(shape))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Unit normal weights."""
        nn.init.normal_(self.weight)

    def rows(self) -> Tensor:
        """The weight as it acts: normalised per output and divided by the root of its fan-in."""
        dims = tuple(range(1, self.weight.ndim))
        if self.training:
            with torch.no_grad():
                self.weight.copy_(unit_magnitude(self.weight, dims, self.eps))
        return unit_magnitude(self.weight, dims, self.eps) / math.sqrt(self.weight[0].numel())


class MpConv2d(_Normalised):
    """Convolution without bias, its weights normalised: ``[b, in, h, w] -> [b, out, h, w]`` (eq. 47, 66).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: odd size in pixels; zero padding of half of it.
        learned_gain: multiply the result by one parameter, ``gain``, that starts at 0.
        eps: added to the magnitude of weights.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, learned_gain: bool = False, eps: float = 1e-4
    ) -> None:
        super().__init__(out_channels, in_channels, kernel, kernel, eps=eps)
        self.gain = nn.Parameter(torch.zeros(())) if learned_gain else None

    def reset_parameters(self) -> None:
        """Unit normal weights, gain 0."""
        super().reset_parameters()
        gain = self._parameters.get("gain")
        if gain is not None:
            nn.init.zeros_(gain)

    def forward(self, x: Tensor) -> Tensor:
        """The map after the convolution."""
        weight = self.rows() if self.gain is None else self.rows() * self.gain
        return functional.conv2d(x, weight.to(x.dtype), padding=weight.shape[-1] // 2)


class MpLinear(_Normalised):
    """Linear layer without bias, its weights normalised: ``[b, in] -> [b, out]`` (eq. 47, 66)."""

    def __init__(self, in_dim: int, out_dim: int, *, eps: float = 1e-4) -> None:
        super().__init__(out_dim, in_dim, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """The embedding after the layer, in the weights' type (features of the noise are always float32)."""
        return functional.linear(x.to(self.weight.dtype), self.rows())


class MpFourier(nn.Module):
    """Random features of numbers: ``[b] -> [b, dim]``, ``√2·cos(2π(f·t + φ))`` (eq. 75), computed in float32.

    Frequencies f are normal with a standard deviation of `bandwidth`, phases φ uniform; both are drawn once and kept
    with the weights.
    """

    frequencies: Tensor
    phases: Tensor

    def __init__(self, dim: int, bandwidth: float = 1.0) -> None:
        super().__init__()
        self.bandwidth = bandwidth
        self.register_buffer("frequencies", torch.empty(dim))
        self.register_buffer("phases", torch.empty(dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """New frequencies and phases."""
        dim = len(self.frequencies)
        self.frequencies.copy_(torch.randn(dim, device="cpu") * self.bandwidth)
        self.phases.copy_(torch.rand(dim, device="cpu"))

    def forward(self, t: Tensor) -> Tensor:
        """The features; `ValueError` unless there is one number per image."""
        if t.ndim != 1:
            raise ValueError(f"timesteps must have one dimension, one number per image, not {list(t.shape)}.")
        angles = t.float()[:, None] * self.frequencies.float() + self.phases.float()
        return torch.cos(2.0 * math.pi * angles) * math.sqrt(2.0)
