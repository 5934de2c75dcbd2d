"""The table of all trials: its columns, what a cell says and is sorted by, and what a row opens to."""

from __future__ import annotations

import itertools
import json
import math
import re
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from reports.dashboard import render
from reports.pages import trials
from reports.pages.charts import Charts
from reports.pages.trial_details import MOST, small_curve, spec_text
from studies.frame import StudyResults
from tests.reports.drawn_svg import tags
from tests.reports.reading import tree
from tests.reports.synthetic_study import full_study, make_study


def context(results: StudyResults) -> dict[str, Any]:
    found = trials.context(results, Charts())
    assert found is not None
    return found


def one_row(**values: Any) -> StudyResults:
    study = make_study(seeds=0, trials=1)
    return replace(study, trials=study.trials.assign(**values))


def details(results: StudyResults, number: int = 0) -> dict[str, str]:
    return {term: text.replace("\u202f", " ") for term, text, _ in context(results)["rows"][number]["details"]}


def test_a_study_without_trials_has_no_table() -> None:
    assert trials.context(make_study(seeds=0, trials=0), Charts()) is None


def test_columns_are_the_metrics_that_were_measured_and_those_that_decide() -> None:
    study = full_study()
    names = [metric.name for metric in context(study)["metrics"]]
    assert names == [
        "loss", "latency", "latency_ratio", "train_latency", "memory", "train_memory", "parameters", "macs",
    ]  # fmt: skip
    bare = study.trials.assign(memory=math.nan, train_memory=math.nan)
    assert "memory" not in [metric.name for metric in context(replace(study, trials=bare))["metrics"]]
    mine = replace(study, trials=study.trials.assign(mine=1.5), objectives=("loss", "mine"))
    assert [metric.name for metric in context(mine)["metrics"]][-1] == "mine"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("loss", 0.123456, "0.1235"),
        ("latency", 0.0012345, "1.23"),
        ("memory", 3.5 * 2**20, "3.50"),
        ("parameters", 1_234_567.0, "1.23"),
        ("loss", math.nan, ""),
    ],
)
def test_a_cell_shows_honest_digits_and_keeps_the_whole_number(name: str, value: float, text: str) -> None:
    found = context(one_row(**{"latency_ratio": math.nan, name: value, "macs": 2e9}))
    cells = {cell.metric: cell for cell in found["rows"][0]["metrics"]}
    if not text:
        assert name not in cells, "a metric that no trial has is no column"
        return
    assert (cells[name].text, cells[name].value) == (text, value)


def test_a_metric_that_only_some_trials_have_is_empty_for_the_others() -> None:
    found = context(full_study())
    lost = next(row for row in found["rows"] if row["status"].name == "diverged")
    assert {(cell.text, cell.value) for cell in lost["metrics"]} == {("", None)}


@pytest.mark.parametrize(
    ("value", "text", "number"),
    [(32.0, "32", 32.0), (0.5, "0.5", 0.5), (True, "True", None), ("1,2", "1,2", None), (None, "", None)],
)
def test_a_parameter_is_a_number_or_a_text(value: object, text: str, number: float | None) -> None:
    study = make_study(seeds=0, trials=2)
    frame = study.trials.assign(**{"param:ch_mult": pd.Series([value, "x"], dtype=object)})
    cell = context(replace(study, trials=frame))["rows"][0]["parameters"][0]
    assert (cell.text, cell.value) == (text, number)


def test_texts_are_sorted_by_their_numbers() -> None:
    study = make_study(seeds=0, trials=4)
    values = ["10,2", "2,10", "2,9", "none"]
    frame = study.trials.assign(**{"param:ch_mult": values})
    keys = [row["parameters"][0].key for row in context(replace(study, trials=frame))["rows"]]
    assert sorted(values, key=dict(zip(values, keys, strict=True)).__getitem__) == ["2,9", "2,10", "10,2", "none"]


def test_kinds_of_the_front_are_for_trials_with_a_result() -> None:
    rows = context(full_study())["rows"]
    for row in rows:
        assert (row["kind"] is not None) == (row["part"] == "search" and row["status"].name in ("finished", "replayed"))


