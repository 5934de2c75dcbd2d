from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reports.analysis.studies import common_architectures, differences, searches, shared_metrics
from reports.analysis.trials import usable
from reports.dashboard import write_comparison
from reports.figures.studies import studies_figure
from reports.metrics import METRICS
from studies.frame import StudyResults
from tests.reports.synthetic_study import full_study, make_study, without


def named(results: StudyResults, name: str, **protocol: Any) -> StudyResults:
    document = {**results.document, "protocol": {**(results.document.get("protocol") or {}), **protocol}}
    return replace(results, name=name, document=document)


def test_what_differs_in_protocol_data_and_device_is_called_out() -> None:
    first = named(full_study(), "one", train={"steps": 100, "lr": 0.1}, seeds=8)
    second = named(full_study(), "two", train={"steps": 200, "lr": 0.1}, seeds=4)
    trials = second.trials.copy()
    trials["device"] = "cuda"
    second = replace(second, trials=trials, data={**second.data, "hash": "other"})
    found = {one.setting: (one.values, one.spoils) for one in differences([first, second])}
    assert found == {
        "protocol.train.steps": ((100, 200), "losses"),
        "content of the data": ((first.data["hash"], "other"), "losses"),
        "device": (("cpu", "cuda"), "times and memory"),
    }


def test_equal_studies_differ_in_nothing() -> None:
    assert differences([named(full_study(), "one", seeds=8), named(full_study(), "two", seeds=3)]) == []


def test_common_architectures_are_lined_up_with_their_means() -> None:
    ablation, search = without(full_study(), "search"), without(full_study(), "ablation")
    found = common_architectures([ablation, search], ["loss", "parameters"])
    marks = set(usable(ablation.trials)["fingerprint"]) & set(usable(search.trials)["fingerprint"])
    assert {one.fingerprint for one in found} == marks
    base = next(one for one in found if one.fingerprint == ablation.base)
    assert base.names[0] == "the base"
    assert base.names[1].startswith("trial ")
    rows = usable(ablation.trials)
    losses = rows[rows["variant"] == "base"]["loss"].dropna()
    mean = base.values["loss"][0]
    assert mean is not None
    assert (mean.value, mean.trials) == (pytest.approx(losses.mean()), len(losses))


def test_a_replay_is_no_second_measurement() -> None:
    study = full_study()
    rows = usable(study.trials)
    base = rows[rows["variant"] == "base"]
    again = base.iloc[[0]].assign(
        part="search", trial=900, status="replayed", replay_of=f"ablation/{base.iloc[0]['trial']}"
    )
    replayed = replace(study, trials=pd.concat([study.trials, again], ignore_index=True))
    (common, *_) = common_architectures([replayed, study], ["loss"])
    assert common.fingerprint == study.base
    assert common.values["loss"][0] == common.values["loss"][1]


def test_studies_without_a_common_architecture_say_so(tmp_path: Path) -> None:
    other = make_study(seed=5)
    trials = other.trials.copy()
    trials["fingerprint"] = trials["fingerprint"].map(lambda mark: None if mark is None else f"x{mark}")
    path = write_comparison([full_study(), replace(other, trials=trials, name="other")], tmp_path / "page.html")
    assert "No architecture has a result in more than one of these studies." in path.read_text(encoding="utf-8")


def test_the_figure_has_one_trace_for_each_study() -> None:
    studies = [named(full_study(), "one"), named(make_study(seed=5), "<two>")]
    figure = studies_figure(studies, METRICS["latency"], METRICS["loss"])
    assert [trace.name for trace in figure.data] == ["one", "&#60;two&#62;"]
    rows = usable(studies[0].trials).dropna(subset=["loss", "latency"])
    assert list(figure.data[0].y) == pytest.approx(rows["loss"].tolist())
    assert list(figure.data[0].x) == pytest.approx((rows["latency"] * 1e3).tolist())
    assert len({trace.marker.symbol for trace in figure.data}) == 2


def test_no_study_is_left_out_of_the_view_as_a_whole() -> None:
    near, far = (make_study(seeds=0, trials=number) for number in (30, 4))
    worse = replace(far, trials=far.trials.assign(loss=far.trials["loss"] * 6))
    figure = studies_figure([near, worse], METRICS["latency"], METRICS["loss"])
    high = math.inf if figure.layout.yaxis.range is None else figure.layout.yaxis.range[1]
    if figure.layout.yaxis.type == "log":
        high = 10**high
    assert usable(worse.trials)["loss"].min() <= high
    assert usable(worse.trials)["loss"].min() > 2 * usable(near.trials)["loss"].max(), "far from all others"


def test_texts_of_users_are_escaped_on_the_page(tmp_path: Path) -> None:
    evil = replace(full_study(), name="<script>alert(1)</script>", question="<img src=x onerror=alert(1)>")
    text = write_comparison([evil, full_study()], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert text.count("plotly.js v") <= 1


def test_an_empty_study_beside_a_full_one(tmp_path: Path) -> None:
    empty = without(without(full_study(), "ablation"), "search")
    text = write_comparison([full_study(), empty], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "No trial has run yet." in text
    assert shared_metrics([full_study(), empty], ["loss"]) == []


def test_random_search_is_a_band_beside_a_study_of_the_same_space(tmp_path: Path) -> None:
    search = {"space": {"unet": {"ch": [32, 64]}}}
    plain = replace(
        make_study(seeds=0, trials=20), name="tpe", document={"search": {**search, "sampler": "TPESampler"}}
    )
    random = replace(
        make_study(seeds=0, trials=30, seed=5),
        name="random",
        document={"search": {**search, "sampler": {"name": "RandomSampler"}}},
    )
    text = write_comparison([plain, random], tmp_path / "page.html").read_text(encoding="utf-8")
    trained = int(random.trials["status"].isin(["finished", "oom", "failed"]).sum())
    assert f"The band is random search: the {trained} trials of random in 100 other orders." in text
    assert '"random search, 90 % of orders"' in text
    assert "is not drawn beside" not in text


def test_searches_that_ask_something_else_are_not_put_on_one_scale(tmp_path: Path) -> None:
    first = replace(make_study(seeds=0, trials=12), name="first")
    other = named(
        replace(first, budgets={"parameters": 1.0}, document={"search": {"space": {}}}), "other", seeds=1, x=2
    )
    far = replace(first, name="far", trials=first.trials.assign(device="cuda"))
    found = searches([first, other, far, without(full_study(), "search")])
    assert [study.name for study in found.alike] == ["first"]
    assert found.apart == (
        ("other", "budgets, space, protocol or data and measurement or device"),
        ("far", "measurement or device"),
    )
    text = write_comparison([first, other], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "There are no two searches here that can be followed on one scale." in text
    assert "other is not drawn beside first: they have not the same budgets, space, protocol or data" in text


def test_studies_of_one_name_are_numbered_as_they_are_given(tmp_path: Path) -> None:
    text = write_comparison([full_study(), make_study(seeds=2, trials=4)], tmp_path / "page.html").read_text()
    assert "<h1>digits (1) and digits (2)</h1>" in text
    assert text.count("digits (2)</td>") > 0


def test_studies_without_a_search_are_compared(tmp_path: Path) -> None:
    ablations = [named(without(full_study(), "search"), name) for name in ("one", "two")]
    text = write_comparison(ablations, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "no-skips" in text
