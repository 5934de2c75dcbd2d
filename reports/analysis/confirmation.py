"""Search value against confirmed value: what fresh seeds say of a search's winners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from reports.analysis.ablation import compare
from reports.analysis.effects import Effect, Verdict
from reports.analysis.samples import JUDGED_BY, by_seed
from reports.analysis.sentences import Sentence
from reports.analysis.trials import part
from reports.metrics import METRICS, Metric, p_phrase, percent_text

if TYPE_CHECKING:
    from studies.frame import StudyResults


@dataclass(frozen=True)
class Confirmed:
    """One winner: its value in the search, and what fresh seeds found of it and of the base."""

    trial: int
    search_value: float
    confirmed_value: float
    """The mean over the fresh seeds."""
    seeds: int
    """Fresh seeds that have a result of it, with the base's or without."""
    effect: Effect

    @property
    def optimism(self) -> float:
        """By how many per cent the search value is below the confirmed one."""
        return (self.search_value / self.confirmed_value - 1) * 100 if self.confirmed_value else float("nan")


def confirmed(trials: pd.DataFrame) -> list[Confirmed]:
    """Every winner that fresh seeds have a result of, in the order of the search's ranking."""
    rows = part(trials, "confirmation")
    if rows.empty:
        return []
    # The same comparison as an ablation's: winners against the base, paired by seed, in one family.
    effects = compare(rows.assign(part="ablation"), JUDGED_BY)
    found = []
    for effect in effects:
        number = int(effect.variant.removeprefix("trial "))
        searched = trials[(trials["part"] == "search") & (trials["trial"] == number)]
        fresh = by_seed(rows, effect.variant, JUDGED_BY)
        if len(searched) and fresh:
            mean = sum(fresh.values()) / len(fresh)
            found.append(Confirmed(number, float(searched[JUDGED_BY].iloc[0]), mean, len(fresh), effect))
    return found


def confirmation_sentences(results: StudyResults) -> list[Sentence]:
    """What may be claimed of the search's winners; empty where none was trained again."""
    return [_sentence(one, METRICS[JUDGED_BY]) for one in confirmed(results.trials)]


def _sentence(one: Confirmed, metric: Metric) -> Sentence:
    effect = one.effect
    values = (
        f"search value {metric.text(one.search_value)}, {percent_text(one.optimism)} against the confirmed "
        f"{metric.text(one.confirmed_value)} over {one.seeds} fresh {'seed' if one.seeds == 1 else 'seeds'}"
    )
    if effect.n == 0:
        return Sentence("few", f"Trial {one.trial} has no fresh seed in common with the base:", f"{values}.")
    values += f"; {metric.difference(effect.mean, effect.low, effect.high)} against the base"
    if effect.verdict in (Verdict.BETTER, Verdict.WORSE):
        kind = str(effect.verdict)
        head = (
            f"Trial {one.trial} is {'confirmed: better' if kind == 'better' else 'not confirmed: worse'} than the base:"
        )
        return Sentence(kind, head, f"{values}, {p_phrase(effect.p_holm)} (Holm).")
    if effect.verdict is Verdict.TOO_FEW:
        return Sentence("few", f"Trial {one.trial} has too few fresh seeds for a verdict:", f"{values}.")
    return Sentence("inconclusive", f"Trial {one.trial} is not confirmed:", f"{values}, not told apart from chance.")
