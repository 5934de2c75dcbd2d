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

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": functional.silu,
    "relu": functional.relu,
    "gelu": functional.gelu,
}


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
        norm_order: norm and activation before each convolution, or after it.
        act: name of the activation, also that of the embedding.
        condition_both: with `scale_shift`, the other norm gets a scale and a shift of its own too.
    """

    scale_shift: bool = False
    resample: Literal["none", "down", "up"] = "none"
    taps: tuple[float, ...] | None = None
    hidden_channels: int | None = None
    residual: bool = True
    residual_scale: float = 1.0
    project_shortcut: bool = False
    norm_order: Literal["pre", "post"] = "pre"
    act: Literal["silu", "relu", "gelu"] = "silu"
    condition_both: bool = False


class ResnetBlock(nn.Module):
    """Norm, SiLU, conv; plus the projected embedding; norm, SiLU, dropout, conv; plus the input.

    Where the channels change, the input goes through a 1×1 convolution, or a 3×3 one with `conv_shortcut`. Weight
    names: ``norm1 conv1 temb_proj norm2 conv2 nin_shortcut conv_shortcut``.

    With `scale_shift` the embedding is projected to scale | shift, and norm2(h) becomes norm2(h) · (1 + scale) + shift;
    with `condition_both` norm1 too, by ``temb_proj_other``. With ``norm_order: post`` it is conv, norm, SiLU, dropout,
    conv, norm, SiLU, plus the input, and the embedding enters at norm1, which follows the first convolution there.

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
        self.act = ACTIVATIONS[options.act]
        pre = options.norm_order == "pre"
        self.norm1 = norm.norm(in_channels if pre else hidden)
        self.conv1 = conv2d(in_channels, hidden, 3)
        width = 2 * hidden if options.scale_shift else hidden
        self.temb_proj = nn.Linear(temb_channels, width) if temb_channels else None
        other = 2 * (in_channels if pre else out_channels)
        both = temb_channels and options.condition_both
        self.temb_proj_other = nn.Linear(temb_channels, other) if both else None
        self.norm2 = norm.norm(hidden if pre else out_channels)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = conv2d(hidden, out_channels, 3, zero_init=zero_init)
        changes = options.residual and (options.project_shortcut or in_channels != out_channels)
        self.conv_shortcut = conv2d(in_channels, out_channels, 3) if changes and conv_shortcut else None
        self.nin_shortcut = conv2d(in_channels, out_channels, 1) if changes and not conv_shortcut else None

    def forward(self, x: Tensor, temb: Tensor | None = None) -> Tensor:
        """``[b, in, h, w]`` and ``[b, temb_channels]`` to ``[b, out, h, w]``; without `temb` it has no part.

        The size is half or double that where the block resamples.
        """
        emb = None if temb is None or self.temb_proj is None else self.act(temb)
        if self.options.norm_order == "pre":
            h = self.act(self._modulated(self.norm1(x), emb))
            h, x = self._resampled(h, x)
            h = self.act(self._conditioned(self.norm2, self.conv1(h), emb))
            h = self.conv2(self.dropout(h))
        else:
            h, x = self._resampled(x, x)
            h = self.act(self._conditioned(self.norm1, self.conv1(h), emb))
            h = self.act(self._modulated(self.norm2(self.conv2(self.dropout(h))), emb))
        if self.options.residual:
            shortcut = self.nin_shortcut if self.conv_shortcut is None else self.conv_shortcut
            h = h + (x if shortcut is None else shortcut(x))
        return h if self.options.residual_scale == 1.0 else h * self.options.residual_scale

    def _resampled(self, h: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both branches at the size that leaves; the shortcut only where there is one."""
        if self.resample is None:
            return h, x
        return self.resample(h), self.resample(x) if self.options.residual else x

    def _conditioned(self, norm: nn.Module, h: Tensor, emb: Tensor | None) -> Any:
        """The norm after the first convolution, the embedding before it (a sum) or after it (scale and shift)."""
        if emb is None or self.temb_proj is None:
            return norm(h)
        projected: Tensor = self.temb_proj(emb)[:, :, None, None]
        if not self.options.scale_shift:
            return norm(h + projected)
        return _scaled_and_shifted(norm(h), projected)

    def _modulated(self, h: Tensor, emb: Tensor | None) -> Tensor:
        """The other norm's result, scaled and shifted where both are."""
        if emb is None or self.temb_proj_other is None:
            return h
        return _scaled_and_shifted(h, self.temb_proj_other(emb)[:, :, None, None])


def _scaled_and_shifted(h: Tensor, projected: Tensor) -> Tensor:
    """``h * (1 + scale) + shift``, where `projected` is scale | shift."""
    scale, shift = projected.chunk(2, dim=1)
    return h * (1 + scale) + shift
