"""The sentences at the top of the page: what the study says, no more than it can say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reports.analysis.ablation_answer import ablation_sentences
from reports.analysis.confirmation import confirmation_sentences
from reports.analysis.knee import knee_sentences
from reports.analysis.pareto import compared_column, first_objective
from reports.analysis.rankings import search_disagreement
from reports.analysis.samples import BASE, JUDGED_BY
from reports.analysis.sentences import Sentence
from reports.analysis.trials import has_values, part, status_counts, status_of, usable
from reports.analysis.unfinished import unfinished_sentences
from reports.metrics import NARROW, Metric, join_words, metric_of, metrics_of, percent_text

if TYPE_CHECKING:
    from studies.frame import StudyResults

TOLERANCE = 0.01
"""A cheaper architecture counts if its first objective is within this share of the best."""


@dataclass(frozen=True)
class Answer:
    """What the study says, and how many trials it says it from."""

    ablation: tuple[Sentence, ...]
    search: tuple[Sentence, ...]
    counts: dict[str, dict[str, int]]
    """Part -> status -> number of trials, for the parts that exist."""


def answer(results: StudyResults) -> Answer:
    """Say what the study found."""
    parts = [name for name in ("ablation", "search") if len(part(results.trials, name))]
    said = {
        "ablation": lambda: ablation_sentences(results, JUDGED_BY),
        "search": lambda: _search(results),
    }
    told = {name: tuple(said[name]()) for name in parts}
    # Once, for it is about all trainings.
    told |= {name: (*told[name], *unfinished_sentences(results)) for name in parts[:1]}
    return Answer(
        ablation=told.get("ablation", ()),
        search=told.get("search", ()),
        counts={name: status_counts(part(results.trials, name)) for name in parts},
    )


def counts_text(counts: Mapping[str, int]) -> str:
    """Write counts by status: "12 trials: 9 finished, 2 refused, 1 out of memory"."""
    total = sum(counts.values())
    words = [f"{number} {status_of(name).label}" for name, number in counts.items()]
    return f"{total} {'trial' if total == 1 else 'trials'}: {', '.join(words)}" if words else "no trial yet"


def best_trial(results: StudyResults) -> pd.Series | None:
    """Return the search's trained trial with the best first objective within the budgets; None without one."""
    kept, first = _kept(results), first_objective(results)
    return kept.iloc[_best_of(kept[first], more_is_better=first in results.maximised)] if len(kept) else None


def best_variant(results: StudyResults) -> tuple[str, str] | None:
    """Return (fingerprint, name) of the variant with the smallest mean loss; None without one."""
    rows = usable(part(results.trials, "ablation"))
    rows = rows[(rows["variant"] != BASE) & rows[JUDGED_BY].notna()]
    if rows.empty:
        return None
    best = str(rows.groupby("variant")[JUDGED_BY].mean().idxmin())
    return str(rows.loc[rows["variant"] == best, "fingerprint"].iloc[0]), best


def _best_of(values: pd.Series, *, more_is_better: bool) -> int:
    """Position of the smallest value, or of the largest where more is better; a missing one is never it."""
    numbers = values.to_numpy(dtype=float)
    return int(np.nanargmax(numbers) if more_is_better else np.nanargmin(numbers))


def _trained(results: StudyResults) -> pd.DataFrame:
    rows, first = usable(part(results.trials, "search")), first_objective(results)
    return rows[rows[first].notna()] if first in rows.columns else rows.iloc[:0]


def _kept(results: StudyResults) -> pd.DataFrame:
    rows = _trained(results)
    return rows[rows["feasible"].astype(bool)]


# ---- search --------------------------------------------------------------------------------------------------------


def _search(results: StudyResults) -> list[Sentence]:
    if not len(_trained(results)):
        return [Sentence("note", "No search trial has a result.", _endings(results))]
    best = best_trial(results)
    if best is None:
        return [_closest(results)]
    metric = metric_of(first_objective(results), metrics_of(results.trials))
    label = f"Best {metric.label} within budget:" if results.budgets else f"Best {metric.label}:"
    text = (
        f"trial {best['trial']}, {metric.text(best[metric.name])}{_costs(results, best)}.{_against_base(results, best)}"
    )
    sentences = [Sentence("best", label, text), *_cheapest(results, best, metric), *knee_sentences(results, best)]
    doubts = [Sentence("note", *said) for said in search_disagreement(results.trials)]
    return [*sentences, *doubts, *_caution(results)]


