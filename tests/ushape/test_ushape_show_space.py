"""A search space in words: what varies, over what, into what, and how much of it is sound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archspec.text.parse import parse
from search.space import Dimension
from tests.command import ushape
from tests.tiny_study import ABLATION, SEARCH, TINY
from ushape.cli.show_space import dimension_data, print_survey


@pytest.mark.parametrize(
    ("text", "values", "into"),
    [
        ("{choice: [1, 2.5, silu, true, null]}", "1 | 2.5 | silu | true | null", ""),
        ("{choice: [[1, 2], [1, 1, 2], []]}", "[1, 2] | [1, 1, 2] | []", ""),
        ("{int: [1, 3]}", "1 to 3", ""),
        ("{int: [8, 4194304], step: 8}", "8 to 4194304 by 8", ""),
        ("{int: [1, 64], log: true, step: 1}", "1 to 64, log", ""),
        ("{float: [0, 0.5]}", "0 to 0.5", ""),
        ("{float: [1.0e-5, 0.1], log: true}", "1e-05 to 0.1, log", ""),
        ("{subset: [8, 16, 32]}", "any of [8, 16, 32]", ""),
        ("{choice: [1, 2], per_level: true}", "1 | 2, for each level", ""),
        ("{int: [1, 2], per_level: depth}", "1 to 2, for each of depth", ""),
        ("{choice: [1, 2], parameter: attn.heads}", "1 | 2", "attn.heads"),
        ("{choice: [1, 2], nodes: 'attention  @ 8'}", "1 | 2", "attention @ 8"),
        ("{choice: [1, 2], nodes: {op: attention, side: up}, parameter: heads}", "1 | 2",
         "attention and side=up: heads"),
        ("{int: [1, 3], repeat: mid.block_1}", "1 to 3", "repeats of mid.block_1"),
        ("{choice: [conv_in, mid.block_1], rewire: {to: up.0.skip.0, port: skip}}", "conv_in | mid.block_1",
         "source of up.0.skip.0 (skip)"),
        ("{choice: [conv_in], rewire: {to: up.0.skip.*}}", "conv_in", "source of up.0.skip.*"),
        ("{edge: {from: a, to: b, port: skip}}", "false | true", "edge a -> b"),
        ("{present: mid.attn_1}", "false | true", "presence of mid.attn_1"),
        ("{present: {op: attention, not: mid.*}}", "false | true", "presence of attention and not mid.*"),
        ("{present: {nodes: up.*, project: true}}", "false | true", "presence of up.*"),
        ("{edits: {none: [], less: [{remove: attention}]}}", "none | less", "edits"),
        ("{operations: {kept: null, conv: {op: conv, out: 8}}, nodes: mid.attn_1}", "kept | conv", "mid.attn_1"),
    ],
)  # fmt: skip
def test_a_dimension_in_words(text: str, values: str, into: str) -> None:
    dimension = Dimension.model_validate(parse(text, "f").data)
    assert dimension_data(dimension) == {"values": values, "into": into, "when": ""}


def test_when_it_matters() -> None:
    text = "{int: [1, 8], when: {attn_type: [vanilla, linear], mid_attn: true, ch: 32}}"
    found = dimension_data(Dimension.model_validate(parse(text, "f").data))
    assert found["when"] == "attn_type: [vanilla, linear], mid_attn: true, ch: 32"


def survey(**changes: Any) -> dict[str, Any]:
    return {"points": 200, "sound": 1.0, "within": 1.0, "rules": {}, "over": {}, **changes}


@pytest.mark.parametrize(
    ("found", "later", "text"),
    [
        (survey(), [], ""),
        (survey(sound=0.5, within=0.25, rules={"U204": 60, "U205": 30, "U202": 9, "U203": 1}, over={"macs": 50}), [],
         " (of the others: U204 60, U205 30, U202 9, macs over budget 50)"),
        (survey(), ["latency"], "; latency is not looked at here"),
        (survey(over={"parameters": 2}), ["latency", "memory"],
         " (of the others: parameters over budget 2); latency and memory are not looked at here"),
    ],
)  # fmt: skip
def test_what_random_points_say_of_the_space(
    found: dict[str, Any], later: list[str], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("ushape.cli.console.out.print", said.append)
    print_survey(found, later)
    assert said == [
        f"of 200 random points {found['sound']:.0%} are sound and {found['within']:.0%} within what can be known of "
        f"the budgets beforehand{text}"
    ]


def test_a_space_without_end_and_an_objective_to_maximise(tmp_path: Path) -> None:
    space = "    dropout: {float: [0, 0.5]}\n    'odd [red] name': {edits: {none: [], less: [{remove: attention}]}}\n"
    more = SEARCH.replace("    num_res_blocks: [1, 2]\n", space)
    (tmp_path / "s.yaml").write_text(TINY + more, encoding="utf-8")
    done = ushape("show", "s.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert any(line.split() == ["dropout", "0", "to", "0.5"] for line in lines)
    assert any(line.startswith("odd [red] name") for line in lines)
    assert any(line.startswith("search over 4 dimensions: infinitely many points, 3 trainings by ") for line in lines)
    data = json.loads(ushape("show", "s.yaml", "--json", cwd=tmp_path).stdout)
    assert data["search"]["points"] is None
    assert data["search"]["dimensions"]["dropout"] == {"values": "0 to 0.5", "into": "", "when": ""}
    assert data["search"]["objectives"] == {"loss": "minimize", "parameters": "minimize"}
    assert data["search"]["budgets"] == {"parameters": 400_000}


def test_a_study_as_data_says_what_each_variant_costs(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(TINY + ABLATION)
    data = json.loads(ushape("show", "s.yaml", "--json", cwd=tmp_path).stdout)
    base, less = data["variants"]
    assert (data["name"], data["question"], data["seeds"], data["runs"]) == (
        "tiny",
        "Is it small?",
        [0, 1],
        "trainings",
    )
    assert (data["search"], data["ablation_trainings"]) == (None, 4)
    assert (base["variant"], base["edits"], base["parameters_change"]) == ("base", [], 0.0)
    assert (less["variant"], less["edits"]) == ("no attention", ["remove attention"])
    attention = 2 * 32 + 4 * (32 * 32 + 32)  # a norm of 32 channels, and four projections
    assert base["parameters"] - less["parameters"] == attention
    assert less["parameters_change"] == less["parameters"] / base["parameters"] - 1
    assert data["base"]["fingerprint"] == base["fingerprint"] != less["fingerprint"]
