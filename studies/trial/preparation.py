"""What every trial of a study needs, as data, and whether a process can have it."""

from __future__ import annotations

from pydantic import Field

from archspec import Problem, UserError
from studies.sections.protocol import Data, Section
from studies.sections.start import Init


class Preparation(Section):
    """What every trial of a study needs."""

    device: str = Field(description="As in `Measure.device`.")
    data: Data = Field(description="With absolute paths.")
    init: Init | None = Field(None, description="The checkpoint that trials start from, its architecture spelled out.")


def prepared(preparation: Preparation) -> tuple[str | None, int]:
    """(why a study cannot be run in this process, or None; the devices that trials can have to themselves)."""
    from studies.measure.device import choose
    from studies.training.data.dataset import load
    from studies.training.pretrained import check_checkpoint

    try:
        device = choose(preparation.device)
        load(preparation.data)
        if preparation.init is not None:
            check_checkpoint(preparation.init)
    except UserError as error:
        return "; ".join(_told(problem) for problem in error.problems), 0
    return None, _devices(device.type) if ":" not in preparation.device else 1


def _told(problem: Problem) -> str:
    place = f"{problem.file}: " if problem.file else ""
    return f"{place}{problem.message} {problem.hint or ''}".strip()


def _devices(kind: str) -> int:
    import torch

    return torch.cuda.device_count() if kind == "cuda" else 1
