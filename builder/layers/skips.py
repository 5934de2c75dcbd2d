"""Other ways for a skip connection to meet the way up."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from builder.layers.conv import conv2d


class GatedConcat(nn.Module):
    """Concatenation with an attention gate on the skip (Oktay et al. 2018, eq. 1 and 2).

    ``[b, channels, h, w]`` and ``[b, skip_channels, h, w]`` to ``[b, channels + skip_channels, h, w]``.

    Args:
        channels: of the running map, which is the gating signal.
        skip_channels: of the skip.
        hidden: channels inside the gate.
    """

    def __init__(self, channels: int, skip_channels: int, hidden: int) -> None:
        super().__init__()
        self.theta = conv2d(skip_channels, hidden, 1, bias=False)
        self.phi = conv2d(channels, hidden, 1)
        self.psi = conv2d(hidden, 1, 1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """The running map, and behind it the part of the skip that the gate lets through."""
        gate = torch.sigmoid(self.psi(functional.relu(self.theta(skip) + self.phi(x))))
        return torch.cat([x, skip * gate], dim=1)


def freeu_concat(
    x: Tensor, skip: Tensor, *, backbone: float = 1.2, skip_scale: float = 0.9, threshold: float = 1.0
) -> Tensor:
    """Concatenation as FreeU has it (Si et al. 2023): ``[b, n, h, w]`` and ``[b, m, h, w]`` to ``[b, n + m, h, w]``.

    The first half of the channels of `x` grows by up to `backbone` where their mean is large; the frequencies of `skip`
    below `threshold` (in periods per image) are multiplied by `skip_scale`, in float32.
    """
    mean = x.mean(dim=1, keepdim=True)
    low, high = mean.amin(dim=(2, 3), keepdim=True), mean.amax(dim=(2, 3), keepdim=True)
    factor = 1.0 + (backbone - 1.0) * (mean - low) / (high - low).clamp_min(1e-12)
    half = x.shape[1] // 2
    grown = torch.cat([x[:, :half] * factor, x[:, half:]], dim=1)
    height, width = skip.shape[2:]
    down = torch.fft.fftfreq(height, d=1.0 / height, device=skip.device)
    right = torch.fft.rfftfreq(width, d=1.0 / width, device=skip.device)
    is_low = torch.hypot(down[:, None], right[None, :]) < threshold
    spectrum = torch.fft.rfft2(skip.float()) * torch.where(is_low, skip_scale, 1.0)
    rebalanced = torch.fft.irfft2(spectrum, s=(height, width)).to(skip.dtype)
    return torch.cat([grown, rebalanced], dim=1)
