"""Shapes and prices by hand: label and token conditions, and what papers vary of the residual block and attention."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.ops import (
    AddEmbeddings,
    Attention,
    Downsample,
    Input,
    LabelEmbedding,
    Norm,
    Op,
    ResnetBlock,
    Transformer,
    Upsample,
)
from archspec.ops.shapes import Embedding, FeatureMap, Label, Shape, Tokens

X = FeatureMap(8, 4)
EMB = Embedding(5)
TOKENS = Tokens(5, 3)
WITH_TOKENS = {"x": X, "tokens": TOKENS}

_NORMS, _CONVS = 16 + 16, 2 * (9 * 64 + 8)
_PROJECTIONS, _SELF, _CROSS = 16 + 2 * (64 + 8), 16 + 4 * 64 + 8, 16 + 2 * 64 + 2 * 5 * 8 + 8
_FEED_FORWARD = 16 + 9 * 64 + 33 * 8
_SELF_MACS, _CROSS_MACS = 4 * 16 * 64 + 2 * 256 * 8, 2 * 16 * 64 + 2 * 3 * 5 * 8 + 2 * 16 * 3 * 8
_FEED_FORWARD_MACS = 16 * 64 * (8 + 4)

CASES: list[tuple[Op, Mapping[str, Shape], Shape, int, int]] = [
    (Input(kind="label"), {}, Label(), 0, 0),
    (Input(kind="vector", dim=7), {}, Embedding(7), 0, 0),
    (Input(kind="tokens", dim=7, length=2), {}, Tokens(7, 2), 0, 0),
    (LabelEmbedding(classes=10, out=5), {"label": Label()}, EMB, 50, 0),
    (LabelEmbedding(classes=10, out=5, type="linear", bias=True), {"label": Label()}, EMB, 55, 50),
    (AddEmbeddings(), {"x": EMB, "other": EMB}, EMB, 0, 0),
    (Norm(groups="auto"), {"x": X}, X, 16, 0),
    (Downsample(method="space_to_depth"), {"x": X}, FeatureMap(8, 2), 4 * 64 + 8, 4 * 4 * 64),
    (Upsample(mode="bilinear", conv=False), {"x": X}, FeatureMap(8, 8), 0, 0),
    (
        ResnetBlock(out=8, groups="auto", conditioning="scale_shift"),
        {"x": X, "emb": EMB},
        X,
        _NORMS + _CONVS + 6 * 16,
        16 * 2 * 9 * 64 + 5 * 16,
    ),
    (
        ResnetBlock(out=8, groups=2, conditioning="none", resample="down", residual_scale=0.5),
        {"x": X},
        FeatureMap(8, 2),
        _NORMS + _CONVS,
        4 * 2 * 9 * 64,
    ),
    (
        ResnetBlock(out=6, groups=2, conditioning="none", resample="up", resample_filter=(1, 3, 3, 1)),
        {"x": X},
        FeatureMap(6, 8),
        16 + 12 + 9 * 48 + 6 + 9 * 36 + 6 + 48 + 6,
        64 * (9 * 48 + 9 * 36 + 48) + 2 * 16 * 16 * 8,
    ),
    (
        ResnetBlock(out=6, groups=2, conditioning="none", hidden=4, residual=False),
        {"x": X},
        FeatureMap(6, 4),
        16 + 8 + 9 * 32 + 4 + 9 * 24 + 6,
        16 * (9 * 32 + 9 * 24),
    ),
    (Attention(groups=2, qkv_bias=False, fused_qkv=True), {"x": X}, X, 4 * 64 + 8 + 16, 16 * 4 * 64 + 2 * 16 * 8 * 16),
    (Attention(type="linear", qkv_bias=True), {"x": X}, X, 4 * 64 + 32, 16 * 4 * 64 + 2 * 16 * 8 * 8),
    (
        Transformer(groups=2, heads=2),
        WITH_TOKENS,
        X,
        _PROJECTIONS + _SELF + _CROSS + _FEED_FORWARD,
        2 * 16 * 64 + _SELF_MACS + _CROSS_MACS + _FEED_FORWARD_MACS,
    ),
    (
        Transformer(groups=2, depth=3, cross_attention=False, ff_act="gelu", ff_mult=2, projection="linear"),
        {"x": X},
        X,
        _PROJECTIONS + 3 * (_SELF + 16 + 9 * 16 + 17 * 8),
        2 * 16 * 64 + 3 * (_SELF_MACS + 16 * 64 * (2 + 2)),
    ),
    (
        Transformer(groups=2, self_attention=False, feed_forward=False, head_dim=4),
        WITH_TOKENS,
        X,
        _PROJECTIONS + _CROSS,
        2 * 16 * 64 + _CROSS_MACS,
    ),
]

RULES: list[tuple[Op, Mapping[str, Shape], list[str]]] = [
    (AddEmbeddings(), {"x": EMB, "other": Embedding(4)}, ["U202"]),
    (ResnetBlock(out=8, groups=2, hidden=9, conditioning="none"), {"x": X}, ["U204"]),
    (ResnetBlock(out=8, groups=2, resample="down", conditioning="none"), {"x": FeatureMap(8, 3)}, ["U206"]),
    (Norm(groups="auto"), {"x": FeatureMap(10, 4)}, []),
    (Norm(groups="auto"), {"x": FeatureMap(130, 4)}, ["U204"]),
    (Transformer(groups=3, heads=3), WITH_TOKENS, ["U205", "U204"]),
]
