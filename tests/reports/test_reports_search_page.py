"""The search's section: what its plots are made of are the frame's numbers, and its sentences count what is there."""

from __future__ import annotations

import base64
import itertools
import json
import math
import zlib
from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.analysis.curves import trial_curves
from reports.analysis.importance import Importance
from reports.analysis.search import Point, search_points
from reports.analysis.surrogate import Need
from reports.analysis.trials import part
from reports.figures.importance import importance_bar, need_bar
from reports.figures.kinds import KINDS, KNEE
from reports.pages import search
from reports.pages.charts import Chart, Charts
from reports.pages.search_data import CURVE_KINDS, SCALES, choices, search_data
from studies.frame import StudyResults
from tests.reports.drawn_svg import number, tags
from tests.reports.synthetic_study import full_study, make_study, with_status, without
from tests.reports.test_reports_theme import luminance


def context(results: StudyResults) -> dict[str, Any]:
    found = search.context(results, Charts())
    assert found is not None
    return found


@cache
def gathered() -> dict[str, Any]:
    return context(full_study())


def data_of(results: StudyResults) -> dict[str, Any]:
    points = search_points(results)
    curves = {point.trial: curve for point, curve in trial_curves(results, points)}
    text = zlib.decompress(base64.b64decode(json.loads(search_data(results, points, curves)))).decode()
    found: dict[str, Any] = json.loads(text)
    return found


@cache
def data() -> dict[str, Any]:
    return data_of(full_study())


@cache
def rows() -> pd.DataFrame:
    return part(full_study().trials, "search").set_index("trial")


def test_a_study_without_a_search_has_no_such_section() -> None:
    assert search.context(without(full_study(), "search"), Charts()) is None


@pytest.mark.parametrize("name", ["loss", "latency", "memory", "parameters", "macs"])
def test_every_metric_is_the_frames_in_the_unit_of_its_axis(name: str) -> None:
    (column,) = [one for one in data()["metrics"] if one["name"] == name]
    factor = {"latency": 1e3, "memory": 2**-20, "parameters": 1e-6, "macs": 1e-6}.get(name, 1.0)
    wanted = [rows().loc[trial, name] * factor for trial in data()["trials"]]
    shown = [math.nan if value is None else value for value in column["values"]]
    assert shown == pytest.approx(wanted, nan_ok=True)
    assert column["objective"] == (name in ("loss", "latency"))
    assert column["shown"] == (name in ("loss", "latency", "parameters"))


def test_budgets_stand_with_their_metric() -> None:
    limits = {one["name"]: (one["budget"], one["budgetText"]) for one in data()["metrics"] if "budget" in one}
    assert limits == {
        "latency": (pytest.approx(1.75), "1.75\u202fms"), "parameters": (pytest.approx(1.5), "1.50\u202fM"),
    }  # fmt: skip


def test_kinds_statuses_and_reasons_belong_to_their_trials() -> None:
    points = {point.trial: point for point in search_points(full_study())}
    for at, trial in enumerate(data()["trials"]):
        assert data()["kinds"][data()["kind"][at]]["name"] == points[trial].kind
        assert data()["statuses"][data()["status"][at]] in ("finished", "refused", "out of memory", "failed")
        assert data()["reasons"].get(str(at), "") == points[trial].reason
        kind = CURVE_KINDS[data()["curveKind"][at]]["name"]
        assert kind == ("lost" if points[trial].kind == "no result" else points[trial].kind)
    assert data()["trials"][data()["base"]] == 0


def test_parameters_are_levels_in_natural_order_or_numbers() -> None:
    found = {one["name"]: one for one in data()["parameters"]}
    assert list(found) == ["ch_mult", "num_res_blocks", "attn_resolutions", "attn_type"]
    assert found["ch_mult"]["levels"] == sorted(found["ch_mult"]["levels"], key=lambda text: text.split(","))
    for name, one in found.items():
        shown = [one["levels"][place] for place in one["values"]]
        wanted = [f"{v:g}" if isinstance(v, float) else str(v) for v in rows().loc[data()["trials"], f"param:{name}"]]
        assert shown == wanted
    study = make_study(seeds=0, trials=12)
    rate = study.trials.assign(**{"param:rate": [0.5 + 0.1 * n if n else None for n in range(12)], "param:one": 3})
    numbers = {one["name"]: one for one in data_of(replace(study, trials=rate))["parameters"]}
    assert numbers["rate"]["levels"] is None
    kept = [0.5 + 0.1 * n if n else None for n in data_of(study)["trials"]]
    assert numbers["rate"]["values"] == [None if v is None else pytest.approx(v) for v in kept]
    assert "one" not in numbers, "what never varies is no axis"


