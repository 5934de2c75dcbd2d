"""The short form `edm2`: the U-Net of Karras et al. 2024 (config G) by its parameters, and how it is drawn."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from archspec.forms.drawing import Drawing
from archspec.forms.family import BlocksPerLevel, Family, Multipliers, ResampleFilter
from archspec.forms.said import Said
from archspec.graphs.graph import ArchGraph
from archspec.ops import (
    Clip,
    Input,
    MpAttention,
    MpBlock,
    MpConcat,
    MpConv,
    MpFourier,
    MpLinear,
    MpSilu,
    MpSum,
    OneHot,
    OnesChannel,
    Output,
)
from archspec.ops.magnitude import Balance, Positive
from archspec.text.fields import Width


class Edm2(Family):
    """The U-Net of EDM2 by its parameters; defaults as in config G."""

    ch_mult: Multipliers = (1, 2, 3, 4)
    num_res_blocks: BlocksPerLevel = 3
    attn_resolutions: tuple[Width, ...] = Field(
        (16, 8), max_length=64, description="image sizes, in pixels, at which every block is followed by attention"
    )
    head_dim: Width = Field(64, description="channels per head of attention")
    noise_dim: Width | None = Field(None, description="width of the Fourier features; default that of the first level")
    emb_dim: Width | None = Field(None, description="width of the embedding; default that of the widest level")
    label_balance: Balance = Field(0.5, description="weight of the label against the noise level")
    concat_balance: Balance = Field(0.5, description="weight of the skips against the running map")
    res_balance: Balance = Field(0.3, description="weight of the residual branches against the main branch")
    attn_balance: Balance = Field(0.3, description="weight of attention against the main branch")
    clip: Positive | None = Field(256.0, description="limit of activations after each block; null for none")
    resample_filter: ResampleFilter = (1.0, 1.0)

    OTHER_NAMES: ClassVar[dict[str, str]] = {
        **Family.OTHER_NAMES,
        "attn_t": "Here it is `attn_balance`.",
        "res_t": "Here it is `res_balance`.",
        "clip_act": "Here it is `clip`.",
        "channels_per_head": "Here it is `head_dim`.",
    }


def expand(form: Edm2, name: str, said: Said | None = None) -> ArchGraph:
    """The short form as a graph; ``down.L.block.N``, ``up.L.block.N`` and so on, as `unet` names its nodes."""
    return _Expansion(form, name, said or Said()).graph


class _Expansion(Drawing):
    """One expansion of the short form."""

    def __init__(self, form: Edm2, name: str, said: Said) -> None:
        super().__init__(form, name, said)
        self.form = form
        self._inputs()
        self._way_down()
        self._way_up()
        self.put("conv_out", MpConv(out=form.out_ch, gain=True), said.at("out_ch"))
        self.put("out", Output(), said.base)

    def _inputs(self) -> None:
        form, said = self.form, self.said
        image = Input(kind="image", channels=form.in_channels, resolution=form.resolution)
        self.node("x", image, said.at("in_channels"), {}, {"resolution": said.at("resolution")})
        self.node("t", Input(kind="timestep"), said.base, {})
        features, width = MpFourier(dim=form.noise_dim or self.widths[0]), form.emb_dim or max(self.widths)
        self.node("time", features, said.at("noise_dim"), {"t": "t"})
        self.node("emb.noise", MpLinear(out=width), said.at("emb_dim"), {"x": "time"})
        embedding = "emb.noise"
        if form.classes:
            self.node("label", Input(kind="label"), said.at("classes"), {})
            self.node("one_hot", OneHot(classes=form.classes), said.at("classes"), {"label": "label"})
            self.node("emb.label", MpLinear(out=width), said.at("emb_dim"), {"x": "one_hot"})
            joined = MpSum(t=form.label_balance)
            self.node("emb.sum", joined, said.at("label_balance"), {"x": "emb.noise", "skip": "emb.label"})
            embedding = "emb.sum"
        self.node("emb.act", MpSilu(), said.base, {"x": embedding})
        self.put("with_ones", OnesChannel(), said.base)
        self.put("conv_in", MpConv(out=self.widths[0]), said.width(form, 0))
        self.skips.append(self.at)

    def _block(
        self,
        path: str,
        level: int,
        number: int | str,
        *,
        resample: Literal["none", "down", "up"] = "none",
        attention: bool | None = None,
        width: int | None = None,
    ) -> None:
        """A block, with attention where its level or `attention` says so, and the clip; `path` is its level's."""
        form, said = self.form, self.said
        block = MpBlock(
            out=self.widths[level] if width is None else width,
            flavor="encoder" if path.startswith("down") else "decoder",
            resample=resample,
            filter=form.resample_filter,
            dropout=form.dropout,
            t=form.res_balance,
        )
        where = said.width(form, level)
        node = f"{path}.{resample}sample" if resample != "none" else f"{path}.block.{number}"
        places = {"filter": said.at("resample_filter"), "x": self.size_said()}
        self.put(node, block, where if resample == "none" else self.size_said(), places, {"emb": "emb.act"})
        if attention is None:
            attention = resample == "none" and self.resolutions[level] in form.attn_resolutions
        if attention:
            attends = MpAttention(head_dim=form.head_dim, t=form.attn_balance)
            self.put(f"{path}.attn.{number}", attends, said.at("attn_resolutions"), {"head_dim": said.at("head_dim")})
        if form.clip is not None:
            self.put(f"{path}.clip.{number}", Clip(limit=form.clip), said.at("clip"))

    def _way_down(self) -> None:
        for level, width in enumerate(self.widths):
            for number in range(self.form.num_res_blocks):
                self._block(f"down.{level}", level, number)
                self.skips.append(self.at)
            if level < self.last:
                self._block(f"down.{level}", level, self.form.num_res_blocks, resample="down", width=width)
                self.skips.append(self.at)

    def _way_up(self) -> None:
        self._block("mid", self.last, 0, attention=True)
        self._block("mid", self.last, 1, attention=False)
        for level in reversed(range(self.last + 1)):
            for number in range(self.form.num_res_blocks + 1):
                joined = MpConcat(t=self.form.concat_balance)
                skip = {"skip": self.skips.pop()}
                self.put(f"up.{level}.skip.{number}", joined, self.said.at("concat_balance"), None, skip)
                self._block(f"up.{level}", level, number)
            if level:
                self._block(f"up.{level}", level, self.form.num_res_blocks + 1, resample="up")
