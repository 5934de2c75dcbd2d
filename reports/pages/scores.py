"""Zero-cost scores on the page: how well each ranks this study's trained trials."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from reports.analysis.scores import Ranking, Tau, is_prefiltered, rankings
from reports.metrics import MINUS, MISSING, metric_of, metrics_of

if TYPE_CHECKING:
    from studies.frame import StudyResults


def scores_context(results: StudyResults) -> dict[str, Any] | None:
    """Gather the scores; None if the study has none."""
    found = rankings(results)
    if not found:
        return None
    metrics = metrics_of(results.trials)
    rows = [
        {"ranking": one, "objective": metric_of(one.objective, metrics).label, "tau": tau_text(one)} for one in found
    ]
    return {"rows": rows, "prefiltered": is_prefiltered(results)}


def tau_text(ranking: Ranking) -> str:
    """Tau with its interval, two digits each."""
    tau: Tau = ranking.tau
    if math.isnan(tau.value):
        return MISSING
    interval = "" if math.isnan(tau.low) else f" [{_signed(tau.low)}, {_signed(tau.high)}]"
    return _signed(tau.value) + interval


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", MINUS)
