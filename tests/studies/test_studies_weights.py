"""Weights of the best trials: which stay, and that they are what was evaluated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

import archspec
from builder import assemble, initialise
from builder.weights import load_weights
from studies.records.record import Part, Status, TrialRecord
from studies.records.store import Store
from studies.records.weights import NAME, KeptWeights
from studies.sections.protocol import Measure, Protocol
from studies.study.load import load_study
from studies.trial.job import Job
from studies.trial.run import run_trial
from tests.studies.fake_run import run_fake
from tests.tiny_study import ABLATION

SPEC = """
version: 1
name: tiny
unet: {ch: 32, out_ch: 1, ch_mult: [1], num_res_blocks: 1, attn_resolutions: [], in_channels: 1, resolution: 8}
"""


def record(trial: int, loss: float | None, part: Part = "search", status: Status = "finished", over: float = 0.0):
    return TrialRecord(
        part=part, trial=trial, seed=0, status=status, protocol_hash="x", started="now",
        metrics={} if loss is None else {"loss": loss}, violations={"parameters": over},
    )  # fmt: skip


def written(kept: KeptWeights, one: TrialRecord) -> TrialRecord:
    place = kept.place(one)
    assert place is not None
    place.parent.mkdir(parents=True)
    place.write_bytes(b"weights")
    return kept.named(one)


def there(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.glob(f"artifacts/*/{NAME}"))


def test_the_best_so_many_of_each_part_stay(tmp_path: Path) -> None:
    kept = KeptWeights(tmp_path, 2, {"loss": "minimize"})
    for one in (
        record(0, 0.5),
        record(1, 0.4),
        record(2, 0.3, over=0.1),
        record(3, 0.6),
        record(4, None, status="oom"),
    ):
        kept.offer(written(kept, one))
    assert there(tmp_path) == ["search-0", "search-1"]
    kept.offer(written(kept, record(0, 0.9, part="ablation")))
    kept.offer(written(kept, record(5, 0.45)))
    assert there(tmp_path) == ["ablation-0", "search-1", "search-5"]
    assert kept.place(record(0, 0.1, part="tuning")) is None


def test_what_is_maximised_is_kept_from_above(tmp_path: Path) -> None:
    kept = KeptWeights(tmp_path, 1, {"parameters": "maximize"})
    for number, parameters in ((0, 10.0), (1, 30.0), (2, 20.0)):
        kept.offer(written(kept, record(number, 0.5).model_copy(update={"metrics": {"parameters": parameters}})))
    assert there(tmp_path) == ["search-1"]


def test_the_next_run_goes_on_with_what_is_there_and_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    first = KeptWeights(tmp_path, 3, {"loss": "minimize"})
    told = [written(first, record(number, loss)) for number, loss in ((0, 0.5), (1, 0.4), (2, 0.6))]
    assert told[0].detail["files"] == {NAME: f"artifacts/search-0/{NAME}"}
    written(first, record(3, 0.1, status="running"))
    second = KeptWeights(tmp_path, 2, {"loss": "minimize"})
    second.begin(told)
    assert there(tmp_path) == ["search-0", "search-1"]
    none = KeptWeights(tmp_path, 0, {"loss": "minimize"})
    none.begin(told)
    assert there(tmp_path) == ["search-0", "search-1"]
    assert none.place(told[0]) is None


def test_a_study_keeps_as_many_as_it_says(study_file: Callable[..., Path]) -> None:
    path = study_file(ABLATION, "run: {keep_weights: 1}\n")
    run_fake(path)
    folder = load_study(path).folder
    best = min(Store(folder).records("ablation"), key=lambda one: one.metrics["loss"])
    assert there(folder) == [f"ablation-{best.trial}"]
    assert best.detail["files"] == {NAME: f"artifacts/ablation-{best.trial}/{NAME}"}


def test_a_trial_writes_the_weights_that_it_was_judged_by(tmp_path: Path) -> None:
    graph = archspec.build(archspec.loads(SPEC))
    protocol = Protocol.model_validate(
        {"train": {"steps": 2, "batch": 2, "ema": None}, "evaluate": {"strata": 2, "images": 2}}
    )
    measure = Measure(latency=False, memory=False, threads=1, device="cpu")
    whole = Job(
        document=archspec.to_document(graph), protocol=protocol, measure=measure, seed=3, weights=tmp_path / "a" / NAME
    )
    assert run_trial(whole, lambda progress: None).status == "finished"
    network, fresh = assemble(graph), assemble(graph)
    load_weights(network, tmp_path / "a" / NAME)
    initialise(fresh, 3)
    moved = [not torch.equal(network.state_dict()[key], value) for key, value in fresh.state_dict().items()]
    assert sum(moved) > len(moved) / 2
    part = whole.model_copy(update={"weights": tmp_path / "b" / NAME, "until": 1})
    assert run_trial(part, lambda progress: None).status == "finished"
    assert not (tmp_path / "b").exists()
