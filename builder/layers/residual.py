"""The residual block of DDPM (Ho et al. 2020), and what later papers vary of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional

from builder.layers.conv import conv2d
from builder.layers.filters import Resample
from builder.layers.norm import NormOptions


@dataclass(frozen=True)
class BlockOptions:
    """What later papers vary of a residual block.

    Attributes:
        scale_shift: the embedding scales and shifts the second norm's result (Nichol and Dhariwal 2021).
        resample: halve or double the size in both branches (Dhariwal and Nichol 2021).
        taps: of a FIR filter to resample with (Song et al. 2021); None for average and nearest neighbour.
        hidden_channels: channels between the convolutions; default those of the output.
        residual: whether the input is added.
        residual_scale: factor of the result.
        project_shortcut: a convolution on the shortcut even where the channels stay (Karras et al. 2022).
    """

    scale_shift: bool = False
    resample: Literal["none", "down", "up"] = "none"
    taps: tuple[float, ...] | None = None
    hidden_channels: int | None = None
    residual: bool = True
    residual_scale: float = 1.0
    project_shortcut: bool = False


class ResnetBlock(nn.Module):
    """Norm, SiLU, conv; plus the projected embedding; norm, SiLU, dropout, conv; plus the input.

    Where the channels change, the input goes through a 1×1 convolution, or a 3×3 one with `conv_shortcut`. Weight
    names: ``norm1 conv1 temb_proj norm2 conv2 nin_shortcut conv_shortcut``.

    With `scale_shift` the embedding is projected to scale | shift, and norm2(h) becomes norm2(h) · (1 + scale) + shift.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output; default those of the input.
        conv_shortcut: 3×3 instead of 1×1 where the channels change.
        dropout: probability of dropping an activation.
        temb_channels: width of the embedding; 0 for a block without one.
        norm: groups and epsilon of both norms.
        zero_init: start the second convolution from zero, and so the block from its shortcut.
        options: what later papers vary.
    """

    def __init__(  # noqa: PLR0913 - the constructor of the published block, and what came after it
        self,
        *,
        in_channels: int,
        out_channels: int | None = None,
        conv_shortcut: bool = False,
        dropout: float,
        temb_channels: int = 512,
        norm: NormOptions = NormOptions(),  # noqa: B008 - frozen
        zero_init: bool = False,
        options: BlockOptions = BlockOptions(),
    ) -> None:
        super().__init__()
        out_channels = in_channels if out_channels is None else out_channels
        hidden = options.hidden_channels or out_channels
        self.options = options
        self.resample: Callable[[Tensor], Tensor] | None = None
        if options.resample != "none":
            self.resample = Resample(options.resample, options.taps)
        self.norm1 = norm.norm(in_channels)
        self.conv1 = conv2d(in_channels, hidden, 3)
        width = 2 * hidden if options.scale_shift else hidden
        self.temb_proj = nn.Linear(temb_channels, width) if temb_channels else None
        self.norm2 = norm.norm(hidden)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = conv2d(hidden, out_channels, 3, zero_init=zero_init)
        changes = options.residual and (options.project_shortcut or in_channels != out_channels)
        self.conv_shortcut = conv2d(in_channels, out_channels, 3) if changes and conv_shortcut else None
        self.nin_shortcut = conv2d(in_channels, out_channels, 1) if changes and not conv_shortcut else None

    def forward(self, x: Tensor, temb: Tensor | None = None) -> Tensor:
        """``[b, in, h, w]`` and ``[b, temb_channels]`` to ``[b, out, h, w]``; without `temb` it has no part.

        The size is half or double that where the block resamples.
        """
        h: Tensor = functional.silu(self.norm1(x))
        if self.resample is not None:
            h, x = self.resample(h), self.resample(x) if self.options.residual else x
        h = functional.silu(self._conditioned(self.conv1(h), temb))
        h = self.conv2(self.dropout(h))
        if self.options.residual:
            shortcut = self.nin_shortcut if self.conv_shortcut is None else self.conv_shortcut
            h = h + (x if shortcut is None else shortcut(x))
        return h if self.options.residual_scale == 1.0 else h * self.options.residual_scale

    def _conditioned(self, h: Tensor, temb: Tensor | None) -> Any:
        """The second norm with the embedding before it (a sum) or after it (scale and shift)."""
        if temb is None or self.temb_proj is None:
            return self.norm2(h)
        projected: Tensor = self.temb_proj(functional.silu(temb))[:, :, None, None]
        if not self.options.scale_shift:
            return self.norm2(h + projected)
        scale, shift = projected.chunk(2, dim=1)
        return self.norm2(h) * (1 + scale) + shift
