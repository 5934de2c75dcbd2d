"""One trial as data: an architecture and a seed go in, an outcome comes out. Imports no torch; `run` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from search.scores import Score
from studies.sections.protocol import Measure, Protocol, Section

Status = Literal["finished", "oom", "diverged", "failed"]
Stage = Literal["load", "build", "train", "evaluate", "measure"]


class Job(Section):
    """What a trial needs to run, in this process or another."""

    document: dict[str, Any] = Field(description="The architecture in full, as archspec.to_document gives it.")
    protocol: Protocol = Field(description="With absolute paths.")
    measure: Measure = Field(default_factory=Measure, description="Device and measurements.")
    seed: int = Field(description="Training seed.")
    until: int | None = Field(None, description="Stop after this step; null: the protocol's last.")
    state: Path | None = Field(None, description="File for the state of the training when it stops.")
    resume: Path | None = Field(None, description="File of the state that the training goes on from.")
    weights: Path | None = Field(None, description="File for the weights that were evaluated, when training is whole.")
    costs: bool = Field(default=True, description="Measure latency and memory; they are known for one that goes on.")
    scores: tuple[Score, ...] = Field((), description="Zero-cost scores to compute before training.")
    trains: bool = Field(default=True, description="Whether it is trained; if not, only its scores are computed.")


class Progress(Section):
    """How far a trial is: `loss` is the mean training loss since the report before."""

    stage: Stage
    step: int = 0
    steps: int = 0
    loss: float | None = None


class Outcome(Section):
    """What came of a trial.

    Attributes:
        status: `finished`, or why not: `oom`, `diverged` (NaN or infinite loss), `failed` (anything else raised).
        reason: one sentence for people; None when finished.
        metrics: `parameters`, `macs` (one image), `loss`, `loss_edm`, `latency` and `train_latency` (s per batch),
            `memory` and `train_memory` (bytes) with `predicted_memory` and `predicted_train_memory` as they were
            predicted before training, `fd` and `kd`, as far as the trial came and as they were asked for.
        detail: `loss_bins` [[t_low, t_high, mse], …], `snr_bins` (rows of `sections.weighting.SnrBin`), `evaluation`
            (hash and counts), `samples` (see `training.sampling.judge`), `latency` and `train_latency` (spread, rounds,
            ratio to the reference, warm-up), `load_average` before and after measuring, `scores` (zero-cost; why some
            are missing in `scores_missing`), `seconds` of each stage, and after an error `stage`, `traceback` and, for
            diverged ones, `diverged_step`.
        curve: (step, mean training loss since the point before), as far as training came.
        environment: versions, code, device; equal for trials run under equal circumstances.
        data: the summary of the data; empty when they could not be loaded.
        wall: seconds from start to end.
        files: name -> content in base64, such as `samples.png`; they are kept beside the record, not in it.
    """

    status: Status
    reason: str | None
    metrics: dict[str, float]
    detail: dict[str, Any]
    curve: tuple[tuple[int, float], ...]
    environment: dict[str, str | int | float | bool | None]
    data: dict[str, Any]
    wall: float
    files: dict[str, str] = Field(default_factory=dict)
