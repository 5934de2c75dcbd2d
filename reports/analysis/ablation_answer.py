"""The ablation's sentences at the top of the page: verdicts about quality and cost, or what it would take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.analysis.ablation import MIN_SEEDS, Effect, Verdict, base_values, compare, compared_metrics
from reports.analysis.ablation_notes import design_sentences
from reports.analysis.divergence import divergence_sentences
from reports.analysis.rankings import ablation_disagreements
from reports.analysis.rules import rules_of
from reports.analysis.sentences import Sentence
from reports.analysis.worth import Cost, costs_by_variant, judgement
from reports.metrics import Metric, join_words, metric_of, metrics_of, p_phrase, percent_text

if TYPE_CHECKING:
    from studies.frame import StudyResults

_CLEAR = (Verdict.BETTER, Verdict.WORSE)
_SHOWN_COSTS = ("latency", "memory", "parameters")


def ablation_sentences(results: StudyResults, name: str) -> list[Sentence]:
    """Say what the ablation found on the metric `name`."""
    metric = metric_of(name, metrics_of(results.trials))
    if name not in compared_metrics(results.trials):
        return [Sentence("note", "No ablation trial has finished.", "There is nothing to compare yet.")]
    if not base_values(results.trials, name):
        return [Sentence("note", "The base has no finished trial.", "Variants can't be compared without it.")]
    effects = compare(results.trials, name, rules_of(results))
    if not effects:
        return [Sentence("note", "Only the base has run.", "There is no variant to compare it with yet.")]
    stable = divergence_sentences(results.trials)
    costs = costs_by_variant(results.trials)
    told = [e for e in effects if e.verdict in _CLEAR]
    sentences = [_clear(e, metric, costs.get(e.variant, [])) for e in sorted(told, key=lambda e: -e.mean)]
    equal = [_equivalent(e, metric, costs.get(e.variant, [])) for e in effects if e.verdict is Verdict.EQUIVALENT]
    rest = [*_inconclusive(effects, metric), *_few(effects), *_unpaired(effects)]
    rest += [said for said in stable if said.kind == "note"]
    doubts = [Sentence("note", *said) for said in ablation_disagreements(results)]
    return [
        *sentences,
        *(s for s in stable if s.kind != "note"),
        *equal,
        *rest,
        *design_sentences(results, name),
        *doubts,
    ]


def _clear(effect: Effect, metric: Metric, costs: Sequence[Cost]) -> Sentence:
    agreeing = effect.seeds_better if effect.verdict is Verdict.BETTER else sum(d > 0 for d in effect.differences)
    rest = (
        f"{_difference(effect, metric)}, {percent_text(effect.percent)} of {_of(effect)}; "
        f"{p_phrase(effect.p_holm)} (Holm), {effect.verdict} in {agreeing} of {effect.n} seeds."
        f"{_with_costs(effect, costs)}"
    )
    if effect.survivors_only:
        lost = sum(1 for drop in effect.dropped if drop.by_variant)
        rest += f" It lost {lost} more {_seeds(lost)} without a result: this is the mean of the survivors."
    return Sentence(str(effect.verdict), f"{effect.variant} is {effect.verdict} than {_of(effect)}:", rest)


def _equivalent(effect: Effect, metric: Metric, costs: Sequence[Cost]) -> Sentence:
    margin = metric.text(effect.margin, 2)
    rest = (
        f"{_difference(effect, metric)}, within ±{margin}; {p_phrase(effect.p_equivalence)} (TOST, Holm), "
        f"{effect.n} seeds.{_with_costs(effect, costs)}"
    )
    return Sentence("equivalent", f"{effect.variant} is equivalent to {_of(effect)} within the margin:", rest)


def _difference(effect: Effect, metric: Metric) -> str:
    shown = metric.difference(effect.mean, effect.low, effect.high)
    return f"{metric.label} {shown} {metric.unit}".rstrip()


def _of(effect: Effect) -> str:
    return f"the {effect.reference}" if effect.reference == "base" else f"`{effect.reference}`"


def _with_costs(effect: Effect, costs: Sequence[Cost]) -> str:
    usual = {cost.direction for cost in costs if cost.metric in _SHOWN_COSTS}
    # What the judgement rests on is always among them.
    shown = [c.text for c in costs if c.metric in _SHOWN_COSTS or (c.direction and c.direction not in usual)]
    said = judgement(effect, costs)
    return f" {said[:1].upper()}{said[1:]} ({', '.join(shown)})." if said and shown else ""


def _inconclusive(effects: Sequence[Effect], metric: Metric) -> list[Sentence]:
    open_ones = [e for e in effects if e.verdict is Verdict.INCONCLUSIVE]
    if not open_ones:
        return []
    detectable = max(e.smallest_detectable for e in open_ones)
    rest = (
        f"the differences of {metric.label} are not told apart from chance. True ones smaller than about "
        f"{metric.text(detectable, 2)} would often be missed by so few seeds."
    )
    needed = [f"{e.variant} {_needed(e)}" for e in open_ones]
    rest += f" {_target(open_ones[0])} would need, for 80\N{NARROW NO-BREAK SPACE}% power, {join_words(needed)} seeds."
    return [Sentence("inconclusive", f"Inconclusive: {join_words(e.variant for e in open_ones)};", rest)]


def _target(effect: Effect) -> str:
    return "A difference of the margin" if effect.margin is not None else "A difference as large as the one seen"


def _needed(effect: Effect) -> str:
    return f"{effect.seeds_needed:,}" if effect.seeds_needed is not None else "more than 10,000"


def _few(effects: Sequence[Effect]) -> list[Sentence]:
    few = [e for e in effects if e.verdict is Verdict.TOO_FEW]
    if not few:
        return []
    if len({e.n for e in few}) == 1 and len(few) == len(effects):
        head = f"Too few seeds for a verdict (n={few[0].n}; {MIN_SEEDS} needed)."
        return [Sentence("few", head, "Differences are shown without one.")]
    named = join_words(f"{e.variant} (n={e.n})" for e in few)
    return [Sentence("few", f"Too few seeds for a verdict: {named};", f"{MIN_SEEDS} are needed.")]


def _unpaired(effects: Sequence[Effect]) -> list[Sentence]:
    lost: dict[str, list[Effect]] = {}
    for effect in effects:
        if effect.verdict is Verdict.NO_DATA:
            lost.setdefault(_of(effect), []).append(effect)
    said = []
    for reference, alike in lost.items():
        named = join_words(effect.variant for effect in alike)
        whys = join_words(dict.fromkeys(drop.reason for effect in alike for drop in effect.dropped))
        head = f"No seed of {named} can be paired with {reference}."
        said.append(Sentence("note", head, f"{whys[:1].upper()}{whys[1:]}."))
    return said


def _seeds(number: int) -> str:
    return "seed" if number == 1 else "seeds"
