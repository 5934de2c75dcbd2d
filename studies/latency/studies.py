"""A predictor of latency that has learned from the folders of studies that were run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archspec import user_error
from studies.latency.learned import LatencyPredictor, Measured, foreign, measured_latencies
from studies.records.record import TrialRecord
from studies.records.store import Store
from studies.sections.protocol import Measure, Protocol

#: What studies must have alike for their latencies to be of one kind: of `measure`, and of `protocol.train`.
_MEASURED_ALIKE = ("batch", "threads", "compile", "cuda_graph")
_TRAINED_ALIKE = ("dtype", "micro_batch", "memory_budget", "ema", "grad_clip")


def learned_from(folders: Sequence[Path]) -> tuple[LatencyPredictor, Measure]:
    """A predictor that learned from all finished trials of some studies, and how they measured.

    Args:
        folders: of results; at least one.

    Raises:
        UserError: a folder has no results, no latency was measured here, or the studies measured differently.
    """
    stores = [Store(folder) for folder in folders]
    documents = [store.remembered_study() or {} for store in stores]
    _refuse_unlike(folders, documents)
    measure = Measure.model_validate(documents[0].get("measure", {}))
    records = [record for store in stores for part in store.parts() for record in store.records(part)]
    architectures: dict[str, dict[str, Any]] = {}
    for store in stores:
        architectures |= store.architectures()
    predictor = LatencyPredictor(Protocol.model_validate(documents[0].get("protocol", {})), measure)
    predictor.learn(_usable(records, architectures, measure))
    return predictor, measure


def _refuse_unlike(folders: Sequence[Path], documents: Sequence[dict[str, Any]]) -> None:
    for folder, document in zip(folders[1:], documents[1:], strict=True):
        for section, keys in (("measure", _MEASURED_ALIKE), ("train", _TRAINED_ALIKE)):
            first, other = (_section(one, section) for one in (documents[0], document))
            for key in keys:
                if first.get(key) != other.get(key):
                    message = (
                        f"{folders[0]} has {section}.{key} {first.get(key)}, and {folder} has {other.get(key)}: "
                        "their latencies are not of one kind."
                    )
                    raise user_error(message, "Learn from studies that measure alike, or from one of them.")


def _section(document: dict[str, Any], name: str) -> dict[str, Any]:
    holder = document if name == "measure" else document.get("protocol", {})
    found: dict[str, Any] = holder.get(name, {})
    return found


def _usable(records: list[TrialRecord], architectures: dict[str, dict[str, Any]], measure: Measure) -> Measured:
    reason = foreign(records, measure)
    if reason is not None:
        raise user_error(f"nothing can be learned of latencies on this machine: {reason}.", "Name a study run here.")
    measured = measured_latencies(records, architectures)
    if not measured:
        raise user_error(
            "no latency can be predicted: no trial of these studies has measured one.",
            "Name a study that was run with measure.latency.",
        )
    return measured
