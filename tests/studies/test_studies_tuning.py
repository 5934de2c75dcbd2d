"""Which learning rate a variant is judged at, and the seeds of those that are confirmed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspec import UserError, fingerprint
from studies.driver.confirm import ConfirmQuestion, fresh_seeds, winners
from studies.driver.ledger import Ledger
from studies.driver.loop import drive
from studies.driver.tuning import FIRST_SEED, Tuned, TuningQuestion, grid
from studies.records.record import TrialRecord
from studies.records.store import Store
from studies.study.load import load_study
from tests.studies.test_studies_loop import Pretended, Silent, begin, nothing, outcome
from tests.studies.test_studies_store import record
from tests.tiny_study import ABLATION, SEARCH

Write = Callable[..., Path]

TUNED = {"seeds: 2": "seeds: 1\n  tune: {what: [lr], factors: [0.5, 1, 4], seeds: 2}"}


def tried(rate: float, seed: int, loss: float | None, **more: Any) -> TrialRecord:
    metrics = {} if loss is None else {"loss": loss}
    return record(0, seed=FIRST_SEED + seed, tuned={"lr": rate}, part="tuning", metrics=metrics, **more)


def test_every_rate_is_tried_with_every_seed_of_its_own(study_file: Write) -> None:
    rates = [0.0005, 0.001, 0.004]
    found = grid(load_study(study_file(ABLATION, **TUNED)))
    assert found == [(rate, seed) for seed in (900_000, 900_001) for rate in rates]
    assert grid(load_study(study_file(ABLATION))) == grid(load_study(study_file(SEARCH, **TUNED))) == []


@pytest.mark.parametrize(
    ("records", "rate"),
    [
        ([], 0.001),
        ([tried(0.0005, 0, 0.5), tried(0.0005, 1, 0.5), tried(0.001, 0, 0.4), tried(0.001, 1, 0.4)], 0.001),
        # The mean decides, not the best seed.
        ([tried(0.0005, 0, 0.1), tried(0.0005, 1, 0.9), tried(0.004, 0, 0.4), tried(0.004, 1, 0.4)], 0.004),
        # One seed alone is no rate.
        ([tried(0.0005, 0, 0.1), tried(0.004, 0, 0.4), tried(0.004, 1, 0.4)], 0.004),
        ([tried(0.0005, 0, 0.1), tried(0.0005, 1, None, status="diverged")], 0.001),
        # Seeds and rates of an earlier tuning say nothing of this one.
        ([tried(0.0005, 0, 0.1), tried(0.0005, 7, 0.1), tried(0.02, 0, 0.1), tried(0.02, 1, 0.1)], 0.001),
        ([tried(0.0005, 0, 0.1, variant="other"), tried(0.0005, 1, 0.1, variant="other")], 0.001),
        ([tried(0.0005, 0, 0.1, status="replayed"), tried(0.0005, 1, 0.1)], 0.0005),
        # Of equal means the first rate of the list.
        ([tried(r, s, 0.4) for r in (0.004, 0.001) for s in (0, 1)], 0.001),
    ],
)
def test_a_variant_is_judged_at_the_rate_of_its_smallest_mean(
    study_file: Write, records: list[TrialRecord], rate: float
) -> None:
    assert Tuned(load_study(study_file(ABLATION, **TUNED)), records).of("base") == {"lr": rate}


def test_without_tuning_nothing_takes_the_place_of_the_protocols_rate(study_file: Write) -> None:
    study = load_study(study_file(ABLATION))
    assert Tuned(study, [tried(0.0005, 0, 0.1), tried(0.0005, 1, 0.1)]).of("base") == {}


def left(ledger: Ledger, **options: bool) -> int:
    launcher = Pretended(1, lambda job: outcome())
    drive(TuningQuestion(ledger.study, ledger, retry_failed=options.get("retry_failed", False)), launcher, nothing)
    return len(launcher.jobs)


def test_tuning_goes_on_where_it_stopped_and_tries_again_what_failed_if_it_is_asked(study_file: Write) -> None:
    _, ledger = begin(study_file(ABLATION, **TUNED))
    ends = iter([outcome("diverged", "nan"), *[outcome()] * 11])
    launcher = Pretended(1, lambda job: next(ends))
    drive(TuningQuestion(ledger.study, ledger, retry_failed=False), launcher, nothing)
    assert len(launcher.jobs) == 2 * 3 * 2
    assert left(Ledger(ledger.study, ledger.store, Silent())) == 0
    assert left(Ledger(ledger.study, ledger.store, Silent()), retry_failed=True) == 1


def test_a_variant_whose_edits_changed_is_tuned_anew(study_file: Write) -> None:
    path = study_file(ABLATION, **TUNED)
    _, ledger = begin(path)
    left(ledger)
    path.write_text(path.read_text().replace("- remove: attention", "- set: {nodes: attention, to: {heads: 4}}"))
    assert left(begin(path)[1]) == 6


def searched(path: Path, *records: TrialRecord) -> tuple[Any, Ledger]:
    """A search whose trials came out so."""
    study, ledger = begin(path)
    optuna_study = ledger.open("search", study.file.search.objectives)
    for one in records:
        ledger.store.write_architecture(str(one.fingerprint), {"name": one.fingerprint})
        ledger.store.keep(optuna_study.ask(), one)
    return study, ledger


def point(trial: int, loss: float, mark: str, parameters: float = 1e5, **more: Any) -> TrialRecord:
    return record(trial, None, metrics={"loss": loss, "parameters": parameters}, fingerprint=mark, **more)


def test_winners_are_the_best_architectures_within_the_budgets_each_once(study_file: Write) -> None:
    path = study_file(SEARCH)
    base = fingerprint(load_study(path).base)
    study, ledger = searched(
        path,
        point(0, 0.1, base), point(1, 0.5, "a"), point(2, 0.2, "large", 1e9), point(3, 0.4, "b"),
        point(4, 0.3, "a", status="replayed"), point(5, 0.01, "c", status="pruned"), point(6, 0.4, "d", edits=("x",)),
    )  # fmt: skip
    found = winners(study, ledger.store, 3)
    assert [(one.name, one.trial, one.fingerprint) for one in found] == [
        ("base", None, base), ("trial 4", 4, "a"), ("trial 3", 3, "b"), ("trial 6", 6, "d"),
    ]  # fmt: skip
    assert [one.edits for one in found] == [(), (), (), ("x",)]
    assert [one.document for one in found[1:]] == [{"name": "a"}, {"name": "b"}, {"name": "d"}]
    assert [one.name for one in winners(study, ledger.store, 1)] == ["base", "trial 4"]


@pytest.mark.parametrize(
    ("objectives", "best"),
    [("{parameters: maximize}", "trial 1"), ("[parameters, macs]", "trial 0"), ("[parameters, loss]", "trial 1")],
)
def test_without_a_loss_the_first_objective_decides_whichever_way_it_goes(
    study_file: Write, objectives: str, best: str
) -> None:
    path = study_file(SEARCH, **{"[loss, parameters]": objectives})
    study, ledger = searched(path, point(0, 0.5, "a", 1e5), point(1, 0.4, "b", 3e5))
    assert winners(study, ledger.store, 1)[1].name == best


def test_a_search_without_a_result_within_the_budgets_has_no_winner(study_file: Write) -> None:
    study, ledger = searched(study_file(SEARCH), point(0, 0.1, "large", 1e9), point(1, 0.1, "a", status="failed"))
    with pytest.raises(UserError) as caught:
        winners(study, ledger.store, 1)
    assert str(caught.value) == (
        "error U090 no trial of the search has a result within the budgets. Run the study first."
    )


@pytest.mark.parametrize(
    ("used", "fresh"), [((), (0, 1, 2)), ((0,), (1, 2, 3)), ((1, 3), (0, 2, 4)), ((9,), (0, 1, 2))]
)
def test_seeds_of_the_confirmation_are_those_that_the_search_did_not_use(
    study_file: Write, used: tuple[int, ...], fresh: tuple[int, ...]
) -> None:
    study, ledger = searched(study_file(SEARCH), *(record(n, None, seed) for n, seed in enumerate(used)))
    assert fresh_seeds(study, ledger.store, 3) == fresh
    assert fresh_seeds(study, ledger.store, 0) == ()


def test_a_confirmation_goes_on_where_it_stopped(study_file: Write) -> None:
    study, ledger = searched(study_file(SEARCH), point(0, 0.1, "a"))
    ledger.store.write_architecture("a", {})
    [base, _] = winners(study, Store(study.folder), 1)

    def jobs(seeds: tuple[int, ...], status: str = "finished", *, retry_failed: bool = False) -> list[int]:
        launcher = Pretended(1, lambda job: outcome(status))
        asked = Ledger(study, ledger.store, Silent())
        drive(ConfirmQuestion(asked, [base], seeds, retry_failed=retry_failed), launcher, nothing)
        return [job.seed for job in launcher.jobs]

    assert jobs((1, 2)) == [1, 2]
    assert jobs((1, 2, 3), "failed") == [3]
    assert jobs((1, 2, 3)) == []
    assert jobs((1, 2, 3), retry_failed=True) == [3]
