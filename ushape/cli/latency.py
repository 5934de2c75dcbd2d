"""What `ushape profile --latency` says: latencies predicted from studies, with their held-out error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.graphs.graph import ArchGraph

_NAMES = {"latency": "inference", "train_latency": "training step"}


def latency_data(graph: ArchGraph, studies: list[Path]) -> dict[str, Any]:
    """Metric -> predicted value, error and why there is none, as plain data; `UserError` if nothing can be learned."""
    from dataclasses import asdict

    from studies.latency.learned import CALLS
    from studies.latency.studies import learned_from
    from ushape.cli.report import folder_of

    predictor, measure = learned_from([folder_of(study) for study in studies])
    found = {metric: predictor.predict(graph, metric) for metric in CALLS}
    return {
        "learned_from": [str(study) for study in studies],
        "architectures": predictor.architectures,
        "batch": measure.batch,
        "predicted": {
            name: {**asdict(one), "text": one.held_out.text() if one.held_out else ""}
            for name, one in found.items()
            if one is not None
        },
    }


def show_latency(data: dict[str, Any]) -> None:
    """Print it."""
    from ushape.cli.console import out

    out.print()
    learned = f"learned from {data['architectures']} architectures of {', '.join(data['learned_from'])}"
    out.print(f"[bold]latency predicted for this device[/bold], batch {data['batch']}, {learned}")
    for name, one in data["predicted"].items():
        ratio = name.endswith("_ratio")
        value = f"{one['value']:.3g} × the reference network" if ratio else f"{one['value'] * 1e3:.3g} ms"
        error = one["text"] or f"error unknown: {one['why_not']}"
        out.print(f"{_NAMES[name.removesuffix('_ratio')]}: {value} ({error})", markup=False)
