"""Factorials: three levels, cells that are missing, the base as a cell or not, and the means that are plotted."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from reports.analysis.ablation_notes import design_sentences, factorial_effects, path_steps
from reports.analysis.factorial import terms_of, trainings_of, words_of
from reports.analysis.interaction import cells_of
from reports.analysis.rules import Rules
from reports.analysis.samples import compared_metrics
from tests.reports.bare_study import bare_study, plain
from tests.reports.test_reports_ablation import BASE, WORSE, frame
from tests.reports.test_reports_designs import factorial_frame


def grid(levels: dict[str, list[str]], seeds: int = 4, seed: int = 0) -> pd.DataFrame:
    """Every combination of the levels with every seed; the loss is noise."""
    random = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for number, chosen in itertools.product(range(seeds), itertools.product(*levels.values())):
        name = " + ".join(level for level in chosen if level != "base") or "base"
        factors = {f"factor:{factor}": level for factor, level in zip(levels, chosen, strict=True)}
        rows.append(
            {"part": "ablation", "trial": len(rows), "variant": name, "seed": number, "status": "finished",
             "design": "factorial", "reference": "base", "loss": random.normal(1, 0.1), **factors}
        )  # fmt: skip
    return pd.DataFrame(rows)


THREE = {"kind": ["base", "linear", "none"], "skip": ["base", "add"]}


def test_each_level_of_a_factor_with_three_is_an_effect_against_the_bases() -> None:
    trials = grid(THREE)
    terms = {term.name: term for term in terms_of(trials, "loss")}
    assert list(terms) == ["kind=linear", "kind=none", "skip", "kind=linear x skip", "kind=none x skip"]
    coded = trials.assign(
        a=(trials["factor:kind"] == "linear") - 1 / 3, b=(trials["factor:kind"] == "none") - 1 / 3,
        s=(trials["factor:skip"] == "add") - 0.5,
    )  # fmt: skip
    fit = smf.ols("loss ~ C(seed) + a + b + s + I(2*a*s) + I(2*b*s)", coded).fit()
    for name, key in zip(terms, ["a", "b", "s", "I(2 * a * s)", "I(2 * b * s)"], strict=True):
        assert terms[name].estimate == pytest.approx(fit.params[key])
        assert terms[name].p == pytest.approx(fit.pvalues[key])
        assert terms[name].df == fit.df_resid == 24 - 4 - 5
        assert terms[name].factors == tuple(name.split(" x "))
    # In a whole factorial the effect of a level is the difference of two means.
    means = trials.groupby("factor:kind")["loss"].mean()
    assert terms["kind=none"].estimate == pytest.approx(means["none"] - means["base"])


def test_an_interaction_is_half_the_difference_of_one_effect_between_the_levels_of_the_other() -> None:
    trials = grid({"a": ["base", "x"], "b": ["base", "y"]})
    means = trials.groupby(["factor:a", "factor:b"])["loss"].mean()
    at = {level: means["x", level] - means["base", level] for level in ("base", "y")}
    (term,) = [term for term in terms_of(trials, "loss") if term.name == "a x b"]
    assert term.estimate == pytest.approx((at["y"] - at["base"]) / 2)


def test_a_cell_that_is_missing_or_has_no_result_leaves_an_unbalanced_fit() -> None:
    trials = grid({"a": ["base", "x"], "b": ["base", "y"]}, seeds=6)
    trials.loc[3, "status"] = "diverged"
    trials.loc[9, "loss"] = math.nan
    kept = trials.drop(index=[3, 9])
    coded = kept.assign(a=(kept["factor:a"] == "x") - 0.5, b=(kept["factor:b"] == "y") - 0.5)
    fit = smf.ols("loss ~ C(seed) + a + b + I(2*a*b)", coded).fit()
    found = {term.name: term for term in terms_of(trials, "loss")}
    assert [found[name].estimate for name in ("a", "b", "a x b")] == pytest.approx(
        [fit.params[key] for key in ("a", "b", "I(2 * a * b)")]
    )
    assert (found["a"].low, found["a"].high) == pytest.approx(tuple(fit.conf_int().loc["a"]))


@pytest.mark.parametrize(
    "trials",
    [
        pytest.param(grid({"a": ["base", "x"], "b": ["base", "y"]}, seeds=1), id="one seed"),
        pytest.param(grid({"a": ["base", "x"]}), id="one factor"),
        pytest.param(grid(THREE).assign(status="failed"), id="nothing ended"),
        pytest.param(grid(THREE).drop(columns="design"), id="records that do not say the design"),
        pytest.param(grid(THREE).drop(columns="loss"), id="another metric"),
        pytest.param(grid(THREE).assign(part="search"), id="another part"),
        # Five runs, an intercept for each of two seeds, and three effects: nothing is left to judge the error by.
        pytest.param(grid({"a": ["base", "x"], "b": ["base", "y"]}, seeds=2).head(5), id="as many terms as runs"),
    ],
)
def test_where_the_error_cannot_be_judged_there_are_no_effects(trials: pd.DataFrame) -> None:
    assert terms_of(trials, "loss") == ()
    assert factorial_effects(trials, "loss", Rules()) == []


def test_a_factor_that_never_varied_has_no_effect() -> None:
    trials = grid({"a": ["base", "x"], "b": ["base", "y"], "c": ["z"]})
    assert [term.name for term in terms_of(trials, "loss")] == ["a", "b", "a x b"]


def test_effects_that_are_only_partly_the_same_are_not_told_apart_by_force() -> None:
    # Three of the eight runs: more effects than they can tell, and none is a multiple of another.
    assert terms_of(factorial_frame(runs=[(0, 0, 0), (1, 1, 0), (1, 0, 1)]), "loss") == ()


def test_the_base_is_a_cell_where_it_has_the_levels_and_else_it_is_not() -> None:
    cells = grid({"a": ["base", "x"], "b": ["base", "y"]})
    base = cells["variant"] == "base"
    cells.loc[base, "design"] = "variants"
    assert len(trainings_of(cells, "loss")[0]) == 16
    bare = cells.copy()
    bare.loc[base, ["factor:a", "factor:b"]] = None
    rows, factors = trainings_of(bare, "loss")
    assert (len(rows), factors) == (12, ("factor:a", "factor:b"))
    assert "base" not in set(rows["variant"])


def test_columns_that_another_design_left_are_no_factors() -> None:
    cells = grid({"a": ["base", "x"], "b": ["base", "y"]})
    path = frame(base=BASE, kept=WORSE).assign(**{"design": "path", "factor:step": "s", "factor:number": "1"})
    path.loc[path["variant"] == "base", ["design", "factor:step", "factor:number"]] = ["variants", None, None]
    both = pd.concat([cells, path], ignore_index=True)
    assert trainings_of(both, "loss")[1] == ("factor:a", "factor:b")
    assert cells_of(both, "loss").factors == ("a", "b")
    assert cells_of(path, "loss").factors == ()
    assert cells_of(path, "loss").rows.empty


def test_names_that_are_long_or_spread_over_lines_are_told_on_one_with_what_they_cannot_be_told_from() -> None:
    half = [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)]
    first = terms_of(factorial_frame(runs=half), "loss")[0]
    assert words_of(first) == "a = b x c"
    assert words_of(first.__class__(**{**vars(first), "name": "a\n  long"})) == "a long = b x c"


def test_an_effect_that_is_found_is_told_with_its_interval_and_what_it_may_be_instead() -> None:
    half = [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)]
    trials = factorial_frame(runs=half)
    told = [plain(s) for s in design_sentences(bare_study(trials), "loss")]
    first = terms_of(trials, "loss")[0]
    assert told[0] == (
        f"The main effect of a: held-out loss +{first.estimate:.4f} [+{first.low:.4f}, +{first.high:.4f}]; p < 0.001 "
        "(Holm). The runs cannot tell it from b x c."
    )
    whole = [s for s in design_sentences(bare_study(factorial_frame()), "loss") if "a x b" in s.head]
    assert [(s.kind, s.head) for s in whole] == [("worse", "The interaction of a x b:")]


def test_effects_that_are_not_found_are_named_together() -> None:
    told = design_sentences(bare_study(grid({"a": ["base", "x"], "b": ["base", "y"]})), "loss")
    assert [(s.kind, str(s)) for s in told] == [
        (
            "inconclusive",
            "Factorial, inconclusive: the effects of a, b and a x b are not told apart from chance.",
        )
    ]


def test_the_means_of_cells_are_averaged_over_further_factors_with_their_interval() -> None:
    trials = grid({"a": ["base", "x"], "b": ["base", "y", "z"], "c": ["base", "w"]}, seeds=3)
    lines = cells_of(trials, "loss").lines("b", "a")
    assert list(lines) == ["base", "x"]
    for level, line in lines.items():
        assert [at for at, _, _ in line] == ["base", "y", "z"]
        for at, mean, half in line:
            values = trials.loc[(trials["factor:a"] == level) & (trials["factor:b"] == at), "loss"]
            assert mean == pytest.approx(values.mean())
            low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
            assert half == pytest.approx((high - low) / 2)


def test_levels_stand_in_the_order_of_the_study_and_a_single_training_has_no_interval() -> None:
    cells = grid({"a": ["base", "x"], "b": ["base", "10", "9"]}, seeds=1)
    assert cells_of(cells, "loss").lines("b", "a") == {
        level: [
            (at, pytest.approx(cells.loc[(cells["factor:a"] == level) & (cells["factor:b"] == at), "loss"].item()), 0.0)
            for at in ("base", "10", "9")
        ]
        for level in ("base", "x")
    }


def steps(*rows: tuple[str, str, str, str, float]) -> pd.DataFrame:
    """Trials of a path: variant, what it goes on from, number, edit, loss; two seeds each."""
    return pd.DataFrame(
        {"part": "ablation", "variant": variant, "seed": seed, "status": "finished", "loss": loss, "design": "path",
         "reference": before, "factor:number": number, "factor:step": step, "trial": 0}
        for variant, before, number, step, loss in rows for seed in range(2)
    )  # fmt: skip


def test_a_path_goes_on_from_the_best_of_each_step_and_is_told_with_its_means() -> None:
    trials = steps(
        ("path: a", "base", "1", "a", 0.30), ("path: b", "base", "1", "b", 0.25),
        ("path: b + a", "path: b", "2", "a", 0.20), ("path: b + c", "path: b", "2", "c", 0.22),
        # Left over from before: nobody goes on from the step that was not kept.
        ("path: a + c", "path: a", "2", "c", 0.10),
    )  # fmt: skip
    found = path_steps(trials, "loss")
    assert [(s.variant, s.added, s.others) for s in found] == [
        ("path: b", "b", {"a": pytest.approx(0.30)}),
        ("path: b + a", "a", {"c": pytest.approx(0.22)}),
    ]
    assert [str(s) for s in design_sentences(bare_study(trials), "loss")] == [
        "Path from the base, by mean loss: b (0.2500), then a (0.2000). Each step is the best of those tried, so its "
        "gain is seen too large."
    ]


def test_a_step_without_a_result_ends_the_path_and_one_without_is_no_rival() -> None:
    trials = steps(
        ("path: a", "base", "1", "a", 0.3), ("path: b", "base", "1", "b", 0.2), ("c", "path: a", "2", "c", 0.1)
    )
    trials.loc[trials["variant"] == "path: b", "status"] = "diverged"
    assert [(s.added, s.others) for s in path_steps(trials, "loss")] == [("a", {}), ("c", {})]
    trials.loc[trials["factor:number"] == "1", "status"] = "failed"
    assert path_steps(trials, "loss") == []


def test_ten_steps_are_counted_as_numbers_and_not_as_words() -> None:
    names = ["base", *(f"s{number}" for number in range(1, 12))]
    trials = steps(*((after, before, str(n), after, 1 / n) for n, (before, after) in enumerate(
        itertools.pairwise(names), 1)))  # fmt: skip
    assert [s.added for s in path_steps(trials, "loss")] == names[1:]


def test_a_study_without_designs_says_nothing_of_them() -> None:
    assert design_sentences(bare_study(frame(base=BASE, a=WORSE)), "loss") == []
    assert path_steps(frame(base=BASE, a=WORSE).assign(design="variants"), "loss") == []


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (
            {"ablation": {"leave_one_out": [{"part": "skips"}]}},
            "Leaving one out can't see interactions. Parts that stand in for each other can each look dispensable: a "
            "factorial shows that.",
        ),
        (
            {"ablation": {"until": {"max_seeds": 12}}},
            "Seeds were added until each variant was decided. Intervals and p values hold however often one looks (Lai "
            "1976; Wang & Ramdas 2024), and are wider for it.",
        ),
        (
            {"protocol": {"tune": {"what": ["lr", "warmup"]}}},
            "Tuned: Each variant tuned lr and warmup on seeds of its own before it was judged.",
        ),
    ],
)
def test_what_a_study_stated_is_told_with_what_it_cannot_see(document: dict[str, Any], sentence: str) -> None:
    study = bare_study(frame(base=BASE, a=WORSE), document=document)
    assert [str(s) for s in design_sentences(study, "loss")] == [sentence]


def test_only_metrics_with_a_usable_value_are_compared_and_in_the_order_of_the_table() -> None:
    trials = frame(base=BASE, a=WORSE).assign(macs=1.0, fd=math.nan, latency=2.0)
    assert compared_metrics(trials) == ("loss", "latency", "parameters", "macs")
    assert compared_metrics(trials.assign(status="oom")) == ()
