"""The residual block of DDPM (Ho et al. 2020)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from archspec.ops.base import (
    HARMLESS,
    Count,
    Epsilon,
    Flag,
    Misfit,
    Op,
    Port,
    Rate,
    Width,
    feature_map,
    group_misfits,
)
from archspec.shapes import Embedding, FeatureMap, Shape


class ResnetBlock(Op):
    """Norm, SiLU, conv; plus the projected embedding; norm, SiLU, dropout, conv; plus the input.

    Where the channels change, the input goes through a 1×1 convolution (or a 3×3 one with `conv_shortcut`). Weight
    names: ``norm1 conv1 temb_proj norm2 conv2 nin_shortcut conv_shortcut``.
    """

    op: Literal["resnet_block"] = "resnet_block"
    out: Width = Field(description="output channels")
    conditioning: Literal["none", "add"] = Field("add", description="how the embedding enters: not at all, or added")
    emb_dim: Width | None = Field(
        None, description="allocate the embedding's projection for this width even if no embedding arrives (unused)"
    )
    dropout: Rate = Field(0.0, description="probability of dropping an activation")
    groups: Count = Field(32, description="groups of both norms")
    eps: Epsilon = Field(1e-6, description="added to the variance")
    conv_shortcut: Annotated[Flag, HARMLESS] = Field(
        default=False, description="3×3 instead of 1×1 where the channels change"
    )
    zero_init: Annotated[Flag, HARMLESS] = Field(default=False, description="start the second convolution from zero")

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

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """The same size with `out` channels."""
        return FeatureMap(self.out, feature_map(inputs).size)

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Groups must divide the input's channels (norm1) and the output's (norm2)."""
        if self.out != feature_map(inputs).channels:
            yield from group_misfits(feature_map(inputs).channels, self.groups, field="x")
        yield from group_misfits(self.out, self.groups, field="out")
        emb = inputs.get("emb")
        if isinstance(emb, Embedding) and self.emb_dim not in (None, emb.dim):
            message = f"emb_dim is {self.emb_dim}, but an embedding of {emb.dim} arrives."
            yield Misfit("U202", message, "Leave emb_dim out.", "emb_dim")

    def _emb_width(self, inputs: Mapping[str, Shape]) -> int:
        emb = inputs.get("emb")
        return emb.dim if isinstance(emb, Embedding) else self.emb_dim or 0

    def _shortcut_weights(self, channels: int) -> int:
        if channels == self.out:
            return 0
        return channels * self.out * (9 if self.conv_shortcut else 1)

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """Norms, convolutions, the embedding's projection (used or not) and the shortcut."""
        channels, out = feature_map(inputs).channels, self.out
        norms = 2 * channels + 2 * out
        convs = 9 * channels * out + out + 9 * out * out + out
        width = self._emb_width(inputs)
        projection = (width + 1) * out if width else 0
        shortcut = self._shortcut_weights(channels)
        return norms + convs + projection + shortcut + (out if shortcut else 0)

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """Convolutions, shortcut, and the embedding's projection if an embedding arrives."""
        x = feature_map(inputs)
        per_position = 9 * x.channels * self.out + 9 * self.out**2 + self._shortcut_weights(x.channels)
        projection = self._emb_width(inputs) * self.out if "emb" in inputs else 0
        return x.size**2 * per_position + projection

    def canonical(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """`emb_dim` only where it allocates something unused; the shortcut's kind only where there is one."""
        resolved = self.model_dump(mode="json")
        if "emb" in inputs:
            resolved["emb_dim"] = None
        if feature_map(inputs).channels == self.out:
            resolved["conv_shortcut"] = False
        return resolved
