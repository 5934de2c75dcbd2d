"""The short form `song`: DDPM++ and NCSN++ (Song et al. 2021, as in Karras et al. 2022), and how it is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archspec.forms.drawing import Drawing
from archspec.forms.family import BlocksPerLevel, Family, Multipliers, ResampleFilter
from archspec.forms.said import Said, width_problems
from archspec.forms.short_form import MAX_WIDTH
from archspec.graphs.graph import ArchGraph
from archspec.ops import (
    Act,
    AddEmbeddings,
    Attention,
    BlurredConv,
    Concat,
    Conv,
    FirResample,
    FourierFeatures,
    Input,
    LabelEmbedding,
    Linear,
    Mlp,
    MpSum,
    Norm,
    Op,
    Output,
    ResnetBlock,
    TimeEmbedding,
)
from archspec.ops.merge import Add
from archspec.text.errors import Problem
from archspec.text.fields import HARMLESS, Count, Epsilon, Flag, Width

#: Factor of every residual sum.
HALF = math.sqrt(0.5)


class Song(Family):
    """DDPM++ and NCSN++ by their parameters; defaults are those of DDPM++ without conditions."""

    ch_mult: Multipliers = (1, 2, 2, 2)
    num_res_blocks: BlocksPerLevel = 4
    attn_resolutions: tuple[Width, ...] = Field(
        (16,),
        max_length=64,
        description="image sizes, in pixels, with attention: after every block on the way down, the last one on the "
        "way up; the middle has it in any case",
    )
    features: Literal["positional", "fourier"] = Field("positional", description="features of the noise level")
    noise_mult: Annotated[Count, Field(le=64)] | None = Field(
        None, description="width of those features as a multiple of ch; default 1 if positional, 2 if fourier"
    )
    augment_dim: Annotated[int, Field(strict=True, ge=0, le=MAX_WIDTH)] = Field(
        0, description="width of the input `vector` that describes augmentations; 0 for none"
    )
    resample_filter: ResampleFilter = (1.0, 1.0)
    progressive_input: Literal["none", "residual", "skip"] = Field(
        "none", description="how smaller versions of the image enter on the way down"
    )
    progressive_output: Literal["none", "skip"] = Field(
        "none", description="whether every level of the way up gives an image, and the result is their sum"
    )
    norm_eps: Epsilon = Field(1e-6, description="added to the variance in every group norm")
    zero_init: Annotated[Flag, HARMLESS] = Field(
        default=False, description="start the last convolution of each block and of the network from zero"
    )

    OTHER_NAMES: ClassVar[dict[str, str]] = {
        **Family.OTHER_NAMES,
        "embedding_type": "Here it is `features`.",
        "channel_mult_noise": "Here it is `noise_mult`.",
        "encoder_type": "Here it is `progressive_input`: none for standard.",
        "decoder_type": "Here it is `progressive_output`: none for standard.",
    }

    @property
    def noise_width(self) -> int:
        """Width of the features of the noise level."""
        return self.ch * (self.noise_mult or (1 if self.features == "positional" else 2))


def song_problems(form: Song, said: Said) -> Iterator[Problem]:
    """Rule U207: the levels and the features of the noise level have widths that are possible."""
    yield from width_problems(form, said)
    if form.noise_width > MAX_WIDTH:
        message = f"the features of the noise level would have {form.noise_width:,} channels."
        yield said.at("noise_mult").problem("U207", message, f"At most {MAX_WIDTH:,} are possible.")


def expand(form: Song, name: str, said: Said | None = None) -> ArchGraph:
    """The short form as a graph; ids as in `unet`, and ``down.L.aux``, ``up.L.image`` where images go along."""
    return _Expansion(form, name, said or Said()).graph


class _Expansion(Drawing):
    """One expansion of the short form."""

    def __init__(self, form: Song, name: str, said: Said) -> None:
        super().__init__(form, name, said)
        self.form = form
        #: the image that goes along: smaller on the way down; the sum so far on the way up
        self.aux = "x"
        self._inputs()
        self._way_down()
        self._block("mid.block_1", self.last)
        self._attention("mid.attn_1")
        self._block("mid.block_2", self.last)
        self._way_up()
        self.put("out", Output(), said.base)

    def _inputs(self) -> None:
        form, said = self.form, self.said
        image = Input(kind="image", channels=form.in_channels, resolution=form.resolution)
        self.node("x", image, said.at("in_channels"), {}, {"resolution": said.at("resolution")})
        self.node("t", Input(kind="timestep"), said.base, {})
        width = min(form.noise_width, MAX_WIDTH)
        features: dict[str, Op] = {"positional": TimeEmbedding(dim=width), "fourier": FourierFeatures(dim=width)}
        where = said.at("noise_mult" if form.noise_mult else "ch")
        self.node("time", features[form.features], where, {"t": "t"})
        embedding = "time"
        if form.classes:
            self.node("label", Input(kind="label"), said.at("classes"), {})
            table = LabelEmbedding(classes=form.classes, out=width, type="linear", bias=True, scaled=True)
            self.node("label_emb", table, said.at("classes"), {"label": "label"})
            self.node("with_label", AddEmbeddings(), said.at("classes"), {"x": embedding, "other": "label_emb"})
            embedding = "with_label"
        if form.augment_dim:
            self.node("augment", Input(kind="vector", dim=form.augment_dim), said.at("augment_dim"), {})
            self.node("augment_emb", Linear(out=width, bias=False), said.at("augment_dim"), {"x": "augment"})
            others = {"x": embedding, "other": "augment_emb"}
            self.node("with_augment", AddEmbeddings(), said.at("augment_dim"), others)
            embedding = "with_augment"
        self.node("temb", Mlp(hidden=4 * form.ch, out=4 * form.ch), said.at("ch"), {"x": embedding})
        self.put("conv_in", Conv(out=form.ch), said.at("ch"))
        self.skips.append(self.at)

    def _block(self, node: str, level: int, resample: Literal["none", "down", "up"] = "none") -> None:
        """A block as wide as its level."""
        form, where = self.form, self.said.width(self.form, level)
        block = ResnetBlock(
            out=self.widths[level],
            groups="auto",
            eps=form.norm_eps,
            dropout=form.dropout,
            residual_scale=HALF,
            zero_init=form.zero_init,
            resample=resample,
            resample_filter=form.resample_filter if resample != "none" else None,
            project_shortcut=resample != "none",
        )
        places = {"resample_filter": self.said.at("resample_filter"), "x": self.width_said, "out": where}
        self.put(node, block, where if resample == "none" else self.size_said(), places, {"emb": "temb"})
        self.width_said = where

    def _attention(self, node: str) -> None:
        attention = Attention(
            groups="auto",
            eps=self.form.norm_eps,
            fused_qkv=True,
            residual_scale=HALF,
            zero_init=self.form.zero_init,
        )
        self.put(node, attention, self.said.at("attn_resolutions"))

    def _way_down(self) -> None:
        form = self.form
        for level in range(self.last + 1):
            for number in range(form.num_res_blocks):
                self._block(f"down.{level}.block.{number}", level)
                if self.resolutions[level] in form.attn_resolutions:
                    self._attention(f"down.{level}.attn.{number}")
                self.skips.append(self.at)
            if level < self.last:
                self._block(f"down.{level}.downsample", level, "down")
                self._progressive_input(level)
                self.skips.append(self.at)

    def _progressive_input(self, level: int) -> None:
        """The smaller image joins the main path; what comes of it is the next image if it is a residual one."""
        form, path, where = self.form, f"down.{level}", self.said.at("progressive_input")
        width, filter_said = self.widths[level], {"filter": self.said.at("resample_filter")}
        if form.progressive_input == "residual":
            smaller = BlurredConv(out=width, filter=form.resample_filter)
            self.node(f"{path}.aux", smaller, where, {"x": self.aux}, filter_said)
            self.put(f"{path}.with_aux", MpSum(), where, None, {"skip": f"{path}.aux"})
            self.aux = self.at
        elif form.progressive_input == "skip":
            image = FirResample(resample="down", filter=form.resample_filter)
            self.node(f"{path}.image", image, where, {"x": self.aux}, filter_said)
            self.aux = f"{path}.image"
            self.node(f"{path}.aux", Conv(out=width, kernel=1), where, {"x": self.aux})
            self.put(f"{path}.with_aux", Add(), where, None, {"skip": f"{path}.aux"})

    def _way_up(self) -> None:
        form, images = self.form, ""
        for level in reversed(range(self.last + 1)):
            for number in range(form.num_res_blocks + 1):
                self.put(f"up.{level}.skip.{number}", Concat(), self.said.base, None, {"skip": self.skips.pop()})
                self._block(f"up.{level}.block.{number}", level)
            if self.resolutions[level] in form.attn_resolutions:
                self._attention(f"up.{level}.attn.{form.num_res_blocks}")
            if form.progressive_output == "skip" and level:
                images = self._image(level, images)
            if level:
                self._block(f"up.{level}.upsample", level, "up")
        self._image(0, images)
        if images:
            self._enlarged(0, images)
            self.put("image_sum", Add(), self.said.at("progressive_output"), None, {"skip": "up.0.enlarged"})

    def _image(self, level: int, below: str) -> str:
        """The image of a level, with that of the levels below it; the node that holds it."""
        path, main = f"up.{level}." if level else "", self.at
        where = self.said.width(self.form, level)
        self.put(f"{path}norm_out", Norm(groups="auto", eps=self.form.norm_eps), where)
        self.put(f"{path}act_out", Act(), self.said.base)
        conv = Conv(out=self.form.out_ch, zero_init=self.form.zero_init)
        self.put(f"{path}conv_out", conv, self.said.at("out_ch"))
        if not level:
            return self.at
        if below:
            self._enlarged(level, below)
            skip = {"skip": f"{path}enlarged"}
            self.put(f"{path}image_sum", Add(), self.said.at("progressive_output"), None, skip)
        image, self.at = self.at, main
        return image

    def _enlarged(self, level: int, below: str) -> None:
        larger = FirResample(resample="up", filter=self.form.resample_filter)
        places = {"filter": self.said.at("resample_filter")}
        self.node(f"up.{level}.enlarged", larger, self.said.at("progressive_output"), {"x": below}, places)
