"""Designs that go on by results: a path, seeds until decided, tuning, confirmation; with pretended trainings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspec import UserError, fingerprint, from_document
from studies.driver.ablation import AblationQuestion
from studies.driver.confirm import ConfirmQuestion, fresh_seeds, winners
from studies.driver.loop import drive
from studies.driver.plan import variants
from studies.driver.searching import SearchQuestion
from studies.driver.tuning import FIRST_SEED, TuningQuestion
from studies.frame import load_results
from studies.study.stated import stated_margins
from studies.trial.job import Job, Outcome
from tests.studies.test_studies_designs import PATH
from tests.studies.test_studies_loop import Pretended, begin, nothing
from tests.tiny_study import ABLATION, SEARCH

Write = Callable[..., Path]


def ended(loss: float | None) -> Outcome:
    return Outcome(
        status="finished" if loss is not None else "diverged", reason=None if loss is not None else "nan",
        metrics={} if loss is None else {"loss": loss, "parameters": 1.0}, detail={}, curve=(), environment={}, data={},
        wall=1.0,
    )  # fmt: skip


def by_variant(study: Any, loss: Callable[[str, Job], float | None]) -> Callable[[Job], Outcome]:
    """Pretended results by the name of the variant."""
    losses = {"path: " + a: {0: 0.0, 1: 0.0} for a in ("add", "timeless", "plain")}
    names = {one.fingerprint: one.name for one in variants(study)}
    if any(name.startswith("path") for name in names.values()):
        for best in losses:
            first = {**losses, best: {0: -1.0, 1: -1.0}}
            names |= {one.fingerprint: one.name for one in variants(study, first)}
            for second in [one.name for one in variants(study, first) if one.name.count("+") == 1]:
                both = {**first, **{one.name: {0: 0.0, 1: 0.0} for one in variants(study, first)}, best: first[best]}
                both[second] = {0: -2.0, 1: -2.0}
                names |= {one.fingerprint: one.name for one in variants(study, both)}
    return lambda job: ended(loss(names[fingerprint(from_document(job.document))], job))


@pytest.mark.parametrize("places", [1, 4])
def test_a_path_trains_what_is_left_from_where_it_is(study_file: Write, places: int) -> None:
    study, ledger = begin(study_file(PATH))
    gains = {"add": 0.1, "timeless": -0.2, "plain": 0.3}
    launcher = Pretended(
        places, by_variant(study, lambda name, job: 1 - sum(gain for edit, gain in gains.items() if edit in name))
    )
    drive(AblationQuestion(study, ledger, retry_failed=False), launcher, nothing)
    seen = list(dict.fromkeys(record.variant for record in ledger.store.records("ablation")))
    assert seen == [
        "base", "path: add", "path: timeless", "path: plain", "path: add + plain", "path: timeless + plain",
        "path: add + timeless + plain",
    ]  # fmt: skip
    assert len(launcher.jobs) == 14
    frame = load_results(study.folder).trials
    assert set(frame["variant"]) == set(seen)
    last = frame[frame["variant"] == "path: add + timeless + plain"].iloc[0]
    assert (last["reference"], last["factor:step"], last["factor:number"]) == ("path: add + plain", "timeless", "3")
    again = Pretended(1, lambda job: ended(0.0))
    drive(AblationQuestion(study, ledger, retry_failed=False), again, nothing)
    assert again.jobs == []


UNTIL = """ablation:
  variants:
    worse: [{remove: attention}]
    noisy: [{unet: {skip: add}}]
  until: {effect: 0.001, max_seeds: 9}
