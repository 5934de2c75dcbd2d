"""Variants that diverge: a result of its own, since the mean of the seeds that survive can't show it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd
from statsmodels.stats.contingency_tables import mcnemar

from reports.analysis.ablation import MIN_SEEDS
from reports.analysis.samples import BASE
from reports.analysis.sentences import Sentence
from reports.analysis.statistics import ALPHA, holm
from reports.analysis.trials import USABLE, part
from reports.metrics import p_phrase

DIVERGED = "diverged"


@dataclass(frozen=True)
class Divergence:
    """In how many of the common seeds a variant and its reference diverged."""

    variant: str
    reference: str
    seeds: int
    """Seeds in which both came to an end: finished or diverged."""
    variant_diverged: int
    reference_diverged: int
    p: float
    """McNemar 1947, exact: whether one diverges in more seeds than the other; paired by seed."""
    p_holm: float = 1.0
    """Adjusted over all variants of the study, a family of its own beside the comparisons of metrics."""

    @property
    def found(self) -> bool:
        """Whether one is told from the other."""
        return self.seeds >= MIN_SEEDS and self.p_holm < ALPHA


def divergences(trials: pd.DataFrame) -> list[Divergence]:
    """Compare every variant with its reference by how often training diverged, in the order of the study."""
    rows = part(trials, "ablation")
    rows = rows[rows["status"].isin([*USABLE, DIVERGED]) & rows["seed"].notna()]
    ended = {
        str(variant): {int(seed): status == DIVERGED for seed, status in zip(of["seed"], of["status"], strict=True)}
        for variant, of in rows.groupby("variant", sort=False)
    }
    found = [_compared(variant, _reference(rows, variant), ended) for variant in ended if variant != BASE]
    adjusted = holm([one.p for one in found])
    return [replace(one, p_holm=p) for one, p in zip(found, adjusted, strict=True)]


def _reference(rows: pd.DataFrame, variant: str) -> str:
    if "reference" not in rows.columns:
        return BASE
    told = rows.loc[rows["variant"] == variant, "reference"].dropna()
    return str(told.iloc[-1]) if len(told) else BASE


def _compared(variant: str, reference: str, ended: dict[str, dict[int, bool]]) -> Divergence:
    ours, base = ended[variant], ended.get(reference, {})
    pairs = [(ours[seed], base[seed]) for seed in sorted(ours.keys() & base.keys())]
    table = [[sum(pair == (a, b) for pair in pairs) for b in (True, False)] for a in (True, False)]
    p = float(mcnemar(table, exact=True).pvalue) if table[0][1] + table[1][0] else 1.0
    return Divergence(variant, reference, len(pairs), sum(a for a, _ in pairs), sum(b for _, b in pairs), p)


def divergence_sentences(trials: pd.DataFrame) -> list[Sentence]:
    """Say which variants diverged more often than their reference, and for which that can't be told."""
    said = divergences(trials)
    found = [_told(one) for one in said if one.found]
    rest = [one for one in said if not one.found and one.variant_diverged]
    if not rest:
        return found
    listed = "; ".join(f"{one.variant} in {one.variant_diverged} of {one.seeds}" for one in rest)
    text = f"{listed} seeds. Other comparisons of these rest on the seeds that survived."
    return [*found, Sentence("note", "Diverged, too seldom to be told from chance:", text)]


def _told(one: Divergence) -> Sentence:
    more = one.variant_diverged > one.reference_diverged
    whose = "the base" if one.reference == BASE else f"`{one.reference}`"
    text = (
        f"its training diverged in {one.variant_diverged} of {one.seeds} seeds, {whose} in "
        f"{one.reference_diverged or 'none'}; {p_phrase(one.p_holm)} (McNemar, exact; Holm)."
    )
    if 0 < one.variant_diverged < one.seeds:
        text += " Other comparisons of it rest on the seeds that survived."
    head = f"{one.variant} is {'less' if more else 'more'} stable than {whose}:"
    return Sentence("worse" if more else "better", head, text)
