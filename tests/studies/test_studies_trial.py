import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archspec
from studies.sections.protocol import Measure, Protocol
from studies.training.failures import explained
from studies.trial import serve
from studies.trial.job import Job, Outcome, Progress
from studies.trial.run import _Trial, run_trial

SPEC = """
version: 1
name: tiny
unet: {{ch: 32, out_ch: 1, ch_mult: [1, 1], num_res_blocks: 1, attn_resolutions: [], in_channels: 1,
  resolution: {size}, attn_type: none}}
"""
# One thread: other load hardly slows it down. It is timed no longer than it must be: nobody looks at how long it took.
QUICK = Measure(rounds=3, min_seconds=0.0, max_seconds=0.1, repeats=0, batch=2, threads=1)
BARE = Measure(latency=False, memory=False, threads=1)


def job(size: int = 8, measure: Measure = QUICK, seed: int = 0, **train: Any) -> Job:
    document = archspec.to_document(archspec.build(archspec.loads(SPEC.format(size=size))))
    protocol = {"train": {"steps": 6, "batch": 8, **train}, "evaluate": {"strata": 4, "images": 8}}
    return Job(document=document, protocol=Protocol.model_validate(protocol), measure=measure, seed=seed)


def quiet(progress: Progress) -> None:
    del progress


@pytest.fixture(scope="module")
def finished() -> tuple[Outcome, list[Progress]]:
    reports: list[Progress] = []
    return run_trial(job(), reports.append), reports


def with_network(monkeypatch: pytest.MonkeyPatch, module: nn.Module) -> None:
    monkeypatch.setattr(_Trial, "_build", lambda self, graph, device: module)


class Network(nn.Module):
    """Hands its input through `effect`, which may count its calls and break."""

    def __init__(self, effect: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.1))
        self.effect = effect
        self.calls = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> "Network":
        return Network(self.effect)

    def forward(self, x: Tensor, t: Tensor | None = None, context: Tensor | None = None) -> Tensor:
        self.calls += 1
        out: Tensor = self.effect(x * self.weight, self.calls)
        return out


# what a finished trial says


def test_a_finished_trial_has_every_metric(finished: tuple[Outcome, list[Progress]]) -> None:
    outcome, _ = finished
    assert (outcome.status, outcome.reason) == ("finished", None)
    assert set(outcome.metrics) == {
        *("parameters", "macs", "loss", "loss_edm", "memory", "train_memory"),
        *("latency", "latency_ratio", "train_latency", "train_latency_ratio"),
        *("predicted_memory", "predicted_train_memory"),
    }
    for name in ("memory", "train_memory"):
        assert outcome.metrics[f"predicted_{name}"] == pytest.approx(outcome.metrics[name], rel=0.01)
    price = archspec.total_price(archspec.from_document(job().document))
    assert outcome.metrics["parameters"] == price.parameters
    assert outcome.metrics["macs"] == price.macs
    assert 0 < outcome.metrics["loss"] < 2
    assert 0 < outcome.metrics["latency"] < outcome.metrics["train_latency"] < 1
    parameter_bytes = 4 * price.parameters
    assert parameter_bytes < outcome.metrics["memory"] < 2 * parameter_bytes
    assert 5 * parameter_bytes < outcome.metrics["train_memory"] < 7 * parameter_bytes


