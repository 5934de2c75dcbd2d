"""What a study needs of the machine that it is checked on: images that fit, and where its records go."""

from __future__ import annotations

from collections.abc import Iterator

from archspec import Problem, UserError
from archspec.graphs.graph import ArchGraph
from archspec.text.positions import Positions
from studies.study.salvage import Lost, is_lost
from studies.study.study import Study


def here_problems(study: Study, base: ArchGraph | None, positions: Positions, lost: Lost) -> Iterator[Problem]:
    """Data that are missing or do not fit, and (U408, a warning: it may be run elsewhere) a database not named here.

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
    storage = study.run.storage
    if storage is not None:
        from studies.records.database import connector

        try:
            connector(storage)
        except UserError as error:
            for p in error.problems:
                at = ("run", "storage")
                yield positions.problem("U408", p.message, p.hint, path=at, severity="warning")
