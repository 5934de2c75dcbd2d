"""Everything that `check` says of a space, word for word: where, what, and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from archspec import Edit, build, check_spec, loads, to_yaml
from archspec.build import Spec
from search.check import Fault, space_faults
from tests.search.spaces import BASE, edge, space

GRAPH = loads(to_yaml(build(BASE)))
ELSEWHERE = {"lr": "It belongs to protocol.train."}
HEADS = {"nodes": "attention", "choice": [1, 2]}


def when(**conditions: object) -> dict[str, Any]:
    return {**HEADS, "when": conditions}


@pytest.mark.parametrize(
    ("dimensions", "faults"),
    [
        ({"chh": [32]}, [(("chh",), "`chh` is no parameter of `unet:`.", "Did you mean `ch`?")]),
        (
            {"width": {"choice": [32], "parameter": "chh"}},
            [(("width", "parameter"), "`chh` is no parameter of `unet:`.", "Did you mean `ch`?")],
        ),
        (
            {"heads": {"choice": [2], "parameter": "atn.heads"}},
            [(("heads", "parameter"), "`atn` is no parameter of `unet:`.", "Did you mean `attn`?")],
        ),
        (
            {"xyzzy": [1]},
            [
                (
                    ("xyzzy",),
                    "`xyzzy` is no parameter of `unet:`.",
                    "With nodes: a dimension varies a parameter of nodes, with edits: anything.",
                )
            ],
        ),
        ({"lr": [1e-3]}, [(("lr",), "`lr` is no part of an architecture.", "It belongs to protocol.train.")]),
        (
            {"heads": when(xyzzy=1)},
            [
                (
                    ("heads", "when", "xyzzy"),
                    "`heads` depends on `xyzzy`, which is no dimension.",
                    "The dimensions: heads.",
                )
            ],
        ),
        (
            {"heads": when(attn_type=["vanilla", "linaer"]), "attn_type": ["vanilla", "linear"]},
            [
                (
                    ("heads", "when", "attn_type"),
                    "`heads` depends on `attn_type` being linaer, which it cannot be.",
                    "Did you mean `linear`?",
                )
            ],
        ),
        (
            {"heads": when(num_res_blocks=7), "num_res_blocks": {"int": [1, 3]}},
            [
                (
                    ("heads", "when", "num_res_blocks"),
                    "`heads` depends on `num_res_blocks` being 7, which it cannot be.",
                    "Its values: 1 to 3.",
                )
            ],
        ),
        (
            {"heads": when(attn_resolutions=16), "attn_resolutions": {"subset": [8, 4]}},
            [
                (
                    ("heads", "when", "attn_resolutions"),
                    "`heads` depends on `attn_resolutions` being 16, which it cannot be.",
                    "Its values: 8, 4.",
                )
            ],
        ),
        (
            {"heads": when(ch_mult=True), "ch_mult": [[1, 2], [2, 2]]},
            [
                (
                    ("heads", "when", "ch_mult"),
                    "`heads` depends on `ch_mult` being True, which it cannot be.",
                    "Its values: 1,2, 2,2.",
                )
            ],
        ),
        (
            {"heads": when(dropout=0.1), "dropout": {"float": [0.0, 0.2]}},
            [
                (
                    ("heads", "when", "dropout"),
                    "`heads` depends on `dropout`, which is a real number.",
                    "Depend on a choice or an int.",
                )
            ],
        ),
        (
            {"ch": {"choice": [32], "when": {"ch": 32}}},
            [(("ch", "when"), "dimensions depend on each other in a circle: `ch` -> `ch`.", None)],
        ),
        (
            {"ch_mult": {"choice": [1], "per_level": "levels"}, "skip": ["add"]},
            [
                (
                    ("ch_mult", "per_level"),
                    "`ch_mult` has as many values as `levels`, which is no dimension.",
                    "The dimensions: ch_mult, skip.",
                )
            ],
        ),
        *[
            (
                {"ch_mult": {"choice": [1], "per_level": "levels"}, "levels": levels},
                [
                    (
                        ("levels",),
                        "`levels` says how many levels there are, so it is a whole number from 1 to 12.",
                        "`levels: {int: [2, 4]}`, say.",
                    )
                ],
            )
            for levels in ([0, 1], [1, 13], [True], [2.0], {"float": [1.0, 3.0]}, {"subset": [1, 2]}, {"int": [2, 20]})
        ],
        (
            {"heads": {"nodes": "atention", "choice": [1, 2]}},
            [(("heads",), "`heads` never has an effect: `atention` matches no node.", "Did you mean `attention`?")],
        ),
    ],
)
def test_what_is_wrong_with_names_and_conditions(dimensions: dict[str, Any], faults: list[Fault]) -> None:
    assert space_faults(BASE, space(**dimensions), 2, ELSEWHERE) == faults


@pytest.mark.parametrize(
    "dimensions",
    [
        {"heads": when(attn_type=["vanilla", "linear"]), "attn_type": ["vanilla", "linear", "none"]},
        {"heads": when(ch_mult=2), "ch_mult": [[1, 2], [1, 1]]},
        {"heads": when(ch_mult=[2, 1]), "ch_mult": {"choice": [1, 2], "per_level": True}},
        {"heads": when(attn_resolutions=8), "attn_resolutions": {"subset": [8, 4]}},
        {"levels": {"int": [1, 3]}, "ch_mult": {"choice": [1, 2], "per_level": "levels"}},
        {"leads": ["a", "b"], "ch": {"choice": [32, 64], "when": {"leads": "a"}}},
        {"lr": [1, 2], "ch": {"choice": [32, 64], "when": {"lr": 1}}},
        {"heads": {"choice": [1, 2], "parameter": "attn.heads"}},
    ],
)
def test_a_space_that_is_right_has_no_fault(dimensions: dict[str, Any]) -> None:
    assert space_faults(BASE, space(**dimensions), 2, ELSEWHERE) == []


def test_all_that_is_wrong_is_said_at_once() -> None:
    made = space(
        chh=[32],
        lr=[1],
        heads=when(attn_typ="none"),
        ch_mult={"choice": [1], "per_level": "num_level"},
        attn_type=["none"],
    )
    assert [where for where, _, _ in space_faults(BASE, made, 2, ELSEWHERE)] == [
        ("chh",), ("lr",), ("heads", "when", "attn_typ"), ("ch_mult", "per_level"),
    ]  # fmt: skip


def test_of_a_base_that_is_a_graph_nodes_vary_and_no_parameters() -> None:
    assert space_faults(GRAPH, space(ch=[32], heads=HEADS), 0) == [
        (("ch",), "`ch` is a parameter of `unet:`, but the base is a graph.", "Vary nodes: or edits:.")
    ]
    assert space_faults(GRAPH, space(lead=[32], heads=when(lead=32)), 0) == []
    assert space_faults(GRAPH, space(lead={"choice": [1], "per_level": True}, heads=when(lead=1)), 0) == [
        (("lead", "per_level"), "per_level needs a base with `unet:`.", None)
    ]


WHOLE = "a whole number, not"


@pytest.mark.parametrize(
    ("dimensions", "message"),
    [
        ({"ch": [32, "wide"]}, f"`ch` can be wide, but it must be {WHOLE} 'wide'."),
        ({"ch": {"float": [0.5, 2.0]}}, f"`ch` can be 0.5, but it must be {WHOLE} 0.5."),
        ({"ch_mult": [[1, 2], [0, 2]]}, "`ch_mult` can be 0,2, but it must be more than 0, not 0."),
        (
            {"ch_mult": {"choice": [1, "x"], "per_level": True}},
            "`ch_mult` can be x, but it must be a number, not 'x'.",
        ),
        (
            {"attn_resolutions": {"subset": [8, "all"]}},
            f"`attn_resolutions` can be all, but it must be {WHOLE} 'all'.",
        ),
        (
            {"heads": {"nodes": "attention", "choice": [1, "many"]}},
            f"`heads` can be many, but it must be {WHOLE} 'many'.",
        ),
        (
            {"kind": {"nodes": "attention", "operations": {"keep": None, "odd": {"op": "conv", "out": "x"}}}},
            f"`kind` can be odd, but `out` must be {WHOLE} 'x'.",
        ),
        (
            {"part": {"edits": {"as is": [], "odd": [{"unet": {"ch": "x"}}]}}},
            f"`part` can be odd, but `unet.ch` must be {WHOLE} 'x'.",
        ),
        (
            {"ch": {"choice": [32, "wide"], "when": {"skip": "add"}}, "skip": ["add", "concat"]},
            f"`ch` can be wide, but it must be {WHOLE} 'wide'.",
        ),
    ],
)
def test_a_value_that_no_point_can_have_is_named(dimensions: dict[str, Any], message: str) -> None:
    assert [said for _, said, _ in space_faults(BASE, space(**dimensions), 2)] == [message]


def test_each_dimension_with_such_a_value_is_named_once_also_after_edits_of_the_base() -> None:
    spec = BASE.with_edits((Edit.model_validate({"remove": "mid.attn_1"}),))
    made = space(ch=[32, "wide", "wider"], heads={"nodes": "attention", "choice": ["one"]})
    assert [said for _, said, _ in space_faults(spec, made, 2)] == [
        f"`ch` can be wide, but it must be {WHOLE} 'wide'.",
        f"`heads` can be one, but it must be {WHOLE} 'one'.",
    ]


def test_values_and_selectors_are_not_tried_on_a_base_that_is_unsound() -> None:
    made = space(ch=[32, "wide"], middle={"present": "mid.atn"})
    assert [where for where, _, _ in space_faults(BASE, made, 2)] == [("ch",)]
    assert space_faults(BASE, made, 2, sound=False) == []
    assert space_faults(BASE, space(chh=[1]), 2, sound=False) != []


@pytest.mark.parametrize(
    ("base", "dimensions"),
    [
        (BASE, {"attn_type": ["vanilla", "none"], "heads": HEADS}),
        (BASE, {"attn_resolutions": {"subset": [8]}, "heads": {"nodes": "attention @ 8", "choice": [1, 2]}}),
        (BASE, {"own": edge("conv_in"), "other": edge("down.0.block.0")}),
    ],
)
def test_what_other_dimensions_bring_is_looked_for_at_points_of_the_space(
    base: Spec, dimensions: dict[str, Any]
) -> None:
    assert check_spec(base).graph is not None
    assert space_faults(base, space(**dimensions), 2) == []