def test_a_finished_trial_has_its_details(finished: tuple[Outcome, list[Progress]]) -> None:
    outcome, _ = finished
    assert set(outcome.detail) == {
        *("seconds", "evaluation", "loss_bins", "snr_bins", "latency", "train_latency", "memory", "train_memory"),
        *("conditions", "timer", "turns", "load_average", "steps"),
    }
    assert list(outcome.detail["seconds"]) == ["load", "build", "predict", "train", "evaluate", "measure"]
    assert [bounds[:2] for bounds in outcome.detail["loss_bins"]] == [[0, 71], [71, 214], [214, 518], [518, 1000]]
    mean = sum((high - low) * mse for low, high, mse in outcome.detail["loss_bins"]) / 1000
    assert outcome.metrics["loss"] == pytest.approx(mean)
    assert outcome.detail["latency"]["median"] == outcome.metrics["latency"]
    assert outcome.detail["evaluation"] | {"hash": "-"} == {"hash": "-", "evaluations": 32, "images": 8, "strata": 4}
    assert outcome.data["name"] == "digits"
    assert [step for step, _ in outcome.curve] == [1, 2, 3, 4, 5, 6]
    assert outcome.wall >= sum(outcome.detail["seconds"].values()) - 0.01
    assert {"ushape", "torch", "python", "code", "device", "threads"} <= set(outcome.environment)


def test_an_outcome_and_a_job_survive_json(finished: tuple[Outcome, list[Progress]]) -> None:
    outcome, _ = finished
    text = outcome.model_dump_json()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert Outcome.model_validate_json(text) == outcome
    assert Job.model_validate_json(job().model_dump_json()) == job()


def test_progress_names_the_stages_and_the_steps(finished: tuple[Outcome, list[Progress]]) -> None:
    outcome, reports = finished
    assert [r.stage for r in reports if r.step == 0] == ["load", "build", "train", "evaluate", "measure"]
    assert [(r.step, r.loss) for r in reports if r.step] == list(outcome.curve)
    assert {r.steps for r in reports if r.stage == "train"} == {6}


def test_the_same_job_gives_bit_identical_losses(finished: tuple[Outcome, list[Progress]]) -> None:
    outcome, _ = finished
    torch.manual_seed(77)
    again = run_trial(job(), quiet)
    assert again.curve == outcome.curve
    assert again.metrics["loss"] == outcome.metrics["loss"]
    assert again.detail["loss_bins"] == outcome.detail["loss_bins"]
    assert again.metrics["memory"] == outcome.metrics["memory"]
    assert again.environment == outcome.environment
    other = run_trial(job(measure=BARE, seed=1), quiet)
    assert other.metrics["loss"] != outcome.metrics["loss"]
    assert other.detail["evaluation"] == outcome.detail["evaluation"]


def test_the_loss_does_not_depend_on_what_is_measured(finished: tuple[Outcome, list[Progress]]) -> None:
    bare = run_trial(job(measure=BARE), quiet)
    assert list(bare.metrics) == ["parameters", "macs", "loss", "loss_edm"]
    assert bare.metrics["loss"] == finished[0].metrics["loss"]


# what goes wrong


def test_divergence_keeps_the_curve_and_names_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    with_network(monkeypatch, Network(lambda x, calls: x * (float("inf") if calls == 4 else 1)))
    outcome = run_trial(job(), quiet)
    assert outcome.status == "diverged"
    assert outcome.reason == "the training loss became NaN or infinite at step 4"
    assert outcome.detail["diverged_step"] == 4
    assert [step for step, _ in outcome.curve] == [1, 2, 3]
    assert outcome.detail["stage"] == "train"
    assert "loss" not in outcome.metrics


def test_a_loss_that_is_only_found_infinite_in_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    with_network(monkeypatch, Network(lambda x, calls: x * (1 if torch.is_grad_enabled() else float("nan"))))
    outcome = run_trial(job(), quiet)
    assert (outcome.status, outcome.detail["diverged_step"]) == ("diverged", 6)
    assert outcome.reason == "the held-out loss became NaN or infinite at step 6"
    assert len(outcome.curve) == 6


def test_real_divergence_by_a_learning_rate_beyond_reason() -> None:
    outcome = run_trial(job(lr=1e30, grad_clip=None, warmup=0), quiet)
    assert outcome.status == "diverged"
    assert len(outcome.curve) < 6


