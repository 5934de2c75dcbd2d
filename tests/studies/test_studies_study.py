from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from archspec import UserError
from studies.driver.plan import cells, variants
from studies.study.load import check_study, load_study
from tests.tiny_study import ABLATION, SEARCH, TINY

Write = Callable[..., Path]


def messages(path: Path) -> list[str]:
    return [str(problem).replace(str(path), "study.yaml") for problem in check_study(path)[1]]


def test_cells_come_seed_by_seed_so_that_pairs_are_whole(study_file: Write) -> None:
    study = load_study(study_file(ABLATION))
    assert [cell.id for cell in cells(study)] == ["base/0", "no attention/0", "base/1", "no attention/1"]
    assert [variant.edits for variant in variants(study)] == [(), ("remove attention",)]


def test_results_lie_beside_the_study_file(study_file: Write) -> None:
    path = study_file(ABLATION)
    assert load_study(path).folder == path.parent / "runs" / "tiny"


def test_the_protocol_hash_ignores_seeds_and_sees_the_rest(study_file: Write) -> None:
    before = load_study(study_file(ABLATION)).protocol_hash()
    assert load_study(study_file(ABLATION, **{"seeds: 2": "seeds: 3"})).protocol_hash() == before
    assert load_study(study_file(ABLATION, **{"steps: 2": "steps: 3"})).protocol_hash() != before


def test_a_base_can_be_a_file_beside_the_study_or_of_the_zoo(tmp_path: Path) -> None:
    (tmp_path / "unet.yaml").write_text(
        "version: 1\nname: mine\n"
        + TINY.split("  name: tiny\n")[1].split("protocol")[0].replace("\n  ", "\n").removeprefix("  ")
    )
    head = "version: 1\nname: s\nbase: {base}\nablation: {{variants: {{a: [{{remove: mid.attn_1}}]}}}}\n"
    (tmp_path / "s.yaml").write_text(head.format(base="unet.yaml"))
    assert load_study(tmp_path / "s.yaml").spec.name == "mine"
    (tmp_path / "s.yaml").write_text(head.format(base="zoo/ddpm-cifar10"))
    assert load_study(tmp_path / "s.yaml").spec.name == "ddpm-cifar10"


def test_every_problem_of_a_study_at_once(study_file: Write) -> None:
    path = study_file(
        "ablation:\n  variants:\n    a: [{remove: mid.atn_1}]\n    b: [{set: {nodes: attention, to: {heads: 5}}}]\n",
        SEARCH.replace("num_res_blocks:", "num_res_block:").replace("trials: 3", "trials: 3\n  sampler: TPESample"),
    )
    found = messages(path)
    assert found == [
        "study.yaml:24:10: error U301 `mid.atn_1` matches no node. Did you mean `mid.attn_1`?",
        "study.yaml:25:39: error U205 mid.attn_1: 32 channels do not split into 5 heads. "
        "Heads that divide 32: 1, 2, 4, 8, 16, 32. Inputs: mid.block_1 = 32x4x4.",
        "study.yaml:29:5: error U403 `num_res_block` is no parameter of `unet:`. Did you mean `num_res_blocks`?",
        "study.yaml:35:3: error U403 there is no sampler `TPESample`. Did you mean `TPESampler`?",
    ]


def test_a_study_that_asks_nothing(study_file: Write) -> None:
    assert messages(study_file()) == [
        "study.yaml:2:1: error U401 the study asks nothing. "
        "Add `ablation:` (take parts away) or `search:` (vary parameters)."
    ]


def test_a_variant_must_differ_from_the_base_and_from_the_others(study_file: Write) -> None:
    path = study_file(
        "ablation:\n  variants:\n    a: [{remove: mid.attn_1}]\n    b: [{unet: {mid_attn: false}}]\n"
        "    c: [{unet: {norm_eps: 1.0e-5}}, {set: {nodes: '*block*', to: {eps: 1.0e-6}}}, "
        "{set: {nodes: attention, to: {eps: 1.0e-6}}}, {set: {nodes: norm_out, to: {eps: 1.0e-6}}}]\n"
    )
    assert messages(path) == [
        "study.yaml:25:5: error U402 the variant `b` is the same architecture as the variant `a`. "
        "Change it or take it out.",
        "study.yaml:26:5: error U402 the variant `c` is the same architecture as the base. Change it or take it out.",
    ]


