"""What is said of designs with more than single differences: factorials, paths, a stripped base, leaving one out."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from statsmodels.stats.multitest import multipletests

from reports.analysis.ablation import Rules, Verdict, compare
from reports.analysis.ablation_notes import design_sentences, factorial_effects, path_steps
from reports.analysis.factorial import terms_of, words_of
from tests.reports.synthetic_study import full_study
from tests.reports.test_reports_ablation import BASE, WORSE, frame
from tests.reports.test_reports_verdicts import SMALL


def factorial_frame(seeds: int = 6, runs: list[tuple[int, ...]] | None = None, factors: str = "abc") -> pd.DataFrame:
    """A factorial whose effects are 0.1 for a, 0 for b, -0.02 for c, and 0.06 for a x b."""
    random = np.random.default_rng(5)
    rows: list[dict[str, Any]] = []
    for seed in range(seeds):
        block = random.normal(0, 0.05)
        for run in runs or list(product((0, 1), repeat=len(factors))):
            signs = [value - 0.5 for value in run]
            loss = 1 + 0.1 * signs[0] - 0.02 * signs[2] + 2 * 0.06 * signs[0] * signs[1] + block
            name = " + ".join(f for f, on in zip(factors, run, strict=True) if on) or "base"
            rows.append(
                {"part": "ablation", "variant": name, "seed": seed, "status": "finished", "design": "factorial",
                 "loss": loss + random.normal(0, 0.004), "trial": len(rows), "reference": "base",
                 **{f"factor:{f}": f if on else "base" for f, on in zip(factors, run, strict=True)}}
            )  # fmt: skip
    return pd.DataFrame(rows)


def test_main_effects_and_interactions_are_those_of_a_formula_with_blocks() -> None:
    trials = factorial_frame()
    terms = {term.name: term for term in terms_of(trials, "loss")}
    assert list(terms) == ["a", "b", "c", "a x b", "a x c", "b x c"]
    plain = trials.rename(columns=lambda c: c.removeprefix("factor:"))
    coded = plain.assign(**{f: (plain[f] != "base") - 0.5 for f in "abc"})
    fit = smf.ols("loss ~ C(seed) + a + b + c + I(2*a*b) + I(2*a*c) + I(2*b*c)", coded).fit()
    for name, term in terms.items():
        key = name if len(name) == 1 else f"I(2 * {name[0]} * {name[-1]})"
        assert term.estimate == pytest.approx(fit.params[key])
        assert (term.low, term.high) == pytest.approx(tuple(fit.conf_int().loc[key]))
        assert term.p == pytest.approx(fit.pvalues[key])
    assert terms["a"].estimate == pytest.approx(0.1, abs=0.005)
    assert terms["a x b"].estimate == pytest.approx(0.06, abs=0.005)


def test_a_fraction_estimates_aliased_effects_together() -> None:
    half = [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)]
    terms = terms_of(factorial_frame(runs=half), "loss")
    assert [words_of(term) for term in terms] == ["a = b x c", "b = a x c", "c = a x b"]


def test_one_family_holds_the_variants_and_the_effects() -> None:
    trials = pd.concat([factorial_frame(), frame(other=[1.2, 1.1, 1.15, 1.2, 1.1, 1.2])], ignore_index=True)
    effects = compare(trials, "loss")
    other = next(effect for effect in effects if effect.variant == "other")
    cells = [effect for effect in effects if effect.variant != "other"]
    assert {cell.verdict for cell in cells} == {Verdict.IN_DESIGN}
    tested = factorial_effects(trials, "loss", Rules())
    assert other.comparisons == len(tested) + 1 == 7
    adjusted = multipletests([other.p, *(one.term.p for one in tested)], method="holm")[1]
    assert [other.p_holm, *(one.p_holm for one in tested)] == pytest.approx(list(map(float, adjusted)))
    assert [one.term.name for one in tested if one.found][:2] == ["a", "c"]


def test_a_study_without_a_factorial_has_no_effects() -> None:
    assert terms_of(frame(base=BASE, a=WORSE), "loss") == ()
    assert terms_of(factorial_frame(seeds=1), "loss") == ()


def test_the_steps_of_a_path_are_read_from_the_trials() -> None:
    rows = [("base", "", "0", 0.5), ("path: a", "base", "1", 0.3), ("path: b", "base", "1", 0.4),
            ("path: a + b", "path: a", "2", 0.35)]  # fmt: skip
    trials = pd.DataFrame(
        {"part": "ablation", "variant": v, "seed": s, "status": "finished", "loss": loss + s / 100, "design": "path",
         "reference": r or None, "factor:step": v[-1], "factor:number": n if v != "base" else None}
        for v, r, n, loss in rows for s in range(2)
    )  # fmt: skip
    trials.loc[trials["variant"] == "base", "design"] = "variants"
    steps = path_steps(trials, "loss")
    assert [(step.added, step.mean) for step in steps] == [("a", pytest.approx(0.305)), ("b", pytest.approx(0.355))]
    assert steps[0].others == {"b": pytest.approx(0.405)}
    assert {effect.verdict for effect in compare(trials, "loss")} == {Verdict.IN_DESIGN}


def test_what_is_put_back_is_compared_with_the_stripped_base() -> None:
    trials = frame(base=BASE, stripped=WORSE, put_back=SMALL).assign(design="add_one_in", reference="base")
    trials.loc[trials["variant"] == "put-back", "reference"] = "stripped"
    stripped, back = compare(trials, "loss")
    assert stripped.mean == pytest.approx(0.0201666667)
    assert back.reference == "stripped"
    assert back.mean == pytest.approx(np.subtract(SMALL, WORSE).mean())


def test_leaving_one_out_says_what_it_cannot_see() -> None:
    study = full_study()
    told = replace(study, document=study.document | {"ablation": {"leave_one_out": [{"part": "skips"}]}})
    heads = [sentence.head for sentence in design_sentences(told, "loss")]
    assert heads == ["Leaving one out can't see interactions."]
