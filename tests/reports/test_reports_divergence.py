"""Divergence is a result: paired by seed, tested exactly, and said beside the mean of the survivors."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scipy import stats

from reports.analysis.ablation import compare
from reports.analysis.ablation_answer import ablation_sentences
from reports.analysis.divergence import divergence_sentences, divergences
from tests.reports.synthetic_study import make_study
from tests.reports.test_reports_ablation import frame

EIGHT = [0.100, 0.110, 0.095, 0.105, 0.102, 0.098, 0.104, 0.099]


def test_a_variant_that_always_diverges_is_less_stable() -> None:
    trials = frame(base=EIGHT, wild=["diverged"] * 8, calm=EIGHT)
    wild, calm = divergences(trials)
    assert (wild.seeds, wild.variant_diverged, wild.reference_diverged) == (8, 8, 0)
    assert wild.p == pytest.approx(float(stats.binomtest(8, 8).pvalue))
    assert wild.p_holm == pytest.approx(2 * wild.p) and wild.found
    assert (calm.variant_diverged, calm.p, calm.found) == (0, 1.0, False)
    (said,) = divergence_sentences(trials)
    assert (said.kind, str(said).replace("\N{NO-BREAK SPACE}", " ")) == (
        "worse",
        "wild is less stable than the base: its training diverged in 8 of 8 seeds, the base in none; "
        "p = 0.016 (McNemar, exact; Holm).",
    )


def test_too_few_seeds_are_told_without_a_verdict() -> None:
    trials = frame(base=EIGHT, wild=[*EIGHT[:5], "diverged", "diverged", "diverged"])
    (said,) = divergence_sentences(trials)
    assert said.kind == "note"
    assert str(said) == (
        "Diverged, too seldom to be told from chance: wild in 3 of 8 seeds. "
        "Other comparisons of these rest on the seeds that survived."
    )


def test_a_base_that_diverges_alone_speaks_for_the_variant() -> None:
    trials = frame(base=["diverged"] * 8, calm=EIGHT)
    (said,) = divergence_sentences(trials)
    assert (said.kind, said.head) == ("better", "calm is more stable than the base:")


def test_only_seeds_that_ended_on_both_sides_count() -> None:
    trials = frame(base=[*EIGHT[:6], "oom", "failed"], wild=["diverged"] * 7 + ["running"])
    (one,) = divergences(trials)
    assert (one.seeds, one.variant_diverged) == (6, 6)


def test_the_answer_says_it_and_why_nothing_else_is_compared() -> None:
    study = replace(make_study(trials=0), trials=frame(base=EIGHT, wild=["diverged"] * 8))
    sentences = [str(s) for s in ablation_sentences(study, "loss")]
    assert sentences[0].startswith("wild is less stable than the base")
    assert "No seed of wild can be paired with the base. The variant: diverged." in sentences


def test_a_table_says_what_became_of_lost_seeds() -> None:
    wild, some = compare(frame(base=EIGHT, wild=["diverged"] * 8, some=[*EIGHT[:3], *["diverged"] * 4, "oom"]), "loss")
    assert wild.verdict_text == "no paired seeds; diverged in 8 of 8"
    assert some.verdict_text == (
        "too few seeds for a verdict (n=3; 5 needed; diverged in 4 of 8; out of memory in 1 of 8)"
    )
