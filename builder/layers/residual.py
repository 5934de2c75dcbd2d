"""The residual block of DDPM (Ho et al. 2020)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from builder.layers.conv import conv2d
from builder.layers.norm import NormOptions


class ResnetBlock(nn.Module):
    """Norm, SiLU, conv; plus the projected embedding; norm, SiLU, dropout, conv; plus the input.

    Where the channels change, the input goes through a 1×1 convolution, or a 3×3 one with `conv_shortcut`. Weight
    names: ``norm1 conv1 temb_proj norm2 conv2 nin_shortcut conv_shortcut``.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output; default those of the input.
        conv_shortcut: 3×3 instead of 1×1 where the channels change.
        dropout: probability of dropping an activation.
        temb_channels: width of the embedding; 0 for a block without one.
        norm: groups and epsilon of both norms.
        zero_init: start the second convolution from zero, and so the block from its shortcut.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int | None = None,
        conv_shortcut: bool = False,
        dropout: float,
        temb_channels: int = 512,
        norm: NormOptions = NormOptions(),  # noqa: B008 - frozen
        zero_init: bool = False,
    ) -> None:
        super().__init__()
        out_channels = in_channels if out_channels is None else out_channels
        self.norm1 = norm.norm(in_channels)
        self.conv1 = conv2d(in_channels, out_channels, 3)
        self.temb_proj = nn.Linear(temb_channels, out_channels) if temb_channels else None
        self.norm2 = norm.norm(out_channels)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = conv2d(out_channels, out_channels, 3, zero_init=zero_init)
        changes = in_channels != out_channels
        self.conv_shortcut = conv2d(in_channels, out_channels, 3) if changes and conv_shortcut else None
        self.nin_shortcut = conv2d(in_channels, out_channels, 1) if changes and not conv_shortcut else None

    def forward(self, x: Tensor, temb: Tensor | None = None) -> Tensor:
        """``[b, in, h, w]`` and ``[b, temb_channels]`` to ``[b, out, h, w]``; without `temb` nothing is added."""
        h: Tensor = self.conv1(functional.silu(self.norm1(x)))
        if temb is not None and self.temb_proj is not None:
            h = h + self.temb_proj(functional.silu(temb))[:, :, None, None]
        h = self.conv2(self.dropout(functional.silu(self.norm2(h))))
        shortcut = self.nin_shortcut if self.conv_shortcut is None else self.conv_shortcut
        return h + (x if shortcut is None else shortcut(x))
