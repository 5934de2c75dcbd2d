"""Designs that cannot be made of a base: what is said, where, and what to do instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspec import UserError
from studies.driver.plan import variants
from studies.study.load import check_study, load_study
from studies.study.place import name_of
from tests.studies.test_studies_designs import messages, names
from tests.tiny_study import ABLATION, TINY

Write = Callable[..., Path]

SHORT = TINY[TINY.index("base:") : TINY.index("protocol:")]


def told(path: Path) -> list[str]:
    """What is said, without the file."""
    return [one.split(" error ")[-1].split(" warning ")[-1] for one in messages(path)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "variants: {without middle attention: [{unet: {skip: add}}]}\n  leave_one_out: [attention_levels]",
            ["U407 two variants are called `without middle attention`. Give one another name."],
        ),
        (
            "factorial: {factors: {skip: [add, none], ch: [64, 96, 128, 160, 192], num_res_blocks: [2, 3, 4]}}",
            [
                "U407 the full factorial has 72 combinations; at most 64 are made. State a `resolution` for a "
                "fraction, or leave factors out."
            ],
        ),
        (
            "factorial: {factors: {skp: [add], ch: [64]}}",
            ["U407 `skp` is no parameter of `unet:`. Did you mean `skip`?"],
        ),
        (
            "path: {edits: {a: [{remove: mid.attn_1}], b: [{remove: mid.attn_1}]}}",
            ["U407 all steps together are no sound architecture: `mid.attn_1` matches no node."],
        ),
        (
            "variants: {tiny: [{unet: {ch: 32, mid_block: false}}]}\n  matched: {of: [tiny], tolerance: 0.0001}",
            ["U407 no width gives `tiny` the base's parameters within 0%: the closest misses it by"],
        ),
    ],
)
def test_what_the_base_does_not_allow_is_said(study_file: Write, text: str, expected: list[str]) -> None:
    found = told(study_file(f"ablation:\n  {text}\n"))
    for message in expected:
        assert [one for one in found if one.startswith(message)], found
    assert len(found) == len(expected)


def goal(study: Path, **changes: str) -> None:
    """Another architecture beside the study: the base with some words replaced."""
    body = SHORT.removeprefix("base:\n").replace("\n  ", "\n").removeprefix("  ")
    for old, new in changes.items():
        assert old in body
        body = body.replace(old, new)
    (study.parent / "goal.yaml").write_text(f"version: 1\n{body}", encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"ch: 32": "ch: 64"},
            "U407 `goal.yaml` differs from the base in 1 parameter. A path needs two steps at least; a variant is "
            "enough here.",
        ),
        ({}, "U407 `goal.yaml` differs from the base in 0 parameter. A path needs two steps at least"),
        (
            {"resolution: 8": "resolution: 8\nedits: [{remove: mid.attn_1}]"},
            "U407 `goal.yaml` has edits of nodes. Write the steps as `edits`.",
        ),
        ({"ch: 32": "ch: 33"}, "U407 `goal.yaml` cannot be used: "),
    ],
)
def test_a_path_leads_to_what_differs_by_two_parameters(
    study_file: Write, changes: dict[str, str], message: str
) -> None:
    path = study_file("ablation: {path: {to: goal.yaml}}\n")
    goal(path, **changes)
    [found] = told(path)
    assert found.startswith(message)


def test_edits_of_the_short_form_belong_to_the_goal(study_file: Write) -> None:
    path = study_file("ablation: {path: {to: goal.yaml}}\n")
    goal(path, **{"resolution: 8": "resolution: 8\nedits: [{unet: {skip: add}}, {unet: {ch: 64}}]"})
    assert names(path) == ["base", "path: ch: 64", "path: skip: add"]


def test_edits_of_the_short_form_belong_to_the_base(study_file: Write) -> None:
    edited = {"    resolution: 8\n": "    resolution: 8\n  edits: [{unet: {ch: 64}}]\n"}
    path = study_file("ablation: {one_factor: {ch: [32, 64]}}\n", **edited)
    assert names(path) == ["base", "ch=32"]


def test_factors_can_be_written_in_full(study_file: Write) -> None:
    text = "ablation: {one_factor: {ch: {values: [64]}, s: {levels: {sum: [{unet: {skip: add}}]}}, m: {edits: EDIT}}}\n"
    path = study_file(text.replace("EDIT", "[{remove: mid.attn_1}]"))
    assert names(path) == ["base", "ch=64", "s=sum", "m"]


def test_a_fraction_has_no_more_runs_than_its_resolution_needs(study_file: Write) -> None:
    factors = "a: [{unet: {skip: add}}], b: [{unet: {use_timestep: false}}], c: [{remove: attention}]"
    path = study_file(f"ablation: {{factorial: {{factors: {{{factors}}}, resolution: 3}}}}\n")
    assert len(variants(load_study(path))) == 4


@pytest.mark.parametrize("text", ["[1, 2]", "just words", "3"])
def test_what_is_no_mapping_is_no_study(tmp_path: Path, text: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    study, problems = check_study(path)
    assert study is None
    assert [str(one).partition(" error ")[2] for one in problems] == [
        "U012 a study is a mapping of keys to values. See `ushape init`."
    ]


def test_a_file_that_is_not_there_is_no_traceback(tmp_path: Path) -> None:
    study, [problem] = check_study(tmp_path / "none.yaml")
    assert (study, problem.code) == (None, "U001")


@pytest.mark.parametrize("text", ["version: 1\n", "name: 3\n", "[a]\n"])
def test_results_are_found_by_the_name_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("name: s\nprotocol: {this: is, not: sound}\n")
    assert name_of(path) == "s"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        name_of(path)
    assert caught.value.problems[0].message == f"{path} is no study: it has no name."


def test_a_base_of_the_zoo_is_found_by_its_name_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    for base, hint in (
        ("ddpm-cifar10", "Did you mean `zoo/ddpm-cifar10`?"),
        ("zoo/ddpm-cifar1", "Did you mean `zoo/ddpm-cifar10`?"),
        ("zoo/nothing-like-it-at-all", "`ushape zoo` lists those that ship."),
        ("nets/ddpm-cifar10.yaml", "Paths are relative to the study file."),
    ):
        path.write_text(f"version: 1\nname: s\nbase: {base}\n{ABLATION}")
        [problem] = check_study(path)[1]
        assert (problem.code, problem.line, problem.hint) == ("U001", 3, hint)
        assert problem.message == f"the base `{base}`: there is no such file."
