"""Predicted peaks against the record of torch's allocator while a study's own calls run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from archspec import ArchGraph, check_data
from archspec.text.parse import Positions
from benchmarks.memory.architectures import random_cases, zoo_cases
from benchmarks.memory.real import measured_peaks
from builder import assemble
from builder.profile import ProfileOptions, predict
from builder.profile.cache import Cache
from studies.measure.calls import inference, sample_batch, training
from studies.measure.memory import peak_bytes
from studies.sections.protocol import Edm, Measure, Objective, Protocol, Train
from studies.training.diffusion import Diffusion
from studies.trial.predicted import MemoryPredictor, options_for, predicted_metrics

CPU = torch.device("cpu")
MIB = 2**20
BASE: dict[str, Any] = {
    "ch": 16, "out_ch": 1, "ch_mult": [1, 2], "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 1,
    "resolution": 16, "num_groups": 8,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspaces")


def unet(**changes: object) -> ArchGraph:
    return check_data({"version": 1, "name": "small", "unet": {**BASE, **changes}}, Positions("small")).sound()


ARCHITECTURES: dict[str, tuple[Callable[[], ArchGraph], int]] = {
    "vanilla": (unet, 4),
    "one image": (unet, 1),
    "linear": (lambda: unet(attn_type="linear", ch=24), 3),
    "attention at full size": (lambda: unet(attn_resolutions=[16, 8], attn={"heads": 2}), 2),
    "transformer": (lambda: unet(attn_type="transformer", attn={"heads": 2}, tokens={"dim": 8, "length": 5}), 2),
    "blocks that resample": (lambda: unet(resblock_updown=True, conditioning="scale_shift", dropout=0.1), 2),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_predictions_hold_against_the_allocators_own_record(name: str, folder: Path) -> None:
    make, batch = ARCHITECTURES[name]
    graph = make()
    measured = measured_peaks(graph, batch)
    for call in ("inference", "training"):
        static = predict(graph, call, ProfileOptions(batch=batch))
        calibrated = predict(graph, call, ProfileOptions(batch=batch), calibrated=True, cache=Cache("cpu", folder))
        real = measured[call]
        assert abs(static.memory - real) <= max(0.01 * real, 2 * MIB), call
        assert calibrated.memory == pytest.approx(real, rel=0.001), call
        assert calibrated.by_rule == 0


@pytest.mark.slow
def test_predictions_of_the_whole_table() -> None:
    """Minutes: what benchmarks/memory/README.md says of 60 architectures."""
    cases = [*zoo_cases(), *random_cases(36)]
    assert len(cases) >= 60
    within = []
    for case in cases:
        measured = measured_peaks(case.graph, case.batch)
        for call in ("inference", "training"):
            static = predict(case.graph, call, ProfileOptions(batch=case.batch)).memory
            calibrated = predict(case.graph, call, ProfileOptions(batch=case.batch), calibrated=True).memory
            within.append(abs(static - measured[call]) <= max(0.01 * measured[call], 2 * MIB))
            assert calibrated == pytest.approx(measured[call], rel=0.001), (case.name, call)
    assert sum(within) >= 0.95 * len(within)


@pytest.mark.parametrize(
    ("train", "objective"),
    [
        (Train(ema=None), Objective()),
        (Train(grad_clip=None), Objective(prediction="v")),
        (Train(micro_batch=2), Objective(prediction="x0")),
        (Train(), Edm(kind="edm")),
    ],
)
def test_the_protocol_is_what_is_predicted(train: Train, objective: Objective | Edm) -> None:
    graph = unet()
    protocol, measure = Protocol(train=train, objective=objective), Measure(device="cpu", batch=3, threads=1)
    found = predicted_metrics(graph, protocol, measure)
    network = assemble(graph)
    sample = sample_batch((1, 16, 16), 3, 1000, CPU)
    real = [peak_bytes(kind(network, sample, protocol, CPU), CPU) for kind in (inference, training)]
    assert list(found) == ["predicted_memory", "predicted_train_memory"]
    assert list(found.values()) == pytest.approx(real, rel=0.001)


def test_options_follow_the_protocol() -> None:
    protocol = Protocol(train=Train(dtype="bfloat16", ema=None, grad_clip=None))
    assert options_for(protocol, Measure(batch=5), "cuda") == ProfileOptions(
        device="cuda", batch=5, autocast="bfloat16", ema=False, grad_clip=False
    )
    assert options_for(Protocol(), Measure(), "cpu") == ProfileOptions(batch=8)
    halved = Protocol(train=Train(batch=6, micro_batch="auto"))
    assert options_for(halved, Measure(), "cpu") == ProfileOptions(batch=8, micro_batch=6)


def test_only_what_is_asked_for_is_predicted_and_the_margin_is_stated() -> None:
    predictor = MemoryPredictor(Protocol(), Measure(device="cpu", batch=2, threads=1))
    (metric, found), *others = predictor(unet(), frozenset({"memory", "loss"})).items()
    assert not others
    assert metric == "memory"
    assert found.margin == 2 * MIB  # of a network of 2 MiB; 1 % of one above 200 MiB
    assert found.note is None


def test_a_study_predicts_what_it_trains_for() -> None:
    graph = unet()
    eps = Diffusion(Objective(), torch.device("meta"))
    own = predict(graph, "training", ProfileOptions(batch=2), objective=eps)
    assert own.memory == predict(graph, "training", ProfileOptions(batch=2)).memory
