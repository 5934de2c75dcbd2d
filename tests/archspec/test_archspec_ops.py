"""The vocabulary: shapes, prices and rules of single operations, by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import magnitude_cases
import norm_cases
import pytest
import score_cases
import skip_cases
import vocabulary_cases
from pydantic import ValidationError

from archspec.ops import (
    OPS,
    Act,
    Add,
    Attention,
    Concat,
    Conv,
    Downsample,
    Input,
    Mlp,
    Norm,
    Op,
    Output,
    ResnetBlock,
    TimeEmbedding,
    Unread,
    Upsample,
)
from archspec.ops.base import divisors, listed
from archspec.ops.shapes import Embedding, FeatureMap, Shape, Timestep
from archspec.ops.table import read_op
from archspec.text.positions import NOWHERE

X = FeatureMap(8, 4)
SKIP = FeatureMap(6, 4)
EMB = Embedding(5)

Case = tuple[Op, Mapping[str, Shape], Shape, int, int]

CASES: list[Case] = [
    (Input(channels=3, resolution=8), {}, FeatureMap(3, 8), 0, 0),
    (Input(kind="timestep"), {}, Timestep(), 0, 0),
    (Output(), {"x": X}, X, 0, 0),
    (TimeEmbedding(dim=9), {"t": Timestep()}, Embedding(9), 0, 0),
    (Mlp(hidden=7, out=3), {"x": EMB}, Embedding(3), 5 * 7 + 7 + 7 * 3 + 3, 5 * 7 + 7 * 3),
    (Conv(out=2), {"x": X}, FeatureMap(2, 4), 8 * 2 * 9 + 2, 16 * 8 * 2 * 9),
    (Conv(out=2, kernel=1, bias=False), {"x": X}, FeatureMap(2, 4), 16, 16 * 16),
    (Conv(out=4, kernel=5, groups=2), {"x": X}, FeatureMap(4, 4), 4 * 4 * 25 + 4, 16 * 4 * 4 * 25),
    (Norm(groups=2), {"x": X}, X, 16, 0),
    (Act(), {"x": X}, X, 0, 0),
    (Downsample(), {"x": X}, FeatureMap(8, 2), 9 * 64 + 8, 4 * 9 * 64),
    (Downsample(method="avg_pool"), {"x": X}, FeatureMap(8, 2), 0, 0),
    (Upsample(), {"x": X}, FeatureMap(8, 8), 9 * 64 + 8, 64 * 9 * 64),
    (Upsample(conv=False), {"x": X}, FeatureMap(8, 8), 0, 0),
    (Concat(), {"x": X, "skip": SKIP}, FeatureMap(14, 4), 0, 0),
    (Add(), {"x": X, "skip": X}, X, 0, 0),
    (Add(project=True), {"x": X, "skip": X}, X, 0, 0),
    (Add(project=True), {"x": X, "skip": SKIP}, X, 6 * 8 + 8, 16 * 6 * 8),
    (
        ResnetBlock(out=8, groups=2),
        {"x": X, "emb": EMB},
        X,
        16 + 16 + 2 * (9 * 64 + 8) + 5 * 8 + 8,
        16 * 2 * 9 * 64 + 5 * 8,
    ),
    (
        ResnetBlock(out=4, groups=2, conditioning="none"),
        {"x": X},
        FeatureMap(4, 4),
        16 + 8 + 9 * 32 + 4 + 9 * 16 + 4 + 32 + 4,
        16 * (9 * 32 + 9 * 16 + 32),
    ),
    (
        ResnetBlock(out=4, groups=2, emb_dim=5, conv_shortcut=True),
        {"x": X},
        FeatureMap(4, 4),
        16 + 8 + 9 * 32 + 4 + 9 * 16 + 4 + 9 * 32 + 4 + 5 * 4 + 4,
        16 * (9 * 32 + 9 * 16 + 9 * 32),
    ),
    (Attention(groups=2), {"x": X}, X, 4 * 64 + 32 + 16, 16 * 4 * 64 + 2 * 16 * 8 * 16),
    (Attention(norm=False, heads=2), {"x": X}, X, 4 * 64 + 32, 16 * 4 * 64 + 2 * 16 * 8 * 16),
    (Attention(norm=False, heads=2, head_dim=6), {"x": X}, X, 4 * 96 + 36 + 8, 16 * 4 * 96 + 2 * 16 * 12 * 16),
    (Attention(type="linear"), {"x": X}, X, 4 * 64 + 8, 16 * 4 * 64 + 2 * 16 * 8 * 8),
    (Attention(type="linear", heads=4, norm=True, groups=1), {"x": X}, X, 264 + 16, 16 * 4 * 64 + 2 * 16 * 8 * 2),
    *vocabulary_cases.CASES,
    *magnitude_cases.CASES,
    *score_cases.CASES,
    *skip_cases.CASES,
    *norm_cases.CASES,
]


@pytest.mark.parametrize(("op", "inputs", "shape", "parameters", "macs"), CASES)
def test_shape_and_price(op: Op, inputs: Mapping[str, Shape], shape: Shape, parameters: int, macs: int) -> None:
    assert inputs.keys() <= {port.name for port in op.ports()}
    assert list(op.misfits(inputs)) == []
    assert op.shape(inputs) == shape
    assert (op.price(inputs).parameters, op.price(inputs).macs) == (parameters, macs)
    drawn = isinstance(op, (*magnitude_cases.DRAWN, *score_cases.DRAWN)) or getattr(op, "type", "") == "fourier"
    assert op.stateless(inputs) == (parameters == 0 and not drawn)


def test_every_operation_is_covered() -> None:
    assert {type(case[0]) for case in CASES} == set(OPS.values())


@pytest.mark.parametrize(
    ("op", "inputs", "codes"),
    [
        (Conv(out=3, groups=2), {"x": X}, ["U202"]),
        (Norm(groups=3), {"x": X}, ["U204"]),
        (ResnetBlock(out=9, groups=2), {"x": X}, ["U204"]),
        (ResnetBlock(out=8, groups=3), {"x": X}, ["U204"]),
        (ResnetBlock(out=9, groups=5), {"x": X}, ["U204", "U204"]),
        (ResnetBlock(out=8, groups=2, emb_dim=4), {"x": X, "emb": EMB}, ["U202"]),
        (Attention(groups=3, heads=3), {"x": X}, ["U205", "U204"]),
        (Attention(norm=False, groups=3, head_dim=3), {"x": X}, ["U205"]),
        (Downsample(), {"x": FeatureMap(8, 3)}, ["U206"]),
        (Concat(), {"x": X, "skip": FeatureMap(8, 2)}, ["U203"]),
        (Add(), {"x": X, "skip": FeatureMap(6, 2)}, ["U203", "U202"]),
        (TimeEmbedding(dim=3), {"t": Timestep()}, ["U202"]),
        (TimeEmbedding(dim=2, freq_shift=0.5), {"t": Timestep()}, []),
        (TimeEmbedding(dim=1, freq_shift=0.0), {"t": Timestep()}, ["U202"]),
        *vocabulary_cases.RULES,
        *magnitude_cases.RULES,
        *score_cases.RULES,
        *skip_cases.RULES,
        *norm_cases.RULES,
    ],
)
def test_rules(op: Op, inputs: Mapping[str, Shape], codes: list[str]) -> None:
    misfits = list(op.misfits(inputs))
    assert [misfit.code for misfit in misfits] == codes
    fields = {*type(op).model_fields, *(port.name for port in op.ports()), None}
    assert all(misfit.field in fields for misfit in misfits)
    assert op.shape(inputs)  # checking goes on


def test_ports_depend_on_parameters() -> None:
    assert [port.name for port in ResnetBlock(out=8).ports()] == ["x", "emb"]
    assert [port.required for port in ResnetBlock(out=8, emb_dim=4).ports()] == [True, False]
    assert [port.name for port in ResnetBlock(out=8, conditioning="none").ports()] == ["x"]
    assert Unread().ports() == ()


def test_a_sum_is_commutative_where_it_does_not_project() -> None:
    assert Add().commutative({"x": X, "skip": X})
    assert Add(project=True).commutative({"x": X, "skip": X})
    assert not Add(project=True).commutative({"x": X, "skip": SKIP})
    assert not Concat().commutative({"x": X, "skip": X})


@pytest.mark.parametrize(
    "data",
    [
        {"op": "conv", "out": 3.0},
        {"op": "conv", "out": True},
        {"op": "conv", "out": 8, "kernel": True},
        {"op": "conv", "out": 8, "kernel": 3.0},
        {"op": "conv", "out": 65_537},
        {"op": "resnet_block", "out": 8, "dropout": True},
        {"op": "resnet_block", "out": 8, "dropout": "0.1"},
        {"op": "resnet_block", "out": 8, "dropout": 1},
        {"op": "resnet_block", "out": 8, "conditioning": "none", "emb_dim": 4},
        {"op": "norm", "eps": 0},
        {"op": "norm", "eps": float("nan")},
        {"op": "attention", "heads": 0},
        {"op": "time_embedding", "dim": 8, "max_period": float("inf")},
        {"op": "input"},
        {"op": "input", "kind": "timestep", "channels": 3},
        {"op": "input", "kind": "context", "channels": 3},
    ],
)
def test_values_that_are_not_taken(data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OPS[data["op"]].model_validate(data)


@pytest.mark.parametrize(("data", "key", "message"), norm_cases.REFUSED)
def test_parameters_that_do_not_go_together(data: dict[str, Any], key: str, message: str) -> None:
    _, problems = read_op(data, NOWHERE.at("node"))
    assert [problem.message for problem in problems] == [f"`node.{key}` {message}."]


def test_operations_are_frozen_and_hashable() -> None:
    conv = Conv(out=3)
    with pytest.raises(ValidationError):
        conv.out = 4  # type: ignore[misc]
    assert len({conv, Conv(out=3), Conv(out=4)}) == 2


def test_small_arithmetic() -> None:
    assert divisors(1) == [1]
    assert divisors(36) == [1, 2, 3, 4, 6, 9, 12, 18, 36]
    assert listed(list(range(20))) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …"
