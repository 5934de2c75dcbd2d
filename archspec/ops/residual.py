"""The residual block of DDPM (Ho et al. 2020), and what later papers vary of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from archspec.ops.base import (
    HARMLESS,
    Epsilon,
    Flag,
    Groups,
    Misfit,
    Number,
    Op,
    Port,
    Rate,
    Width,
    embedding_dim,
    feature_map,
    halving_misfits,
)
from archspec.ops.conv import ActFn
from archspec.ops.norms import NormType, norm_as_it_acts, norm_misfits, norm_parameters
from archspec.ops.resampling import BOX, even_taps, filter_macs, resampled
from archspec.ops.shapes import Embedding, FeatureMap, Shape
from archspec.text.fields import Taps

_EMB = Port("emb", Embedding, "emb")
#: Whether the embedding must be there -> the ports of a conditioned block.
_PORTS: dict[bool, tuple[Port, ...]] = {
    needed: (Port("x", FeatureMap), replace(_EMB, required=needed)) for needed in (True, False)
}


def refuse_unconditioned(conditioning: str, *, both: bool) -> None:
    """Both norms can only be conditioned where one is."""
    if both and conditioning != "scale_shift":
        hint = "Set conditioning: scale_shift, or leave it out."
        where = {"at": "condition_both", "conditioning": conditioning, "hint": hint}
        raise PydanticCustomError("U012", "has no meaning with conditioning: {conditioning}", where)


class ResnetBlock(Op):
    """Norm, SiLU, conv; plus the projected embedding; norm, SiLU, dropout, conv; plus the input.

    Where the channels change, the input goes through a 1×1 convolution (or a 3×3 one with `conv_shortcut`). Weight
    names: ``norm1 conv1 temb_proj norm2 conv2 nin_shortcut conv_shortcut``.

    With ``conditioning: scale_shift`` the embedding is projected to a scale s and a shift b, and norm2(h) becomes
    norm2(h) · (1 + s) + b (Nichol and Dhariwal 2021); with `condition_both` norm1 gets a scale and a shift of its own
    (weight name ``temb_proj_other``).

    With `resample` both branches are halved or doubled, the residual one right before its first convolution (Dhariwal
    and Nichol 2021): by averages and nearest neighbours, or by a FIR filter (Song et al. 2021).

    With ``norm_order: post`` it is conv, norm, SiLU; dropout, conv, norm, SiLU; plus the input (as He et al. 2016 order
    them, without their last activation after the sum). The embedding still enters after the first convolution: it is
    added before norm1, or scales and shifts norm1's result.
    """

    op: Literal["resnet_block"] = "resnet_block"
    out: Width = Field(description="output channels")
    conditioning: Literal["none", "add", "scale_shift"] = Field(
        "add",
        description="how the embedding enters after the first convolution: not at all, added, or as scale and shift of "
        "the norm there",
    )
    emb_dim: Width | None = Field(
        None, description="allocate the embedding's projection for this width even if no embedding arrives (unused)"
    )
    dropout: Rate = Field(0.0, description="probability of dropping an activation")
    groups: Groups = Field(32, description="groups of both norms; auto: min(32, channels / 4)")
    eps: Epsilon = Field(1e-6, description="added to the variance")
    conv_shortcut: Annotated[Flag, HARMLESS] = Field(
        default=False, description="3×3 instead of 1×1 where the channels change"
    )
    zero_init: Annotated[Flag, HARMLESS] = Field(default=False, description="start the second convolution from zero")
    resample: Literal["none", "down", "up"] = Field("none", description="halve or double the size inside the block")
    resample_filter: Taps | None = Field(
        None, description="taps of a FIR filter to resample with, as [1, 3, 3, 1]; default average, nearest neighbour"
    )
    hidden: Width | None = Field(None, description="channels between the two convolutions; default out")
    residual: Flag = Field(default=True, description="add the block to its input; false: it replaces it")
    residual_scale: Annotated[Number, Field(gt=0.0, le=100.0), HARMLESS] = Field(
        1.0, description="factor of the sum of block and shortcut, such as 1/sqrt(2)"
    )
    project_shortcut: Annotated[Flag, HARMLESS] = Field(
        default=False, description="have the shortcut's convolution even where the channels stay"
    )

    norm_type: NormType = Field("group", description="kind of both norms, as the type of the operation norm")
    norm_order: Annotated[Literal["pre", "post"], HARMLESS] = Field(
        "pre", description="norm and activation before each convolution, or after it"
    )
    act: Annotated[ActFn, HARMLESS] = Field("silu", description="activation function, also that of the embedding")
    condition_both: Flag = Field(
        default=False, description="with scale_shift: scale and shift both norms, not only that after the first conv"
    )

    LATER: ClassVar[frozenset[str]] = frozenset(
        {
            "resample", "resample_filter", "hidden", "residual", "residual_scale", "project_shortcut",
            "norm_type", "norm_order", "act", "condition_both",
        }
    )  # fmt: skip
    PORTS: ClassVar[tuple[Port, ...]] = (Port("x", FeatureMap),)

    @model_validator(mode="after")
    def _embedding_is_wanted(self) -> Self:
        if self.conditioning == "none" and self.emb_dim is not None:
            raise PydanticCustomError("U012", "has no meaning with conditioning: none", {"at": "emb_dim"})
        refuse_unconditioned(self.conditioning, both=self.condition_both)
        return self

    def ports(self) -> tuple[Port, ...]:
        """``x``, and ``emb`` where there is conditioning."""
        if self.conditioning == "none":
            return self.PORTS
        return _PORTS[self.emb_dim is None]

    @property
    def inner(self) -> int:
        """Channels between the two convolutions."""
        return self.hidden or self.out

    def norm_widths(self, channels: int) -> tuple[int, int]:
        """Channels of the first and of the second norm, for an input of `channels`."""
        return (channels, self.inner) if self.norm_order == "pre" else (self.inner, self.out)

    def emb_channels(self, channels: int) -> int:
        """What the embedding is projected to: a shift, or a scale and a shift, for each channel that it conditions."""
        if self.conditioning != "scale_shift":
            return self.inner
        return 2 * (sum(self.norm_widths(channels)) if self.condition_both else self.inner)

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """`out` channels, at the same size unless it resamples."""
        return FeatureMap(self.out, resampled(feature_map(inputs).size, self.resample))

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Groups must divide the channels of both norms; a halved size is even."""
        x = feature_map(inputs)
        for width in dict.fromkeys(self.norm_widths(x.channels)):
            yield from norm_misfits(self.norm_type, width, self.groups, self._said_by(width))
        emb = embedding_dim(inputs, "emb")
        if emb and self.emb_dim not in (None, emb):
            message = f"emb_dim is {self.emb_dim}, but an embedding of {emb} arrives."
            yield Misfit("U202", message, "Leave emb_dim out.", "emb_dim")
        if self.resample == "down":
            yield from halving_misfits(x.size)

    def _said_by(self, width: int) -> str:
        """The parameter or port that decides a norm's width."""
        if width == self.inner:
            return "out" if self.hidden is None else "hidden"
        return "x" if self.norm_order == "pre" else "out"

    def _projects(self, channels: int) -> bool:
        return self.residual and (self.project_shortcut or channels != self.out)

    def _shortcut_weights(self, channels: int) -> int:
        if not self._projects(channels):
            return 0
        return channels * self.out * (9 if self.conv_shortcut else 1)

    def normed(self, inputs: Mapping[str, Shape]) -> tuple[int, ...]:
        """The widths of both norms, where they are group norms."""
        return self.norm_widths(feature_map(inputs).channels) if self.norm_type == "group" else ()

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """Norms, convolutions, the embedding's projection (used or not) and the shortcut."""
        channels, inner, out = feature_map(inputs).channels, self.inner, self.out
        norms = sum(norm_parameters(self.norm_type, width) for width in self.norm_widths(channels))
        convs = 9 * channels * inner + inner + 9 * inner * out + out
        width = embedding_dim(inputs, "emb") or self.emb_dim or 0
        projection = (width + 1) * self.emb_channels(channels) if width else 0
        shortcut = self._shortcut_weights(channels)
        return norms + convs + projection + shortcut + (out if shortcut else 0)

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """Convolutions, shortcut, FIR filters, and the embedding's projection if an embedding arrives."""
        x = feature_map(inputs)
        per_position = 9 * x.channels * self.inner + 9 * self.inner * self.out + self._shortcut_weights(x.channels)
        projection = embedding_dim(inputs, "emb") * self.emb_channels(x.channels)
        filtering = (2 if self.residual else 1) * filter_macs(x, self.resample, self.resample_filter or ())
        return resampled(x.size, self.resample) ** 2 * per_position + projection + filtering

    def canonical(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """What has no effect is left out: an `emb_dim` that arrives, the shortcut's kind without one, the default."""
        resolved, channels = self.written(), feature_map(inputs).channels
        if "emb" in inputs:
            resolved["emb_dim"] = None
        if not self._projects(channels):
            resolved["conv_shortcut"] = False
        if channels != self.out or not self.residual:
            resolved.pop("project_shortcut", None)
        resolved |= norm_as_it_acts(self.norm_type, self.groups, self.eps, *self.norm_widths(channels))
        if self.hidden == self.out:
            del resolved["hidden"]
        taps = even_taps(self.resample_filter or (1.0, 1.0))
        if self.resample == "none" or taps == BOX:
            resolved.pop("resample_filter", None)
        else:
            resolved["resample_filter"] = taps
        return resolved
