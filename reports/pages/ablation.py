"""The ablation: a forest plot that is a table, costs, training curves and the loss by noise level."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reports.analysis.ablation import BASE, MIN_SEEDS, Effect, Verdict, base_values, compare, compared_metrics
from reports.analysis.curves import loss_by_level, variant_curves
from reports.analysis.rules import rules_of
from reports.analysis.samples import JUDGED_BY
from reports.analysis.search import text_of
from reports.analysis.trials import part
from reports.analysis.worth import Cost, costs_by_variant, judgement
from reports.figures.curves import level_figure, variant_figure
from reports.figures.forest import CLASSES, forest_axis, forest_row, forest_scale, shown_unit
from reports.metrics import (
    Metric,
    interval_text,
    join_words,
    metrics_of,
    p_text,
    percent_text,
    signed_significant,
)
from reports.pages.ablation_designs import design_tables
from reports.pages.charts import Chart, Charts
from reports.pages.method import moment

if TYPE_CHECKING:
    from studies.frame import StudyResults


def context(results: StudyResults, charts: Charts) -> dict[str, Any] | None:
    """Gather the ablation; None if the study has none."""
    rows = part(results.trials, "ablation")
    if rows.empty:
        return None
    metrics = metrics_of(results.trials)
    names = compared_metrics(results.trials)
    panels = [name for name in names if not metrics[name].counted]
    edits = {str(v): text_of(e) for v, e in zip(rows["variant"], rows["edits"], strict=True)}
    worth = costs_by_variant(results.trials)
    drawn = [_panel(results, metrics[name], edits, worth if name == JUDGED_BY else {}) for name in panels]
    return {
        "panels": drawn,
        "costs": _costs(
            results, [metrics[name] for name in names if name != JUDGED_BY], drawn[0]["rows"] if drawn else ()
        ),
        "dropped": _dropped(compare(results.trials, JUDGED_BY, rules_of(results))) if names else [],
        "tuned": join_words(rules_of(results).tuned),
        **design_tables(results, metrics[JUDGED_BY]),
        "charts": _charts(results, charts),
    }


def _panel(
    results: StudyResults, metric: Metric, edits: dict[str, str], costs: Mapping[str, Sequence[Cost]]
) -> dict[str, Any]:
    rules = rules_of(results)
    effects = compare(results.trials, metric.name, rules)
    axis = forest_axis(effects, metric)
    base = base_values(results.trials, metric.name)
    ordered = sorted(effects, key=lambda e: (e.n == 0, -e.mean if e.n else 0.0))
    tested = max((e.comparisons for e in effects), default=0)
    return {
        "metric": metric,
        "unit": shown_unit(effects[0], metric)[1] if effects else metric.unit,
        "relative": any(e.relative for e in effects),
        "base": metric.text(sum(base.values()) / len(base)) if base else None,
        "base_seeds": len(base),
        "rows": [
            _row(e, metric, edits, forest_row(e, axis, metric) if axis else "")
            | {"worth": judgement(e, costs.get(e.variant, ()))}
            for e in ordered
        ],
        "sequential": rules.sequential,
        "margin": next((metric.text(e.margin, 2) for e in effects if e.margin is not None), ""),
        "stated": moment(rules.stated) if rules.stated else "",
        "scale": forest_scale(axis) if axis else "",
        "beyond": join_words(sorted(axis.beyond)) if axis else "",
        "comparisons": tested,
        "few": _few(effects),
        "least": MIN_SEEDS,
        "detectable": _detectable(effects, metric),
    }


def _few(effects: Sequence[Effect]) -> str:
    """Whether "all", "some" or none ("") of the variants have too few seeds for a verdict."""
    few = [effect.verdict is Verdict.TOO_FEW for effect in effects if effect.n]
    return ("all" if all(few) else "some") if any(few) else ""


def _row(effect: Effect, metric: Metric, edits: dict[str, str], plot: object) -> dict[str, Any]:
    return {
        "effect": effect,
        "edits": edits.get(effect.variant, ""),
        "plot": plot,
        **_mean_and_interval(effect, metric),
        "percent": percent_text(effect.percent),
        # A p value beside "too few seeds" would be read as the verdict that is refused.
        "p": p_text(math.nan if effect.verdict is Verdict.TOO_FEW else effect.p_holm),
        "p_equivalence": "" if math.isnan(effect.p_equivalence) else f"equiv. {p_text(effect.p_equivalence)}",
        "sds": f"{signed_significant(effect.sds, 2)} SD" if math.isfinite(effect.sds) else "",
        "improvement": _improvement(effect),
        "needs": _needs(effect, metric),
        "css": CLASSES[effect.verdict],
    }


def _improvement(effect: Effect) -> str:
    one = effect.improvement
    return f"P(better) {one.share:.2f} [{one.low:.2f}, {one.high:.2f}]"


def _needs(effect: Effect, metric: Metric) -> str:
    """What an open verdict would take: the effect that these seeds find, and the seeds that the wanted one needs."""
    if effect.verdict is not Verdict.INCONCLUSIVE or not effect.smallest_detectable > 0:
        return ""
    factor, unit = shown_unit(effect, metric)
    found = Metric("", "", unit, factor).text(effect.smallest_detectable, 2)
    seeds = f"{effect.seeds_needed:,}" if effect.seeds_needed is not None else "more than 10,000"
    wanted = "the margin" if effect.margin is not None else "one as seen"
    return f"finds ±{found}; {wanted} needs {seeds} seeds (80\N{NARROW NO-BREAK SPACE}% power)"


def _mean_and_interval(effect: Effect, metric: Metric) -> dict[str, str]:
    factor, _ = shown_unit(effect, metric)
    mean, _, interval = interval_text(effect.mean * factor, effect.low * factor, effect.high * factor).partition(" ")
    return {"mean": mean, "interval": interval}


def _detectable(effects: Sequence[Effect], metric: Metric) -> str:
    """The range of the smallest detectable effects, in words; empty where no variant has one."""
    known = sorted(e.smallest_detectable for e in effects if e.smallest_detectable > 0)
    if not known:
        return ""
    factor, unit = shown_unit(next(e for e in effects if e.n), metric)
    low, high = (Metric("", "", unit, factor).text(x, 2) for x in (known[0], known[-1]))
    return low if low == high else f"{low} to {high}, depending on the variant"


def _costs(results: StudyResults, metrics: Sequence[Metric], ordered: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    columns = [(metric, {e.variant: e for e in compare(results.trials, metric.name)}) for metric in metrics]
    variants = [row["effect"].variant for row in ordered]
    base = [_mean_text(base_values(results.trials, metric.name), metric) for metric in metrics]
    rows = [
        {"variant": v, "cells": [_cost_cell(by_variant[v], metric) for metric, by_variant in columns]} for v in variants
    ]
    return {"metrics": metrics, "base": base, "rows": rows, "name": BASE}


def _mean_text(values: dict[int, float], metric: Metric) -> str:
    return metric.text(sum(values.values()) / len(values) if values else None)


def _cost_cell(effect: Effect, metric: Metric) -> dict[str, Any]:
    uncertain = not metric.counted and effect.n > 1 and effect.percent_low < effect.percent_high
    spread = interval_text(effect.percent, effect.percent_low, effect.percent_high) if uncertain else ""
    return {
        "metric": metric.name,
        "value": effect.percent,
        "text": percent_text(effect.percent),
        "interval": spread[spread.index("[") :] if spread else "",
    }


def _dropped(effects: Sequence[Effect]) -> list[str]:
    """Say which seeds could not be paired, and why; a line for each variant and reason."""
    alike: dict[tuple[str, str], list[str]] = {}
    for effect in effects:
        for drop in effect.dropped:
            alike.setdefault((effect.variant, drop.reason), []).append(str(drop.seed))
    return [
        f"{variant}, {'seed' if len(seeds) == 1 else 'seeds'} {join_words(seeds)}: left out of the pairs ({reason})."
        for (variant, reason), seeds in alike.items()
    ]


def _charts(results: StudyResults, charts: Charts) -> list[tuple[str, str, Chart]]:
    found = []
    curves = variant_curves(results)
    if curves:
        label = f"Training loss over optimizer steps for {len(curves)} variants."
        found.append(("Training curves", _CURVES, charts.add("ablation-curves", variant_figure(curves), label)))
    levels = loss_by_level(results)
    if levels:
        label = f"Held-out loss of {len(levels)} variants by timestep, in per cent of the base's."
        found.append(("Where the difference sits", _LEVELS, charts.add("ablation-levels", level_figure(levels), label)))
    return found


_CURVES = "Mean over each variant's finished seeds. The training loss is for diagnosis; nothing is ranked by it."
_LEVELS = "Held-out loss by noise level against the base, over the seeds that both share. Below the line is better."
