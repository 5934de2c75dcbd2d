"""Shapes and prices by hand: what NCSN++ and DDPM++ need beside the common blocks."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.ops import Attention, BlurredConv, FourierFeatures, Linear, Op, ResnetBlock
from archspec.ops.shapes import Embedding, FeatureMap, Shape, Timestep

X = FeatureMap(8, 4)
EMB = Embedding(5)
BLOCK = 16 + 16 + 2 * (9 * 64 + 8)

CASES: list[tuple[Op, Mapping[str, Shape], Shape, int, int]] = [
    (FourierFeatures(dim=6), {"t": Timestep()}, Embedding(6), 0, 0),
    (Linear(out=3), {"x": EMB}, Embedding(3), 18, 15),
    (Linear(out=3, bias=False), {"x": EMB}, Embedding(3), 15, 15),
    (BlurredConv(out=2), {"x": X}, FeatureMap(2, 2), 8 * 2 * 9 + 2, 6 * 6 * 8 * 2 * 9 + 2 * 2 * 2 * 16),
    (BlurredConv(out=2, filter=(1, 1)), {"x": X}, FeatureMap(2, 2), 8 * 2 * 9 + 2, 16 * 8 * 2 * 9 + 2 * 2 * 2 * 4),
    (
        ResnetBlock(out=8, groups="auto", conditioning="none", project_shortcut=True),
        {"x": X},
        X,
        BLOCK + 64 + 8,
        16 * (2 * 9 * 64 + 64),
    ),
    (
        ResnetBlock(out=8, groups=2, conditioning="none", project_shortcut=True, residual=False),
        {"x": X},
        X,
        BLOCK,
        16 * 2 * 9 * 64,
    ),
    (Attention(groups="auto", residual_scale=0.5), {"x": X}, X, 4 * 72 + 16, 16 * 4 * 64 + 2 * 16 * 8 * 16),
]

RULES: list[tuple[Op, Mapping[str, Shape], list[str]]] = [
    (FourierFeatures(dim=5), {"t": Timestep()}, ["U202"]),
    (BlurredConv(out=2), {"x": FeatureMap(8, 3)}, ["U206"]),
]

#: operations without parameters that draw something at their start, so that two of them are not one
DRAWN = (FourierFeatures,)
