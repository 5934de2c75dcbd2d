"""How well zero-cost scores rank trained trials, by numbers and on the page."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reports.analysis.scores import rankings, tau_of
from reports.dashboard import write_dashboard
from reports.pages.scores import scores_context
from reports.tables import write_tables
from studies.frame import StudyResults
from tests.reports.synthetic_study import make_study


def scored(objectives: tuple[str, ...] = ("loss", "parameters")) -> StudyResults:
    """A study whose score `snip` is the loss with the sign turned, and `synflow` chance."""
    results = make_study(seeds=0, trials=40, objectives=objectives)
    chance = np.random.default_rng(1).random(len(results.trials))
    trials = results.trials.copy()
    trials["score:snip"], trials["score:synflow"] = -trials["loss"], chance
    return replace(results, trials=trials)


def test_a_perfect_score_and_one_of_chance() -> None:
    snip, synflow = rankings(scored())
    assert (snip.score, snip.objective, snip.tau.value, snip.verdict) == (
        "snip",
        "loss",
        1.0,
        "higher scores are better",
    )
    assert 0.8 < snip.tau.low < 1.0 == snip.tau.high
    assert synflow.verdict == "does not rank this study's trials"
    assert synflow.tau.low < 0 < synflow.tau.high
    results = scored()
    trained = results.trials[results.trials["status"] == "finished"]
    assert snip.n == trained["fingerprint"].nunique()


def test_a_maximised_objective_turns_the_sign() -> None:
    turned = rankings(replace(scored(), maximised=frozenset({"loss"})))[0]
    assert turned.tau.value == -1.0
    assert turned.verdict == "lower scores are better"


def test_the_interval_is_that_of_fieller_hartley_and_pearson() -> None:
    rng = np.random.default_rng(0)
    first = rng.random(30)
    tau = tau_of(first, first + rng.normal(0, 0.3, 30))
    reach = 1.959964 * math.sqrt(0.437 / 26)
    assert tau.low == pytest.approx(math.tanh(math.atanh(tau.value) - reach), abs=1e-6)
    assert tau.high == pytest.approx(math.tanh(math.atanh(tau.value) + reach), abs=1e-6)


def test_the_interval_covers_the_true_tau_about_as_often_as_it_says() -> None:
    rng, rho = np.random.default_rng(3), 0.5
    true = 2 / math.pi * math.asin(rho)
    hits = 0
    for _ in range(400):
        x, noise = rng.normal(size=(2, 20))
        tau = tau_of(x, rho * x + math.sqrt(1 - rho**2) * noise)
        hits += tau.low <= true <= tau.high
    assert 0.91 <= hits / 400 <= 0.99


@pytest.mark.parametrize(
    ("n", "verdict"),
    [
        (5, "too few trained trials to say (8 are needed)"),
        (1, "no ranking: too few trained trials"),
    ],
)
def test_few_trials_get_no_verdict(n: int, verdict: str) -> None:
    results = scored()
    kept = results.trials[results.trials["status"] == "finished"].head(n)
    assert {one.verdict for one in rankings(replace(results, trials=kept))} == {verdict}


def test_a_score_that_is_the_same_for_all_ranks_nothing() -> None:
    results = scored()
    same = replace(results, trials=results.trials.assign(**{"score:snip": 1.0}))
    assert rankings(same)[0].verdict == "no ranking: nothing varies"


def test_the_page_and_the_tables_say_it_and_nothing_without_scores(tmp_path: Path) -> None:
    assert scores_context(make_study(seeds=0)) is None
    found = scores_context(replace(scored(), document={"search": {"prefilter": {"by": "snip"}}}))
    assert found is not None
    assert found["prefiltered"]
    write_dashboard(scored(), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "What zero-cost scores are worth here" in page
    assert "does not rank this study&#39;s trials" in page
    write_tables(scored(), tmp_path, ("csv", "markdown"))
    assert "snip,loss," in (tmp_path / "scores.csv").read_text(encoding="utf-8")
    assert "does not rank this study's trials" in (tmp_path / "scores.md").read_text(encoding="utf-8")
