"""Latency predicted from what trials measured: the regression, its held-out error, and screening by it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from archspec import UserError, build, fingerprint, from_document, loads
from builder.profile.durations import KINDS, Durations, Work
from builder.profile.signature import Signature
from search.screening import screen
from studies.driver.latency_screen import LatencyScreen, as_predicted
from studies.driver.ledger import Ledger
from studies.driver.loop import drive
from studies.driver.searching import SearchQuestion
from studies.frame import load_results
from studies.latency.account import Account, account_of, keep_account
from studies.latency.learned import Foretold, LatencyPredictor, circumstances, foreign, measured_latencies
from studies.latency.regression import FEWEST, REACH, HeldOut, fit
from studies.latency.studies import learned_from
from studies.records.record import TrialRecord
from studies.records.store import Store
from studies.sections.protocol import Measure, Protocol
from studies.study.load import check_study, load_study
from studies.trial.job import Job, Outcome
from studies.trial.predicted import MemoryPredictor
from tests.studies.pretended_search import Heard
from tests.studies.test_studies_loop import Pretended, nothing

Write = Callable[..., Path]
MEASURE = Measure(device="cpu", threads=1, batch=2)


@pytest.fixture(autouse=True)
def own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else's training keeps these tests waiting."""
    monkeypatch.setenv("USHAPE_LOCKS", str(tmp_path / "locks"))


def works(number: int, seed: int = 0) -> list[Work]:
    """Networks of different sizes whose kinds of operations have different shares."""
    draw = random.Random(seed)
    found = []
    for _ in range(number):
        size = draw.uniform(1, 30)
        found.append(
            Work({k: size * draw.uniform(0.5, 1) for k in KINDS}, draw.randint(50, 200), draw.randint(1, 9), 0)
        )
    return found


def truth(work: Work) -> float:
    """Seconds; no kind takes quite what the table says."""
    return 1e-3 * sum((0.8 + 0.1 * i) * work.times[kind] for i, kind in enumerate(KINDS)) + 2e-5 * work.operations


def test_the_regression_predicts_what_it_has_not_seen() -> None:
    known, new = works(40), works(20, seed=1)
    model = fit(known, [truth(work) for work in known])
    assert model.held_out is not None
    assert model.held_out.architectures == 40
    assert model.held_out.mean < 0.01
    assert model.held_out.tau > 0.98
    for work in new:
        assert model.predict(work) == pytest.approx(truth(work), rel=3 * model.held_out.bound)


def test_the_bound_covers_what_is_held_out_and_new() -> None:
    noise = random.Random(3)
    known, new = works(60), works(200, seed=1)
    disturbed = lambda work: truth(work) * math.exp(noise.gauss(0, 0.1))  # noqa: E731
    model = fit(known, [disturbed(work) for work in known])
    assert model.held_out is not None
    assert 0.1 < model.held_out.bound < 0.25
    within = [abs(model.predict(work) / disturbed(work) - 1) <= model.held_out.bound for work in new]
    assert 0.8 < sum(within) / len(within) < 0.99


def test_a_disturbed_measurement_does_not_bend_the_others() -> None:
    known = works(30)
    seconds = [truth(work) * (4 if i in (7, 19) else 1) for i, work in enumerate(known)]
    model = fit(known, seconds)
    assert max(abs(model.predict(work) / truth(work) - 1) for work in known) < 0.1


def test_the_error_is_known_from_nine_architectures_on_and_within_their_reach() -> None:
    known = works(FEWEST)
    seconds = [truth(work) for work in known]
    assert fit(known[:-1], seconds[:-1]).held_out is None
    model = fit(known, seconds)
    assert model.held_out is not None
    assert model.held_out.bound == max(map(abs, model.held_out.errors))
    largest = max(known, key=lambda work: work.total)

    def scaled(factor: float) -> Work:
        return Work({kind: factor * value for kind, value in largest.times.items()}, 1, 1, 0)

    assert model.error_of(scaled(0.99 * REACH)) == model.held_out
    assert model.error_of(scaled(1.01 * REACH)) is None


