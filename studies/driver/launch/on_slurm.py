"""Trials as jobs of Slurm, through submitit: the driver runs where jobs are submitted and polls them."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from archspec import user_error
from studies.driver.launch.remote import RemoteLauncher, Trial, prepare_remote, run_remote, trained
from studies.study.execution import OnSlurm, Run, SlurmJobs
from studies.trial.job import Outcome
from studies.trial.limits import failed

#: Jobs in Slurm's queue at a time where the study does not say.
PLACES = 16
#: Seconds between two looks at the jobs; submitit asks Slurm itself at most once a minute.
_POLL = {"slurm": 5.0, "local": 0.1}


class SlurmLauncher(RemoteLauncher):
    """A `Launcher` of Slurm's jobs.

    Args:
        run: what the study says of its run; `run.launch` is Slurm's.
        folder: the study's folder, on a file system that the nodes share; submitit's files go below ``slurm/``.
        trial: what a job runs.
    """

    def __init__(self, run: Run, folder: Path, trial: Trial = trained) -> None:
        assert isinstance(run.launch, OnSlurm)
        super().__init__(run, trial, run.workers or PLACES)
        self._options, self._folder = run.launch.slurm, folder / "slurm"

    def __enter__(self) -> Self:
        try:
            import submitit
        except ImportError:
            raise user_error(
                "launch: slurm needs the package submitit.", "Run `pip install 'ushape[slurm]'`."
            ) from None
        try:
            self._executor = submitit.AutoExecutor(folder=self._folder, cluster=self._options.cluster)
        except RuntimeError as error:
            what = str(error).strip().splitlines()[0].rstrip(".")
            raise user_error(f"no job can be submitted: {what}.", "Is this a machine with sbatch?") from None
        self._executor.update_parameters(**_parameters(self._options))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for job in self._running.values():
            job.cancel(check=False)

    def _answer(self, preparation: str) -> str | None:
        from submitit.core.utils import FailedSubmissionError, UncompletedJobError

        try:
            job = self._executor.submit(prepare_remote, preparation)
            self._wait_for([job])
            refused: str | None = job.result()
        except (FailedSubmissionError, UncompletedJobError) as error:
            hint = f"Its output is in {self._folder}."
            raise user_error(f"Slurm cannot run a job: {_first_line(error)}.", hint) from None
        return refused

    def _send(self, *arguments: Any) -> Any:
        return self._executor.submit(run_remote, *arguments)

    def wait(self) -> tuple[int, Outcome]:
        """The next job that ends; one that Slurm ended is a failed trial."""
        self._wait_for(list(self._running.values()))
        ticket = next(ticket for ticket, job in self._running.items() if job.done())
        job = self._running.pop(ticket)
        error = job.exception()
        if error is None:
            return ticket, Outcome.model_validate_json(job.result())
        reason = f"the job {job.job_id} ended without a result ({job.state}); see {job.paths.stderr}"
        return ticket, failed(reason, 0.0, slurm=str(error)[-2000:])

    def _wait_for(self, jobs: list[Any]) -> None:
        while not any(job.done() for job in jobs):
            time.sleep(_POLL[self._options.cluster])


def _parameters(options: SlurmJobs) -> dict[str, Any]:
    """As submitit's AutoExecutor takes them: its own names, and Slurm's with a prefix."""
    parameters: dict[str, Any] = {
        "name": "ushape", "timeout_min": options.minutes, "cpus_per_task": options.cpus, "gpus_per_node": options.gpus,
    }  # fmt: skip
    if options.partition is not None:
        parameters["slurm_partition"] = options.partition
    if options.memory is not None:
        # submitit counts in GB
        number, unit = float(options.memory[:-2]), options.memory[-2:]
        parameters["mem_gb"] = number * {"MB": 1e-3, "GB": 1.0, "TB": 1e3}[unit]
    if options.options:
        parameters["slurm_additional_parameters"] = dict(options.options)
    return parameters


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
