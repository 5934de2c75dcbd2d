"""Shapes and prices by hand: the magnitude-preserving vocabulary of EDM2, and resampling by a FIR filter."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.ops import (
    Clip,
    FirResample,
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
    Op,
    PixelNorm,
)
from archspec.ops.shapes import Embedding, FeatureMap, Label, Shape, Timestep

X = FeatureMap(8, 4)
SKIP = FeatureMap(6, 4)
EMB = Embedding(5)
WITH_EMB = {"x": X, "emb": EMB}

CASES: list[tuple[Op, Mapping[str, Shape], Shape, int, int]] = [
    (MpConv(out=2), {"x": X}, FeatureMap(2, 4), 8 * 2 * 9, 16 * 8 * 2 * 9),
    (MpConv(out=2, kernel=1, gain=True), {"x": X}, FeatureMap(2, 4), 8 * 2 + 1, 16 * 8 * 2),
    (MpLinear(out=3), {"x": EMB}, Embedding(3), 15, 15),
    (MpFourier(dim=7), {"t": Timestep()}, Embedding(7), 0, 0),
    (MpSilu(), {"x": X}, X, 0, 0),
    (MpSilu(), {"x": EMB}, EMB, 0, 0),
    (MpSum(t=0.3), {"x": X, "skip": X}, X, 0, 0),
    (MpSum(), {"x": EMB, "skip": EMB}, EMB, 0, 0),
    (MpConcat(), {"x": X, "skip": SKIP}, FeatureMap(14, 4), 0, 0),
    (PixelNorm(), {"x": X}, X, 0, 0),
    (OnesChannel(), {"x": X}, FeatureMap(9, 4), 0, 0),
    (Clip(), {"x": X}, X, 0, 0),
    (OneHot(classes=5), {"label": Label()}, EMB, 0, 0),
    (MpBlock(out=8, flavor="encoder"), WITH_EMB, X, 2 * 9 * 64 + 5 * 8 + 1, 16 * 2 * 9 * 64 + 5 * 8),
    (
        MpBlock(out=6, flavor="encoder", resample="down"),
        WITH_EMB,
        FeatureMap(6, 2),
        8 * 6 + 2 * 9 * 36 + 5 * 6 + 1,
        4 * (8 * 6 + 2 * 9 * 36) + 4 * 4 * 8 + 5 * 6,
    ),
    (
        MpBlock(out=6, flavor="decoder", resample="up", filter=(1, 3, 3, 1)),
        WITH_EMB,
        FeatureMap(6, 8),
        8 * 6 + 9 * 48 + 9 * 36 + 5 * 6 + 1,
        64 * (8 * 6 + 9 * 48 + 9 * 36) + 16 * 16 * 8 + 5 * 6,
    ),
    (MpAttention(head_dim=4), {"x": X}, X, 4 * 64, 16 * 4 * 64 + 2 * 16 * 8 * 16),
    (FirResample(resample="down"), {"x": X}, FeatureMap(8, 2), 0, 4 * 16 * 8),
    (FirResample(resample="up", filter=(1, 1)), {"x": X}, FeatureMap(8, 8), 0, 16 * 4 * 8),
]

RULES: list[tuple[Op, Mapping[str, Shape], list[str]]] = [
    (MpSum(), {"x": X, "skip": SKIP}, ["U202"]),
    (MpSum(), {"x": X, "skip": FeatureMap(8, 2)}, ["U203"]),
    (MpSum(), {"x": X, "skip": EMB}, ["U202"]),
    (MpSum(), {"x": EMB, "skip": Embedding(4)}, ["U202"]),
    (MpConcat(), {"x": X, "skip": FeatureMap(8, 2)}, ["U203"]),
    (MpAttention(head_dim=3), {"x": X}, ["U205"]),
    (MpBlock(out=8, flavor="encoder", resample="down"), {"x": FeatureMap(8, 3), "emb": EMB}, ["U206"]),
    (FirResample(resample="down"), {"x": FeatureMap(8, 3)}, ["U206"]),
]

#: operations without parameters that draw something at their start, so that two of them are not one
DRAWN = (MpFourier,)