def test_running_out_of_memory_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    with_network(monkeypatch, Network(lambda x, calls: x + torch.empty(2**46).sum()))
    outcome = run_trial(job(), quiet)
    assert outcome.status == "oom"
    assert outcome.reason == (
        "out of memory while training (262,144.00 GiB more were asked for); "
        "a smaller batch, width or resolution needs less"
    )
    assert run_trial(job(), quiet).status == "oom"


def test_the_words_of_cuda_and_of_python() -> None:
    cuda = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has ...")
    assert explained(cuda, "measuring") == (
        "oom",
        "out of memory while measuring (2.50 GiB more were asked for); a smaller batch, width or resolution needs less",
    )
    assert explained(MemoryError(), "loading the data") == (
        "oom",
        "out of memory while loading the data; a smaller batch, width or resolution needs less",
    )
    assert explained(RuntimeError("something else"), "training")[0] == "failed"


def test_an_error_is_recorded_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(x: Tensor, calls: int) -> Tensor:
        if calls == 3:
            raise ValueError("no such thing\nand more")
        return x

    with_network(monkeypatch, Network(broken))
    outcome = run_trial(job(), quiet)
    assert outcome.status == "failed"
    line = broken.__code__.co_firstlineno + 2
    assert outcome.reason == (f"ValueError while training: no such thing (test_studies_trial.py:{line}, in broken)")
    assert "Traceback (most recent call last)" in outcome.detail["traceback"]
    assert "and more" in outcome.detail["traceback"]
    assert len(outcome.curve) == 2
    assert outcome.data["name"] == "digits"
    json.loads(outcome.model_dump_json())


def test_an_architecture_that_does_not_fit_the_data_fails_before_training() -> None:
    outcome = run_trial(job(size=16), quiet)
    assert outcome.status == "failed"
    assert outcome.reason is not None
    assert "the images of digits are 1x8x8, but the architecture takes 1x16x16." in outcome.reason
    assert (outcome.metrics, outcome.curve) == ({}, ())


def test_a_device_that_is_not_there_fails() -> None:
    if torch.cuda.is_available():
        pytest.skip("it is there")
    outcome = run_trial(job(measure=Measure(device="cuda")), quiet)
    assert outcome.status == "failed"
    assert outcome.reason is not None
    assert "measure.device is cuda, but this machine has 0 CUDA devices that torch can use." in outcome.reason


def test_ctrl_c_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(x: Tensor, calls: int) -> Tensor:
        raise KeyboardInterrupt

    with_network(monkeypatch, Network(interrupted))
    with pytest.raises(KeyboardInterrupt):
        run_trial(job(), quiet)


def test_nothing_of_a_trial_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    freed: list[bool] = []

    class Witness(Network):
        def __del__(self) -> None:
            freed.append(True)

    def broken(x: Tensor, calls: int) -> Tensor:
        raise ValueError("broken")

    module: list[Network] = [Witness(broken)]
    monkeypatch.setattr(_Trial, "_build", lambda self, graph, device: module.pop())
    assert run_trial(job(), quiet).status == "failed"
    assert freed == [True]


def test_a_trial_prints_nothing(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(job().model_dump_json(), encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from studies.trial.job import Job;"
        "from studies.trial.run import _Trial, run_trial;"
        "job = Job.model_validate_json(Path(sys.argv[1]).read_text());"
        "assert run_trial(job, lambda progress: None).status == 'finished'"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path / "job.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_worker_sets_its_imports_aside_once(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    class Connection:
        def send(self, message: tuple[str, Any]) -> None:
            done.append(message[0])

    monkeypatch.setattr(serve.gc, "freeze", lambda: done.append("freeze"))
    monkeypatch.setattr(serve, "_set_imports_aside", functools.cache(serve._set_imports_aside.__wrapped__))
    broken = job(measure=Measure(device="cuda:99"))
    for _ in range(2):
        serve._do_job(Connection(), broken.model_dump(mode="json"))  # type: ignore[arg-type]
    assert done == ["outcome", "freeze", "outcome"]
