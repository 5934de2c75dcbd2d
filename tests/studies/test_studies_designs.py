from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archspec import total_price
from studies.driver.plan import cells, most_cells, variants
from studies.study.designs.fraction import GENERATORS, aliases, effects_up_to, fraction
from studies.study.load import check_study, load_study
from studies.study.schema import study_schema

Write = Callable[..., Path]


def names(path: Path) -> list[str]:
    return [variant.name for variant in variants(load_study(path))]


def messages(path: Path) -> list[str]:
    return [str(problem).replace(str(path), "study.yaml") for problem in check_study(path)[1]]


def test_leave_one_out_takes_each_part_out_by_itself(study_file: Write) -> None:
    path = study_file(
        "ablation:\n  leave_one_out: [attention_levels, skips, middle, time, 'resnet_block and side=down']\n",
        **{"attn_resolutions: []": "attn_resolutions: [8, 4]"},
    )
    assert names(path) == [
        "base", "without attention @ 8", "without attention @ 4", "without middle attention", "without up.1.skip.0",
        "without up.1.skip.1", "without up.0.skip.0", "without up.0.skip.1", "without middle",
        "without time conditioning", "without down.0.block.0", "without down.1.block.0",
    ]  # fmt: skip
    study = load_study(path)
    assert {variant.design for variant in variants(study)[1:]} == {"leave_one_out"}
    assert [cell.id for cell in cells(study)][:2] == ["base/0", "without attention @ 8/0"]


def test_a_selector_can_be_taken_by_node_by_resolution_or_whole(study_file: Write) -> None:
    for by, expected in {
        "node": [
            "down.0.attn.0",
            "down.1.attn.0",
            "mid.attn_1",
            "up.1.attn.0",
            "up.1.attn.1",
            "up.0.attn.0",
            "up.0.attn.1",
        ],
        "resolution": ["attention @ 8", "attention @ 4"],
        "all": ["attention"],
    }.items():
        text = f"ablation:\n  leave_one_out: {{nodes: attention, by: {by}}}\n"
        path = study_file(text, **{"attn_resolutions: []": "attn_resolutions: [8, 4]"})
        assert names(path) == ["base", *(f"without {name}" for name in expected)]


def test_one_architecture_by_two_words_is_one_variant(study_file: Write) -> None:
    path = study_file("ablation:\n  leave_one_out: [attention_blocks, attention_levels]\n")
    study = load_study(path)
    assert [one.name for one in study.expansion().variants] == ["without mid.attn_1"]
    assert study.expansion().same == {"without middle attention": "without mid.attn_1"}


def test_add_one_in_puts_each_part_back_and_compares_with_the_stripped_base(study_file: Write) -> None:
    path = study_file(
        "ablation:\n  add_one_in: {parts: [attention_blocks, time], edits: {sum: [{unet: {skip: add}}]}}\n"
    )
    found = variants(load_study(path))
    assert [(one.name, one.reference) for one in found[1:]] == [
        ("stripped", "base"),
        ("stripped + mid.attn_1", "stripped"),
        ("stripped + time conditioning", "stripped"),
        ("stripped + sum", "stripped"),
    ]
    assert found[1].edits == ("use_timestep: false", "skip: add", "remove mid.attn_1")


def test_one_factor_by_values_levels_and_edits(study_file: Write) -> None:
    path = study_file(
        "ablation:\n  one_factor:\n    ch: [32, 64]\n"
        "    skip: {sum: [{unet: {skip: add}}], none: [{unet: {skip: none}}]}\n"
        "    linear: [{set: {nodes: attention, to: {type: linear}}}]\n"
    )
    found = variants(load_study(path))
    assert [one.name for one in found] == ["base", "ch=64", "skip=sum", "skip=none", "linear"]
    assert found[2].factors == {"skip": "sum"}


def test_a_full_factorial_has_the_base_as_a_cell(study_file: Write) -> None:
    path = study_file(
        "ablation:\n  factorial:\n    factors:\n      skip: [add, none]\n"
        "      middle: [{remove: mid.attn_1}]\n      time: [{unet: {use_timestep: false}}]\n"
    )
    found = variants(load_study(path))
    assert len(found) == 12
    assert dict(found[0].factors) == {"skip": "base", "middle": "base", "time": "base"}
    assert found[1].name == "skip=add"
    last = found[-1]
    assert last.name == "skip=none + middle + time"
    assert last.edits == ("skip: none, use_timestep: false", "remove mid.attn_1")


