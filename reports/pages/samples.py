"""Samples: pictures from the same noise, and how far they are from the training images."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from reports.analysis.drawn import Drawn, drawn
from reports.metrics import MISSING, NARROW, significant
from reports.pages.charts import Charts

if TYPE_CHECKING:
    from studies.frame import StudyResults


def context(results: StudyResults, charts: Charts) -> dict[str, Any] | None:
    """Gather pictures and distances; None if no trial has samples."""
    del charts
    shown = drawn(results)
    if not shown:
        return None
    detail = shown[0].detail
    rows = [(f"{one.label}, seed {one.seed}", *_numbers(one.detail, one.detail["number"])) for one in shown]
    if detail.get("real"):
        rows.append(("held-out images", *_numbers(detail["real"], detail["real"]["number"])))
    return {
        "grids": [(one.label, one.seed, _picture(one)) for one in shown if one.grid is not None],
        "rows": rows,
        "how": _how(detail),
        "space": detail["space"],
        "hash": str(detail["space_hash"])[:12],
        "accuracy": f"{detail['accuracy'] * 100:.0f}{NARROW}%" if "accuracy" in detail else "",
        "reference": detail["reference"],
    }


def _how(detail: dict[str, Any]) -> str:
    name = {"ddim": "DDIM", "heun": "EDM's Heun sampler"}.get(str(detail["sampler"]), str(detail["sampler"]))
    return f"{name}, {detail['calls']} calls of the network per image"


def _numbers(found: dict[str, Any], number: int) -> tuple[str, ...]:
    kd = significant(found["kd"], 3)
    error = significant(found["kd_error"], 2) if found.get("kd_error") is not None else MISSING
    bias = found["fd"] - found["fd_inf"]
    return (
        str(number),
        significant(found["fd"], 3),
        significant(found["fd_inf"], 3),
        significant(bias, 2),
        f"{kd} ± {error}",
    )


def _picture(one: Drawn) -> str:
    assert one.grid is not None
    return f"data:image/png;base64,{base64.b64encode(one.grid.read_bytes()).decode('ascii')}"