def test_curves_are_those_of_the_trials_to_four_digits() -> None:
    known = {point.trial: curve for point, curve in trial_curves(full_study(), search_points(full_study()))}
    for trial, curve in zip(data()["trials"], data()["curves"], strict=True):
        assert (curve is None) == (trial not in known)
        if curve is not None:
            steps, losses = curve
            assert steps == list(known[trial].steps)
            assert losses == pytest.approx(list(known[trial].losses), rel=5e-4)
    assert data_of(replace(full_study(), curves={}))["curves"] is None


def test_pruned_trials_have_a_look_of_their_own() -> None:
    study = make_study(seeds=0, trials=8)
    frame = study.trials.copy()
    frame.loc[frame["trial"] == 7, "status"] = "pruned"
    found = data_of(replace(study, trials=frame))
    at = found["trials"].index(7)
    assert found["curveKinds"][found["curveKind"][at]]["name"] == "pruned"
    assert context(replace(study, trials=frame))["pruned"]
    assert not gathered()["pruned"]


def test_the_knee_is_marked_where_there_is_one() -> None:
    points = search_points(full_study())
    knee = [at for at, point in enumerate(points) if point.knee]
    found = data()["knee"]
    assert (found is None) == (not knee)
    if knee:
        assert (found["index"], found["symbol"]) == (knee[0], KNEE.symbol)
    plain = data_of(make_study(seeds=0, trials=3, objectives=("loss",)))
    assert plain["knee"] is None


@pytest.mark.parametrize("scheme", SCALES)
def test_the_scale_of_colours_is_told_by_lightness_alone(scheme: str) -> None:
    lightness = [luminance(colour) for colour in SCALES[scheme]]
    assert lightness == sorted(lightness, reverse=True)
    assert all(a > 1.4 * b for a, b in itertools.pairwise(lightness))


# ---- words


def test_kinds_are_counted_and_objectives_and_budgets_named() -> None:
    counted = Counter(point.kind for point in search_points(full_study()))
    assert [(kind.name, number) for kind, number in gathered()["counts"]] == [(k, counted[k]) for k in KINDS]
    assert gathered()["objectives"] == "held-out loss and latency"
    assert gathered()["budgets"].replace("\u202f", " ") == "latency at most 1.75 ms and parameters at most 1.50 M"


def replays(*walls: float | None, number: int = 1) -> StudyResults:
    study = make_study(seeds=0, trials=3 + number)
    frame = study.trials.copy().assign(status="finished", replay_of=None)
    frame.loc[: len(walls) - 1, "wall"] = [math.nan if wall is None else wall for wall in walls]
    for at in range(number):
        frame.loc[3 + at, ["status", "replay_of", "wall"]] = ["replayed", f"search/{at}", 0.0]
    return replace(study, trials=frame)


@pytest.mark.parametrize(
    ("walls", "number_of", "repeated", "saved"),
    [
        ((30.0,), 1, "1 of 4 proposals repeats a", "1 training saved, about 30 s of training."),
        ((60.0, 60.0), 2, "2 of 5 proposals repeat a", "2 trainings saved, about 2.0 min of training."),
        ((3600.0, 5400.0), 2, "2 of 5 proposals repeat a", "2 trainings saved, about 2.5 h of training."),
        ((None,), 1, "1 of 4 proposals repeats a", "1 training saved."),
    ],
)
def test_what_repeated_architectures_saved_is_told(
    walls: tuple[float | None, ...], number_of: int, repeated: str, saved: str
) -> None:
    said = context(replays(*walls, number=number_of))["saved"].replace("\u202f", " ")
    assert said == f"{repeated} known architecture and took over its result: {saved}"


def test_without_a_repetition_nothing_was_saved() -> None:
    assert context(make_study(seeds=0, trials=1))["saved"] == ""


@pytest.mark.parametrize(
    ("objectives", "x", "y", "colour", "title"),
    [
        (("loss", "latency"), "latency", "loss", "", "held-out loss against latency"),
        (("latency", "memory", "loss"), "latency", "loss", "memory", "held-out loss against latency"),
        (("memory", "macs"), "macs", "memory", "", "peak memory against MACs"),
        (("loss",), "trial", "loss", "", "held-out loss, trial by trial"),
        ((), "trial", "loss", "", "held-out loss, trial by trial"),
    ],
)
def test_the_first_view_is_that_of_the_objectives(
    objectives: tuple[str, ...], x: str, y: str, colour: str, title: str
) -> None:
    found = context(make_study(seeds=0, trials=8, objectives=objectives))["pareto"]
    assert (found["x"], found["y"], found["colour"], found["title"]) == (x, y, colour, title)
    assert [metric.name for metric in found["metrics"]][: len(objectives)] == list(objectives)


def test_metrics_that_do_not_vary_are_not_offered() -> None:
    study = make_study(seeds=0, trials=8)
    same = replace(study, trials=study.trials.assign(macs=1e6))
    assert "macs" not in [metric.name for metric in choices(same, search_points(same))]


