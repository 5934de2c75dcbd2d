from __future__ import annotations

import pytest
from pydantic import ValidationError

from archspec import build, fingerprint, loads, to_yaml
from search.check import space_faults
from search.decode import decode
from search.feasible import assess
from search.objectives import Metric, quantity, violations
from search.space import Categorical, Dimension, Integer, Real, Space, point, primitives, size
from search.start import base_point

BASE = loads(
    """
version: 1
name: base
unet: {ch: 32, out_ch: 1, ch_mult: [1, 2], num_res_blocks: 1, attn_resolutions: [4], in_channels: 1, resolution: 8}
"""
)
GRAPH = loads(to_yaml(build(BASE)))


def space(**dimensions: object) -> Space:
    return {
        name: Dimension.model_validate({"choice": value} if isinstance(value, list) else value)
        for name, value in dimensions.items()
    }


def test_each_kind_becomes_plain_choices() -> None:
    made = primitives(
        space(
            ch=[32, 64],
            ch_mult={"choice": [1, 2], "per_level": True},
            num_res_blocks={"int": [1, 3]},
            dropout={"float": [0.0, 0.5]},
            attn_resolutions={"subset": [8, 4]},
            part={"edits": {"keep": [], "out": [{"remove": "mid.attn_1"}]}},
        ),
        levels=2,
    )
    assert made == {
        "ch": Categorical((32, 64)),
        "ch_mult[0]": Categorical((1, 2)),
        "ch_mult[1]": Categorical((1, 2)),
        "num_res_blocks": Integer(1, 3),
        "dropout": Real(0.0, 0.5),
        "attn_resolutions[8]": Categorical((False, True)),
        "attn_resolutions[4]": Categorical((False, True)),
        "part": Categorical(("keep", "out")),
    }


def test_size_multiplies_and_a_real_number_makes_it_infinite() -> None:
    assert size(space(ch=[32, 64, 96], num_res_blocks={"int": [1, 4]}, attn_resolutions={"subset": [8, 4]}), 2) == 48
    assert size(space(ch={"int": [32, 128], "step": 32}), 2) == 4
    assert size(space(dropout={"float": [0.0, 0.5]}), 2) == float("inf")


def test_a_point_decodes_to_one_edit_of_the_short_form() -> None:
    dimensions = space(ch=[32, 64], ch_mult={"choice": [1, 2], "per_level": True}, attn_resolutions={"subset": [8, 4]})
    chosen = {
        "ch": 64, "ch_mult[0]": 2, "ch_mult[1]": 1, "attn_resolutions[8]": True, "attn_resolutions[4]": False,
    }  # fmt: skip
    values = point(dimensions, chosen, levels=2)
    assert values == {"ch": 64, "ch_mult": (2, 1), "attn_resolutions": (8,)}
    edits = decode(BASE, dimensions, values)
    assert [edit.unet for edit in edits] == [{"ch": 64, "ch_mult": [2, 1], "attn_resolutions": [8]}]
    build(BASE.with_edits(edits))


def test_the_base_is_a_point_and_decodes_to_no_edit() -> None:
    dimensions = space(
        ch=[32, 64],
        ch_mult={"choice": [1, 2], "per_level": True},
        attn_resolutions={"subset": [8, 4]},
        heads={"nodes": "attention", "choice": [1, 2]},
        part={"edits": {"keep": [], "out": [{"remove": "mid.attn_1"}]}},
    )
    chosen = base_point(BASE, dimensions, levels=2)
    assert chosen == {
        "ch": 32, "ch_mult[0]": 1, "ch_mult[1]": 2, "attn_resolutions[8]": False, "attn_resolutions[4]": True,
        "heads": 1, "part": "keep",
    }  # fmt: skip
    values = {"ch": 32, "ch_mult": (1, 2), "attn_resolutions": (4,), "heads": 1, "part": "keep"}
    graph = build(BASE.with_edits(decode(BASE, dimensions, values)))
    assert fingerprint(graph) == fingerprint(build(BASE))


def test_a_base_outside_the_space_has_no_point() -> None:
    assert base_point(BASE, space(ch=[64, 96]), levels=2) is None
    assert base_point(BASE, space(attn_resolutions={"subset": [8]}), levels=2) is None
    assert base_point(BASE, space(part={"edits": {"out": [{"remove": "mid.attn_1"}]}}), levels=2) is None


def test_a_dimension_without_nodes_left_has_no_effect() -> None:
    dimensions = space(
        attn_type=["vanilla", "none"], heads={"nodes": "attention", "choice": [1, 4], "parameter": "heads"}
    )
    with_heads = decode(BASE, dimensions, {"attn_type": "vanilla", "heads": 4})
    without = decode(BASE, dimensions, {"attn_type": "none", "heads": 4})
    assert [edit.kind for edit in with_heads] == ["set"]
    assert [edit.kind for edit in without] == ["unet"]


