"""Words in and about the boxes of a U: short labels, whole tooltips, and units that fit the number."""

from __future__ import annotations

from typing import Any

import pytest

from archspec import Price
from archspec.ops import Op
from archspec.ops.shapes import Embedding, FeatureMap, Shape
from archspec.ops.table import read_op
from archspec.text.positions import NOWHERE
from reports.figures.unet_labels import block_label, block_words

WIDE, NARROW, VECTOR = FeatureMap(128, 8), FeatureMap(64, 8), Embedding(256)


def op(name: str, /, **settings: Any) -> Op:
    found, problems = read_op({"op": name, **settings}, NOWHERE)
    assert found is not None, problems
    return found


@pytest.mark.parametrize(
    ("one", "before", "after", "label"),
    [
        (op("resnet_block", out=128), NARROW, WIDE, "res 64→128"),
        (op("resnet_block", out=128), WIDE, WIDE, "res 128"),
        (op("attention"), WIDE, WIDE, "attn 128"),
        (op("attention", heads=1), WIDE, WIDE, "attn 128"),
        (op("attention", heads=4), WIDE, WIDE, "attn 128·4h"),
        (op("attention", type="linear"), WIDE, WIDE, "linear 128"),
        (op("conv", out=128), NARROW, WIDE, "conv 64→128"),
        (op("downsample"), WIDE, FeatureMap(128, 4), "down 128"),
        (op("upsample"), WIDE, FeatureMap(128, 16), "up 128"),
        (op("add"), WIDE, WIDE, "add 128"),
        (op("concat"), NARROW, WIDE, "concat 64→128"),
        (op("norm"), WIDE, WIDE, "norm"),
        (op("norm", type="rms"), WIDE, WIDE, "rms norm"),
        (op("act"), WIDE, WIDE, "silu"),
        (op("act", fn="relu"), WIDE, WIDE, "relu"),
        (op("fir_resample", resample="down"), WIDE, FeatureMap(128, 4), "fir resample 128"),
    ],
)
def test_a_box_says_its_operation_and_its_channels(one: Op, before: Shape, after: Shape, label: str) -> None:
    assert block_label(one, {"x": before}, after) == label


def test_what_takes_nothing_shows_what_it_gives() -> None:
    assert block_label(op("input", kind="image", channels=3, resolution=8), {}, FeatureMap(3, 8)) == "input 3"
    assert block_label(op("act"), {}, VECTOR) == "silu"
    assert block_label(op("mlp", hidden=512, out=256), {"x": Embedding(64)}, VECTOR) == "MLP 64→256"


@pytest.mark.parametrize(
    ("price", "shape", "lines"),
    [
        (
            Price(1_000, 999_000_000),
            FeatureMap(4, 16),
            ["1,000 parameters, 999 MMACs", "weights 3.91 KiB, output 4.00 KiB"],
        ),
        (Price(0, 1_000_000_000), FeatureMap(64, 64), ["0 parameters, 1.00 GMACs", "weights 0 KiB, output 1.00 MiB"]),
        (Price(262_143, 1_234), VECTOR, ["262,143 parameters, 0.00123 MMACs", "weights 1,024 KiB, output 1.00 KiB"]),
        (Price(262_144, 0), FeatureMap(3, 32), ["262,144 parameters, 0 MMACs", "weights 1.00 MiB, output 12.0 KiB"]),
    ],
)
def test_sizes_and_counts_are_written_in_the_unit_that_fits(price: Price, shape: Shape, lines: list[str]) -> None:
    said = block_words(op("act"), shape, price).splitlines()
    assert said[:2] == ["act", f"output {shape}"]
    assert said[2:] == [lines[0], f"float32: {lines[1]} an image"]


def test_settings_that_are_not_the_defaults_are_told() -> None:
    said = block_words(op("resnet_block", out=32, dropout=0.25), WIDE, Price(1, 1)).splitlines()[0]
    assert said.startswith("resnet_block (")
    assert "dropout 0.25" in said
    assert "out 32" in said
    assert "act" not in said