def test_what_a_finished_trial_opens_to() -> None:
    study = one_row(
        latency=0.002, latency_p10=0.0019, latency_p90=0.0025, latency_ratio=1.5, train_latency=0.01,
        train_latency_p10=math.nan, train_latency_ratio=math.nan, wall=6.1, device="cpu",
        started="2026-11-03T10:00:30+00:00", edits="",
    )  # fmt: skip
    found = details(replace(study, budgets={}))
    assert found["Edits"] == "none: the base as it is"
    assert found["Latency"] == "median 2.00 ms (10 to 90 %: 1.90 ms to 2.50 ms); 1.50 × the reference network"
    assert found["Training step"] == "median 10.0 ms"
    assert (found["Wall time"], found["Started"], found["Device"]) == ("6.10 s", "2026-11-03 10:00:30 UTC", "cpu")
    assert found["ch_mult"] == "1,2"
    assert found["Fingerprint"] == study.base
    assert not {"Reason", "Result of", "Over budget", "Predicted"} & set(found)


@pytest.mark.parametrize(
    ("given", "told"), [("ablation/3", "ablation trial 3"), ("4", "search trial 4"), (4.0, "search trial 4")]
)
def test_a_replay_names_the_trial_whose_result_it_took(given: object, told: str) -> None:
    assert details(one_row(status="replayed", replay_of=given))["Result of"] == told


def test_budgets_that_are_broken_are_named_with_their_limits() -> None:
    study = replace(one_row(latency=0.003, memory=2.0**21), budgets={"latency": 0.002, "memory": 2.0**22, "macs": 0.0})
    frame = study.trials.assign(macs=5e9)
    told = details(replace(study, trials=frame))["Over budget"]
    assert told == "latency 3.00 ms of 2.00 ms allowed; MACs 5.00 G of 0 G allowed"
    assert "Over budget" not in details(replace(study, trials=frame.assign(status="oom")))


def test_predictions_stand_beside_what_was_measured_where_it_was() -> None:
    study = one_row(memory=2.0**20, predicted_memory=1.5 * 2**20, predicted_latency=math.nan, predicted_mine_too=3.0)
    assert details(study)["Predicted"] == "peak memory 1.50 MiB (measured 1.00 MiB, +50 %); mine too 3.00"
    lost = replace(study, trials=study.trials.assign(memory=math.nan))
    assert details(lost)["Predicted"] == "peak memory 1.50 MiB; mine too 3.00"


def test_what_is_unknown_of_a_trial_is_left_out() -> None:
    bare = dict.fromkeys(("edits", "started", "device", "fingerprint", "wall", "reason", "replay_of"))
    study = one_row(**bare, latency=math.nan, train_latency=math.nan)
    found = details(
        replace(study, trials=study.trials.drop(columns=[c for c in study.trials if c.startswith("param:")]))
    )
    assert found == {"Edits": "none: the base as it is"}


def test_a_column_that_tells_no_trials_apart_is_marked() -> None:
    study = make_study(seeds=0, trials=4)
    frame = study.trials.assign(**{"param:attn_type": ["linear", None, "linear", None], "param:ch_mult": list("abab")})
    same = context(replace(study, trials=frame))["same"]
    assert "param:attn_type" in same, "absent is no other value"
    assert "param:ch_mult" not in same
    assert "seed" in same
    metric = replace(study, trials=frame.assign(macs=[1e9, math.nan, 1e9, 1e9]))
    assert "macs" not in context(metric)["same"], "that only some trials have it tells them apart"


