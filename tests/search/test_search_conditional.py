from __future__ import annotations

import random
from typing import Any

import pytest

from archspec import build, fingerprint, loads
from search.check import space_faults
from search.decode import decode
from search.feasible import assess
from search.space import Space, at_random, fill, is_point, loops, mutate, point, primitives, size
from search.start import base_point, chosen_of, near_base
from search.survey import survey
from tests.search.spaces import BASE, edge, space

EDM2 = loads(
    "version: 1\nname: e\nedm2: {ch: 64, out_ch: 1, in_channels: 1, resolution: 8, ch_mult: [1, 2], num_res_blocks: 1}"
)
SONG = loads(
    "version: 1\nname: s\nsong: {ch: 16, out_ch: 1, in_channels: 1, resolution: 8, ch_mult: [1, 1], num_res_blocks: 1,"
    " attn_resolutions: [4]}"
)


def drawn(made: Space, levels: int = 2, points: int = 60) -> list[dict[str, Any]]:
    rng = random.Random(0)
    return [fill(made, levels, at_random(rng)) for _ in range(points)]


LEVELS = space(
    ch_mult={"choice": [1, 2], "per_level": "num_levels"},
    num_levels={"int": [1, 3]},
    num_res_blocks={"int": [1, 2], "per_level": "num_levels"},
    attn_type=["vanilla", "linear", "none"],
    heads={"nodes": "attention", "choice": [1, 2, 4], "when": {"attn_type": ["vanilla"]}},
)


def test_a_list_is_as_long_as_the_dimension_that_it_names_says() -> None:
    for chosen in drawn(LEVELS):
        values = point(LEVELS, chosen, 2)
        levels = values["num_levels"]
        assert isinstance(values["ch_mult"], tuple)
        assert len(values["ch_mult"]) == levels
        assert {f"ch_mult[{level}]" in chosen for level in range(3)} == ({True, False} if levels != 3 else {True})
        assert ("heads" in chosen) == (values["attn_type"] == "vanilla")
        graph = build(BASE.with_edits(decode(BASE, LEVELS, values)))
        assert len({node.split(".")[1] for node in graph if node.startswith("down.")}) == levels
    assert {len([s for s in chosen if s.startswith("ch_mult")]) for chosen in drawn(LEVELS)} == {1, 2, 3}


def test_the_size_counts_what_is_reached_and_no_more() -> None:
    # 1, 2 or 3 levels, each with 2 x 2 values; attention without heads twice, and with three of them once.
    assert size(LEVELS, 2) == (4 + 16 + 64) * (2 + 3)
    seen = {
        tuple(sorted(chosen.items())) for chosen in drawn(space(a=["x", "y"], b={"choice": [1, 2], "when": {"a": "x"}}))
    }
    assert size(space(a=["x", "y"], b={"choice": [1, 2], "when": {"a": "x"}}), 2) == len(seen) == 3
    assert len(primitives(LEVELS, 2)) == 3 + 1 + 3 + 1 + 1


def test_a_condition_of_a_condition_and_of_a_member() -> None:
    made = space(
        attn_resolutions={"subset": [8, 4]},
        attn_type={"choice": ["vanilla", "linear"], "when": {"attn_resolutions": 8}},
        heads={"nodes": "attention", "choice": [1, 2], "when": {"attn_type": "vanilla"}},
    )
    for chosen in drawn(made):
        assert ("attn_type" in chosen) == chosen["attn_resolutions[8]"]
        assert ("heads" in chosen) == (chosen.get("attn_type") == "vanilla")
    assert size(made, 2) == 2 + 2 * (1 + 2)


def test_what_is_filled_in_is_a_point_only_if_it_is_what_is_reached() -> None:
    chosen = drawn(LEVELS)[0]
    assert is_point(LEVELS, chosen, 2)
    assert not is_point(LEVELS, {**chosen, "more": 1}, 2)
    assert not is_point(LEVELS, {**chosen, "num_levels": 9}, 2)
    assert not is_point(LEVELS, {}, 2)


def test_a_neighbour_is_a_point_that_differs() -> None:
    rng = random.Random(1)
    for chosen in drawn(LEVELS):
        other = mutate(LEVELS, 2, chosen, rng)
        assert is_point(LEVELS, other, 2)
        assert other != chosen


def test_the_base_is_a_point_and_decodes_to_no_edit() -> None:
    chosen = base_point(BASE, LEVELS, 2)
    assert chosen == {
        "num_levels": 2, "ch_mult[0]": 1, "ch_mult[1]": 2, "num_res_blocks[0]": 1, "num_res_blocks[1]": 1,
        "attn_type": "vanilla", "heads": 1,
    }  # fmt: skip
    near = near_base(LEVELS, 2, chosen, 5, seed=0)
    assert len(near) == 5
    assert all(is_point(LEVELS, point, 2) and point != chosen for point in near)


def test_a_choice_of_lists_knows_the_base_however_its_numbers_are_written() -> None:
    assert base_point(BASE, space(ch_mult=[[1, 1], [1, 2]]), 2) == {"ch_mult": "1,2"}
    assert chosen_of(space(ch_mult=[[1, 1], [1, 2]]), {"ch_mult": [1.0, 1.0]}, 2) == {"ch_mult": "1,1"}
    assert chosen_of(space(ch_mult=[[1, 1]]), {"ch_mult": [2, 1]}, 2) is None


