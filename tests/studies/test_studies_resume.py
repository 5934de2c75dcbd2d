"""What may change in a study file between two runs, and what is said of what may not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspec import UserError
from studies.driver.resume import refuse_changes
from studies.records.store import Store
from studies.study.load import load_study
from tests.studies.test_studies_loop import begin
from tests.studies.test_studies_store import record
from tests.tiny_study import ABLATION, SEARCH, TINY

Write = Callable[..., Path]

HINT = "Trials before and after could not be compared: give the study another name, or change it back."
WHOLE = TINY + ABLATION + SEARCH


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of both parts, in each of which one trial has ended."""
    path = tmp_path_factory.mktemp("resumed") / "study.yaml"
    path.write_text(WHOLE)
    close_one(path)
    return path


def close_one(path: Path) -> None:
    study, ledger = begin(path)
    for part, objectives in (("ablation", ["loss"]), ("search", ["loss", "parameters"])):
        if getattr(study.file, part) is not None:
            trial = ledger.open(part, objectives).ask()  # type: ignore[arg-type]
            kept = record(trial.number, None if part == "search" else "base", status="failed", reason="no luck")
            ledger.close(trial, kept)


def refusals(path: Path, text: str) -> list[str]:
    path.write_text(text)
    study = load_study(path)
    try:
        refuse_changes(Store(study.folder), study)
    except UserError as error:
        assert {(problem.code, problem.hint, problem.file) for problem in error.problems} == {("U090", HINT, str(path))}
        return [problem.message for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ch: 32", "ch: 64", "`base.unet.ch` was 32 and is now 64."),
        ("data: digits", "data: {digits: true, holdout: 0.2}", "`protocol.data.holdout` was 0.1 and is now 0.2."),
        (
            "data: digits",
            "data: digits\n  objective: {prediction: v}",
            "`protocol.objective.prediction` was eps and is now v.",
        ),
        ("batch: 4}", "batch: 4, ema: null}", "`protocol.train.ema` was 0.999 and is now absent."),
        ("strata: 2", "strata: 3", "`protocol.evaluate.strata` was 2 and is now 3."),
        (
            "seeds: 2",
            "seeds: 2\n  tune: {what: [lr], seeds: 1}",
            "`protocol.tune` was absent and is now {'what': ['lr'], 'factors': [0.5, 1.0, 2.0], 'seeds': 1}.",
        ),
        ("latency: false", "latency: true", "`measure.latency` was False and is now True."),
        ("[1, 2]\n", "[1, 3]\n", "`search.space.num_res_blocks.choice` was [1, 2] and is now [1, 3]."),
        (
            "objectives: [loss, parameters]",
            "objectives: [loss]",
            "`search.objectives` was ['loss', 'parameters'] and is now ['loss'].",
        ),
        ("trials: 3", "trials: 3\n  seed: 5", "`search.seed` was absent and is now 5."),
    ],
)
def test_what_would_mix_trials_is_refused_with_both_values(ended: Path, old: str, new: str, message: str) -> None:
    assert old in WHOLE
    assert refusals(ended, WHOLE.replace(old, new)) == [message]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("question: Is it small?", "question: Is it large?"),
        ("seeds: 2", "seeds: [4, 5, 6]"),
        ("no attention:", "another name:"),
        ("- remove: attention", "- set: {nodes: attention, to: {heads: 4}}"),
        ("trials: 3", "trials: 9"),
        ("parameters: 400k", "parameters: 1k"),
        ("trials: 3", "trials: 3\n  sampler: TPESampler"),
        ("trials: 3", "trials: 3\n  start: [{skip: add}]"),
        ("measure:", "run: {workers: 3, timeout: 1 h}\nmeasure:"),
        (ABLATION, ""),
        (SEARCH, ""),
    ],
)
def test_what_leaves_earlier_trials_as_good_as_they_were_may_change(ended: Path, old: str, new: str) -> None:
    assert old in WHOLE
    assert refusals(ended, WHOLE.replace(old, new)) == []


def test_everything_that_changed_is_said_at_once_and_long_values_are_cut(ended: Path) -> None:
    many = ", ".join(str(number) for number in range(1, 40))
    text = WHOLE.replace("steps: 2", "steps: 3").replace("[1, 2]\n", f"[{many}]\n")
    shown = f"[{many}]"[:77] + "..."
    assert refusals(ended, text) == [
        "`protocol.train.steps` was 2 and is now 3.",
        f"`search.space.num_res_blocks.choice` was [1, 2] and is now {shown}.",
    ]


def test_a_search_that_was_taken_out_comes_back_as_it_was_or_not_at_all(study_file: Write) -> None:
    path = study_file(ABLATION, SEARCH)
    close_one(path)
    path.write_text(WHOLE.replace(SEARCH, ""))
    close_one(path)
    assert refusals(path, WHOLE.replace("[concat, add]", "[add, concat]")) == [
        "`search.space.skip.choice` was ['concat', 'add'] and is now ['add', 'concat']."
    ]
    assert refusals(path, WHOLE) == []


def test_a_search_that_is_added_to_an_ablation_is_new(study_file: Write) -> None:
    path = study_file(ABLATION)
    close_one(path)
    assert refusals(path, WHOLE) == []


def test_before_a_trial_has_ended_only_a_search_that_was_begun_is_fixed(study_file: Write) -> None:
    """Optuna keeps the space with the first trial that is asked for."""
    path = study_file(ABLATION, SEARCH)
    _, ledger = begin(path)
    ledger.open("ablation", ["loss"]).ask()
    changed = WHOLE.replace("steps: 2", "steps: 3").replace("[concat, add]", "[add, concat]")
    assert refusals(path, changed) == []
    ledger.open("search", ["loss", "parameters"]).ask()
    assert refusals(path, changed) == ["`search.space.skip.choice` was ['concat', 'add'] and is now ['add', 'concat']."]


def test_a_folder_that_remembers_no_study_takes_any(study_file: Write) -> None:
    study = load_study(study_file(ABLATION))
    store = Store(study.folder, study.name, create=True)
    refuse_changes(store, study)
    store.open("ablation", ["loss"])
    refuse_changes(store, study)
