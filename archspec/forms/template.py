"""The short form written out: how the parameters of the reference U-Net become nodes and edges."""

from __future__ import annotations

from typing import Any, Literal

from archspec.forms.drawing import Drawing
from archspec.forms.said import Places, Said, part_problems, width_problems
from archspec.forms.unet import AttentionOptions, UNet
from archspec.forms.unet_parts import at_block, at_level
from archspec.graphs.graph import ArchGraph
from archspec.ops import (
    Act,
    Add,
    AddEmbeddings,
    Attention,
    Concat,
    Conv,
    Downsample,
    Input,
    LabelEmbedding,
    Mlp,
    Norm,
    Output,
    ResnetBlock,
    TimeEmbedding,
    Transformer,
    Upsample,
)
from archspec.text.positions import Place

__all__ = ["Places", "Said", "UNet", "expand", "part_problems", "width_problems"]


def expand(unet: UNet, name: str, said: Said | None = None) -> ArchGraph:
    """The short form as a graph; node ids are the module paths of the reference implementation."""
    return _Expansion(unet, name, said or Said()).graph


Resampled = Literal["none", "down", "up"]


class _Expansion(Drawing):
    """One expansion of the short form."""

    def __init__(self, unet: UNet, name: str, said: Said) -> None:
        super().__init__(unet, name, said)
        self.unet = unet
        #: the embedding that conditions the residual blocks, if there is one
        self.embedding: str | None = None
        #: blocks by level and resampling: those alike share their description
        self._blocks: dict[tuple[int, str], ResnetBlock] = {}
        self._inputs()
        self._way_down()
        if unet.mid_block:
            self._middle()
        self._way_up()
        last = Norm(type=unet.norm_type, groups=unet.num_groups, eps=unet.norm_eps)
        self.put("norm_out", last, self.width_said, {"groups": self.width_said})
        self.put("act_out", Act(fn=unet.act), said.base)
        self.put("conv_out", Conv(out=unet.out_ch, zero_init=unet.zero_init), said.at("out_ch"))
        self.put("out", Output(), said.base)

    def _inputs(self) -> None:
        unet, said = self.unet, self.said
        size = {"resolution": said.at("resolution")}
        image = Input(kind="image", channels=unet.in_channels - unet.context_channels, resolution=unet.resolution)
        self.node("x", image, said.at("in_channels"), {}, size)
        self._conditions()
        if unet.context_channels:
            context = Input(kind="context", channels=unet.context_channels, resolution=unet.resolution)
            self.node("context", context, said.at("context_channels"), {}, size)
            self.put("with_context", Concat(), said.at("context_channels"), None, {"skip": "context"})
        first = unet.stem == "first_level"
        self.width_said = said.width(unet, 0) if first else said.at("ch")
        self.put("conv_in", Conv(out=self.widths[0] if first else unet.ch), self.width_said)
        self.skips.append("conv_in")

    def _conditions(self) -> None:
        """What the network is conditioned on, besides a context image: timestep, label, vector, tokens."""
        unet, said = self.unet, self.said
        if unet.use_timestep:
            features = TimeEmbedding(dim=unet.ch, **unet.time.model_dump(exclude_unset=True))
            self.node("t", Input(kind="timestep"), said.at("use_timestep"), {})
            self.node("time", features, said.at("time" if unet.time.model_fields_set else "ch"), {"t": "t"})
            self.embedding = "time"
        self._sum_conditions(4 if self.embedding is None else 1, before_mlp=True)
        if self.embedding is not None:
            mlp = Mlp(hidden=4 * unet.ch, out=4 * unet.ch)
            self.node("temb", mlp, said.at("ch"), {"x": self.embedding})
            self.embedding = "temb"
        self._sum_conditions(4, before_mlp=False)
        if unet.tokens is not None and unet.takes_tokens:
            given = Input(kind="tokens", dim=unet.tokens.dim, length=unet.tokens.length)
            self.node("tokens", given, said.at("tokens"), {})

    def _sum_conditions(self, mult: int, *, before_mlp: bool) -> None:
        """Add the embeddings of label and vector that are due here to the running embedding."""
        label, vector, width = self.unet.label, self.unet.vector, mult * self.unet.ch
        if label is not None and label.before_mlp == before_mlp:
            options = label.model_dump(exclude_unset=True, exclude={"before_mlp"})
            self.node("label", Input(kind="label"), self.said.at("label"), {})
            embedding = LabelEmbedding(out=width, **options)
            self.node("label_emb", embedding, self.said.at("label"), {"label": "label"})
            self._add_embedding("label_emb", "with_label", self.said.at("label"))
        if vector is not None and vector.before_mlp == before_mlp:
            self.node("vector", Input(kind="vector", dim=vector.dim), self.said.at("vector"), {})
            mlp = Mlp(hidden=width, out=width)
            self.node("vector_emb", mlp, self.said.at("vector"), {"x": "vector"})
            self._add_embedding("vector_emb", "with_vector", self.said.at("vector"))

    def _add_embedding(self, embedding: str, total: str, origin: Place) -> None:
        if self.embedding is None:
            self.embedding = embedding
            return
        self.node(total, AddEmbeddings(), origin, {"x": self.embedding, "other": embedding})
        self.embedding = total

    def _block(self, node: str, level: int, resample: Resampled = "none") -> None:
        if (level, resample) not in self._blocks:
            self._blocks[level, resample] = self._described(level, resample)
        embedding = {"emb": self.embedding} if self.embedding else {}
        width = self.said.width(self.unet, level, "num_groups")
        sizes = width if resample == "none" else self.size_said()
        self.put(node, self._blocks[level, resample], sizes, {"x": self.width_said, "out": width}, embedding)
        self.width_said = width

    def _described(self, level: int, resample: Resampled) -> ResnetBlock:
        """The residual block of a level."""
        unet = self.unet
        return ResnetBlock(
            out=self.widths[level],
            conditioning=unet.conditioning,
            dropout=unet.dropout,
            groups=unet.num_groups,
            eps=unet.norm_eps,
            emb_dim=None if self.embedding else 4 * unet.ch,
            zero_init=unet.zero_init,
            resample=resample,
            resample_filter=unet.resample_filter if resample != "none" else None,
            residual_scale=unet.residual_scale,
            norm_type=unet.norm_type,
            norm_order=unet.norm_order,
            act=unet.act,
            condition_both=unet.condition_both,
        )

    def _attention(
        self, node: str, level: int, choices: list[tuple[AttentionOptions, Place]], block: int | None = None
    ) -> None:
        unet, said = self.unet, self.said
        options: dict[str, Any] = {"type": unet.default_attn_type}
        origin = said.at("use_linear_attn" if unet.use_linear_attn else "attn_type")
        places = {"groups": self.width_said}
        for choice, place in [(unet.attn, said.at("attn")), *choices]:
            given = {key: value for key, value in choice.model_dump(exclude_unset=True).items() if value is not None}
            options.update(given)
            places.update({key: place.at(key) for key in given})
            origin = place if given else origin
        kind = options.pop("type")
        if kind == "transformer":
            op = self._transformer(at_block(unet.transformer.depth, level, block), options)
            self.put(
                node, op, origin, places, {"tokens": "tokens"} if op.cross_attention and "tokens" in self.graph else {}
            )
        elif kind != "none":
            options.pop("depth", None)
            plain = {"type": kind, **options, "groups": unet.num_groups, "eps": unet.norm_eps}
            self.put(node, Attention.model_validate({**plain, "norm_type": unet.norm_type}), origin, places)

    def _transformer(self, depth: int, options: dict[str, Any]) -> Transformer:
        """A transformer of a depth, with those of an attention block's options that it has."""
        unet = self.unet
        own = unet.transformer.model_dump(exclude_unset=True)
        own.update(depth=depth, cross_attention=unet.crosses, norm_type=unet.norm_type)
        given = {key: value for key, value in options.items() if key in Transformer.model_fields}
        return Transformer.model_validate({"groups": unet.num_groups, "dropout": unet.dropout, **own, **given})

    def _level_attention(self, side: str, level: int, block: int) -> None:
        size = self.resolutions[level]
        if size in self.unet.attn_resolutions:
            here = self.unet.attn_at.get(size)
            choices: list[tuple[AttentionOptions, Place]] = [(here, self.said.at("attn_at", size))] if here else []
            self._attention(f"{side}.{level}.attn.{block}", level, choices, block)

    def _way_down(self) -> None:
        unet = self.unet
        for level in range(self.last + 1):
            for block in range(at_level(unet.num_res_blocks, level)):
                self._block(f"down.{level}.block.{block}", level)
                self._level_attention("down", level, block)
                self.skips.append(self.at)
            if level < self.last:
                self._downsample(f"down.{level}.downsample", level)
                self.skips.append(self.at)

    def _downsample(self, node: str, level: int) -> None:
        unet = self.unet
        if unet.resblock_updown:
            self._block(node, level, "down")
            return
        method: Literal["conv", "avg_pool"] = "conv" if unet.resamp_with_conv else "avg_pool"
        self.put(node, Downsample(method=method, padding=unet.downsample_padding), self.size_said())

    def _upsample(self, node: str, level: int) -> None:
        if self.unet.resblock_updown:
            self._block(node, level, "up")
            return
        self.put(node, Upsample(conv=self.unet.resamp_with_conv), self.said.at("resamp_with_conv"))

    def _middle(self) -> None:
        last, mid = self.last, self.unet.mid_attn
        self._block("mid.block_1", last)
        if mid is not False:
            self._attention("mid.attn_1", last, [] if mid is True else [(mid, self.said.at("mid_attn"))])
        self._block("mid.block_2", last)

    def _way_up(self) -> None:
        unet, said = self.unet, self.said
        scale: dict[str, Any] = {"skip_scale": unet.skip_scale, "learn_skip_scale": unet.learn_skip_scale}
        merges = {"concat": Concat(**scale), "add": Add(project=True, **scale), "none": None}
        merge = merges[unet.skip]
        for level in reversed(range(self.last + 1)):
            for block in range(at_level(unet.num_res_blocks, level) + 1):
                skip = self.skips.pop()
                if merge is not None and (block == 0 or unet.skip_per == "block"):
                    self.put(f"up.{level}.skip.{block}", merge, said.at("skip"), None, {"skip": skip})
                self._block(f"up.{level}.block.{block}", level)
                self._level_attention("up", level, block)
            if level:
                self._upsample(f"up.{level}.upsample", level)
