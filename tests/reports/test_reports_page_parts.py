"""Which parts a page has, by the kind of the study, and that what they say is what was computed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import jinja2
import pytest

from reports.analysis.ablation import Verdict, base_values, compare
from reports.dashboard import render
from reports.figures.forest import CLASSES
from reports.metrics import METRICS
from reports.pages import ablation, answer
from reports.pages.ablation_designs import design_tables
from reports.pages.charts import Charts, safe_json
from studies.frame import StudyResults
from tests.reports.factorial_study import factorial_study
from tests.reports.reading import Element, read, tree
from tests.reports.synthetic_study import full_page, full_study, make_study, with_status, without


def section(page: str, key: str) -> Element:
    (found,) = [one for one in tree(page)[0].all("section") if one.get("id") == key]
    return found


def data(page: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(next(text for a, text in read(page).scripts if a.get("id") == "chart-data"))
    return found


KINDS: dict[str, tuple[Callable[[], StudyResults], list[str], set[str]]] = {
    "empty": (
        lambda: replace(make_study(seeds=0, trials=0), base="", architectures={}), ["answer", "method"], set(),
    ),
    "planned": (lambda: make_study(seeds=0, trials=0), ["answer", "architectures", "method"], set()),
    "ablation": (
        lambda: make_study(seeds=2, trials=0), ["answer", "ablation", "architectures", "trials", "method"],
        {"ablation-curves", "ablation-levels"},
    ),
    "search": (
        lambda: make_study(seeds=0, trials=6), ["answer", "search", "architectures", "trials", "method"], {"progress"},
    ),
    "without curves": (
        lambda: replace(make_study(seeds=1, trials=0), curves={}, loss_bins={}),
        ["answer", "ablation", "architectures", "trials", "method"], set(),
    ),
    "lost": (
        lambda: replace(with_status(make_study(seeds=1, trials=2), "failed", "boom"), base="gone"),
        ["answer", "ablation", "search", "trials", "method"], set(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_has_the_parts_and_figures_that_its_study_gives(kind: str) -> None:
    make, sections, figures = KINDS[kind]
    page = render(make())
    found = read(page)
    assert [a["id"] for tag, a in found.tags if tag == "section"] == sections
    assert set(data(page)["figures"]) == figures  # type: ignore[call-overload]
    chosen = [a["data-chart"] for tag, a in found.tags if tag == "div" and a.get("data-chart")]
    # The library comes where anything is plotted, and only there.
    assert ('id="plotly-packed"' in page) == bool(chosen)


def test_a_factorials_page_tells_effects_and_no_other_study_does() -> None:
    assert "Effects of the factors" in section(render(factorial_study()), "ablation").words
    assert "Effects of the factors" not in section(full_page(), "ablation").words


def test_effects_of_factors_are_rows_with_their_whole_numbers() -> None:
    study = factorial_study()
    found = design_tables(study, METRICS["loss"])["factorial"]
    assert found is not None
    rows = {row["key"]: row for row in found["rows"]}
    assert set(rows) == {"attn", "skip", "skip x attn"}
    cells = study.trials.groupby(["factor:skip", "factor:attn"])["loss"].mean()
    effect = (cells["add", "none"] + cells["base", "none"] - cells["add", "base"] - cells["base", "base"]) / 2
    assert rows["attn"]["estimate"] == pytest.approx(effect)
    assert rows["attn"]["verdict"] == "worse"
    assert all(row["low"] < row["estimate"] < row["high"] for row in rows.values())
    assert all("×" in row["name"] for key, row in rows.items() if " x " in key)


def test_other_studies_have_neither_factors_nor_a_path() -> None:
    assert design_tables(full_study(), METRICS["loss"]) == {"factorial": None, "path": []}


# ---- the ablation


@cache
def full_ablation() -> dict[str, Any]:
    return context(full_study())


def context(study: StudyResults) -> dict[str, Any]:
    found = ablation.context(study, Charts())
    assert found is not None
    return found


def by_metric(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {panel["metric"].name: panel for panel in found["panels"]}


def test_there_is_a_panel_for_each_measured_metric_the_primary_one_first() -> None:
    assert list(by_metric(full_ablation())) == ["loss", "latency", "train_latency", "memory", "train_memory"]


def test_a_panels_base_is_the_mean_over_its_seeds() -> None:
    values = base_values(full_study().trials, "loss")
    assert by_metric(full_ablation())["loss"]["base"] == f"{sum(values.values()) / len(values):.4f}"
    assert by_metric(full_ablation())["loss"]["base_seeds"] == 8


def test_variants_stand_from_worst_to_best_and_those_without_a_pair_last() -> None:
    study = full_study()
    lost = study.trials.copy()
    gone = lost["variant"] == "skip-add"
    lost.loc[gone, ["status", "loss"]] = ["failed", float("nan")]
    rows = by_metric(context(replace(study, trials=lost)))["loss"]["rows"]
    effects = [row["effect"] for row in rows]
    assert effects[-1].variant == "skip-add"
    assert effects[-1].n == 0
    means = [effect.mean for effect in effects[:-1]]
    assert means == sorted(means, reverse=True)


def test_a_cell_of_costs_is_the_share_of_the_base() -> None:
    found = full_ablation()
    names = [metric.name for metric in found["costs"]["metrics"]]
    assert names == ["latency", "train_latency", "memory", "train_memory", "parameters", "macs"]
    for row in found["costs"]["rows"]:
        for name, cell in zip(names, row["cells"], strict=True):
            (effect,) = [e for e in compare(full_study().trials, name) if e.variant == row["variant"]]
            assert cell["value"] == effect.percent
            assert bool(cell["interval"]) == (not METRICS[name].counted and effect.percent_low < effect.percent_high)


def test_seeds_that_were_left_out_are_named_with_the_reason() -> None:
    found = full_ablation()
    assert found["dropped"] == ["no-skips, seed 6: left out of the pairs (the variant: diverged)."]
    study = full_study()
    rows = study.trials.copy()
    rows.loc[(rows["variant"] == "no-skips") & rows["seed"].isin([1, 2]), ["status", "loss"]] = [
        "diverged",
        float("nan"),
    ]
    again = context(replace(study, trials=rows))
    assert again["dropped"] == ["no-skips, seeds 1, 2 and 6: left out of the pairs (the variant: diverged)."]


def test_too_few_seeds_get_no_p_value() -> None:
    rows = by_metric(context(make_study(seeds=4, trials=0)))["loss"]["rows"]
    assert {row["p"] for row in rows} == {"—"}
    assert {row["css"] for row in rows} == {"few"}


@pytest.mark.parametrize(("seeds", "few"), [(3, "all"), (5, "some"), (8, "")])
def test_a_panel_knows_whether_its_variants_have_seeds_enough(seeds: int, few: str) -> None:
    assert by_metric(context(make_study(seeds=seeds, trials=0)))["loss"]["few"] == few


# ---- the answer


def test_every_kind_of_sentence_and_verdict_has_a_sign() -> None:
    kinds = {"better", "worse", "equivalent", "inconclusive", "few", "best", "cheapest", "knee", "note"}
    assert set(answer.SIGNS) == kinds
    assert len(set(answer.SIGNS.values())) == len(kinds)
    shown = section(full_page(), "answer")
    for one in shown.all("li"):
        if one.get("class").startswith("say-"):
            sign = next(child for child in one.all("span"))
            assert sign.words == answer.SIGNS[one.get("class").removeprefix("say-")]


def test_every_verdict_can_be_written_into_the_table() -> None:
    loader = jinja2.Environment(loader=jinja2.PackageLoader("reports", "pages"), undefined=jinja2.StrictUndefined)
    macro = loader.get_template("parts.html.jinja").module
    signs = {css: re.sub(r"<[^>]+>", " ", macro.verdict(css, "")).strip() for css in CLASSES.values()}  # type: ignore[attr-defined]
    assert len(set(signs.values())) == len(set(CLASSES.values()))
    assert all(signs[CLASSES[verdict]] for verdict in Verdict)


def test_counts_add_up_to_the_trials_of_each_part() -> None:
    found = answer.context(full_study(), Charts())
    assert found is not None
    for title, _, statuses in found["counts"]:
        rows = full_study().trials[full_study().trials["part"] == title.lower()]
        assert sum(one["number"] for one in statuses) == len(rows)
    assert [title for title, _, _ in found["counts"]] == ["Ablation", "Search"]


def test_commands_in_sentences_are_code_and_other_backticks_are_not() -> None:
    page = render(make_study(seeds=0, trials=4))
    assert "<code>ushape confirm</code>" in page
    odd = render(replace(make_study(seeds=0, trials=0), warnings=("`rm -rf` and `ushape <b>`",)))
    assert "<code>rm" not in odd
    assert "`ushape &lt;b&gt;`" in odd


def test_warnings_are_a_list_where_there_are_any() -> None:
    two = section(render(replace(make_study(seeds=0, trials=1), warnings=("first <b>", "second"))), "answer")
    assert [one.words for one in two.all("li")][-2:] == ["first <b>", "second"]
    assert "Warnings" not in section(render(replace(make_study(seeds=0, trials=1), warnings=())), "answer").words


# ---- what the script reads


def test_figures_are_stored_without_plotlys_own_template() -> None:
    figures = data(full_page())["figures"]
    assert isinstance(figures, dict)
    assert all("template" not in figure["layout"] for figure in figures.values())
    heights = {a["data-chart"]: a["style"] for tag, a in read(full_page()).tags if tag == "div" and a.get("data-chart")}
    for key, figure in figures.items():
        assert heights[key] == f"height:{figure['layout']['height']}px"


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": float("-inf")}])
def test_numbers_that_json_does_not_know_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        safe_json(value)


def test_a_chart_without_a_height_has_the_usual_one_and_made_ones_are_claimed() -> None:
    import plotly.graph_objects as go

    charts = Charts()
    assert not charts.any
    assert charts.add("a", go.Figure(), "first").height == 360
    assert charts.chosen("b", 440, "second").height == 440
    for again in ("a", "b"):
        with pytest.raises(ValueError, match=f"two figures are called {again}"):
            charts.chosen(again, 1, "again")
    assert charts.any


def test_a_study_whose_parts_went_is_no_error() -> None:
    neither = without(without(full_study(), "ablation"), "search")
    assert ablation.context(neither, Charts()) is None
    assert "No trial has run yet." in section(render(neither), "answer").words
