"""Doubts: what is sound but probably not what was meant."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.forms.family import Family
from archspec.forms.template import Said, UNet
from archspec.forms.unet import AttentionChoice, AttentionOptions, AttnType
from archspec.graphs.graph import ArchGraph, ops_of, place_of
from archspec.ops import Attention
from archspec.text.errors import Problem


def unet_lints(unet: UNet, said: Said) -> Iterator[Problem]:
    """Doubts about the short form."""
    yield from _unreached(unet, said)
    middle = unet.mid_block and "mid_attn" not in unet.model_fields_set
    if not unet.attn_resolutions and middle and unet.default_attn_type != "none":
        yield said.at("attn_resolutions").problem(
            "U502",
            "attn_resolutions is empty, but the middle still has attention.",
            "Say mid_attn: false to have none, or mid_attn: true to keep it without this warning.",
            severity="warning",
        )
    if unet.use_linear_attn and "attn_type" in unet.model_fields_set and unet.attn_type != "linear":
        yield said.at("attn_type").problem(
            "U504",
            f"attn_type: {unet.attn_type} has no effect, because use_linear_attn is true.",
            "Keep one of the two.",
            severity="warning",
        )
    yield from _idle(unet, said)


def _idle(unet: UNet, said: Said) -> Iterator[Problem]:
    """Parameters that have no effect beside the others."""
    one_level, updown = len(unet.ch_mult) == 1, unet.resblock_updown
    others = "there is one level" if one_level else "residual blocks resample"
    idle = [
        ("tokens", unet.tokens is not None and not unet.takes_tokens, "no transformer attends to them"),
        ("resample_filter", unet.resample_filter is not None and (one_level or not updown), "no block resamples"),
        ("transformer", _is_given(unet, "transformer") and "transformer" not in unet.attn_types(), "there is none"),
        ("time", _is_given(unet, "time") and not unet.use_timestep, "there is no timestep"),
        ("resblock_updown", updown and one_level, others),
        ("resamp_with_conv", _is_given(unet, "resamp_with_conv") and (one_level or updown), others),
        ("downsample_padding", _is_given(unet, "downsample_padding") and not _strides(unet), "no convolution strides"),
        ("mid_attn", _is_given(unet, "mid_attn") and not unet.mid_block, "there is no middle"),
        ("num_groups", _is_given(unet, "num_groups") and unet.norm_type != "group", "there are no group norms"),
        ("norm_eps", _is_given(unet, "norm_eps") and unet.norm_type == "none", "there are no norms"),
        *((name, _is_given(unet, name) and unet.skip == "none", "there are no skips") for name in _OF_SKIPS),
    ]
    for name, has_none, why in idle:
        if has_none:
            message = f"{name} has no effect: {why}."
            yield said.at(name).problem("U504", message, "Take it out.", severity="warning")
    yield from _idle_attention(unet, said)


def _idle_attention(unet: UNet, said: Said) -> Iterator[Problem]:
    """Options of attention that its type does not have: in general, at a resolution, in the middle."""
    if unet.attn_types() == {"transformer"}:
        yield from _idle_options(unet.attn, "transformer", said, "attn")
    reached = set(unet.resolutions()) & set(unet.attn_resolutions)
    for size, choice in unet.attn_at.items():
        if size in reached:
            yield from _idle_options(choice, choice.type or unet.default_attn_type, said, "attn_at", size)
    middle = unet.mid_attn
    if isinstance(middle, AttentionChoice) and unet.mid_block:
        yield from _idle_options(middle, middle.type or unet.default_attn_type, said, "mid_attn")


def _idle_options(options: AttentionOptions, kind: AttnType, said: Said, *path: str | int) -> Iterator[Problem]:
    effect = "no effect on transformers" if kind == "transformer" else "an effect on transformers alone"
    given = options.model_dump(exclude_none=True)
    for name in _OF_OTHERS if kind == "transformer" else ("depth",):
        if name in given:
            message = f"{'.'.join(map(str, path))}.{name} has {effect}."
            yield said.at(str(path[0]), *path[1:], name).problem("U504", message, "Take it out.", severity="warning")


#: Options of attention blocks that transformers do not have.
_OF_OTHERS = ("norm", "qkv_bias", "fused_qkv")
_OF_SKIPS = ("skip_per", "skip_scale", "learn_skip_scale")


def _is_given(unet: UNet, name: str) -> bool:
    return bool(getattr(unet, name) != type(unet).model_fields[name].default)


def _strides(unet: UNet) -> bool:
    return unet.resamp_with_conv and not unet.resblock_updown and len(unet.ch_mult) > 1


def attention_lints(form: Family | UNet, said: Said) -> Iterator[Problem]:
    """Rule U501: every attention resolution that is listed has an effect."""
    levels = _levels(form)
    for index, size in enumerate(form.attn_resolutions):
        if size not in form.resolutions():
            message = f"no level reaches the attention resolution {size}, so it has no effect."
            yield said.at("attn_resolutions", index).problem("U501", message, levels, severity="warning")
        elif size in form.attn_resolutions[:index]:
            message = f"the attention resolution {size} is listed twice."
            yield said.at("attn_resolutions", index).problem("U501", message, "Once is enough.", severity="warning")


def _levels(form: Family | UNet) -> str:
    reached = ", ".join(map(str, dict.fromkeys(form.resolutions())))
    return f"The levels have {reached} (pixels, not downsampling factors)."


def _unreached(unet: UNet, said: Said) -> Iterator[Problem]:
    yield from attention_lints(unet, said)
    reached, levels = unet.resolutions(), _levels(unet)
    for size in unet.attn_at:
        if size not in reached or size not in unet.attn_resolutions:
            message = f"attn_at has options for {size}, where there is no attention, so they have no effect."
            hint = "List it in attn_resolutions too." if size in reached else levels
            yield said.at("attn_at", size).problem("U501", message, hint, severity="warning")


def graph_lints(graph: ArchGraph) -> Iterator[Problem]:
    """Doubts about nodes."""
    for node, op in ops_of(graph):
        if isinstance(op, Attention) and op.type == "linear" and op.norm is None and op.residual is None:
            yield place_of(graph, node).problem(
                "U503",
                "linear attention without norm and residual replaces the features.",
                "For a fair comparison with vanilla set norm: true and residual: true on both; "
                "set them to false to keep it without this warning.",
                node=node,
                severity="warning",
            )