def test_a_point_that_breaks_a_rule_is_refused_with_its_reason() -> None:
    dimensions = space(heads={"nodes": "attention", "choice": [1, 5]})
    assessed = assess(BASE, decode(BASE, dimensions, {"heads": 5}), {})
    assert assessed.graph is None
    assert assessed.refusal is not None
    assert "U205 64 channels do not split into 5 heads." in assessed.refusal


def test_a_budget_known_beforehand_refuses_and_says_by_how_much() -> None:
    parameters = assess(BASE, (), {}).metrics["parameters"]
    fits = assess(BASE, (), {"parameters": parameters, "latency": 1.0})
    over = assess(BASE, (), {"parameters": parameters / 1.5})
    assert fits.refusal is None
    assert fits.violations == {"parameters": 0.0}
    assert over.refusal == "parameters is 701.3 k, +50% over its budget of 467.6 k"


@pytest.mark.parametrize(
    ("metric", "text", "value"),
    [
        ("latency", "20 ms", 0.02),
        ("parameters", "1.5M", 1.5e6),
        ("memory", "64 MiB", 64 * 2**20),
        ("loss", "0.3", 0.3),
        ("macs", 2.5e9, 2.5e9),
        ("train_latency", "40 us", 4e-5),
    ],
)
def test_quantities_have_the_units_of_their_metric(metric: Metric, text: object, value: float) -> None:
    assert quantity(metric, text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("metric", "value", "message"),
    [
        ("train_memory", "60 ms", "`60 ms` is no budget; write a number above 0, or one with a unit out of B, kB"),
        ("latency", "3 parsec", "`3 parsec` is no budget; write a number above 0, or one with a unit out of us, ms, s"),
        ("parameters", 0, "`0` is no budget"),
        ("macs", "-1G", "`-1G` is no budget"),
        ("loss", "nan", "`nan` is no budget; write a number above 0$"),
        ("loss", True, "`True` is no budget"),
    ],
)
def test_a_budget_that_is_none_names_the_units_of_its_metric(metric: Metric, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quantity(metric, value)


def test_violations_are_relative_and_only_of_what_is_known() -> None:
    assert violations({"loss": 0.5, "memory": 150.0}, {"memory": 100.0, "latency": 1.0}) == {"memory": 0.5}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "a dimension has exactly one of choice, int, float, subset, edits"),
        ({"choice": [1], "int": [1, 2]}, "a dimension has exactly one of"),
        ({"int": [4, 4]}, r"the range \[4, 4\] is empty"),
        ({"float": [0.0, 1.0], "log": True}, "a logarithmic range starts above 0"),
        ({"choice": [1], "step": 2}, "step goes with int"),
        ({"subset": [1], "per_level": True}, "per_level goes with choice, int or float"),
        ({"edits": {"a": []}, "nodes": "attention"}, "edits stand alone: they say themselves what they change"),
        ({"present": {"nodes": "attention"}, "nodes": "x"}, "present stands alone: it says itself what it changes"),
        ({"choice": [1], "log": True}, "log goes with int or float"),
        ({"int": [1, 8], "step": 2, "log": True}, "log and step do not go together"),
        ({"choice": [1], "nodes": "a", "repeat": "b"}, "a value goes into one of nodes and repeat"),
        ({"operations": {"keep": None}}, "operations go with nodes, and with no parameter"),
        ({"operations": {"keep": None}, "nodes": "a", "parameter": "out"}, "operations go with nodes, and with no"),
        ({"choice": [1, 2], "repeat": "mid.block_1"}, "repeat goes with int"),
        ({"int": [0, 2], "repeat": "mid.block_1"}, "nodes stand at least once in a row; `present` takes them out"),
        ({"int": [0, 2], "rewire": {"to": "out"}}, "rewire goes with choice, of node ids"),
    ],
)
def test_a_dimension_that_says_too_much_or_too_little(data: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Dimension.model_validate(data)


def test_faults_name_the_place_and_the_close_word() -> None:
    assert space_faults(BASE, space(num_res_block=[1, 2]), 2) == [
        (("num_res_block",), "`num_res_block` is no parameter of `unet:`.", "Did you mean `num_res_blocks`?")
    ]
    assert space_faults(GRAPH, space(ch=[32]), 0) == [
        (("ch",), "`ch` is a parameter of `unet:`, but the base is a graph.", "Vary nodes: or edits:.")
    ]
