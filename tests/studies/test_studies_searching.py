from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from archspec import UserError, fingerprint
from search.candidate import Candidate
from search.surrogate import Surrogate
from studies.driver.ledger import Ledger
from studies.driver.loop import drive
from studies.driver.searching import SearchQuestion
from studies.frame import load_results
from studies.records.store import Store
from studies.study.load import check_study, load_study
from studies.trial.job import Job, Outcome
from tests.studies.pretended_search import Heard, run, search, trained
from tests.studies.test_studies_loop import Pretended, begin, nothing
from ushape.cli.status import status_data

Write = Callable[..., Path]


@pytest.mark.parametrize("places", [1, 4])
def test_the_own_sampler_trains_new_sound_points_alone(study_file: Write, places: int) -> None:
    records, launcher, heard = run(study_file(search()), places)
    assert [record.status for record in records] == ["finished"] * 8
    assert len({record.fingerprint for record in records}) == len(launcher.jobs) == 8
    assert all(record.params.get("heads") != 5 for record in records)
    assert all("heads" in record.params for record in records if record.params["attn_type"] == "vanilla")
    assert all("heads" not in record.params for record in records if record.params["attn_type"] != "vanilla")
    assert records[0].fingerprint == fingerprint(load_study(study_file(search())).base)
    assert records[3].detail["sampler"] == "KnownCostSampler"
    assert heard.lines[0].startswith("Sampler: KnownCostSampler (startup=")


def test_a_resumed_search_meets_its_budget_and_repeats_nothing(study_file: Write) -> None:
    path = study_file(search())
    run(path)
    path.write_text(path.read_text().replace("trials: 8", "trials: 13"))
    records, launcher, _ = run(path)
    assert len(launcher.jobs) == 5
    assert len({record.fingerprint for record in records}) == 13
    assert run(path)[1].jobs == []


