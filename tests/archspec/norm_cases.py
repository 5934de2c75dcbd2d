"""Shapes and prices by hand: kinds of norms, their order in blocks, scaled joins, features of the timestep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.ops import Add, Attention, Concat, Norm, Op, ResnetBlock, TimeEmbedding, Transformer, WindowAttention
from archspec.ops.shapes import Embedding, FeatureMap, Shape, Timestep

X = FeatureMap(8, 4)
SKIP = FeatureMap(6, 4)
EMB = Embedding(5)
T = {"t": Timestep()}
BOTH = {"x": X, "skip": SKIP}
SAME = {"x": X, "skip": X}

#: a block from 8 to 6 channels over 4 inner ones: convolutions and shortcut
_CONVS, _CONV_MACS = 9 * 32 + 4 + 9 * 24 + 6 + 48 + 6, 16 * (9 * 32 + 9 * 24 + 48)
_NARROW: dict[str, Any] = {"out": 6, "hidden": 4, "groups": 2}
#: attention of 8 channels without its norm
_ATTENTION, _ATTENTION_MACS = 4 * 72, 16 * 4 * 64 + 2 * 16 * 8 * 16
#: a transformer of self-attention alone, with its layer norm and without the norm before it
_TRANSFORMER = 2 * (64 + 8) + 16 + 4 * 64 + 8

CASES: list[tuple[Op, Mapping[str, Shape], Shape, int, int]] = [
    (Norm(type="layer", groups=3), {"x": X}, X, 16, 0),
    (Norm(type="rms"), {"x": X}, X, 8, 0),
    (Norm(type="pixel"), {"x": X}, X, 0, 0),
    (Norm(type="none"), {"x": X}, X, 0, 0),
    (ResnetBlock(**_NARROW, conditioning="none"), {"x": X}, FeatureMap(6, 4), 16 + 8 + _CONVS, _CONV_MACS),
    (
        ResnetBlock(**_NARROW, conditioning="none", norm_order="post"),
        {"x": X},
        FeatureMap(6, 4),
        8 + 12 + _CONVS,
        _CONV_MACS,
    ),
    (
        ResnetBlock(**_NARROW, conditioning="none", norm_type="rms"),
        {"x": X},
        FeatureMap(6, 4),
        8 + 4 + _CONVS,
        _CONV_MACS,
    ),
    (
        ResnetBlock(**_NARROW, norm_type="none", act="gelu"),
        {"x": X, "emb": EMB},
        FeatureMap(6, 4),
        _CONVS + 6 * 4,
        _CONV_MACS + 5 * 4,
    ),
    (
        ResnetBlock(**_NARROW, norm_type="pixel", conditioning="scale_shift", condition_both=True),
        {"x": X, "emb": EMB},
        FeatureMap(6, 4),
        _CONVS + 6 * 2 * (8 + 4),
        _CONV_MACS + 5 * 2 * (8 + 4),
    ),
    (
        ResnetBlock(**_NARROW, norm_order="post", conditioning="scale_shift", condition_both=True),
        {"x": X, "emb": EMB},
        FeatureMap(6, 4),
        8 + 12 + _CONVS + 6 * 2 * (4 + 6),
        _CONV_MACS + 5 * 2 * (4 + 6),
    ),
    (
        ResnetBlock(**_NARROW, conditioning="scale_shift", condition_both=True, emb_dim=5),
        {"x": X},
        FeatureMap(6, 4),
        16 + 8 + _CONVS + 6 * 2 * (8 + 4),
        _CONV_MACS,
    ),
    (Attention(norm_type="rms"), {"x": X}, X, 8 + _ATTENTION, _ATTENTION_MACS),
    (Attention(norm_type="none", groups=3), {"x": X}, X, _ATTENTION, _ATTENTION_MACS),
    (
        Transformer(norm_type="pixel", cross_attention=False, feed_forward=False),
        {"x": X},
        X,
        _TRANSFORMER,
        2 * 16 * 64 + _ATTENTION_MACS,
    ),
    (
        WindowAttention(window=2, heads=2, norm_type="layer", relative_position=True),
        {"x": X},
        X,
        4 * 72 + 16 + 2 * 9,
        16 * 4 * 64 + 2 * 16 * 4 * 8,
    ),
    (Concat(skip_scale=0.5), BOTH, FeatureMap(14, 4), 0, 0),
    (Concat(skip_scale=0.0, learn_skip_scale=True), BOTH, FeatureMap(14, 4), 1, 0),
    (Add(x_scale=0.7, skip_scale=-0.7), SAME, X, 0, 0),
    (Add(learn_x_scale=True, learn_skip_scale=True), SAME, X, 2, 0),
    (Add(project=True, learn_skip_scale=True, skip_scale=0.0), BOTH, X, 6 * 8 + 8 + 1, 16 * 6 * 8),
    (TimeEmbedding(dim=6, scale=1000.0), T, Embedding(6), 0, 0),
    (TimeEmbedding(dim=6, type="fourier", order="cos_sin"), T, Embedding(6), 0, 0),
    (TimeEmbedding(dim=1, type="learned"), T, Embedding(1), 1000, 0),
    (TimeEmbedding(dim=7, type="learned", steps=50), T, Embedding(7), 350, 0),
]

RULES: list[tuple[Op, Mapping[str, Shape], list[str]]] = [
    (Norm(type="rms", groups=3), {"x": X}, []),
    (ResnetBlock(out=9, groups=5, norm_type="layer", conditioning="none"), {"x": X}, []),
    (ResnetBlock(out=9, groups=5, hidden=7, norm_order="post", conditioning="none"), {"x": X}, ["U204", "U204"]),
    (ResnetBlock(out=8, groups=2, hidden=9, norm_order="post", conditioning="none"), {"x": X}, ["U204"]),
    (ResnetBlock(out=8, groups=2, norm_order="post", conditioning="none"), {"x": FeatureMap(9, 4)}, []),
    (Attention(groups=3, norm_type="rms"), {"x": X}, []),
    (Transformer(groups=3, norm_type="layer", cross_attention=False), {"x": X}, []),
    (TimeEmbedding(dim=5, type="fourier"), T, ["U202"]),
]

#: parameters that do not go together, and what is said about them
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    (
        {"op": "resnet_block", "out": 8, "condition_both": True},
        "condition_both",
        "has no meaning with conditioning: add",
    ),
    ({"op": "add", "x_scale": 0.0}, "x_scale", "must not be 0, which cuts the connection"),
    ({"op": "add", "skip_scale": 0.0, "learn_x_scale": True}, "skip_scale", "must not be 0, which cuts the connection"),
    ({"op": "concat", "skip_scale": 0}, "skip_scale", "must not be 0, which cuts the connection"),
    ({"op": "time_embedding", "dim": 8, "steps": 10}, "steps", "has no meaning with type: sinusoidal"),
    (
        {"op": "time_embedding", "dim": 8, "type": "fourier", "max_period": 9.0},
        "max_period",
        "has no meaning with type: fourier",
    ),
    ({"op": "time_embedding", "dim": 8, "type": "learned", "scale": 2.0}, "scale", "has no meaning with type: learned"),
]
