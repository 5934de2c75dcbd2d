from __future__ import annotations

from pathlib import Path

import pytest
import torch

from archspec import build, loads
from builder import assemble, initialise
from studies.sections.protocol import Protocol, Train
from studies.training.checkpoint import restore, save
from studies.training.data.dataset import load
from studies.training.train import Span, TrainingStep, fit
from studies.trial.job import Job
from studies.trial.run import run_trial

SPEC = loads(
    "version: 1\nname: t\nunet: {ch: 32, out_ch: 1, ch_mult: [1, 1], num_res_blocks: 1, attn_resolutions: [],"
    " in_channels: 1, resolution: 8, dropout: 0.2}"
)
CPU = torch.device("cpu")


def protocol(ema: float | None = 0.99) -> Protocol:
    return Protocol(train=Train(steps=9, batch=4, warmup=3, ema=ema))


def begin(how: Protocol) -> TrainingStep:
    module = assemble(build(SPEC))
    initialise(module, 3)
    return TrainingStep(module, how, CPU)


@pytest.mark.parametrize("ema", [0.99, None])
def test_a_training_that_goes_on_equals_one_that_never_stopped_bit_for_bit(tmp_path: Path, ema: float | None) -> None:
    how, images = protocol(ema), load(protocol().data).train
    whole, losses = begin(how), {}
    fit(whole, images, how, 3, losses.__setitem__)
    curve: dict[int, float] = {}
    for stop in (2, 5, None):
        torch.manual_seed(stop or 0)  # whatever else draws in between
        part = begin(how)
        kept = restore(tmp_path / "state.pt", part)
        kept.span.stop = stop
        fit(part, images, how, 3, curve.__setitem__, span=kept.span)
        assert kept.span.done == (stop or 9)
        if stop is not None:
            save(tmp_path / "state.pt", part, kept.span, list(curve.items()))
    assert curve == losses
    for ours, theirs in zip(whole.module.parameters(), part.module.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    for ours, theirs in zip(whole.evaluated.parameters(), part.evaluated.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    for one, other in zip(whole.optimizer.state.values(), part.optimizer.state.values(), strict=True):
        assert all(torch.equal(one[key], other[key]) for key in ("step", "exp_avg", "exp_avg_sq"))


def test_a_training_that_goes_on_differs_if_chance_starts_anew(tmp_path: Path) -> None:
    how, images = protocol(), load(protocol().data).train
    whole, part = begin(how), begin(how)
    fit(whole, images, how, 3, lambda *_: None)
    fit(part, images, how, 3, lambda *_: None, span=Span(stop=5))
    fit(part, images, how, 3, lambda *_: None, span=Span(start=5))  # dropout's generators are not carried over
    assert not all(torch.equal(a, b) for a, b in zip(whole.module.parameters(), part.module.parameters(), strict=True))


def test_a_state_of_another_version_or_none_begins_a_training_anew(tmp_path: Path) -> None:
    one, other = begin(protocol()), begin(protocol())
    save(tmp_path / "state.pt", one, Span(done=4), [(4, 0.5)])
    kept = torch.load(tmp_path / "state.pt", weights_only=True)
    torch.save({**kept, "version": kept["version"] + 1, "module": {}}, tmp_path / "later.pt")
    for name in ("later.pt", "none.pt"):
        found = restore(tmp_path / name, other)
        assert (found.span, found.curve) == (Span(), [])
    found = restore(tmp_path / "state.pt", other)
    assert (found.span.start, found.span.done, found.curve) == (4, 4, [(4, 0.5)])


def test_a_trial_in_rungs_has_the_result_of_one_in_one_piece(tmp_path: Path) -> None:
    from archspec import to_document
    from studies.sections.protocol import Evaluate, Measure

    how = protocol().model_copy(update={"evaluate": Evaluate(strata=2, images=4)})
    measure = Measure(device="cpu", threads=1, latency=False, memory=False)
    job = Job(document=to_document(build(SPEC)), protocol=how, measure=measure, seed=1)
    whole = run_trial(job, lambda _: None)
    state = tmp_path / "checkpoints" / "a.pt"
    first = run_trial(job.model_copy(update={"until": 4, "state": state}), lambda _: None)
    assert (first.status, first.detail["steps"]) == ("finished", 4)
    assert first.metrics["loss"] != whole.metrics["loss"]
    last = run_trial(job.model_copy(update={"resume": state, "costs": False}), lambda _: None)
    assert last.metrics["loss"] == whole.metrics["loss"]
    assert last.curve == whole.curve
    assert last.detail["steps"] == 9
