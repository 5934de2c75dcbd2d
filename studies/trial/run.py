"""The run of one trial: load, build, train, evaluate, measure. It imports torch, its models do not."""

from __future__ import annotations

import base64
import gc
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from studies.sections.protocol import Samples
from studies.training.failures import explained, is_device_lost
from studies.trial.job import Job, Outcome, Progress, Stage, Status

if TYPE_CHECKING:
    import torch
    from torch import nn

    from archspec.graphs.graph import ArchGraph
    from studies.measure.lock import Turn
    from studies.training.data.dataset import Dataset
    from studies.training.train import Span, TrainingStep

_DOING: dict[Stage, str] = {
    "load": "loading the data",
    "build": "building the network",
    "train": "training",
    "evaluate": "evaluating",
    "measure": "measuring",
}


def run_trial(job: Job, progress: Callable[[Progress], None]) -> Outcome:
    """Run one trial from data to prices; every exception but KeyboardInterrupt and its like becomes an outcome.

    The same job gives bit-identical losses on the same CPU, library versions and thread count.

    Args:
        job: what to run.
        progress: called at the start of each stage and about 50 times during training.
    """
    from studies.records.provenance import provenance

    start = time.perf_counter()
    trial = _Trial(job, progress)
    trial.environment.update(provenance())
    status: Status = "finished"
    reason = None
    try:
        trial.run()
    except Exception as error:  # noqa: BLE001 - the study goes on, and the record says what happened
        status, reason = explained(error, _DOING[trial.stage])
        trial.detail |= {"stage": trial.stage, "traceback": "".join(traceback.format_exception(error))}
        if status == "diverged":
            trial.detail["diverged_step"] = getattr(error, "step", None)
        trial.detail["device_lost"] = is_device_lost(error)
    _free_memory()
    return Outcome(
        status=status,
        reason=reason,
        metrics=trial.metrics,
        detail=trial.detail,
        curve=tuple(trial.curve),
        environment=trial.environment,
        data=trial.data,
        wall=time.perf_counter() - start,
        files=trial.files,
    )


