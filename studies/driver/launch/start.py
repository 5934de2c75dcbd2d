"""The launcher that a study names; each is imported only if it is named."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from studies.driver.loop import Launcher
from studies.study.execution import Local, OnRay, OnSlurm, Run


def start(run: Run, folder: Path) -> AbstractContextManager[Launcher]:
    """The launcher that a study names, for a run that works in `folder`; `UserError` if its package is missing."""
    return _LAUNCHERS[type(run.launch)](run, folder)


def _local(run: Run, folder: Path) -> AbstractContextManager[Launcher]:
    from studies.driver.launch.local import LocalLauncher

    return LocalLauncher.of(run, folder)


def _ray(run: Run, folder: Path) -> AbstractContextManager[Launcher]:
    del folder
    from studies.driver.launch.on_ray import RayLauncher

    return RayLauncher(run)


def _slurm(run: Run, folder: Path) -> AbstractContextManager[Launcher]:
    from studies.driver.launch.on_slurm import SlurmLauncher

    return SlurmLauncher(run, folder)


_LAUNCHERS: dict[type, Callable[[Run, Path], AbstractContextManager[Launcher]]] = {
    Local: _local, OnRay: _ray, OnSlurm: _slurm,
}  # fmt: skip
