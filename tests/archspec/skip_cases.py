"""Shapes and prices by hand: gated and rebalanced skips, and attention in windows."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.ops import FreeUConcat, GatedConcat, Op, WindowAttention
from archspec.ops.shapes import FeatureMap, Shape

X = FeatureMap(8, 4)
SKIP = FeatureMap(6, 4)
BOTH = {"x": X, "skip": SKIP}

CASES: list[tuple[Op, Mapping[str, Shape], Shape, int, int]] = [
    (GatedConcat(), BOTH, FeatureMap(14, 4), 8 * 3 + 3 + 6 * 3 + 3 + 1, 16 * (8 * 3 + 6 * 3 + 3)),
    (GatedConcat(hidden=2), BOTH, FeatureMap(14, 4), 8 * 2 + 2 + 6 * 2 + 2 + 1, 16 * (8 * 2 + 6 * 2 + 2)),
    (FreeUConcat(), BOTH, FeatureMap(14, 4), 0, 0),
    (WindowAttention(window=2, groups=2), {"x": X}, X, 4 * 72 + 16, 16 * 4 * 64 + 2 * 16 * 4 * 8),
    (
        WindowAttention(window=2, shift=1, groups="auto", heads=3, head_dim=5),
        {"x": X},
        X,
        9 * 45 + 16 * 8 + 16,
        16 * 4 * 8 * 15 + 2 * 16 * 4 * 15,
    ),
]

RULES: list[tuple[Op, Mapping[str, Shape], list[str]]] = [
    (GatedConcat(), {"x": X, "skip": FeatureMap(6, 2)}, ["U203"]),
    (FreeUConcat(), {"x": X, "skip": FeatureMap(6, 2)}, ["U203"]),
    (WindowAttention(window=3, heads=3, groups=3), {"x": X}, ["U210", "U205", "U204"]),
]
