"""What designs and rules of an ablation say: effects of factors, steps of a path, and what the design cannot see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from reports.analysis.ablation import compare
from reports.analysis.factorial import Term, terms_of, words_of
from reports.analysis.rules import Rules, rules_of
from reports.analysis.samples import by_seed
from reports.analysis.sentences import Sentence
from reports.analysis.statistics import ALPHA, holm
from reports.analysis.trials import part
from reports.metrics import Metric, join_words, metric_of, metrics_of, p_phrase

if TYPE_CHECKING:
    from studies.frame import StudyResults


@dataclass(frozen=True)
class Tested:
    """An effect of a factorial with its p value among all comparisons of the study."""

    term: Term
    p_holm: float

    @property
    def found(self) -> bool:
        """Whether it is told from zero."""
        return self.p_holm < ALPHA


def factorial_effects(trials: pd.DataFrame, metric: str, rules: Rules) -> list[Tested]:
    """The effects of the study's factorial, in one family with its variants."""
    terms = terms_of(trials, metric)
    variants = [effect.p for effect in compare(trials, metric, rules)] if terms else []
    adjusted = holm([*variants, *(term.p for term in terms)])[len(variants) :]
    return [Tested(term, p) for term, p in zip(terms, adjusted, strict=True)]


@dataclass(frozen=True)
class Step:
    """One step of a path: the variant that was kept, the edit that it adds, and its mean over the common seeds."""

    variant: str
    added: str
    mean: float
    others: dict[str, float]
    """The edits that were tried and not kept in this step -> their means."""


def path_steps(trials: pd.DataFrame, metric: str) -> list[Step]:
    """The steps of the study's path that have been decided; greedy, so each is the best of those tried."""
    rows = part(trials, "ablation")
    if "design" not in rows.columns or not (rows["design"] == "path").any():
        return []
    rows = rows[rows["design"] == "path"]
    found: list[Step] = []
    before = "base"
    for number in sorted({int(n) for n in rows["factor:number"].dropna()}):
        here = rows[(rows["factor:number"].astype(float) == number) & (rows["reference"] == before)]
        means = {str(v): _mean(rows, str(v), metric) for v in here["variant"].unique()}
        known = {v: mean for v, mean in means.items() if mean is not None}
        if not known:
            break
        names = {str(v): str(s) for v, s in zip(here["variant"], here["factor:step"], strict=True)}
        best = min(known, key=lambda v: known[v])
        others = {names[v]: mean for v, mean in known.items() if v != best}
        found.append(Step(best, names[best], known[best], others))
        before = best
    return found


def _mean(rows: pd.DataFrame, variant: str, metric: str) -> float | None:
    values = by_seed(rows, variant, metric)
    return sum(values.values()) / len(values) if values else None


def design_sentences(results: StudyResults, name: str) -> list[Sentence]:
    """What the study's designs and rules have to say, found or not seen."""
    metric = metric_of(name, metrics_of(results.trials))
    rules = rules_of(results)
    said = [*_factorial(results, name, metric, rules), *_path(results, name, metric)]
    return [*said, *_limits(results, rules)]


def _factorial(results: StudyResults, name: str, metric: Metric, rules: Rules) -> list[Sentence]:
    tested = factorial_effects(results.trials, name, rules)
    found = [one for one in tested if one.found]
    said = [_of_term(one, metric) for one in found]
    rest = [words_of(one.term) for one in tested if not one.found]
    if rest:
        text = f"the effects of {join_words(rest)} are not told apart from chance."
        said.append(Sentence("inconclusive", "Factorial, inconclusive:", text))
    return said


def _of_term(one: Tested, metric: Metric) -> Sentence:
    term = one.term
    kind = "better" if term.estimate < 0 else "worse"
    shown = f"{metric.difference(term.estimate, term.low, term.high)} {metric.unit}".rstrip()
    text = f"{metric.label} {shown}; {p_phrase(one.p_holm)} (Holm)."
    if term.aliases:
        text += f" The runs cannot tell it from {join_words(term.aliases, 'or')}."
    what = "The interaction" if len(term.factors) > 1 else "The main effect"
    return Sentence(kind, f"{what} of {term.name}:", text)


def _path(results: StudyResults, name: str, metric: Metric) -> list[Sentence]:
    steps = path_steps(results.trials, name)
    if not steps:
        return []
    told = [f"{step.added} ({metric.text(step.mean)})" for step in steps]
    text = f"{', then '.join(told)}. Each step is the best of those tried, so its gain is seen too large."
    return [Sentence("note", "Path from the base, by mean loss:", text)]


def _limits(results: StudyResults, rules: Rules) -> list[Sentence]:
    ablation = results.document.get("ablation") or {}
    said = []
    if ablation.get("leave_one_out"):
        text = "Parts that stand in for each other can each look dispensable: a factorial shows that."
        said.append(Sentence("note", "Leaving one out can't see interactions.", text))
    if rules.margin is not None and not rules.beforehand:
        text = f"It was stated at {rules.stated}, when there were results already."
        said.append(Sentence("note", "No equivalence is claimed by this margin.", text))
    if rules.sequential:
        text = (
            "Intervals and p values hold however often one looks (Lai 1976; Wang & Ramdas 2024), and are wider for it."
        )
        said.append(Sentence("note", "Seeds were added until each variant was decided.", text))
    if rules.tuned:
        text = f"Each variant tuned {join_words(rules.tuned)} on seeds of its own before it was judged."
        said.append(Sentence("note", "Tuned:", text))
    return said