def test_one_architecture_is_enough_for_a_guess() -> None:
    (work,) = works(1)
    model = fit([work], [truth(work)])
    assert model.predict(work) == pytest.approx(truth(work), rel=0.2)
    assert model.held_out is None


# what trials say


def record(mark: str, status: str = "finished", **metrics: float) -> TrialRecord:
    return TrialRecord.model_validate(
        {"part": "search", "trial": 0, "seed": 0, "status": status, "fingerprint": mark, "protocol_hash": "p",
         "metrics": metrics, "started": ""}
    )  # fmt: skip


def test_of_several_trials_of_an_architecture_the_median_counts() -> None:
    documents: dict[str, dict[str, Any]] = {"a": {"x": 1}, "b": {"x": 2}, "c": {}}
    found = measured_latencies(
        [
            *(record("a", latency=value, latency_ratio=10 * value) for value in (1.0, 9.0, 2.0)),
            record("b", latency=4.0),
            record("b", status="failed", latency=7.0),
            record("c", latency=1.0),
            record("d", latency=1.0),
        ],
        documents,
    )
    assert found == {"a": ({"x": 1}, {"latency": 2.0, "latency_ratio": 20.0}), "b": ({"x": 2}, {"latency": 4.0})}


def test_trials_of_another_machine_teach_nothing_here() -> None:
    here = circumstances(MEASURE)
    one = record("a").model_copy(update={"environment": here})
    assert foreign([one], MEASURE) is None
    other = one.model_copy(update={"environment": here | {"threads": 7}})
    assert foreign([one, other], MEASURE) == "the trials were measured with threads 7, and here it is 1"


# in a search

SPEC = """
version: 1
name: small
unet: {ch: 32, out_ch: 1, ch_mult: [1], num_res_blocks: 1, attn_resolutions: [], in_channels: 1, resolution: 8}
"""
SEARCH = """
search:
  space:
    num_res_blocks: [1, 2]
    attn_type: [vanilla, linear, none]
    num_groups: [8, 16, 32]
    skip: [concat, add]
  objectives: [loss]
  budgets: {latency: 1.02 * base}
  screen_latency: true
  sampler: TPESampler
  trials: 11
"""


def by_numbers(signatures: Sequence[Signature], device: str) -> list[float | None]:
    """A made-up table: an operation takes as long as its first tensor is large."""
    del device
    return [float(len(one.text())) for one in signatures]


def predictor(folder: Path, protocol: Protocol | None = None) -> LatencyPredictor:
    return LatencyPredictor(protocol or Protocol(), MEASURE, Durations("cpu", folder, by_numbers))


class Timed:
    """Trains nothing; latencies are a thousandth of what the table says."""

    def __init__(self, table: LatencyPredictor) -> None:
        self.table = table

    def __call__(self, job: Job) -> Outcome:
        work = self.table.work(from_document(job.document), "latency")
        return Outcome(
            status="finished", reason=None, metrics={"loss": 1.0, "latency": work.total / 1e3}, detail={}, curve=(),
            environment=circumstances(MEASURE), data={}, wall=1.0,
        )  # fmt: skip


def searched(path: Path, folder: Path) -> tuple[list[TrialRecord], Path]:
    study, table = load_study(path), predictor(folder)
    ledger = Ledger(study, Store(study.folder, study.name, create=True), Heard())
    ledger.settle()
    assert study.file.search is not None
    screening = LatencyScreen(ledger, MemoryPredictor(study.protocol, study.file.measure), table)
    drive(SearchQuestion(study, study.file.search, ledger, screening), Pretended(1, Timed(table)), nothing)
    return ledger.store.records("search"), study.folder