def test_the_name_base_is_taken(study_file: Write) -> None:
    found = messages(study_file("ablation: {variants: {base: [{remove: attention}]}}\n"))
    assert len(found) == 1
    assert "the name `base` belongs to the base itself; it is always part of an ablation" in found[0]


def test_problems_of_a_base_in_place_stand_at_its_lines(study_file: Write) -> None:
    found = messages(study_file(ABLATION, **{"ch: 32": "ch: 33", "num_res_blocks: 1": "num_res_blok: 1"}))
    assert (
        "study.yaml:11:5: error U010 `base.unet.num_res_blok` is not a known key. Did you mean `num_res_blocks`?"
        in found
    )


def test_load_raises_one_error_with_all_problems(study_file: Write) -> None:
    with pytest.raises(UserError) as caught:
        load_study(study_file())
    assert [problem.code for problem in caught.value.problems] == ["U401"]


def test_planning_and_records_load_no_torch() -> None:
    code = (
        "import sys, studies.study.study, studies.driver.plan, studies.records.record, studies.frame,"
        "studies.records.store,"
        "studies.driver.run,"
        "studies.trial.worker, studies.trial.serve; print([m for m in ('torch', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_search_without_our_model_loads_neither_it_nor_designs() -> None:
    code = (
        "import sys, studies.driver.searching;"
        "print([m for m in ('sklearn', 'pyDOE3', 'scipy.stats', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        ("{name: NSGAIISampler, options: {population: 9}}", "NSGAIISampler has no option `population`. Did you mean"),
        ("{name: TPESampler, options: {n_startup_trials: many}}", "TPESampler cannot be used so: '<' not supported"),
        ("CmaEsSampler", "CmaEsSampler needs the package cmaes. Run `pip install cmaes`."),
    ],
)
def test_a_sampler_that_cannot_be_made(
    study_file: Write, monkeypatch: pytest.MonkeyPatch, sampler: str, message: str
) -> None:
    monkeypatch.setattr("search.optuna_bridge.find_spec", lambda name: None)
    found = messages(study_file(SEARCH.replace("trials: 3", f"trials: 3\n  sampler: {sampler}")))
    assert len(found) == 1
    assert message in found[0]


@pytest.mark.parametrize(
    ("dimension", "message"),
    [
        ("dropout: {float: [0.0, 1.5]}", "`dropout` can be 1.5, but it must be less than 1, not 1.5."),
        (
            "heads: {nodes: resnet_block, choice: [1, 2]}",
            "`heads` can be 1, but a resnet_block has no parameter",
        ),
        ("attn_type: [vanilla, lineer]", "`attn_type` can be lineer, but it cannot be 'lineer'. Did you mean"),
        ("ch: {int: [0, 64], step: 32}", "`ch` can be 0, but it must be at least 1, not 0."),
    ],
)
def test_values_that_no_point_can_have_are_found_before_anything_runs(
    study_file: Write, dimension: str, message: str
) -> None:
    found = messages(study_file(f"search:\n  space:\n    {dimension}\n"))
    assert len(found) == 1
    assert found[0].startswith(f"study.yaml:24:5: error U403 {message}")


def test_a_base_that_is_not_there_is_said_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("version: 1\nname: s\nbase: unet.yaml\n")
    assert messages(tmp_path / "study.yaml") == [
        "study.yaml:1:1: error U401 the study asks nothing. Add `ablation:` (take parts away) or `search:` (vary "
        "parameters).",
        "study.yaml:3:1: error U001 the base `unet.yaml`: there is no such file. Paths are relative to the study file.",
    ]
