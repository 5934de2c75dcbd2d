"""Who may teach the prediction of latencies: which trials, of which machine, of studies that measured alike."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from archspec import ArchGraph, build, fingerprint, loads, to_document
from archspec.text.errors import UserError
from builder.profile.durations import KINDS, Work
from studies.latency import learned
from studies.latency import studies as teaching
from studies.latency.account import FILE, Account, account_of, keep_account
from studies.latency.learned import LatencyPredictor, circumstances, foreign, measured_latencies
from studies.latency.regression import FEWEST
from studies.records.record import TrialRecord
from studies.sections.protocol import Measure, Protocol

MEASURE = Measure(device="cpu", threads=3)
GRAPH = build(
    loads(
        "version: 1\nname: s\nunet: {ch: 32, out_ch: 1, ch_mult: [1], num_res_blocks: 1, attn_resolutions: [],"
        " in_channels: 1, resolution: 8}"
    )
)


def record(mark: str | None, status: str = "finished", environment: Any = None, **metrics: float) -> TrialRecord:
    return TrialRecord.model_validate(
        {"part": "search", "trial": 0, "seed": 0, "status": status, "fingerprint": mark, "protocol_hash": "p",
         "metrics": metrics, "started": "", "environment": environment or {}}
    )  # fmt: skip


# trials


def test_only_finished_trials_with_a_time_of_an_architecture_that_is_known_count() -> None:
    documents: dict[str, dict[str, Any]] = {"a": {"x": 1}, "b": {"x": 2}}
    found = measured_latencies(
        [
            record("a", latency=3.0, train_latency=0.0, loss=1.0),
            record("a", latency=5.0, train_latency=8.0),
            record("a", "pruned", latency=100.0),
            record("b", loss=1.0),
            record("b", train_latency=1.0),
            record(None, latency=1.0),
            record("elsewhere", latency=1.0),
        ],
        documents,
    )
    assert found == {"a": ({"x": 1}, {"latency": 4.0, "train_latency": 8.0})}


@pytest.mark.parametrize(
    ("key", "there", "said"),
    [
        ("cores", 999, "cores 999"),
        ("device", "another CPU", "device another CPU"),
        ("device_type", "cuda", "device type cuda"),
        ("torch", "1.0", "torch 1.0"),
        ("threads", 4, "threads 4"),
    ],
)
def test_trials_of_other_circumstances_are_foreign(key: str, there: object, said: str) -> None:
    here = circumstances(MEASURE)
    assert here["threads"] == 3
    other = record("a", environment={**here, key: there})
    assert foreign([record("b", environment=here), other], MEASURE) == (
        f"the trials were measured with {said}, and here it is {here[key]}"
    )
    assert foreign([other.model_copy(update={"status": "failed"})], MEASURE) is None


def test_a_record_that_does_not_say_where_it_ran_is_taken_as_it_is() -> None:
    assert foreign([record("a"), record("b", environment={"python": "3.0"})], MEASURE) is None


# learning


def work(size: float) -> Work:
    return Work(dict.fromkeys(KINDS, size), 10, 1, 0)


@pytest.fixture
def predictor(monkeypatch: pytest.MonkeyPatch) -> LatencyPredictor:
    """Whose work is a number in the document, and of a graph 4."""

    def known(self: LatencyPredictor, mark: str, architecture: Any, metric: str) -> Work:
        return work(4.0 if isinstance(architecture, ArchGraph) else float(architecture["size"]))

    monkeypatch.setattr(LatencyPredictor, "_work", known)
    return LatencyPredictor(Protocol(), MEASURE)


def measured(number: int, start: int = 1) -> dict[str, Any]:
    return {f"m{size}": ({"size": size}, {"latency": 2e-3 * size}) for size in range(start, start + number)}


def test_nothing_is_foretold_before_anything_is_learned(predictor: LatencyPredictor) -> None:
    assert predictor.predict(GRAPH, "latency") is None
    assert predictor.held_out("latency") is None
    predictor.learn(measured(3))
    assert predictor.predict(GRAPH, "train_latency") is None


def test_a_guess_without_an_error_says_why_it_has_none(predictor: LatencyPredictor) -> None:
    predictor.learn(measured(FEWEST - 1))
    found = predictor.predict(GRAPH, "latency")
    assert found is not None
    assert (found.held_out, found.architectures) == (None, FEWEST - 1)
    assert found.why_not == f"only {FEWEST - 1} architectures were measured, and an error bound needs {FEWEST}"
    assert found.value == pytest.approx(8e-3, rel=0.1)
    predictor.learn(measured(FEWEST, start=100))
    found = predictor.predict(GRAPH, "latency")
    assert found is not None
    assert found.why_not == "it does much less or much more than any architecture that was measured"
    predictor.learn(measured(FEWEST))
    found = predictor.predict(GRAPH, "latency")
    assert found is not None
    assert (found.why_not, found.held_out) == ("", predictor.held_out("latency"))
    assert found.held_out is not None


def test_of_many_architectures_the_last_are_learned(
    predictor: LatencyPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learned, "MOST", 5)
    predictor.learn(measured(12))
    assert predictor.architectures == 5
    assert list(predictor._learned) == [f"m{size}" for size in range(8, 13)]


def test_what_is_learned_twice_is_fitted_once(predictor: LatencyPredictor, monkeypatch: pytest.MonkeyPatch) -> None:
    fits: list[int] = []
    fit = learned.fit
    monkeypatch.setattr(learned, "fit", lambda works, values: fits.append(len(works)) or fit(works, values))
    for number in (3, 3, 4):
        predictor.learn(measured(number))
        for _ in range(2):
            predictor.predict(GRAPH, "latency")
    assert fits == [3, 4]


def test_an_architecture_is_traced_once_for_each_kind_of_call(monkeypatch: pytest.MonkeyPatch) -> None:
    traced: list[str] = []
    monkeypatch.setattr(LatencyPredictor, "_traced", lambda self, graph, metric: traced.append(metric) or work(1.0))
    one = LatencyPredictor(Protocol(), MEASURE)
    for metric in ("latency", "latency_ratio", "train_latency", "train_latency_ratio", "latency"):
        one.work(GRAPH, metric)  # type: ignore[arg-type]
    one.learn({fingerprint(GRAPH): (to_document(GRAPH), {"latency": 1.0})})
    one.predict(GRAPH, "latency")
    assert traced == ["latency", "train_latency"]


# studies


class Folder(SimpleNamespace):
    """What is kept of a study, as the store gives it."""

    def remembered_study(self) -> dict[str, Any] | None:
        return self.document  # type: ignore[no-any-return]

    def parts(self) -> list[str]:
        return ["search", "ablation"]

    def records(self, part: str) -> list[TrialRecord]:
        return self.kept.get(part, [])  # type: ignore[no-any-return]

    def architectures(self) -> dict[str, dict[str, Any]]:
        return {one.fingerprint: to_document(GRAPH) for part in self.kept.values() for one in part}


def folders(monkeypatch: pytest.MonkeyPatch, **kept: Folder) -> list[Path]:
    monkeypatch.setattr(teaching, "Store", lambda path: kept[str(path)])
    return [Path(name) for name in kept]


def folder(*records: TrialRecord, document: dict[str, Any] | None = None, part: str = "search") -> Folder:
    return Folder(document=document, kept={part: list(records)})


def refusal(paths: list[Path]) -> tuple[str, str | None]:
    with pytest.raises(UserError) as caught:
        teaching.learned_from(paths)
    (problem,) = caught.value.problems
    return problem.message, problem.hint


def test_all_parts_of_all_studies_teach(monkeypatch: pytest.MonkeyPatch) -> None:
    document = {"measure": {"device": "cpu", "batch": 4}, "protocol": {"train": {"dtype": "bfloat16"}}}
    paths = folders(
        monkeypatch,
        one=folder(record("a", latency=1.0), record("b", latency=2.0), document=document),
        two=folder(record("a", latency=3.0), part="ablation", document=document),
        three=folder(document=document),
    )
    predictor, measure = teaching.learned_from(paths)
    assert (measure.batch, predictor.architectures) == (4, 2)
    assert predictor._learned["a"][1] == {"latency": 2.0}


@pytest.mark.parametrize(
    ("first", "other", "said"),
    [
        ({"measure": {"batch": 8}}, {"measure": {"batch": 4}}, "one has measure.batch 8, and two has 4"),
        ({"measure": {"threads": 2}}, {}, "one has measure.threads 2, and two has None"),
        (
            {"protocol": {"train": {"dtype": "bfloat16"}}},
            {"protocol": {"train": {"dtype": "float32"}}},
            "one has train.dtype bfloat16, and two has float32",
        ),
        ({}, {"protocol": {"train": {"ema": 0.9}}}, "one has train.ema None, and two has 0.9"),
    ],
)
def test_studies_that_measured_or_trained_otherwise_are_refused_together(
    monkeypatch: pytest.MonkeyPatch, first: dict[str, Any], other: dict[str, Any], said: str
) -> None:
    paths = folders(monkeypatch, one=folder(document=first), two=folder(document=other))
    assert refusal(paths) == (
        f"{said}: their latencies are not of one kind.", "Learn from studies that measure alike, or from one of them.",
    )  # fmt: skip


def test_studies_may_differ_in_what_no_latency_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"measure": {"rounds": 3}, "protocol": {"train": {"steps": 5, "lr": 0.1}}}
    other = {"measure": {"rounds": 9}, "protocol": {"train": {"steps": 7, "lr": 0.2}}}
    paths = folders(monkeypatch, one=folder(record("a", latency=1.0), document=one), two=folder(document=other))
    assert teaching.learned_from(paths)[0].architectures == 1


def test_studies_of_another_machine_or_without_a_time_teach_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = folders(monkeypatch, one=folder(record("a", environment={"torch": "1.0"}, latency=1.0)))
    message, hint = refusal(paths)
    assert message.startswith(
        "nothing can be learned of latencies on this machine: the trials were measured with torch 1.0, and here it is "
    )
    assert hint == "Name a study run here."
    assert refusal(folders(monkeypatch, one=folder(record("a", loss=1.0), record("b", "failed", latency=1.0)))) == (
        "no latency can be predicted: no trial of these studies has measured one.",
        "Name a study that was run with measure.latency.",
    )


def test_an_account_that_did_not_change_is_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(predicted=["a"], errors={"latency": "of 9"})
    keep_account(tmp_path, account)

    def never(*_: object) -> None:
        raise AssertionError

    with monkeypatch.context() as patched:
        patched.setattr("archspec.text.atomic.write_text", never)
        keep_account(tmp_path, account)
    account.refused.append("a")
    keep_account(tmp_path, account)
    assert account_of(tmp_path) == account
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
