"""All trials in one table; every row opens to what is known of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd
from markupsafe import Markup

from reports.analysis.pareto import by_ratio, objectives_of, pareto_kinds
from reports.analysis.search import pieces, text_of, value_text
from reports.analysis.trials import (
    USABLE,
    Status,
    as_records,
    has_values,
    parameter_columns,
    part,
    replayed_trial,
    status_counts,
    status_of,
)
from reports.figures.kinds import KINDS
from reports.metrics import NARROW, Metric, join_words, metric_of, metrics_of, percent_text, significant
from reports.pages.charts import Charts
from reports.pages.method import moment
from reports.pages.search_data import packed
from reports.pages.trial_details import MOST, small_curve, spec_text

if TYPE_CHECKING:
    from studies.frame import StudyResults

_TABLE_METRICS = (
    "loss",
    "loss_edm",
    "fd",
    "kd",
    "latency",
    "train_latency",
    "memory",
    "train_memory",
    "parameters",
    "macs",
)


MOST_WRITTEN = 400
"""Rows that stand in the page as they are; those of a longer table are kept compressed and shown in pages."""


@dataclass(frozen=True)
class Cell:
    """One cell: what is read, and what it is sorted by (a number, or a text with its numbers in order)."""

    text: str
    value: float | None = None
    key: str = ""
    metric: str = ""


@dataclass(frozen=True)
class _Shown:
    """The table's columns, and every metric with the units of this study."""

    metrics: Sequence[Metric]
    parameters: Sequence[str]
    searched: Sequence[str]
    """All columns of the search space, and those of predictions."""
    predicted: Sequence[str]
    units: dict[str, Metric]
    parts: Sequence[str]


def context(results: StudyResults, charts: Charts) -> dict[str, Any] | None:
    """Gather the table; None if there is no trial."""
    del charts
    trials = results.trials
    if trials.empty:
        return None
    units = metrics_of(trials)
    deciding = [metric_of(n, units) for n in by_ratio(results)]
    metrics = [metric_of(n, units) for n in _columns(results, deciding) if has_values(trials, n)]
    variants, parts = has_values(trials, "variant"), list(dict.fromkeys(map(str, trials["part"])))
    parameters = parameter_columns(trials)
    kinds = _kinds(results)
    space, predictions = ([c for c in map(str, trials) if c.startswith(p)] for p in ("param:", "predicted_"))
    shown = _Shown(metrics, parameters, space, predictions, units, parts)
    statuses = [status_of(name) for name in status_counts(trials)]
    rows = [
        _row(results, row, shown, kinds.get((str(row["part"]), int(row["trial"])), "")) for row in as_records(trials)
    ]
    return {
        "metrics": metrics,
        "deciding": join_words(metric.label for metric in deciding),
        "same": {name for name in ("seed", *(m.name for m in metrics), *parameters) if not _varies(trials, name)},
        "parameters": [c.removeprefix("param:") for c in parameters],
        "variants": variants,
        "parts": parts,
        "statuses": statuses,
        "rows": rows,
        "most_written": MOST_WRITTEN,
        "rest": _rest(statuses, rows[MOST_WRITTEN:], variants=variants) if len(rows) > MOST_WRITTEN else "",
    }


def _columns(results: StudyResults, deciding: Sequence[Metric]) -> list[str]:
    """The metrics from left to right; beside a time stands the ratio that trials are compared by."""
    ratios = {metric.name: metric.ratio for metric in deciding}
    shown = [(name, ratios.get(name)) for name in (*_TABLE_METRICS, *results.objectives, *results.budgets)]
    return list(dict.fromkeys(name for pair in shown for name in pair if name))


def _rest(statuses: Sequence[Status], rows: Sequence[Mapping[str, Any]], *, variants: bool) -> Markup:
    """Pack the rows that are not written out: what their cells say and are sorted by; table.js makes rows of them."""
    place = {status.name: number for number, status in enumerate(statuses)}
    kinds = list(KINDS)
    return packed(
        {
            "statuses": [{"name": s.name, "label": s.label, "symbol": s.symbol} for s in statuses],
            "kinds": [{"css": k.css, "label": k.label, "sign": k.sign} for k in KINDS.values()],
            "rows": [
                [
                    r["part"],
                    place[r["status"].name],
                    r["trial"],
                    kinds.index(r["kind"].name) if r["kind"] else -1,
                    _listed(r, variants=variants),
                    r["details"],
                    str(r["curve"]),
                    r["fingerprint"],
                ]
                for r in rows
            ],
        }
    )


def _listed(r: Mapping[str, Any], *, variants: bool) -> list[list[float | str]]:
    """[text] or [text, what it is sorted by] for each column, as the cells of a row that is written out have them."""
    cells = [
        [cell.text, cell.value] if cell.value is not None else [cell.text, cell.key] if cell.key else [cell.text]
        for cell in (*r["metrics"], *r["parameters"])
    ]
    variant = [[r["variant"]]] if variants else []
    return [[""], [str(r["trial"]), r["place"]], *variant, [str(r["seed"]), r["seed"]], [r["status"].label], *cells]


def _varies(trials: pd.DataFrame, column: str) -> bool:
    """Whether a column tells trials apart; a metric does too where only some trials have it."""
    if len(trials) < 2:
        return True
    known = trials[column].dropna()
    different = known.astype(str).nunique()
    return different > 1 or (different == 1 and len(known) < len(trials) and not column.startswith("param:"))


