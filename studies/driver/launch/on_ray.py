"""Trials as tasks of Ray Core: each in a fresh process, begun again when its node or process is lost.

Ray's own retries keep the ticket, so a trial that was begun twice is recorded once. A trial that fails by itself is no
failure of Ray's and is never begun again.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from archspec import user_error
from studies.driver.launch.remote import RemoteLauncher, Trial, prepare_remote, run_remote, trained
from studies.study.execution import OnRay, Run
from studies.trial.job import Outcome
from studies.trial.limits import failed


class RayLauncher(RemoteLauncher):
    """A `Launcher` over a Ray cluster, a running one or one that is started on this machine for the run.

    Args:
        run: what the study says of its run; `run.launch` is Ray's.
        trial: what a task runs.
        check: says why a study (JSON of `Preparation`) cannot be run on a node; None if it can.
    """

    def __init__(self, run: Run, trial: Trial = trained, check: Callable[[str], str | None] = prepare_remote) -> None:
        assert isinstance(run.launch, OnRay)
        super().__init__(run, trial, places=1)  # until the cluster is known
        self._options, self._check = run.launch.ray, check
        self._started = False

    def __enter__(self) -> Self:
        try:
            import ray
        except ImportError:
            raise user_error("launch: ray needs the package ray.", "Run `pip install 'ushape[ray]'`.") from None
        if not ray.is_initialized():
            self._connect()
            self._started = True
        self._places = self._run.workers or self._fitting()
        return self

    def _connect(self) -> None:
        import ray

        # A trial that the node's memory monitor ends would be begun again for ever; it is out of memory, and says so.
        os.environ.setdefault("RAY_task_oom_retries", "0")
        # On a busy machine a process of Ray's may need longer than its minute to start, and would be started for ever.
        os.environ.setdefault("RAY_worker_register_timeout_seconds", "600")
        # Ray makes its processes the least urgent of a machine: beside any other load a trial would crawl, and its
        # latency would be none that the same study measures without Ray.
        os.environ.setdefault("RAY_worker_niceness", "0")
        # Ray's announced default: it would hide a user's choice of GPUs from tasks that take none.
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        local: dict[str, Any] = {} if self._options.address else {"include_dashboard": False}
        # Ray takes SIGTERM for itself; a scheduler's must end the run as Ctrl-C does, whoever asked for that.
        on_end = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(
                address=self._options.address, runtime_env=self._options.runtime_env or None, log_to_driver=False,
                logging_level=logging.ERROR, **local,
            )  # fmt: skip
        except (ConnectionError, RuntimeError, ValueError) as error:
            what = str(error).strip().splitlines()[0].rstrip(".")
            hint = "Is it running? Without an address one is started on this machine."
            raise user_error(f"the Ray cluster at {self._options.address} cannot be used: {what}.", hint) from None
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_end)

    def _fitting(self) -> int:
        """Trials that the cluster has room for."""
        import ray

        have: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        wanted = {"CPU": self._options.cpus, "GPU": self._options.gpus}
        fitting = min(int(have.get(kind, 0) // amount) for kind, amount in wanted.items() if amount)
        if fitting < 1:
            words = " and ".join(f"{have.get(kind, 0):g} {kind}" for kind, amount in wanted.items() if amount)
            hint = "Ask for less in run.launch.ray, or set run.workers for a cluster that grows."
            raise user_error(f"no trial fits the Ray cluster, which has {words}.", hint)
        return fitting

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import ray

        for reference in self._running.values():
            ray.cancel(reference, force=True)
        if self._started:
            ray.shutdown()

    def _task(self, function: Callable[..., Any], **more: Any) -> Any:
        import ray

        kind: dict[str, Any] = {"accelerator_type": self._options.accelerator} if self._options.accelerator else {}
        return ray.remote(
            num_cpus=self._options.cpus, num_gpus=self._options.gpus,
            # With 1 the process ends with its trial and gives back what it held, the GPU's memory above all.
            max_calls=0 if self._run.isolation == "worker" else 1,
            retry_exceptions=False, **kind, **more,
        )(function)  # fmt: skip

    @cached_property
    def _remote(self) -> Any:
        """Made once: Ray sends each new remote function to every process that runs it."""
        return self._task(run_remote, max_retries=self._options.retries)

    def _answer(self, preparation: str) -> str | None:
        import ray

        task = self._task(self._check, max_retries=self._options.retries)
        try:
            refused: str | None = ray.get(task.remote(preparation))
        except ray.exceptions.RayError as error:
            raise user_error(f"Ray cannot run a task: {_first_line(error)}.", "Does the cluster have ushape?") from None
        return refused

    def _send(self, *arguments: Any) -> Any:
        return self._remote.remote(*arguments)

    def wait(self) -> tuple[int, Outcome]:
        """The next task that ends, for good: one that Ray begins again has not ended."""
        import ray

        [done], _ = ray.wait(list(self._running.values()), num_returns=1)
        ticket = next(ticket for ticket, reference in self._running.items() if reference == done)
        del self._running[ticket]
        try:
            return ticket, Outcome.model_validate_json(ray.get(done))
        except ray.exceptions.OutOfMemoryError as error:
            return ticket, failed("the node's memory ran out, and Ray ended the trial", 0.0, ray=str(error)[:2000])
        except ray.exceptions.RayError as error:
            tries = self._options.retries + 1
            reason = f"Ray lost the trial's process or node, {tries} time(s) ({_first_line(error)})"
            return ticket, failed(reason, 0.0, ray=str(error)[:2000])


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0].rstrip('.')}"