@pytest.mark.parametrize(("spec", "key"), [(EDM2, "edm2"), (SONG, "song")])
def test_parameters_of_every_short_form_vary(spec: Any, key: str) -> None:
    ch = spec.architecture.short_form[1].ch
    made = space(ch=[ch, 2 * ch], ch_mult={"choice": [1, 2], "per_level": "num_levels"}, num_levels=[2, 3])
    assert space_faults(spec, made, 2) == []
    base = base_point(spec, made, 2)
    assert base is not None
    assert fingerprint(build(spec.with_edits(decode(spec, made, point(made, base, 2))))) == fingerprint(build(spec))
    values = {"ch": 2 * ch, "num_levels": 3, "ch_mult": (1, 1, 2)}
    edits = decode(spec, made, values)
    assert [edit.changes for edit in edits] == [{"ch": 2 * ch, "ch_mult": [1, 1, 2]}]
    assert edits[0].kind == key
    assert assess(spec, edits, {}).refusal is None
    assert space_faults(spec, space(chh=[1, 2]), 2)[0][1] == f"`chh` is no parameter of `{key}:`."


@pytest.mark.parametrize(
    ("dimensions", "where", "message", "hint"),
    [
        (
            {"heads": {"nodes": "attention", "choice": [1], "when": {"attn_typ": "vanilla"}}, "attn_type": ["none"]},
            ("heads", "when", "attn_typ"),
            "`heads` depends on `attn_typ`, which is no dimension.",
            "Did you mean `attn_type`?",
        ),
        (
            {
                "heads": {"nodes": "attention", "choice": [1], "when": {"attn_type": ["linaer"]}},
                "attn_type": ["linear"],
            },
            ("heads", "when", "attn_type"),
            "`heads` depends on `attn_type` being linaer, which it cannot be.",
            "Did you mean `linear`?",
        ),
        (
            {"dropout": {"float": [0.0, 0.2]}, "ch": {"choice": [32], "when": {"dropout": 0.1}}},
            ("ch", "when", "dropout"),
            "`ch` depends on `dropout`, which is a real number.",
            "Depend on a choice or an int.",
        ),
        (
            {"ch_mult": {"choice": [1, 2], "per_level": "levels"}, "num_levels": [1, 2]},
            ("ch_mult", "per_level"),
            "`ch_mult` has as many values as `levels`, which is no dimension.",
            "Did you mean `num_levels`?",
        ),
        (
            {"ch_mult": {"choice": [1, 2], "per_level": "num_levels"}, "num_levels": ["two", 3]},
            ("num_levels",),
            "`num_levels` says how many levels there are, so it is a whole number from 1 to 12.",
            "`num_levels: {int: [2, 4]}`, say.",
        ),
        (
            {"middle": {"present": "mid.atn_1"}},
            ("middle",),
            "`middle` never has an effect: `mid.atn_1` matches no node.",
            "Did you mean `mid.attn_1`?",
        ),
        (
            {"kind": {"nodes": "attention", "operations": {"a": {"op": "atention"}}}},
            ("kind",),
            "`kind` can be a, but there is no operation `atention`.",
            "Did you mean `attention`?",
        ),
        (
            {"wire": edge("conv_in", "up.0.skip.0")},
            ("wire",),
            "`wire` never has an effect: its port `skip` is filled by `down.0.block.0` already.",
            "First `disconnect: {from: down.0.block.0, to: up.0.skip.0, port: skip}`.",
        ),
        (
            {"wire": edge("conv_in", "up.0.block.0")},
            ("wire",),
            "`wire` never has an effect: a resnet_block has no port `skip`.",
            "It has x, emb.",
        ),
    ],
)
def test_what_is_wrong_with_conditions(
    dimensions: dict[str, Any], where: tuple[str, ...], message: str, hint: str
) -> None:
    assert (where, message, hint) in space_faults(BASE, space(**dimensions), 2)


def test_conditions_in_a_circle() -> None:
    made = space(ch={"choice": [32], "when": {"skip": "add"}}, skip={"choice": ["add", "concat"], "when": {"ch": 32}})
    assert loops(made) is not None
    found = space_faults(BASE, made, 2)
    assert [fault[1].split(":")[0] for fault in found] == ["dimensions depend on each other in a circle"]


def test_a_selector_that_matches_at_some_points_alone_is_right() -> None:
    made = space(
        attn_resolutions={"subset": [8]},
        heads={"nodes": "attention @ 8", "choice": [1, 2]},
    )
    assert space_faults(BASE, made, 2) == []


def test_a_survey_is_the_same_for_the_same_seed_and_counts_what_refuses() -> None:
    made = space(ch=[32, 48, 64], heads={"nodes": "attention", "choice": [1, 3]})
    found = survey(BASE, made, 2, {"parameters": 1e6}, points=60)
    assert found == survey(BASE, made, 2, {"parameters": 1e6}, points=60)
    # 32 and 64 channels do not split into 3 heads, 48 not into 32 groups.
    exact = {"U204": 1 / 3, "U205": 1 / 3}
    assert found.rules.keys() == exact.keys()
    assert found.sound == pytest.approx(1 / 3, abs=0.2)
    assert found.within == pytest.approx(1 / 6, abs=0.15)
    assert found.over["parameters"] == round(60 * (found.sound - found.within))
    assert found.different == 2
