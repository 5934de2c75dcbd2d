"""What a study needs of the machine that it is checked on: images that fit, and where its records go."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from archspec import Problem, UserError
from archspec.graphs.graph import ArchGraph
from archspec.text.positions import Positions
from studies.study.execution import OnRay, OnSlurm
from studies.study.salvage import Lost, is_lost
from studies.study.study import Study


def here_problems(study: Study, base: ArchGraph | None, positions: Positions, lost: Lost) -> Iterator[Problem]:
    """Data that are missing or do not fit; U408, a warning, since it may be run elsewhere: no database, no launcher.

    Args:
        study: what could be read of it.
        base: its base, if that is sound.
        positions: where things stand in the study file.
        lost: what could not be read.
    """
    from studies.training.data.sources import check_fits, image_shape

    if not is_lost(lost, "protocol", "data"):
        try:
            if base is None:
                image_shape(study.protocol.data)
            else:
                check_fits(base, study.protocol.data)
        except UserError as error:
            for p in error.problems:
                yield positions.problem(p.code, p.message, p.hint, path=("protocol", "data"), node=p.node)
    yield from _launcher_problems(study, positions)
    storage = study.run.storage
    if storage is not None:
        from studies.records.database import connector

        try:
            connector(storage)
        except UserError as error:
            for p in error.problems:
                at = ("run", "storage")
                yield positions.problem("U408", p.message, p.hint, path=at, severity="warning")


def _launcher_problems(study: Study, positions: Positions) -> Iterator[Problem]:
    """U408: the package that starts trials elsewhere is not installed here."""
    for kind, extra, package in ((OnRay, "ray", "ray"), (OnSlurm, "slurm", "submitit")):
        if isinstance(study.run.launch, kind) and find_spec(package) is None:
            message = f"launch: {extra} needs the package {package}, which is not installed here."
            hint = f"Run `pip install 'ushape[{extra}]'`."
            yield positions.problem("U408", message, hint, path=("run", "launch"), severity="warning")