def test_without_a_result_there_is_nothing_to_draw_but_what_was_asked_is_told() -> None:
    found = context(with_status(make_study(seeds=0, trials=3), "failed", "boom"))
    drawn = ("pareto", "progress", "parallel", "slices", "importances", "curves")
    assert [found[name] for name in drawn] == [None] * 6
    assert found["trained"] == 0
    assert found["objectives"] == "held-out loss and latency"


def test_every_plot_has_a_label_that_counts_its_trials() -> None:
    points = search_points(full_study())
    plots: list[Chart] = [gathered()["pareto"]["plot"], gathered()["slices"]["plot"], gathered()["curves"]]
    assert f"for {len(points)} trials" in plots[0].label
    assert f"for {len(points)} trials" in plots[1].label
    assert plots[2].label == f"Training loss over optimizer steps of {len(trial_curves(full_study(), points))} trials."
    assert f"of {len(points)} trials over" in gathered()["parallel"]["label"]
    assert gathered()["parallel"]["axes"] == len(data()["parameters"]) + 2


def test_with_nothing_that_varies_there_are_no_parallel_coordinates_and_no_slices() -> None:
    study = make_study(seeds=0, trials=4, objectives=("loss",))
    names = [c for c in study.trials if str(c).startswith("param:")]
    found = context(replace(study, trials=study.trials.assign(**dict.fromkeys(names, "same"))))
    assert (found["parallel"], found["slices"]) == (None, None)


def test_a_doubtful_forest_is_said_to_be_one() -> None:
    study = make_study(seeds=0, trials=40)
    noise = np.random.default_rng(2).normal(1, 0.1, 40)
    frame = study.trials.assign(loss=noise, status="finished", fingerprint=[f"f{n}" for n in range(40)])
    first = context(replace(study, trials=frame))["importances"]["tables"][0]
    assert first["n"] == 40
    assert first["fit"].startswith("The forest predicts held-out loss too poorly to be believed: held-out R² ")
    assert first["fit"].endswith("Its importances are drawn hollow and should not be used.")
    assert all('class="hollow"' in row["need_bar"] for row in first["rows"] if row["need"])


# ---- bars


def share(**changes: Any) -> Importance:
    known = {"parameter": "ch", "n": 40, "share": 0.5, "low": 0.25, "high": 0.75, "chance": 0.125, "trend": -0.5}
    return Importance(**{**known, **changes})


def test_a_share_is_a_bar_with_its_interval_and_the_tick_of_chance() -> None:
    svg = importance_bar(share())
    (bar,), (interval,), (chance,) = (tags(svg, tag, css) for tag, css in
                                      (("rect", "solid"), ("line", "interval"), ("line", "chance")))  # fmt: skip
    assert number(bar, "width") == 50.0
    assert (number(interval, "x1"), number(interval, "x2")) == (25.0, 75.0)
    assert number(chance, "x1") == number(chance, "x2") == 12.5
    label = tags(svg, "svg")[0].attrib["aria-label"]
    assert label == "share 0.50 (0.25 to 0.75), chance reaches 0.12, Spearman −0.50, n=40"
    assert tags(svg, "title")[0].text == label
    assert "Spearman" not in importance_bar(share(trend=math.nan))


@pytest.mark.parametrize(("reached", "css"), [(0.49, "solid"), (0.5, "hollow"), (0.6, "hollow")])
def test_a_share_that_chance_reaches_is_hollow(reached: float, css: str) -> None:
    assert len(tags(importance_bar(share(chance=reached)), "rect", css)) == 1


def test_a_parameter_that_never_varied_has_no_bar() -> None:
    assert importance_bar(share(share=math.nan)) == '<span class="muted">never varied</span>'


@pytest.mark.parametrize(
    ("low", "believed", "css"),
    [(0.1, True, "solid"), (0.0, True, "hollow"), (-0.1, True, "hollow"), (0.1, False, "hollow")],
)
def test_a_need_is_solid_where_the_forest_is_believed_and_it_is_clear_of_nothing(
    low: float, believed: bool, css: str
) -> None:
    svg = need_bar(Need("ch", 0.4, low, 1.7), believed=believed)
    (bar,), (interval,) = tags(svg, "rect", css), tags(svg, "line", "interval")
    assert number(bar, "width") == 40.0
    assert (number(interval, "x1"), number(interval, "x2")) == (max(0.0, low * 100), 100.0)
    assert tags(svg, "line", "chance") == []
    assert f"0.40 of the held-out variance ({low:.2f} to 1.70)" in svg


def test_points_without_a_metric_are_no_reason_to_offer_it() -> None:
    known: dict[str, Any] = {
        "status": "finished",
        "reason": "",
        "parameters": {},
        "base": False,
        "best": False,
        "knee": False,
    }
    points = [Point(trial=n, kind="front", values={"loss": 0.1 * n, "memory": math.nan}, **known) for n in (1, 2)]
    assert [metric.name for metric in choices(make_study(seeds=0, trials=2), points)] == ["loss"]