def test_rows_of_a_long_table_say_what_written_ones_say(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = context(full_study())
    assert whole["rest"] == ""
    monkeypatch.setattr(trials, "MOST_WRITTEN", 5)
    cut = context(full_study())
    assert cut["most_written"] == 5
    assert [row["id"] for row in cut["rows"]] == [row["id"] for row in whole["rows"]]
    assert json.loads(cut["rest"])


def confirmed() -> StudyResults:
    """A search whose best two were trained again, and the base with them."""
    study = make_study(seeds=0, trials=6)
    rows = study.trials.iloc[:3].assign(part="confirmation", variant=["base", "trial 4", "trial 2"])
    return replace(study, trials=pd.concat([study.trials, rows], ignore_index=True))


def test_trials_of_every_part_are_told_apart() -> None:
    found = context(confirmed())
    assert found["parts"] == ["search", "confirmation"]
    assert found["variants"]
    assert len({row["id"] for row in found["rows"]}) == len(found["rows"]) == 9
    places = [row["place"] for row in found["rows"]]
    assert places == sorted(set(places)), "sorted by trial, parts stay together"
    assert not context(make_study(seeds=0, trials=6))["variants"]
    root, _ = tree(render(confirmed()))
    (choice,) = [one for one in root.all("select") if one.get("id") == "trial-part"]
    assert [one.words for one in choice.all("option")] == ["all", "search", "confirmation"]
    bodies = [one for one in root.all("tbody") if one.get("data-part") == "confirmation"]
    lines = [[cell.words for cell in next(body.all("tr")).children] for body in bodies]
    assert [line[1:3] for line in lines] == [
        ["confirmation 0", "base"], ["confirmation 1", "trial 4"], ["confirmation 2", "trial 2"],
    ]  # fmt: skip


# ---- what a row opens to


def test_operations_are_counted_most_frequent_first() -> None:
    nodes = {str(n): {"op": op} for n, op in enumerate(["input", "conv", "resnet_block", "resnet_block", "act"])}
    assert spec_text({"f": {"graph": {"nodes": nodes}}}, "f") == (
        "2 resnet block, 1 conv, 1 act; in full: architectures/f.json beside the records"
    )


def test_of_many_operations_the_eight_most_frequent_are_told() -> None:
    nodes = {f"{n}{k}": {"op": f"op_{n}"} for n in range(12) for k in range(n + 1)}
    told = spec_text({"f": {"graph": {"nodes": nodes}}}, "f")
    assert re.findall(r"(\d+) op", told) == ["12", "11", "10", "9", "8", "7", "6", "5"]


def points(svg: str) -> list[tuple[float, float]]:
    (line,) = tags(svg, "polyline")
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in line.attrib["points"].split())]


def test_a_small_curve_falls_from_the_top_left_to_the_bottom_right_on_a_log_scale() -> None:
    drawn = points(small_curve([(0, 1.0), (50, 0.1), (100, 0.01)], ended_early=False))
    (left, top), (middle, half), (right, bottom) = drawn
    assert middle - left == right - middle == 110
    assert half - top == pytest.approx(bottom - half, abs=0.11)
    assert bottom - top == pytest.approx(44, abs=0.11)


@pytest.mark.parametrize(("number", "most"), [(2, MOST), (49, MOST), (1000, MOST), (1000, 10)])
def test_a_small_curve_keeps_its_ends_and_is_thinned_evenly(number: int, most: int) -> None:
    drawn = points(small_curve([(step, 1.0 + step) for step in range(number)], ended_early=False, most=most))
    assert len(drawn) <= most + 1
    xs = [x for x, _ in drawn]
    assert (xs[0], xs[-1]) == (3, 223)
    gaps = [b - a for a, b in itertools.pairwise(xs)]
    assert max(gaps[:-1], default=0) - min(gaps[:-1], default=0) <= 1


def test_losses_that_no_log_scale_has_are_left_out_of_a_small_curve() -> None:
    curve = [(1, math.inf), (2, 0.5), (3, 0.0), (4, -1.0), (5, 0.25)]
    svg = small_curve(curve, ended_early=False)
    assert len(points(svg)) == 2
    assert "training loss 0.500 at step 2, 0.250 at step 5" in svg


def test_the_cross_stands_at_the_end_of_a_curve_that_broke_off() -> None:
    svg = small_curve([(0, 1.0), (100, 0.1)], ended_early=True)
    (cross,) = tags(svg, "path", "cross")
    x, y = points(svg)[-1]
    assert cross.attrib["d"].startswith(f"M{x - 3:.0f} {y - 3:.1f}l6 6")


def test_macs_have_the_unit_that_suits_the_studys_networks() -> None:
    small, large = (context(one_row(macs=value))["metrics"] for value in (5e6, 5e9))
    units = [next(m.unit for m in found if m.name == "macs") for found in (small, large)]
    assert units == ["M", "G"]
