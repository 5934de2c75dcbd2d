"""Where the two headline losses rank architectures differently, so that a reader does not trust one of them alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd
from scipy.stats import kendalltau

from reports.analysis.ablation import Effect, Verdict, compare
from reports.analysis.rules import rules_of
from reports.analysis.trials import has_values, part, usable
from reports.metrics import METRICS, interval_text, significant

if TYPE_CHECKING:
    from studies.frame import StudyResults

FIRST, SECOND = "loss", "loss_edm"
"""The metrics that are held against each other: noise error uniform in timesteps, image error weighted as EDM does."""

FEWEST = 3
"""Fewer architectures than this have no ranking to speak of."""

_CLEAR = (Verdict.BETTER, Verdict.WORSE)


def ablation_disagreements(results: StudyResults) -> list[tuple[str, str]]:
    """Return (head, text) for every variant that is clearly better by one loss and leans the other way by the other.

    A variant counts if the verdict by either loss is clear and the mean differences have opposite signs.
    """
    trials, rules = results.trials, rules_of(results)
    rows = usable(part(trials, "ablation"))
    if not (has_values(rows, FIRST) and has_values(rows, SECOND)):
        return []
    pairs = zip(compare(trials, FIRST, rules), compare(trials, SECOND, rules), strict=True)
    return [
        (f"The losses disagree on {first.variant}:", f"{_said(first)}, but {_said(second)}.")
        for first, second in pairs
        if first.mean * second.mean < 0 and (first.verdict in _CLEAR or second.verdict in _CLEAR)
    ]


def _said(effect: Effect) -> str:
    metric = METRICS[effect.metric]
    return f"{metric.label} {interval_text(effect.mean, effect.low, effect.high)} ({effect.verdict_text})"


def search_disagreement(trials: pd.DataFrame) -> list[tuple[str, str]]:
    """Return (head, text) if the losses choose different best architectures within the budgets; else nothing.

    The text holds Kendall's τ of the two rankings over the architectures that have both losses.
    """
    rows = usable(part(trials, "search"))
    if not (has_values(rows, FIRST) and has_values(rows, SECOND)):
        return []
    rows = rows[rows[FIRST].notna() & rows[SECOND].notna()].drop_duplicates("fingerprint")
    kept = rows[rows["feasible"].astype(bool)]
    if len(rows) < FEWEST or kept.empty:
        return []
    best = [kept.iloc[int(kept[name].to_numpy().argmin())] for name in (FIRST, SECOND)]
    if best[0]["trial"] == best[1]["trial"]:
        return []
    tau = float(kendalltau(rows[FIRST], rows[SECOND]).statistic)
    agreement = "" if math.isnan(tau) else f" Kendall's τ of the two rankings of {len(rows)} is {significant(tau, 2)}."
    text = f"trial {best[0]['trial']} by {METRICS[FIRST].label}, trial {best[1]['trial']} by {METRICS[SECOND].label}."
    return [("The losses choose different architectures:", text + agreement)]
