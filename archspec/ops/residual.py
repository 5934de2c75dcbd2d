"""The residual block of DDPM (Ho et al. 2020), and what later papers vary of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from archspec.fields import Taps
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
    group_misfits,
    halving_misfits,
    num_groups,
)
from archspec.shapes import Embedding, FeatureMap, Shape

#: Factor of the size.
_FACTORS = {"none": Fraction(1), "down": Fraction(1, 2), "up": Fraction(2)}


class ResnetBlock(Op):
    """Norm, SiLU, conv; plus the projected embedding; norm, SiLU, dropout, conv; plus the input.

    Where the channels change, the input goes through a 1×1 convolution (or a 3×3 one with `conv_shortcut`). Weight
    names: ``norm1 conv1 temb_proj norm2 conv2 nin_shortcut conv_shortcut``.

    With ``conditioning: scale_shift`` the embedding is projected to a scale s and a shift b, and norm2(h) becomes
    norm2(h) · (1 + s) + b (Nichol and Dhariwal 2021). With `resample` both branches are halved or doubled, the residual
    one between its first SiLU and its first convolution (Dhariwal and Nichol 2021): by averages and nearest neighbours,
    or by a FIR filter (Song et al. 2021).
    """

    op: Literal["resnet_block"] = "resnet_block"
    out: Width = Field(description="output channels")
    conditioning: Literal["none", "add", "scale_shift"] = Field(
        "add", description="how the embedding enters: not at all, added, or as scale and shift after the second norm"
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

    LATER: ClassVar[frozenset[str]] = frozenset(
        {"resample", "resample_filter", "hidden", "residual", "residual_scale", "project_shortcut"}
    )
    PORTS: ClassVar[tuple[Port, ...]] = (Port("x", FeatureMap),)

    @model_validator(mode="after")
    def _embedding_is_wanted(self) -> Self:
        if self.conditioning == "none" and self.emb_dim is not None:
            raise PydanticCustomError("U012", "has no meaning with conditioning: none", {"at": "emb_dim"})
        return self

    def ports(self) -> tuple[Port, ...]:
        """``x``, and ``emb`` where there is conditioning."""
        if self.conditioning == "none":
            return self.PORTS
        return (*self.PORTS, Port("emb", Embedding, "emb", required=self.emb_dim is None))

    @property
    def inner(self) -> int:
        """Channels between the two convolutions."""
        return self.hidden or self.out

    @property
    def emb_channels(self) -> int:
        """What the embedding is projected to: a shift, or a scale and a shift, for each inner channel."""
        return self.inner * (2 if self.conditioning == "scale_shift" else 1)

    def _size(self, size: int) -> int:
        return max(int(size * _FACTORS[self.resample]), 1)

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """`out` channels, at the same size unless it resamples."""
        return FeatureMap(self.out, self._size(feature_map(inputs).size))

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Groups must divide the input's channels (norm1) and the inner ones (norm2); a halved size is even."""
        x = feature_map(inputs)
        if self.inner != x.channels:
            yield from group_misfits(x.channels, self.groups, field="x")
        yield from group_misfits(self.inner, self.groups, field="out" if self.hidden is None else "hidden")
        emb = embedding_dim(inputs, "emb")
        if emb and self.emb_dim not in (None, emb):
            message = f"emb_dim is {self.emb_dim}, but an embedding of {emb} arrives."
            yield Misfit("U202", message, "Leave emb_dim out.", "emb_dim")
        if self.resample == "down":
            yield from halving_misfits(x.size)

    def _projects(self, channels: int) -> bool:
        return self.residual and (self.project_shortcut or channels != self.out)

    def _shortcut_weights(self, channels: int) -> int:
        if not self._projects(channels):
            return 0
        return channels * self.out * (9 if self.conv_shortcut else 1)

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """Norms, convolutions, the embedding's projection (used or not) and the shortcut."""
        channels, inner, out = feature_map(inputs).channels, self.inner, self.out
        norms = 2 * channels + 2 * inner
        convs = 9 * channels * inner + inner + 9 * inner * out + out
        width = embedding_dim(inputs, "emb") or self.emb_dim or 0
        projection = (width + 1) * self.emb_channels if width else 0
        shortcut = self._shortcut_weights(channels)
        return norms + convs + projection + shortcut + (out if shortcut else 0)

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """Convolutions, shortcut, FIR filters, and the embedding's projection if an embedding arrives."""
        x = feature_map(inputs)
        per_position = 9 * x.channels * self.inner + 9 * self.inner * self.out + self._shortcut_weights(x.channels)
        projection = embedding_dim(inputs, "emb") * self.emb_channels
        return self._size(x.size) ** 2 * per_position + projection + self._filter_macs(x)

    def _filter_macs(self, x: FeatureMap) -> int:
        """The FIR filter over every channel of each branch: one product per tap and position of the smaller map."""
        if self.resample_filter is None or self.resample == "none":
            return 0
        smaller = min(x.size, self._size(x.size))
        return (2 if self.residual else 1) * smaller**2 * x.channels * len(self.resample_filter) ** 2

    def canonical(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """What has no effect is left out: an `emb_dim` that arrives, the shortcut's kind without one, the default."""
        resolved, channels = self.written(), feature_map(inputs).channels
        if "emb" in inputs:
            resolved["emb_dim"] = None
        if not self._projects(channels):
            resolved["conv_shortcut"] = False
        if channels != self.out or not self.residual:
            resolved.pop("project_shortcut", None)
        both = [num_groups(self.groups, channels), num_groups(self.groups, self.inner)]
        resolved["groups"] = both if both[0] != both[1] else both[0]
        if self.hidden == self.out:
            del resolved["hidden"]
        if self.resample == "none":
            resolved.pop("resample_filter", None)
        if "resample_filter" in resolved:
            resolved["resample_filter"] = [tap / sum(self.resample_filter or ()) for tap in self.resample_filter or ()]
        return resolved
