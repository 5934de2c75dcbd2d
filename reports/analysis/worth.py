"""Is it worth its cost? What a variant costs beside how good it is, and both in one judgement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from reports.analysis.ablation import compare, compared_metrics
from reports.analysis.effects import Effect, Verdict
from reports.metrics import metrics_of, percent_text

COSTS = ("latency", "train_latency", "memory", "train_memory", "parameters", "macs")

NEGLIGIBLE = 1.0
"""Cost differences below this many per cent count as none."""


@dataclass(frozen=True)
class Cost:
    """The difference of one cost to the base, in per cent, with its 95 % interval."""

    metric: str
    label: str
    percent: float
    low: float
    high: float

    @property
    def direction(self) -> int:
        """-1 if it is less beyond doubt and beyond `NEGLIGIBLE`, 1 if it is more, else 0."""
        if self.high < 0 and self.percent <= -NEGLIGIBLE:
            return -1
        return int(self.low > 0 and self.percent >= NEGLIGIBLE)

    @property
    def text(self) -> str:
        """The label and the difference."""
        return f"{self.label} {percent_text(self.percent)}"


def costs_by_variant(trials: pd.DataFrame) -> dict[str, list[Cost]]:
    """Every cost that was measured or counted, for each variant."""
    known = metrics_of(trials)
    found: dict[str, list[Cost]] = {}
    for metric in (name for name in COSTS if name in compared_metrics(trials)):
        for effect in compare(trials, metric):
            if effect.n:
                found.setdefault(effect.variant, []).append(_cost(effect, known[metric].label))
    return found


def _cost(effect: Effect, label: str) -> Cost:
    exact = effect.verdict is Verdict.EXACT or not effect.percent_low < effect.percent_high
    ends = (effect.percent,) * 2 if exact else (effect.percent_low, effect.percent_high)
    return Cost(effect.metric, label, effect.percent, *ends)


def price_of(costs: Sequence[Cost]) -> str:
    """``cheaper``, ``dearer``, ``mixed`` or ``same``, over all costs."""
    directions = {cost.direction for cost in costs} - {0}
    return {(-1,): "cheaper", (1,): "dearer", (): "same"}.get(tuple(sorted(directions)), "mixed")


#: (verdict, price) -> the judgement about both
JUDGEMENTS: Mapping[tuple[Verdict, str], str] = {
    (Verdict.BETTER, "cheaper"): "better and cheaper: take it",
    (Verdict.BETTER, "dearer"): "better, and dearer: a trade",
    (Verdict.BETTER, "mixed"): "better; costs move both ways",
    (Verdict.BETTER, "same"): "better at the same cost",
    (Verdict.WORSE, "cheaper"): "worse, but cheaper: a trade",
    (Verdict.WORSE, "dearer"): "worse and dearer: keep the base",
    (Verdict.WORSE, "mixed"): "worse; costs move both ways",
    (Verdict.WORSE, "same"): "worse at the same cost: keep the base",
    (Verdict.EQUIVALENT, "cheaper"): "as good within the margin, and cheaper",
    (Verdict.EQUIVALENT, "dearer"): "as good within the margin, and dearer: keep the base",
    (Verdict.EQUIVALENT, "mixed"): "as good within the margin; costs move both ways",
    (Verdict.EQUIVALENT, "same"): "as good within the margin, at the same cost",
    (Verdict.INCONCLUSIVE, "cheaper"): "cheaper; its loss is open",
    (Verdict.INCONCLUSIVE, "dearer"): "dearer; its loss is open",
    (Verdict.INCONCLUSIVE, "mixed"): "costs move both ways; its loss is open",
    (Verdict.INCONCLUSIVE, "same"): "costs the same; its loss is open",
}


def judgement(effect: Effect, costs: Sequence[Cost]) -> str:
    """The verdict about quality and cost together; empty where there is no verdict, or no cost is known."""
    return JUDGEMENTS.get((effect.verdict, price_of(costs)), "") if costs else ""