"""


@pytest.mark.parametrize("places", [1, 3])
def test_until_stops_each_variant_when_it_is_decided(study_file: Write, places: int) -> None:
    study, ledger = begin(study_file(UNTIL))

    def loss(name: str, job: Job) -> float:
        wobble = 0.001 * (-1) ** job.seed * (1 + job.seed % 3)
        return 0.5 + {"base": 0.0, "worse": 0.1 + wobble / 10, "noisy": 20 * wobble}[name]

    drive(AblationQuestion(study, ledger, retry_failed=False), Pretended(places, by_variant(study, loss)), nothing)
    seeds: dict[str, list[int]] = {}
    for record in ledger.store.records("ablation"):
        seeds.setdefault(str(record.variant), []).append(record.seed)
    assert seeds["worse"] == [0, 1, 2, 3, 4]
    assert seeds["noisy"] == seeds["base"] == list(range(9))


def test_the_margin_is_noted_with_what_was_known_when_it_was_stated(study_file: Write) -> None:
    path = study_file(ABLATION + "  margin: 2%\n")
    study, ledger = begin(path)
    drive(AblationQuestion(study, ledger, retry_failed=False), Pretended(1, lambda job: ended(0.5)), nothing)
    path.write_text(path.read_text().replace("2%", "0.01"))
    study, ledger = begin(path)
    drive(AblationQuestion(study, ledger, retry_failed=False), Pretended(1, lambda job: ended(0.5)), nothing)
    first, second = stated_margins(study.folder)
    assert (first["margin"], first["results"]) == ({"value": 0.02, "relative": True}, 0)
    assert (second["margin"], second["results"]) == ({"value": 0.01, "relative": False}, 4)
    assert load_results(study.folder).stated == (first, second)


def test_each_variant_is_judged_at_the_rate_that_its_own_tuning_found(study_file: Write) -> None:
    path = study_file(ABLATION, **{"seeds: 2": "seeds: 2\n  tune: [lr]"})
    study, ledger = begin(path)

    def loss(name: str, job: Job) -> float:
        best = {"base": 1e-3, "no attention": 2e-3}[name]
        return 0.5 + abs(job.protocol.train.lr - best)

    launcher = Pretended(2, by_variant(study, loss))
    drive(TuningQuestion(study, ledger, retry_failed=False), launcher, nothing)
    assert len(launcher.jobs) == 2 * 3 * 2
    assert {job.seed for job in launcher.jobs} == {FIRST_SEED, FIRST_SEED + 1}
    assert not any(job.measure.latency or job.measure.memory for job in launcher.jobs)
    drive(AblationQuestion(study, ledger, retry_failed=False), launcher, nothing)
    judged = ledger.store.records("ablation")
    assert [(r.variant, r.seed, r.tuned) for r in judged] == [
        ("base", 0, {"lr": 1e-3}), ("no attention", 0, {"lr": 2e-3}),
        ("base", 1, {"lr": 1e-3}), ("no attention", 1, {"lr": 2e-3}),
    ]  # fmt: skip
    assert [job.protocol.train.lr for job in launcher.jobs[-4:]] == [1e-3, 2e-3, 1e-3, 2e-3]
    results = load_results(study.folder)
    assert not any("different protocols" in warning for warning in results.warnings)
    assert sorted(results.trials["part"].unique()) == ["ablation", "tuning"]
    assert len(results.trials) == 16


def test_a_rate_that_lost_a_seed_is_not_chosen(study_file: Write) -> None:
    study, ledger = begin(study_file(ABLATION, **{"seeds: 2": "seeds: 1\n  tune: {what: [lr], factors: [1, 3]}"}))
    launcher = Pretended(1, by_variant(study, lambda name, job: None if job.protocol.train.lr > 2e-3 else 0.5))
    drive(TuningQuestion(study, ledger, retry_failed=False), launcher, nothing)
    drive(AblationQuestion(study, ledger, retry_failed=False), launcher, nothing)
    assert {r.tuned["lr"] for r in ledger.store.records("ablation")} == {1e-3}


def test_winners_are_trained_with_seeds_that_the_search_did_not_use(study_file: Write) -> None:
    study, ledger = begin(study_file(SEARCH, **{"trials: 3": "trials: 6"}))
    losses = iter(range(100))
    launcher = Pretended(1, lambda job: ended(0.5 - 0.01 * next(losses)))
    drive(SearchQuestion(study, study.file.search, ledger), launcher, nothing)
    store = ledger.store
    chosen = winners(study, store, 2)
    done = [r for r in store.records("search") if r.status == "finished"]
    ranked = sorted(done, key=lambda record: record.metrics["loss"])
    assert [one.name for one in chosen] == ["base", f"trial {ranked[0].trial}", f"trial {ranked[1].trial}"]
    assert fresh_seeds(study, store, 3) == (1, 2, 3)
    drive(ConfirmQuestion(ledger, chosen, (1, 2, 3), retry_failed=False), launcher, nothing)
    found = store.records("confirmation")
    assert [(r.variant, r.seed) for r in found[:4]] == [*((one.name, 1) for one in chosen), ("base", 2)]
    assert found[1].detail["confirms"] == f"search/{ranked[0].trial}"
    assert {r.fingerprint for r in found} == {one.fingerprint for one in chosen}
    again = Pretended(1, lambda job: ended(0.0))
    drive(ConfirmQuestion(ledger, chosen, (1, 2, 3), retry_failed=False), again, nothing)
    assert again.jobs == []


def test_nothing_can_be_confirmed_without_a_search(study_file: Write) -> None:
    study, ledger = begin(study_file(ABLATION))
    with pytest.raises(UserError) as caught:
        winners(study, ledger.store, 3)
    assert caught.value.problems[0].message == "the study has no search."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "ablation:\n  variants: {a: [{remove: attention}]}\n  factorial: {factors: {skip: [add], ch: [64]}}\n"
            "  until: {effect: 1%}\n",
            "the effects of a factorial need every run, so it cannot stand beside until",
        ),
        (PATH + "  until: {effect: 1%}\n", "a path chooses by all seeds, so it cannot stand beside until"),
    ],
)
def test_designs_that_exclude_each_other(study_file: Write, text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        begin(study_file(text))
    assert message in caught.value.problems[0].message


def test_a_path_is_not_tuned(study_file: Write) -> None:
    with pytest.raises(UserError) as caught:
        begin(study_file(PATH, **{"seeds: 2": "seeds: 2\n  tune: [lr]"}))
    assert "a path finds its variants as it goes" in caught.value.problems[0].message