def test_a_search_refuses_what_is_too_slow_once_it_knows_its_error(study_file: Write, tmp_path: Path) -> None:
    path = study_file(SEARCH, **{"latency: false": "latency: true"})
    records, folder = searched(path, tmp_path / "table")
    first = [one.status for one in records].index("refused")
    assert len({one.fingerprint for one in records[:first]}) >= FEWEST
    for one in records:
        if one.status == "refused":
            assert one.reason is not None
            assert one.reason.startswith("latency is predicted as ")
            assert "more than the prediction's margin of" in one.reason
            assert "architectures, each held out in turn, 90 % were predicted within" in one.reason
            assert one.violations["latency"] > 0
            assert one.metrics["predicted_latency"] > 0
            assert "latency" not in one.metrics
            assert not one.feasible
    account = account_of(folder)
    assert account is not None
    assert {one.fingerprint for one in records if one.status == "refused"} <= set(account.refused)
    results = load_results(folder)
    assert results.screening == account.text()
    assert "predicted architectures refused before training" in results.screening
    rows = results.trials
    finished = rows[(rows["status"] == "finished") & rows["predicted_latency"].notna()]
    assert len(finished)
    assert rows["predicted_memory"].isna().all()
    # A resumed search goes by what the first run knew.
    assert len(searched(path, tmp_path / "table")[0]) == len(records)


def test_without_an_error_nothing_is_refused(tmp_path: Path) -> None:
    graph = build(loads(SPEC))
    held_out = HeldOut(12, 0.05, 0.25, 0.9, ())
    for error, refused in ((None, False), (held_out, True)):
        one = as_predicted(Foretold(130e-3, error, "" if error else "too few", 5))
        found = screen(graph, {"latency": 0.1}, lambda graph, metrics, one=one: dict.fromkeys(metrics, one))
        assert (found.refusal is not None) is refused
        assert found.metrics == {"predicted_latency": 0.13}
    # As small as 130 ms / 1.25 = 104 ms it may well be.
    assert as_predicted(Foretold(130e-3, held_out, "", 12)).exceeds(0.105) is False


def test_the_account_says_what_took_part(tmp_path: Path) -> None:
    assert account_of(tmp_path) is None
    account = Account(why_not="only 3 architectures were measured")
    keep_account(tmp_path, account)
    assert account_of(tmp_path) == account
    assert account.text() == "took no part: only 3 architectures were measured"
    account.predicted, account.refused, account.errors = ["a", "b"], ["b"], {"latency": "of 9, within 5 %"}
    assert account.text() == (
        "1 of 2 predicted architectures refused before training, each over its budget by more than the error bound "
        "(latency: of 9, within 5 %)"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("budgets: {latency: 1.02 * base}", "budgets: {}", "there is no budget on a latency to screen by"),
        ("trials: 11", "trials: 11", "latencies are predicted from those that trials measure, and none is measured"),
    ],
)
def test_screening_that_cannot_work_is_refused(study_file: Write, old: str, new: str, message: str) -> None:
    _, problems = check_study(study_file(SEARCH, **{old: new}))
    assert any(message in problem.message for problem in problems), problems


# from the folders of studies


def test_studies_teach_by_their_folders(study_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = study_file(SEARCH, **{"latency: false": "latency: true"})
    _, folder = searched(path, tmp_path / "table")
    found, measure = learned_from([folder])
    assert found.architectures >= FEWEST
    assert measure.threads == 1
    monkeypatch.setattr(found, "_durations", Durations("cpu", tmp_path / "table", by_numbers))
    base = load_study(path).base
    foretold = found.predict(base, "latency")
    assert foretold is not None
    assert foretold.held_out is not None
    results = load_results(folder).trials
    measured = results[results["fingerprint"] == fingerprint(base)]["latency"].iloc[0]
    assert foretold.value == pytest.approx(measured, rel=0.05)
    assert found.predict(base, "train_latency") is None


def test_studies_without_latencies_teach_nothing(study_file: Write, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        learned_from([tmp_path / "nowhere"])
