"""States of a study that are rare and ask for words: nothing, one of a thing, all lost, four objectives, interrupted.

The rule: what cannot be drawn is said, so no plot is empty; what is said is true; and what a row opens to is there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from reports.dashboard import render
from reports.pages.trial_details import small_curve, spec_text
from studies.frame import StudyResults, frame
from tests.reports.reading import read, words
from tests.reports.synthetic_study import full_page, full_study, make_study, with_status


def interrupted() -> StudyResults:
    """The run was killed after seven search trials; one was under way."""
    study = make_study(seeds=0, trials=8)
    trials = study.trials.copy()
    trials.loc[7, ["status", "reason"]] = ["interrupted", "the run was stopped before it ended"]
    trials.loc[7, ["loss", "latency", "memory", "train_memory", "train_latency"]] = float("nan")
    warning = "1 trial(s) have not ended; the study is running or was stopped."
    return replace(study, trials=trials, warnings=(warning,))


def four_objectives() -> StudyResults:
    return make_study(seeds=0, trials=12, objectives=("loss", "latency", "memory", "parameters"))


STATES: dict[str, tuple[Callable[[], StudyResults], list[str]]] = {
    "empty": (
        lambda: replace(make_study(seeds=0, trials=0), trials=frame([]), base="", architectures={}),
        ["No trial has run yet.", "Start the study; this page fills as trials end."],
    ),
    "one trial": (lambda: make_study(seeds=0, trials=1), ["1 of 1 trials", "Too few trials for importances"]),
    "all failed": (
        lambda: with_status(make_study(seeds=2, trials=4), "failed", "RuntimeError: boom"),
        ["No search trial has a result yet, so there is no front to draw", "No ablation trial has a result yet"],
    ),
    "one objective": (lambda: make_study(seeds=0, trials=8, objectives=("loss",)), ["Held-out loss, trial by trial"]),
    "four objectives": (four_objectives, ["held-out loss, latency, peak memory and parameters"]),
    "one seed": (lambda: make_study(seeds=1, trials=0), ["too few seeds for a verdict (n=1; 5 needed)"]),
    "unicode": (
        lambda: replace(make_study(seeds=2, trials=2), name="Größe 数字 🎲 \u202egpj", question="¿Qué? Ω≈ç"),
        ["Größe 数字 🎲", "¿Qué? Ω≈ç"],
    ),
    "interrupted": (interrupted, ["1 trial(s) have not ended", "1 interrupted", "the run was stopped before it ended"]),
}


@cache
def page_of(state: str) -> str:
    return render(STATES[state][0]())


@pytest.mark.parametrize("state", STATES)
def test_it_says_what_is_true(state: str) -> None:
    text = words(page_of(state))
    for sentence in STATES[state][1]:
        assert sentence in text
    assert not re.search(
        r"\b(nan|NaN|None|undefined)\b", re.sub(r"became NaN|None (of|within)|prediction none", "", text)
    )


@pytest.mark.parametrize("state", STATES)
def test_no_plot_is_empty_and_none_lacks_a_word(state: str) -> None:
    found = read(page_of(state))
    places = [a for tag, a in found.tags if tag == "div" and a.get("data-chart")]
    (data,) = [text for a, text in found.scripts if a.get("id") == "chart-data"]
    figures = json.loads(data)["figures"]
    for place in places:
        assert place["aria-label"]
        figure = figures.get(place["data-chart"])
        if figure is None:
            continue  # drawn by the page's script from what the reader chooses
        drawn = [trace for trace in figure["data"] if trace.get("x") or trace.get("y")]
        assert drawn, f"{place['data-chart']} is empty"
    for tag, attributes in found.tags:
        if tag == "svg" and "forest" in str(attributes.get("class")) and "scale" not in str(attributes.get("class")):
            assert attributes["aria-label"]


def test_what_does_not_vary_is_hidden_until_it_is_asked_for() -> None:
    study = make_study(seeds=0, trials=6)
    trials = study.trials.assign(**{"param:attn_type": "vanilla"})
    found = read(render(replace(study, trials=trials)))
    heads = [a for tag, a in found.tags if tag == "th" and a.get("aria-sort")]
    hidden = [str(a.get("data-column") or "") for a in heads if "same" in str(a["class"]).split()]
    assert "seed" in hidden
    assert "loss" not in hidden
    box = [a for tag, a in found.tags if a.get("id") == "all-columns"]
    assert len(box) == 1
    assert f"columns that do not vary ({len(hidden)})" in words(render(replace(study, trials=trials)))
    cells = [a for tag, a in found.tags if tag == "td" and "same" in str(a.get("class", "")).split()]
    assert len(cells) == len(hidden) * len(trials)


def test_a_single_trial_shows_all_its_columns() -> None:
    found = read(page_of("one trial"))
    assert not [a for tag, a in found.tags if "same" in str(a.get("class", "")).split()]


def test_every_row_opens_to_spec_difference_curve_and_reason() -> None:
    text = words(full_page())
    assert "resnet block" in text
    assert f"in full: architectures/{full_study().base}.json" in text
    assert "remove up.*.skip.*" in text
    assert "loss became NaN at step 112" in text
    assert re.search(r"training loss [\d.]+ at step 1, [\d.]+ at step 291", text)


def test_a_small_curve_is_short_and_ends_in_a_cross_without_a_result() -> None:
    curve = [(step, 1 / step) for step in range(1, 5001)]
    drawn = str(small_curve(curve, ended_early=False))
    assert len(drawn) < 1200
    assert "training loss 1.00 at step 1, 0.000200 at step 5,000" in drawn
    assert 'class="cross"' in small_curve(curve, ended_early=True)
    assert small_curve([], ended_early=False) == small_curve([(1, float("nan")), (2, 0.5)], ended_early=True) == ""
    assert small_curve([(1, 0.5), (2, 0.5)], ended_early=False).count("nan") == 0


def test_a_spec_that_is_not_kept_is_not_told() -> None:
    assert spec_text({}, "f") == ""
    assert spec_text({"f": {"version": 1}}, "f") == ""


def test_a_single_seed_is_told_to_give_no_interval() -> None:
    told = words(page_of("one seed"))
    assert "There are no intervals: they take two seeds that ended on both sides." in told
    assert "widened for 0" not in told