def _kinds(results: StudyResults) -> dict[tuple[str, int], str]:
    rows = part(results.trials, "search")
    if rows.empty:
        return {}
    kinds = pareto_kinds(rows, objectives_of(results), results.maximised)
    return {("search", int(t)): kind for t, kind in zip(rows["trial"], kinds, strict=True)}


def _row(results: StudyResults, row: Mapping[Any, Any], shown: _Shown, kind: str) -> dict[str, Any]:
    status = status_of(str(row["status"]))
    return {
        "part": str(row["part"]),
        "trial": int(row["trial"]),
        "id": f"{row['part']}-{row['trial']}",
        "place": 10_000_000 * shown.parts.index(str(row["part"])) + int(row["trial"]),
        "variant": text_of(row["variant"]),
        "seed": int(row["seed"]),
        "status": status,
        "kind": KINDS.get(kind) if status.name in USABLE else None,
        "metrics": [_metric_cell(row.get(m.name), m) for m in shown.metrics],
        "parameters": [_parameter_cell(row[c]) for c in shown.parameters],
        "fingerprint": text_of(row["fingerprint"]),
        "curve": small_curve(
            results.curves.get((str(row["part"]), int(row["trial"])), ()),
            ended_early=status.name not in USABLE,
            most=MOST if len(results.trials) <= MOST_WRITTEN else MOST // 2,
        ),
        "details": _details(results, row, shown),
    }


def _metric_cell(value: Any, metric: Metric) -> Cell:
    number = float(value) if value is not None and not pd.isna(value) else math.nan
    if math.isnan(number):
        return Cell("", None, metric=metric.name)
    text = significant(metric.shown(number), 4 if metric.name in ("loss", "loss_edm") else 3)
    return Cell(text, number, metric=metric.name)


def _parameter_cell(value: Any) -> Cell:
    text = text_of(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and text:
        return Cell(f"{value:g}", float(value))
    return Cell(text, None, _key(text))


@cache
def _key(text: str) -> str:
    """What a text is sorted by: its numbers in their order."""
    return "".join(f"{t:012.4f}" if isinstance(t, float) else t for t in pieces(text))


def _details(results: StudyResults, row: Mapping[Any, Any], shown: _Shown) -> list[tuple[str, str, str]]:
    """(term, description, class) of everything else that is known of a trial; unknown things are left out."""
    metrics = shown.units
    source = replayed_trial(row)
    items = [
        ("Edits", text_of(row["edits"]) or "none: the base as it is", ""),
        ("Reason", text_of(row["reason"]), "reason"),
        ("Result of", f"{source[0]} trial {source[1]}" if source else "", ""),
        ("Over budget", _over(results, row, metrics), ""),
        ("Latency", _spread(row, metrics["latency"]), ""),
        ("Training step", _spread(row, metrics["train_latency"]), ""),
        ("Predicted", _predicted(row, shown), ""),
        *((c.removeprefix("param:"), value_text(row[c]), "") for c in shown.searched),
        ("Wall time", f"{significant(float(row['wall']), 3)}{NARROW}s" if text_of(row["wall"]) else "", ""),
        ("Started", moment(text_of(row["started"])), ""),
        ("Device", text_of(row["device"]), ""),
        ("Spec", spec_text(results.architectures, text_of(row["fingerprint"])), "spec"),
        ("Fingerprint", text_of(row["fingerprint"]), "mono"),
    ]
    return [(term, text, css) for term, text, css in items if text]


def _over(results: StudyResults, row: Mapping[Any, Any], metrics: dict[str, Metric]) -> str:
    if row["part"] != "search" or row["status"] not in USABLE:
        return ""
    broken = [
        f"{m.label} {m.text(row[m.name])} of {m.text(limit)} allowed"
        for m, limit in ((metric_of(n, metrics), limit) for n, limit in results.budgets.items())
        if m.name in row and row[m.name] > limit
    ]
    return "; ".join(broken)


def _predicted(row: Mapping[Any, Any], shown: _Shown) -> str:
    """What was predicted before the training, and how far off it was."""
    said = []
    for column in shown.predicted:
        name = column.removeprefix("predicted_")
        predicted, measured, metric = row[column], row.get(name), metric_of(name, shown.units)
        if pd.isna(predicted):
            continue
        known = measured is not None and not pd.isna(measured) and measured > 0
        off = f" (measured {metric.text(measured)}, {percent_text((predicted / measured - 1) * 100)})" if known else ""
        said.append(f"{metric.label.replace('_', ' ')} {metric.text(predicted)}{off}")
    return "; ".join(said)


def _spread(row: Mapping[Any, Any], metric: Metric) -> str:
    value, low, high = (row.get(f"{metric.name}{suffix}") for suffix in ("", "_p10", "_p90"))
    if value is None or pd.isna(value):
        return ""
    spread = "" if low is None or pd.isna(low) else f" (10 to 90 %: {metric.text(low)} to {metric.text(high)})"
    ratio = row.get(f"{metric.name}_ratio")
    against = "" if ratio is None or pd.isna(ratio) else f"; {significant(ratio, 3)} × the reference network"
    return f"median {metric.text(value)}{spread}{against}"
