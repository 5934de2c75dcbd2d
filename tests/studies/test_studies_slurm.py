"""The loop through submitit, whose local executor stands for Slurm; nothing here has seen a real Slurm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from studies.driver.launch.on_slurm import SlurmLauncher, _parameters
from studies.driver.run import run_study
from studies.study.execution import Run, SlurmJobs
from studies.study.load import load_study
from tests.studies.fake_run import Listener
from tests.studies.fake_trials import Exits, pretended

pytest.importorskip("submitit")
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
ONE = "ablation: {variants: {no attention: [{remove: attention}]}}\n"
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def test_jobs_do_every_cell_once(study_file: Write) -> None:
    path = study_file(ONE, "run: {launch: {slurm: {cluster: local}}, workers: 2}\n", **{"seeds: 2": "seeds: 1"})
    study, listener = load_study(path), Listener()
    run_study(study, study.folder, listener, start=lambda run, folder: SlurmLauncher(run, folder, pretended))
    assert sorted(str(r.variant) for r in listener.records) == ["base", "no attention"]
    assert {r.status for r in listener.records} == {"finished"}
    assert len({r.detail["pid"] for r in listener.records}) == 2


@pytest.mark.slow
def test_a_job_that_ends_without_a_result_is_a_failed_trial(study_file: Write, tmp_path: Path) -> None:
    path = study_file(ONE, "run: {launch: {slurm: {cluster: local}}, workers: 2}\n", **{"seeds: 2": "seeds: 1"})
    study, listener = load_study(path), Listener()
    run_study(study, study.folder, listener, start=lambda run, folder: SlurmLauncher(run, folder, Exits(tmp_path)))
    assert [r.status for r in listener.records] == ["failed", "failed"]
    for record in listener.records:
        assert record.reason is not None
        assert " ended without a result (" in record.reason


def test_what_submitit_is_asked_for() -> None:
    options = SlurmJobs(partition="gpu", minutes=90, cpus=8, gpus=1, memory="1500MB", options={"account": "lab"})
    assert _parameters(options) == {
        "name": "ushape", "timeout_min": 90, "cpus_per_task": 8, "gpus_per_node": 1, "slurm_partition": "gpu",
        "mem_gb": 1.5, "slurm_additional_parameters": {"account": "lab"},
    }  # fmt: skip
    import submitit

    submitit.AutoExecutor(folder="unused", cluster="debug").update_parameters(**_parameters(options))


def test_how_many_jobs_are_queued_where_the_study_does_not_say() -> None:
    launcher = SlurmLauncher(Run.model_validate({"launch": "slurm"}), Path("unused"))
    assert launcher._places == 16