def test_a_fraction_keeps_the_base_and_says_what_it_cannot_tell_apart(study_file: Write) -> None:
    path = study_file(
        "ablation:\n  factorial:\n    resolution: 3\n    factors:\n      skip: [add]\n"
        "      middle: [{remove: mid.attn_1}]\n      time: [{unet: {use_timestep: false}}]\n"
    )
    found = variants(load_study(path))
    assert sorted(one.name for one in found) == ["base", "middle + time", "skip=add + middle", "skip=add + time"]
    half = fraction(3, 3)
    assert half is not None
    assert aliases(half.runs, ["a", "b", "c"]) == [[("a",), ("b", "c")], [("b",), ("a", "c")], [("c",), ("a", "b")]]


def word_length(runs: np.ndarray) -> int:
    """The resolution of a fraction as counted from its runs: the fewest columns whose product is constant."""
    names = [str(index) for index in range(runs.shape[1])]
    for effect in effects_up_to(names, len(names)):
        product = np.prod([runs[:, int(name)] for name in effect], axis=0)
        if np.all(product == product[0]):
            return len(effect)
    return 0


@pytest.mark.parametrize(("factors", "resolution"), GENERATORS)
def test_every_fraction_has_the_resolution_it_states_and_begins_with_the_base(factors: int, resolution: int) -> None:
    found = fraction(factors, resolution)
    assert found is not None
    assert word_length(found.runs) == found.resolution >= resolution
    assert np.all(found.runs[0] == -1)
    assert len({tuple(run) for run in found.runs}) == len(found.runs) < 2**factors
    assert np.all(found.runs.sum(axis=0) == 0)


def test_no_fraction_where_only_the_whole_has_the_resolution() -> None:
    assert fraction(3, 4) is None
    assert fraction(4, 5) is None


@pytest.mark.parametrize("by", ["parameters", "macs"])
def test_a_matched_partner_has_the_edits_and_nearly_the_size_of_the_base(study_file: Write, by: str) -> None:
    path = study_file(
        "ablation:\n  variants:\n    no middle: [{unet: {mid_block: false}}]\n"
        f"  matched: {{by: {by}, tolerance: 0.08}}\n",
        **{"resolution: 8": "resolution: 8\n    num_groups: 8"},
    )
    found = {one.name: one for one in variants(load_study(path))}
    partner = found[f"no middle, same {'MACs' if by == 'macs' else by}"]
    sizes = {name: getattr(total_price(one.graph), by) for name, one in found.items()}
    assert abs(sizes["no middle"] / sizes["base"] - 1) > 0.08
    assert abs(sizes[partner.name] / sizes["base"] - 1) <= 0.08
    assert not any(node.startswith("mid.") for node in partner.graph)
    assert partner.reference == "base"


def test_a_partner_by_depth_has_more_blocks_and_the_same_width(study_file: Write) -> None:
    path = study_file(
        "ablation:\n  variants:\n    no middle: [{unet: {mid_block: false}}]\n"
        "  matched: {adjust: depth, tolerance: 0.1, of: [no middle]}\n"
    )
    base, _, partner = variants(load_study(path))
    assert partner.name == "no middle, same parameters"
    assert partner.edits == ("mid_block: false, num_res_blocks: [1, 2]",)
    assert abs(total_price(partner.graph).parameters / total_price(base.graph).parameters - 1) <= 0.1


PATH = """ablation:
  path:
    edits:
      add: [{unet: {skip: add}}]
      timeless: [{unet: {use_timestep: false}}]
      plain: [{remove: mid.attn_1}]
"""


