"""The state of a training, so that it can go on where it stopped, bit for bit.

Weights, averaged weights, optimizer, and where chance stands: the order of images, timesteps and noise follow from the
seed and the number of steps taken (the streams are drawn again up to there), dropout's generators are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from archspec.text.atomic import replacing
from studies.training.train import Span, TrainingStep

VERSION = 1


@dataclass
class Kept:
    """What a training was like when it stopped: its span so far, and its curve."""

    span: Span = field(default_factory=Span)
    curve: list[tuple[int, float]] = field(default_factory=list)


def save(path: Path, step: TrainingStep, span: Span, curve: Sequence[tuple[int, float]]) -> None:
    """Write the state of a training after the steps of a span, in one piece."""
    state: dict[str, Any] = {
        "version": VERSION,
        "steps": span.done,
        "module": step.module.state_dict(),
        "optimizer": step.optimizer.state_dict(),
        "averaged": None if step.averaged is None else step.averaged.module.state_dict(),
        "updates": 0 if step.averaged is None else step.averaged.updates,
        "rng": list(span.rng),
        "curve": [list(point) for point in curve],
    }
    with replacing(path) as beside:
        torch.save(state, beside)


def restore(path: Path, step: TrainingStep) -> Kept:
    """Bring a new training to where another stopped; from its beginning if there is no file.

    Args:
        path: as given to `save`.
        step: of the same architecture and protocol; changed in place.
    """
    if not path.is_file():
        return Kept()
    state = torch.load(path, map_location=step.device, weights_only=True)
    if state["version"] != VERSION:
        return Kept()
    step.module.load_state_dict(state["module"])
    step.optimizer.load_state_dict(state["optimizer"])
    if step.averaged is not None:
        step.averaged.module.load_state_dict(state["averaged"])
        step.averaged.updates = int(state["updates"])
    generators: list[Tensor] = [generator.cpu() for generator in state["rng"]]
    span = Span(start=int(state["steps"]), done=int(state["steps"]), rng=tuple(generators))
    return Kept(span, [(int(number), float(loss)) for number, loss in state["curve"]])