def test_a_resumed_search_reads_its_records_once(study_file: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = study_file(search())
    run(path)
    path.write_text(path.read_text().replace("trials: 8", "trials: 10"))
    study, read, records = load_study(path), list[str](), Store.records
    monkeypatch.setattr(Store, "records", lambda self, part: read.append(part) or records(self, part))  # type: ignore[func-returns-value]
    store = Store(study.folder)
    ledger = Ledger(study, store, Heard())
    assert study.file.search is not None
    question = SearchQuestion(study, study.file.search, ledger)
    assert read == ["search"]
    drive(question, Pretended(1, trained), nothing)
    assert question.next() is None
    assert [record.status for record in ledger.records("search")] == ["finished"] * 10
    assert ledger.records("search") == records(store, "search")
    assert ledger.records("ablation") == []


def test_a_trial_left_open_is_known_as_interrupted(study_file: Write) -> None:
    path = study_file(search())
    study = load_study(path)
    assert study.file.search is not None
    task = SearchQuestion(
        study, study.file.search, Ledger(study, Store(study.folder, study.name, create=True), Heard())
    ).next()
    assert task is not None
    ledger = Ledger(study, Store(study.folder), Heard())
    assert [record.status for record in ledger.records("search")] == ["running"]
    assert ledger.settle() == 1
    assert [record.status for record in ledger.records("search")] == ["interrupted"]
    again = SearchQuestion(study, study.file.search, ledger).next()
    assert again is not None
    assert again.begun.fingerprint == task.begun.fingerprint


def test_picked_points_and_neighbours_of_the_base_come_first(study_file: Write) -> None:
    path = study_file(search("  start: [{skip: add}, {attn_type: none, num_groups: 8}]\n  near_base: 2\n"))
    records, _, _ = run(path)
    base = {"num_res_blocks": 1, "attn_type": "vanilla", "skip": "concat", "num_groups": 32, "heads": 1}
    assert records[0].params == base
    assert records[1].params == {**base, "skip": "add"}
    assert records[2].params == {"num_res_blocks": 1, "attn_type": "none", "skip": "concat", "num_groups": 8}
    for record in records[3:5]:
        changed = [name for name in base if record.params.get(name) != base[name]]
        assert changed
        assert set(changed) - {"heads"} == set(changed[:1]) - {"heads"} or len(changed) <= 2


def test_a_budget_relative_to_the_base_waits_for_it_and_binds(study_file: Write) -> None:
    path = study_file(search("  budgets: [latency <= 0.9 * base, parameters <= 2 * base]\n", "[loss]"))
    records, launcher, _ = run(path, places=4)
    base = records[0]
    assert launcher.most > 1
    for record in records:
        assert record.violations["latency"] == pytest.approx(
            record.metrics["latency"] / (0.9 * base.metrics["latency"]) - 1
        )
        assert record.violations["parameters"] <= 0
    assert base.violations["latency"] == pytest.approx(1 / 0.9 - 1)
    assert any(record.feasible for record in records)
    trials = Store(load_study(path).folder).trials("search")
    assert all(set(trial.constraints) == {"rules", "trained", "latency", "parameters"} for trial in trials)


def test_an_objective_can_be_maximised(study_file: Write) -> None:
    path = study_file(search(objectives="{loss: minimize, parameters: maximize}"))
    records, _, _ = run(path)
    study = load_study(path)
    assert [way.name for way in Store(study.folder).open("search", study.file.search.objectives).directions] == [
        "MINIMIZE", "MAXIMIZE",
    ]  # fmt: skip
    largest = max(record.metrics["parameters"] for record in records)
    assert largest == records[-1].metrics["parameters"] or largest > 1.3 * records[0].metrics["parameters"]


def test_a_search_that_finds_nothing_says_why(study_file: Write) -> None:
    _, launcher, heard = run(study_file(search("  budgets: {parameters: 1k}\n")))
    assert launcher.jobs == []
    assert heard.lines[-1].startswith("The search ends after 0 trainings")
    assert "over its budget of 1 k" in heard.lines[-1]


def test_a_search_that_found_nothing_is_over_in_status_until_it_is_asked_for_more(study_file: Write) -> None:
    """Points that are refused before they are proposed leave no trial behind."""
    tiny = "search:\n  space: {attn_type: [vanilla, none]}\n  budgets: {parameters: LIMIT}\n  trials: 5\n"
    path = study_file(tiny.replace("LIMIT", "1k"))
    _, _, heard = run(path)
    folder = load_study(path).folder

    def told() -> tuple[str | None, int]:
        found = status_data(folder)["parts"]["search"]
        return found["ended"], found["left"]

    assert told() == (heard.lines[-1], 0)
    path.write_text(path.read_text().replace("1k", "10M"))
    _, ledger = begin(path)
    assert load_study(path).file.search is not None
    SearchQuestion(ledger.study, ledger.study.file.search, ledger).next()
    assert told() == (None, 5)
    ledger.settle()
    _, launcher, heard = run(path)
    assert len(launcher.jobs) == 2
    assert told() == (heard.lines[-1], 0)
    assert heard.lines[-1] == "The search ends after 2 trainings: no point that may be trained is left."
    path.write_text(path.read_text().replace("trials: 5", "trials: 2"))
    run(path)
    assert told() == (None, 0)


@pytest.mark.parametrize(
    ("more", "objectives", "message"),
    [
        ("  pruning: {rungs: [2, 4]}\n", "[loss]", "U403 the rung 4 is not before the end, after 2 steps."),
        ("  pruning: {rungs: [1], pruner: MedianPruner}\n", "[loss, macs]", "Optuna's pruners know a single objective"),
        ("  pruning: {rungs: [1], pruner: MedianPrunr}\n", "[loss]", "no pruner `MedianPrunr`. Did you mean `MedianP"),
        ("  pruning: {rungs: [1, 1]}\n", "[loss]", "rungs rise, such as [100, 300]"),
        ("  start: [{skp: add}]\n", "[loss]", "`skp` is no dimension of the space. Did you mean `skip`?"),
        ("  start: [{skip: sum}]\n", "[loss]", "the point {'skip': 'sum'} is not in the space."),
        ("  sampler: KnownCostSample\n", "[loss]", "no sampler `KnownCostSample`. Did you mean `KnownCostSampler`?"),
        ("  budgets: [latency < 3 ms]\n", "[loss]", "`latency < 3 ms` is no budget; write `latency <= 20 ms`"),
        ("", "[loss, loss]", "an objective stands twice"),
        ("", "{loss: minimise}", "Did you mean `minimize`?"),
    ],
)
def test_what_is_wrong_with_a_search(study_file: Write, more: str, objectives: str, message: str) -> None:
    found = [str(problem) for problem in check_study(study_file(search(more, objectives)))[1]]
    assert any(message in one for one in found), found


def test_a_base_outside_the_space_cannot_bind_a_budget(study_file: Write) -> None:
    path = study_file(search("  budgets: {latency: base}\n").replace("[1, 2]\n    attn", "[2, 3]\n    attn"))
    with pytest.raises(UserError, match="relative to the base, which is no point of the space"):
        load_study(path)


def test_a_budget_that_changed_holds_for_the_trials_before_it(study_file: Write) -> None:
    path = study_file(search("  budgets: {parameters: 400k}\n", "[latency, loss]"))
    records, _, _ = run(path)
    sizes = sorted(record.metrics["parameters"] for record in records if record.status == "finished")
    tighter = (sizes[0] + sizes[-1]) / 2
    path.write_text(path.read_text().replace("400k", f"{tighter}").replace("trials: 8", "trials: 9"))
    run(path)
    frame = load_results(load_study(path).folder).trials
    done = frame[frame["status"] == "finished"]
    assert len(done) == 9
    assert (done["feasible"] == (done["parameters"] <= tighter)).all()
    assert not done["feasible"].all()
    status = status_data(load_study(path).folder)["parts"]["search"]["best"]
    assert status["loss"] == done[done["feasible"]]["loss"].min() > done["loss"].min()
    _, ledger = begin(path)
    assert {r.trial for r in ledger.records("search") if r.status == "finished" and r.feasible} == set(
        done[done["feasible"]]["trial"]
    )


def test_what_the_base_lacks_of_a_space_with_levels_is_named(study_file: Write) -> None:
    levels = "    num_levels: {int: [1, 3]}\n    ch_mult: {choice: [1, 2], per_level: num_levels}\n    skip:"
    path = study_file(search("  budgets: {latency: base}\n").replace("[1, 2]\n    attn", "[2, 3]\n    attn"))
    path.write_text(path.read_text().replace("    skip:", levels))
    with pytest.raises(UserError, match="Add what the base has to the values of `num_res_blocks`, or write"):
        load_study(path)
    path.write_text(path.read_text().replace("{int: [1, 3]}", "{int: [3, 4]}"))
    with pytest.raises(UserError, match="to the values of `num_res_blocks` and `num_levels`, or write"):
        load_study(path)


def test_results_of_another_study_are_taken_over_where_protocol_and_device_agree(
    study_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studies.measure import device as devices

    here = devices.describe(devices.choose("cpu")) | {"threads": 1}
    plain = trained
    monkeypatch.setitem(run.__globals__, "trained", lambda job: plain(job).model_copy(update={"environment": here}))
    first = study_file(search("  sampler: TPESampler\n", "[loss]"))
    known = {record.fingerprint for record in run(first)[0] if record.status == "finished"}
    first.rename(tmp_path / "first.yaml")
    again = study_file(
        search("  sampler: TPESampler\n  reuse: [first.yaml, ./first.yaml]\n", "[loss]"),
        **{"name: tiny\nquestion": "name: again\nquestion"},
    )
    records, launcher, heard = run(again)
    taken = [record for record in records if record.status == "replayed" and str(record.replay_of).startswith("tiny:")]
    assert records[0] in taken
    assert records[0].replay_of == "tiny:search/0"
    assert "8 finished trials of other studies agree in protocol and device." in heard.lines
    assert len(launcher.jobs) == 8
    assert not known & {record.fingerprint for record in records if record.status == "finished"}
    again.unlink()
    bound = study_file(
        search("  sampler: TPESampler\n  reuse: [first.yaml]\n  budgets: {latency: base}\n", "[loss]"),
        **{"name: tiny\nquestion": "name: bound\nquestion", "[vanilla, linear, none]": "[vanilla, linear]"},
    )
    records, launcher, _ = run(bound)
    assert records[0].status == "replayed"
    assert records[0].violations == {"latency": 0.0}
    assert len(launcher.jobs) == 8
    assert {record.feasible for record in records if record.status in ("finished", "replayed")} == {True, False}
    bound.unlink()
    other = study_file(
        search("  sampler: TPESampler\n  reuse: [first.yaml]\n", "[loss]"),
        **{"name: tiny\nquestion": "name: other\nquestion", "steps: 2": "steps: 3"},
    )
    records, _, heard = run(other)
    assert "0 finished trials of other studies agree in protocol and device." in heard.lines
    assert records[0].status == "finished"


def test_a_study_that_cannot_be_taken_over_is_named(study_file: Write) -> None:
    found = [str(problem) for problem in check_study(study_file(search("  reuse: [nowhere]\n", "[loss]")))[1]]
    assert len(found) == 1
    assert "U403 nothing can be taken over: there are no results in" in found[0]


def test_the_model_learns_a_latency_as_optuna_is_told_it_and_its_budget_in_seconds(
    study_file: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference is timed beside each network: the machine's drift is in the seconds, not in the ratio."""
    seen: list[dict[str, float]] = []
    pick = Surrogate.pick

    def watched(self: Surrogate, candidates: Sequence[Candidate], known: Sequence[Candidate]) -> int:
        seen.extend(dict(one.found) for one in known if one.found is not None)
        return pick(self, candidates, known)

    plain = trained

    def drifting(job: Job) -> Outcome:
        done = plain(job)
        return done.model_copy(update={"detail": {"latency": {"ratio": done.metrics["latency"] * 70}}})

    monkeypatch.setattr(Surrogate, "pick", watched)
    monkeypatch.setitem(run.__globals__, "trained", drifting)
    more = "  budgets: {latency: 1 s}\n"
    records, _, _ = run(study_file(search(more, "[loss, latency]").replace("trials: 8", "trials: 5")))
    assert seen
    for one in seen:
        assert one["compared latency"] == pytest.approx(70 * one["latency"])
    trials = Store(load_study(study_file(search(more, "[loss, latency]"))).folder).trials("search")
    assert [trial.values[1] for trial in trials] == [record.compared("latency") for record in records]
