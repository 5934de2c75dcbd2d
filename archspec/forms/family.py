"""What the short forms of published families have in common: their sizes, and how they are drawn as a graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Annotated, ClassVar

from pydantic import Field

from archspec.forms.template import Places, Said
from archspec.forms.unet import MAX_WIDTH, Multiplier
from archspec.graphs.graph import Edge, add_edge, add_node, empty
from archspec.ops import Op
from archspec.ops.resampling import Filter
from archspec.text.fields import Count, Form, Rate, Width
from archspec.text.positions import Place

#: What a family says of its levels; each has defaults of its own.
Multipliers = Annotated[
    tuple[Multiplier, ...],
    Field(min_length=1, max_length=12, description="width of each level as a multiple of ch"),
]
BlocksPerLevel = Annotated[Count, Field(le=64, description="residual blocks per level on the way down")]
ResampleFilter = Annotated[Filter, Field(description="taps of the resampling filter in one direction")]


class Family(Form):
    """A U-Net of a published family by its parameters; `ch` and its kin mean what they mean in `unet`."""

    ch: Annotated[Width, Field(le=MAX_WIDTH // 4)] = Field(description="base channel count")
    out_ch: Width = Field(description="output channels")
    ch_mult: Multipliers
    num_res_blocks: BlocksPerLevel
    attn_resolutions: tuple[Width, ...] = Field(max_length=64, description="image sizes, in pixels, with attention")
    dropout: Rate = Field(0.0, description="dropout in the residual blocks")
    in_channels: Width = Field(description="input channels")
    resolution: Width = Field(description="height and width of the input in pixels")
    classes: Annotated[int, Field(strict=True, ge=0, le=MAX_WIDTH)] = Field(
        0, description="number of classes that the input `label` counts; 0 for none"
    )

    OTHER_NAMES: ClassVar[dict[str, str]] = {
        "model_channels": "Here it is `ch`.",
        "channels": "Here it is `ch`.",
        "dim": "Here it is `ch`.",
        "channel_mult": "Here it is `ch_mult`.",
        "dim_mults": "Here it is `ch_mult`.",
        "num_blocks": "Here it is `num_res_blocks`.",
        "out_channels": "Here it is `out_ch`.",
        "img_channels": "Here it is `in_channels` and `out_ch`.",
        "img_resolution": "Here it is `resolution`.",
        "label_dim": "Here it is `classes`.",
        "num_classes": "Here it is `classes`.",
        "channels_per_head": "Here it is `head_dim`.",
    }

    def exact_widths(self) -> Iterator[Fraction]:
        """`ch` times each multiplier, the multiplier taken as the decimal that was written."""
        for mult in self.ch_mult:
            yield self.ch * Fraction(repr(mult))

    def widths(self) -> list[int]:
        """Channels of each level; what is no whole number or too large is brought near (and refused by rule U207)."""
        return [min(max(round(width), 1), MAX_WIDTH) for width in self.exact_widths()]

    def resolutions(self) -> list[int]:
        """Size of each level in pixels."""
        return [max(self.resolution // 2**level, 1) for level in range(len(self.ch_mult))]


class Drawing:
    """A graph that is being drawn: nodes one after another, each with the place where it was said."""

    def __init__(self, form: Family, name: str, said: Said) -> None:
        self.said = said
        self.graph = empty(name)
        self.widths, self.resolutions = form.widths(), form.resolutions()
        self.last = len(self.widths) - 1
        #: the running node, and the nodes that the way up will meet again
        self.at = "x"
        self.skips: list[str] = []

    def put(
        self, node: str, op: Op, origin: Place, places: Places | None = None, inputs: Mapping[str, str] | None = None
    ) -> None:
        """Add a node after the running one and make it the running one."""
        self.node(node, op, origin, {"x": self.at, **(inputs or {})}, places)
        self.at = node

    def node(self, node: str, op: Op, origin: Place, inputs: Mapping[str, str], places: Places | None = None) -> None:
        """Add a node that takes what `inputs` names: port -> source."""
        add_node(self.graph, node, op, origin, places)
        for port, source in inputs.items():
            add_edge(self.graph, Edge(source, node, port, origin))

    def size_said(self) -> Place:
        """Where it was said how often the image is halved: `resolution`, unless the levels alone were edited."""
        edited = self.said.edited
        return self.said.at("ch_mult" if "ch_mult" in edited and "resolution" not in edited else "resolution")