def test_a_path_goes_on_from_the_best_candidate_once_all_seeds_are_there(study_file: Write) -> None:
    study = load_study(study_file(PATH))
    first = [one.name for one in variants(study)[1:]]
    assert first == ["path: add", "path: timeless", "path: plain"]
    losses = {"path: add": {0: 0.3, 1: 0.3}, "path: timeless": {0: 0.1, 1: 0.3}, "path: plain": {0: 0.5}}
    assert [one.name for one in variants(study, losses)[1:]] == first
    losses["path: plain"][1] = float("inf")
    second = variants(study, losses)[4:]
    assert [(one.name, one.reference) for one in second] == [
        ("path: add + timeless", "path: timeless"),
        ("path: timeless + plain", "path: timeless"),
    ]
    assert most_cells(study) == (1 + 3 + 2 + 1) * 2


def test_a_path_to_another_file_takes_its_parameters_one_by_one(study_file: Write) -> None:
    path = study_file("ablation:\n  path: {to: goal.yaml}\n")
    body = path.read_text().split("base:\n")[1].split("protocol:")[0].replace("\n  ", "\n").removeprefix("  ")
    (path.parent / "goal.yaml").write_text(
        "version: 1\n" + body.replace("mid_attn: true", "mid_attn: true\n  skip: add\n  use_timestep: false")
    )
    assert names(path) == ["base", "path: use_timestep: false", "path: skip: add"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "leave_one_out: [skips, attention_level]",
            "study.yaml:23:26: error U407 `attention_level` matches no node. Did you mean `attention_levels`?",
        ),
        (
            "leave_one_out: mid.attn_2",
            "study.yaml:23:3: error U407 `mid.attn_2` matches no node. Did you mean `mid.attn_1`?",
        ),
        (
            "one_factor: {num_res_block: [2]}",
            "study.yaml:23:16: error U407 `num_res_block` is no parameter of `unet:`. Did you mean `num_res_blocks`?",
        ),
        (
            "one_factor: {ch: [32]}",
            "study.yaml:23:16: error U407 `ch` is 32 in the base already. Name another value.",
        ),
        (
            "factorial: {resolution: 5, factors: {skip: [add], ch: [64], mid_attn: [false]}}",
            "study.yaml:23:15: error U407 there is no fraction of 3 factors with resolution 5. "
            "Leave `resolution` out for every combination.",
        ),
        (
            "factorial: {resolution: 3, factors: {skip: [add, none], ch: [64], mid_attn: [false]}}",
            "study.yaml:23:15: error U407 a fraction needs factors of two levels, and `skip` has 3. "
            "Leave `resolution` out for every combination.",
        ),
        (
            "add_one_in: {parts: [time]}",
            "study.yaml:23:3: error U407 add_one_in has 1 part, and putting it back gives the base. "
            "Name at least two parts.",
        ),
        (
            "path: {to: nowhere.yaml}",
            "study.yaml:23:10: error U407 `nowhere.yaml` cannot be used: there is no such file.",
        ),
        (
            "variants: {a: [{unet: {skip: add}}]}\n  matched: {of: [b]}",
            "study.yaml:24:18: error U407 the study has no variant `b`. The variants: a.",
        ),
        (
            "variants: {a: [{unet: {skip: add}}]}\n  margin: 2 per cent",
            "study.yaml:24:3: error U012 `ablation.margin`: `2 per cent` is no margin; write a number in the metric's "
            "unit, or a share such as 2%.",
        ),
        (
            "margin: 0.01",
            "study.yaml:22:1: error U012 `ablation`: an ablation has one of variants, leave_one_out, add_one_in, "
            "one_factor, factorial, path.",
        ),
        (
            "leave_one_ot: skips",
            "study.yaml:23:3: error U010 `ablation.leave_one_ot` is not a known key. Did you mean `leave_one_out`?",
        ),
    ],
)
def test_what_cannot_be_made_is_said_at_its_line(study_file: Write, text: str, message: str) -> None:
    assert message in messages(study_file(f"ablation:\n  {text}\n"))


def test_every_key_of_an_ablation_is_described_in_the_schema() -> None:
    schema = study_schema()
    for name in (
        "Ablation",
        "AddOneIn",
        "Factorial",
        "Factor",
        "Path",
        "Matched",
        "PartChoice",
        "Until",
        "Tune",
    ):
        for key, field in schema["$defs"][name]["properties"].items():
            assert field.get("description"), f"{name}.{key}"