def _endings(results: StudyResults) -> str:
    return f"{counts_text(status_counts(part(results.trials, 'search')))}."


def _cost_names(results: StudyResults) -> list[str]:
    first, trained = first_objective(results), _trained(results)
    named = [name for name in results.objectives if name != first] or ["latency", "parameters"]
    return [name for name in named if name != first and has_values(trained, name)]


def _costs(results: StudyResults, row: pd.Series) -> str:
    metrics = metrics_of(results.trials)
    shown = [f"{m.label} {m.text(row[m.name])}" for m in (metric_of(n, metrics) for n in _cost_names(results))]
    return f" ({', '.join(shown)})" if shown else ""


def _against_base(results: StudyResults, best: pd.Series) -> str:
    rows = _trained(results)
    same = rows[rows["fingerprint"] == results.base]
    if not len(same):
        return ""
    base, name = same.iloc[0], first_objective(results)
    if base["trial"] == best["trial"]:
        return " It is the base itself."
    change = (best[name] / base[name] - 1) * 100 if base[name] else float("nan")
    metric = metric_of(name, metrics_of(results.trials))
    return f" The base (trial {base['trial']}) has {metric.text(base[name])}: a difference of {percent_text(change)}."


def _cheapest(results: StudyResults, best: pd.Series, metric: Metric) -> list[Sentence]:
    kept, sign = _kept(results), -1.0 if metric.name in results.maximised else 1.0
    near = kept[sign * kept[metric.name] <= sign * best[metric.name] + abs(best[metric.name]) * TOLERANCE]
    found: list[Sentence] = []
    none: list[str] = []
    none_more: list[str] = []
    for cost in (metric_of(n, metrics_of(results.trials)) for n in _cost_names(results)):
        gain = cost.name in results.maximised
        by = compared_column(part(results.trials, "search"), cost.name)
        known = near[near[by].notna()]
        row = known.iloc[_best_of(known[by], more_is_better=gain)] if len(known) else best
        change = (row[by] / best[by] - 1) * 100 if best[by] else float("nan")
        if not (change > 0 if gain else change < 0):
            (none_more if gain else none).append(cost.label)
            continue
        ratio = "" if by == cost.name else " by its ratio to the reference network"
        quality = f"{metric.label} {metric.text(row[metric.name])}"
        numbers = f"{cost.text(row[cost.name])}, {percent_text(change)}{ratio}; {quality}"
        head = f"{'Most' if gain else 'Cheapest'} within 1{NARROW}% of it by {cost.label}:"
        found.append(Sentence("cheapest", head, f"trial {row['trial']} ({numbers})."))
    if none:
        head = f"None within 1{NARROW}% of it is cheaper by {join_words(none, 'or')}."
        found.append(Sentence("cheapest", head))
    if none_more:
        head = f"None within 1{NARROW}% of it has more {join_words(none_more, 'or')}."
        found.append(Sentence("cheapest", head))
    return found


def _closest(results: StudyResults) -> Sentence:
    rows, metrics = _trained(results), metrics_of(results.trials)
    over = pd.DataFrame({name: rows[name] / limit - 1 for name, limit in results.budgets.items() if name in rows})
    head = f"None of {len(rows)} trained trials keeps the budgets."
    if over.empty or not over.notna().any(axis=None):
        return Sentence("note", head)
    position = int(over.max(axis=1).fillna(math.inf).to_numpy().argmin())
    row, name = rows.iloc[position], str(over.iloc[position].idxmax())
    metric = metric_of(name, metrics)
    used = f"{metric.label} {metric.text(row[name])} of {metric.text(results.budgets[name])} allowed"
    return Sentence("note", head, f"Closest: trial {row['trial']}, {used}.")


def _caution(results: StudyResults) -> list[Sentence]:
    told = confirmation_sentences(results)
    if told:
        return told
    rows = _trained(results)
    if not rows["fingerprint"].duplicated().any() or rows.groupby("fingerprint")["seed"].nunique().max() <= 1:
        text = (
            "Differences between neighbours may be chance, so no winner is claimed; `ushape confirm` trains the best "
            "with fresh seeds."
        )
        return [Sentence("note", "Every architecture of the search ran with one seed.", text)]
    return []


__all__ = ["Answer", "Sentence", "answer", "best_trial", "best_variant", "counts_text"]
