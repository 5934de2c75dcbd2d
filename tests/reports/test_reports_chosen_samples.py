"""Whose sampled images stand side by side, and which seed of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from reports.analysis.drawn import MOST, drawn
from studies.frame import StudyResults
from tests.reports.bare_study import NAN, bare_study, searched
from tests.reports.test_reports_ablation import BASE, WORSE, frame


def study_of(trials: pd.DataFrame, *without: tuple[str, int], **changes: Any) -> StudyResults:
    """Samples of every trial, told apart by part and number, but of those named."""
    keys = {(str(row.part), int(row.trial)) for row in trials.itertuples()} - set(without)
    trials = trials.assign(fingerprint=trials.get("fingerprint", "f"), replay_of=trials.get("replay_of"))
    changes = {"samples": {key: {"of": key} for key in keys}, "objectives": ("loss",)} | changes
    return bare_study(trials, **changes)


def shown(study: StudyResults) -> list[tuple[str, int, tuple[str, int]]]:
    return [(one.label, one.seed, one.detail["of"]) for one in drawn(study)]


def test_the_first_seed_that_has_samples_is_shown_of_each_variant() -> None:
    trials = frame(base=BASE[:2], thin=WORSE[:2])
    assert shown(study_of(trials)) == [("base", 0, ("ablation", 0)), ("thin", 0, ("ablation", 2))]
    assert shown(study_of(trials, ("ablation", 0), ("ablation", 2))) == [
        ("base", 1, ("ablation", 1)), ("thin", 1, ("ablation", 3))
    ]  # fmt: skip
    backwards = trials.iloc[::-1]
    assert shown(study_of(backwards)) == shown(study_of(trials))


def test_a_trial_without_a_result_has_no_samples_to_show() -> None:
    trials = frame(base=BASE[:2], thin=["diverged", WORSE[1]])
    assert shown(study_of(trials))[1] == ("thin", 1, ("ablation", 3))


def test_without_an_ablation_the_base_is_the_one_that_the_search_has_trained() -> None:
    trials = searched([0.3, 0.1, 0.2], fingerprint=["base", "b", "c"], seed=[4, 5, 6])
    assert shown(study_of(trials)) == [
        ("base", 4, ("search", 0)), ("best of the search (trial 1)", 5, ("search", 1))
    ]  # fmt: skip


def test_the_base_is_shown_once_where_it_is_the_best() -> None:
    trials = searched([0.1, 0.2], fingerprint=["base", "b"])
    assert shown(study_of(trials)) == [("base", 0, ("search", 0))]
    over = searched([0.1, 0.2], fingerprint=["b", "c"], feasible=False)
    assert shown(study_of(over)) == []


def test_a_replay_shows_what_was_drawn_from_the_trial_that_it_took_over() -> None:
    trials = searched([0.3, 0.1], fingerprint=["base", "b"], replay_of=[None, "ablation/7"],
                      status=["finished", "replayed"])  # fmt: skip
    study = study_of(trials, ("search", 1))
    study.samples["ablation", 7] = {"of": ("ablation", 7)}
    assert shown(study)[1] == ("best of the search (trial 1)", 0, ("ablation", 7))


def test_no_more_than_eight_are_shown_and_a_picture_where_it_is_there(tmp_path: Path) -> None:
    variants = {f"v{number:02}": WORSE[:1] for number in range(12)}
    study = study_of(frame(base=BASE[:1], **variants), files={("ablation", 1): {"samples.png": tmp_path / "a.png"}})
    found = drawn(study)
    assert [one.label for one in found] == ["base", *(f"v{number:02}" for number in range(MOST - 1))]
    assert [one.grid for one in found[:3]] == [None, tmp_path / "a.png", None]
    assert drawn(study_of(frame(base=[NAN]).assign(status="failed"))) == []
