"""The loop over a real local Ray with several processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from archspec import UserError
from studies.driver.launch.on_ray import RayLauncher
from studies.driver.loop import Launcher
from studies.driver.run import run_study
from studies.records.store import Store
from studies.study.execution import Run
from studies.study.load import load_study
from tests.studies.fake_run import Listener
from tests.studies.fake_trials import Exits, Hangs, fit, pretended
from tests.tiny_study import ABLATION

# Ray's own process handling leaves sockets and files to the interpreter.
pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """One Ray of four places for the tests of this file; the launcher finds it running."""
    ray = pytest.importorskip("ray")
    root = str(Path(__file__).parents[2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", root)
        patch.setenv("RAY_task_oom_retries", "0")
        patch.setenv("RAY_worker_register_timeout_seconds", "600")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        yield
        ray.shutdown()


def start(run: Run, folder: Path) -> AbstractContextManager[Launcher]:
    return RayLauncher(run, pretended, fit)


def run_on_ray(path: Path) -> Listener:
    study, listener = load_study(path), Listener()
    run_study(study, study.folder, listener, start=start)
    return listener


@pytest.mark.usefixtures("cluster")
def test_every_cell_once_in_processes_of_their_own(study_file: Write) -> None:
    path = study_file(ABLATION, "run: {launch: ray, workers: 2}\n")
    listener = run_on_ray(path)
    assert Counter((r.variant, r.seed) for r in listener.records) == Counter(
        (variant, seed) for variant in ("base", "no attention") for seed in range(2)
    )
    assert {r.status for r in listener.records} == {"finished"}
    assert len({r.detail["pid"] for r in listener.records}) == 4
    assert run_on_ray(path).records == []


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_kept_warm_if_the_study_says_so(study_file: Write) -> None:
    path = study_file(ABLATION, "run: {launch: ray, workers: 1, isolation: worker}\n", **{"seeds: 2": "seeds: 3"})
    assert len({r.detail["pid"] for r in run_on_ray(path).records}) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_process_that_dies_is_begun_again_as_often_as_said_and_then_a_failed_trial(
    study_file: Write, tmp_path: Path
) -> None:
    text = "run: {launch: {ray: {retries: 2}}, workers: 2}\n"
    path = study_file(ABLATION, text, **{"seeds: 2": "seeds: 1"})
    (tmp_path / "attempts").touch()
    study, listener = load_study(path), Listener()
    run_study(study, study.folder, listener, start=lambda run, folder: RayLauncher(run, Exits(tmp_path), fit))
    assert [r.status for r in listener.records] == ["failed", "failed"]
    for record in listener.records:
        assert record.reason is not None
        assert record.reason.startswith("Ray lost the trial's process or node, 3 time(s) (WorkerCrashedError: ")
    assert (tmp_path / "attempts").read_text() == "x" * 6
    assert {r.status for r in Store(load_study(path).folder).records("ablation")} == {"failed"}


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_trial_that_hangs_is_stopped(study_file: Write) -> None:
    path = study_file(ABLATION, "run: {launch: ray, workers: 2, timeout: 0.5 s}\n", **{"seeds: 2": "seeds: 1"})
    study, listener = load_study(path), Listener()
    run_study(study, study.folder, listener, start=lambda run, folder: RayLauncher(run, Hangs(), fit))
    reason = "the trial took longer than run.timeout (0.5 s) and was stopped"
    assert [(r.status, r.reason) for r in listener.records] == [("failed", reason)] * 2


@pytest.mark.usefixtures("cluster")
def test_what_fits_nowhere_is_refused(study_file: Write) -> None:
    path = study_file(ABLATION, "run: {launch: {ray: {cpus: 64}}}\n")
    with pytest.raises(UserError, match="no trial fits the Ray cluster, which has 4 CPU"):
        run_on_ray(path)
    path = study_file(ABLATION, "run: {launch: {ray: {gpus: 1, accelerator: A100}}}\n")
    with pytest.raises(UserError, match="no trial fits the Ray cluster, which has 4 CPU and 0 GPU"):
        run_on_ray(path)


PLAIN = """
import os, signal, sys
from studies.driver.launch.on_ray import RayLauncher
from studies.study.execution import Run

signal.signal(signal.SIGTERM, signal.default_int_handler)

def niceness(preparation):
    return str(os.nice(0))

with RayLauncher(Run.model_validate({"launch": "ray", "workers": 1}), print, niceness) as launcher:
    print("nice", launcher._answer("{}"), "ours", os.nice(0), flush=True)
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def test_a_ray_of_our_own_is_as_urgent_as_we_are_and_leaves_the_end_of_a_run_to_us() -> None:
    """Ray makes its workers the least urgent of a machine, and takes SIGTERM for itself."""
    pytest.importorskip("ray")
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", PLAIN],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    [urgency, end] = done.stdout.splitlines()
    _, theirs, _, ours = urgency.split()
    assert (theirs, end) == (ours, "interrupted")