class _Trial:
    """The stages of a trial, and what is known so far; what was found before an error stays."""

    def __init__(self, job: Job, progress: Callable[[Progress], None]) -> None:
        self.job = job
        self.progress = progress
        self.stage: Stage = "load"
        self.metrics: dict[str, float] = {}
        self.detail: dict[str, Any] = {"seconds": {}}
        self.curve: list[tuple[int, float]] = []
        self.environment: dict[str, str | int | float | bool | None] = {}
        self.data: dict[str, Any] = {}
        self.files: dict[str, str] = {}
        self.turn: Turn

    def run(self) -> None:
        """All stages in order."""
        from studies.measure import device as devices

        device = devices.choose(self.job.measure.device)
        devices.pin(self.job.measure.threads)
        self.environment.update(devices.describe(device))
        with self._in("load"):
            graph, data = self._load()
        with closing(devices.turn_on(device)) as self.turn:
            with self.turn.training():
                if self.job.scores and self.job.resume is None:
                    with self._in("build"):
                        self._score(graph, data, device)
                if not self.job.trains:
                    return
                with self._in("build"):
                    module = self._build(graph, device)
                self._predict(graph)
                with self._in("train"):
                    trained = self._train(module, data, device)
                with self._in("evaluate"):
                    self._evaluate(trained, data, device)
                    self._keep_weights(trained, graph)
            del trained
            if self.job.costs:
                with self._in("measure"):
                    before = devices.load_average()
                    self._measure(module, (*data.train.shape[1:],))
                    self.detail["load_average"] = [before, devices.load_average()]
            self.detail["turns"] = self.turn.summary()

    @contextmanager
    def _in(self, stage: Stage) -> Iterator[None]:
        """Enter a stage: report it and time it."""
        self.stage = stage
        start = time.perf_counter()
        self.progress(Progress(stage=stage, steps=self.job.protocol.train.steps if stage == "train" else 0))
        try:
            yield
        finally:
            self.detail["seconds"][stage] = round(time.perf_counter() - start, 4)

    def _load(self) -> tuple[ArchGraph, Dataset]:
        from archspec import from_document
        from studies.training.data.dataset import load
        from studies.training.data.sources import check_fits

        graph = from_document(self.job.document)
        data = load(self.job.protocol.data)
        self.data = data.summary()
        check_fits(graph, self.job.protocol.data)
        return graph, data

    def _build(self, graph: ArchGraph, device: torch.device) -> nn.Module:
        from archspec import total_price
        from builder import assemble, initialise

        module = assemble(graph)
        initialise(module, self.job.seed)
        if self.job.protocol.init is not None:
            from studies.training.pretrained import take_over

            self.detail["inherited"] = take_over(self.job.protocol.init, module)
        self.metrics["parameters"] = float(sum(p.numel() for p in module.parameters()))
        self.metrics["macs"] = float(total_price(graph).macs)
        return module.to(device)

    def _score(self, graph: ArchGraph, data: Dataset, device: torch.device) -> None:
        """Zero-cost scores, of a network of their own."""
        from studies.training.scores import Setting, told

        setting = Setting(self.job.protocol, data.train, self.job.seed, device)
        self.detail |= told(graph, self.job.scores, setting)

    def _predict(self, graph: ArchGraph) -> None:
        """Peak memory as predicted, to stand beside the measured one."""
        from studies.trial.predicted import predicted_metrics

        if not self.job.measure.memory:
            return
        start = time.perf_counter()
        try:
            self.metrics |= predicted_metrics(graph, self.job.protocol, self.job.measure)
        except Exception as error:  # noqa: BLE001 - an operation from outside need not run on meta; training matters more
            self.detail["prediction"] = f"{type(error).__name__}: {error}"
        self.detail["seconds"]["predict"] = round(time.perf_counter() - start, 4)

    def _train(self, module: nn.Module, data: Dataset, device: torch.device) -> nn.Module:
        """Train `module` in place and return the network that is evaluated."""
        from studies.training.train import TrainingStep, fit

        step = TrainingStep(module, self.job.protocol, device)

        def report(number: int, loss: float) -> None:
            self.curve.append((number, loss))
            self.progress(Progress(stage="train", step=number, steps=self.job.protocol.train.steps, loss=loss))

        span = self._restored(step)
        try:
            fit(step, data.train, self.job.protocol, self.job.seed, report, self.turn.give_way, span)
        finally:
            if self.job.protocol.train.micro_batch is not None:
                self.detail["micro_batch"] = step.accumulated.summary()
        self.detail["steps"] = span.done
        if self.job.state is not None:
            from studies.training.checkpoint import save

            save(self.job.state, step, span, self.curve)
        return step.evaluated

    def _restored(self, step: TrainingStep) -> Span:
        """What of the training is to be done; where there is a state, the step and the curve are brought to it."""
        from studies.training.train import Span

        span = Span()
        if self.job.resume is not None:
            from studies.training.checkpoint import restore

            kept = restore(self.job.resume, step)
            span, self.curve = kept.span, kept.curve
        span.stop = self.job.until
        return span

    def _evaluate(self, module: nn.Module, data: Dataset, device: torch.device) -> None:
        from studies.training.failures import Diverged
        from studies.training.quality import denoising_loss, evaluation_set

        protocol = self.job.protocol
        chosen = evaluation_set(data, protocol.evaluate, protocol.objective)
        self.detail["evaluation"] = chosen.summary()
        batch, give_way = protocol.evaluate.batch, self.turn.give_way
        quality = denoising_loss(module, chosen, protocol.objective, batch, device, give_way)
        if not quality.is_finite():
            raise Diverged(protocol.train.steps, "the held-out loss")
        self.metrics |= {"loss": quality.loss, "loss_edm": quality.loss_edm}
        self.detail["loss_bins"] = [list(one) for one in quality.bins]
        self.detail["snr_bins"] = [one.row() for one in quality.levels]
        if protocol.evaluate.samples is not None:
            self._judge(module, protocol.evaluate.samples, device)

    def _keep_weights(self, module: nn.Module, graph: ArchGraph) -> None:
        """Write what was evaluated, if it is wanted and trained to the end; a full disk costs the weights alone."""
        from builder.weights import write_checkpoint

        path = self.job.weights
        if path is None or self.job.until is not None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_checkpoint(path, graph, module.state_dict())
        except OSError as error:
            self.detail["weights_lost"] = str(error)

    def _judge(self, module: nn.Module, samples: Samples, device: torch.device) -> None:
        from studies.training.sampling.judge import judge

        found = judge(module, self.job.protocol, samples, device, self.turn.give_way)
        self.metrics |= found.metrics
        self.detail["samples"] = found.detail
        if found.png is not None:
            self.files["samples.png"] = base64.b64encode(found.png).decode("ascii")

    def _measure(self, module: nn.Module, shape: tuple[int, ...]) -> None:
        from studies.measure.apart import measured_here_or_apart

        job = self.job
        metrics, detail = measured_here_or_apart(module, shape, job.document, job.protocol, job.measure, self.turn)
        self.metrics.update(metrics)
        self.detail.update(detail)


def _free_memory() -> None:
    """Give back what the trial held, so that a process can run one after another."""
    import torch

    gc.collect()
    torch.cuda.empty_cache()
