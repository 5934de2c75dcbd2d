"""Whether a study that asks about samples draws any."""

from __future__ import annotations

from collections.abc import Iterator

from archspec import Problem
from archspec.text.positions import Positions
from search.objectives import OF_SAMPLES
from studies.sections.protocol import Protocol
from studies.study.document import Search
from studies.study.salvage import Lost, is_lost


def sample_problems(protocol: Protocol, search: Search | None, positions: Positions, lost: Lost) -> Iterator[Problem]:
    """U403: the search minimises or bounds a distance of samples that are not drawn; U001: no such feature network.

    Args:
        protocol: with absolute paths.
        search: the study's, if it has one.
        positions: where things stand in the study file.
        lost: what of the study could not be read.
    """
    samples = protocol.evaluate.samples
    if samples is not None and samples.features is not None and not samples.features.torchscript.is_file():
        path = ("protocol", "evaluate", "samples", "features", "torchscript")
        message = f"the feature network {samples.features.torchscript} does not exist."
        yield positions.problem("U001", message, "Paths are relative to the study file.", path=path)
    if samples is not None or search is None or is_lost(lost, "protocol", "evaluate"):
        return
    places = [("objectives", name, index) for index, name in enumerate(search.objectives)]
    for key, name, where in [*places, *(("budgets", name, name) for name in search.budgets)]:
        if name in OF_SAMPLES:
            message = f"`{name}` is a distance of samples, and this study draws none."
            hint = "Add `samples: {}` to `protocol.evaluate`."
            yield positions.problem("U403", message, hint, path=("search", key, where))
