"""Figures for a paper, by what they hold: rows of effects, factors and importances, names of files, sizes of print."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from archspec import UserError
from reports.analysis.ablation import compare
from reports.analysis.importance import importances
from reports.analysis.interaction import cells_of
from reports.analysis.trials import part
from reports.metrics import interval_text
from reports.paper import write
from reports.paper.browser import size_of
from reports.paper.content import drawings
from reports.paper.drawing import DOUBLE, SINGLE, Drawing, in_print
from reports.theme import LIGHT
from studies.frame import StudyResults
from tests.reports.drawn_svg import texts
from tests.reports.factorial_study import factorial_study
from tests.reports.synthetic_study import full_study, make_study, with_status, without
from tests.reports.test_reports_paper import full


def by_name(study: StudyResults) -> dict[str, Drawing]:
    return {one.name: one for one in drawings(study)}


def words(drawing: Drawing, width: float = DOUBLE) -> list[str]:
    assert drawing.svg is not None
    return texts(drawing.svg(width))


@cache
def factors() -> dict[str, Drawing]:
    return by_name(factorial_study())


def test_a_forest_holds_the_interval_of_every_variant_from_worst_to_best() -> None:
    effects = sorted(compare(full_study().trials, "loss"), key=lambda effect: -effect.mean)
    said = words(full()["forest-loss"])
    names = [text for text in said if text in {effect.variant for effect in effects}]
    assert names == [effect.variant for effect in effects]
    for effect in effects:
        assert interval_text(effect.mean, effect.low, effect.high) in said
        assert str(effect.verdict) in said


def test_the_axis_of_a_forest_says_unit_and_direction() -> None:
    assert "difference in held-out loss to the base, lower is better" in words(full()["forest-loss"])
    assert "difference in latency to the base (%), lower is better" in words(full()["forest-latency"])
    assert "difference in peak memory to the base (MiB), lower is better" in words(full()["forest-memory"])


def test_counts_have_no_forest() -> None:
    assert not {"forest-parameters", "forest-macs"} & set(full())


def test_a_margin_that_was_stated_is_a_band() -> None:
    study = full_study()
    stated = replace(study, document={**study.document, "ablation": {"margin": {"value": 0.004}}})
    plain, banded = (by_name(one)["forest-loss"].svg for one in (study, stated))
    assert plain is not None
    assert banded is not None
    grounds = [svg(DOUBLE).count(f'fill="{LIGHT["grid"]}"') for svg in (plain, banded)]
    assert grounds == [0, 1]


def test_effects_of_factors_are_rows_with_their_intervals() -> None:
    said = words(factors()["factorial-effects"])
    assert {"attn", "skip", "skip × attn"} <= set(said)
    assert "effect on held-out loss, lower is better" in said
    assert "worse" in said
    assert len([text for text in said if re.fullmatch(r"[+−][\d.]+ \[[+−]?[\d.]+, [+−]?[\d.]+\]", text)]) == 3


def test_an_interaction_shows_each_cells_mean_and_its_error() -> None:
    figure = factors()["interaction-skip-attn"].figure
    assert figure is not None
    cells = cells_of(factorial_study().trials, "loss").lines("skip", "attn")
    for trace, (level, line) in zip(figure.data, cells.items(), strict=True):
        assert trace.name == f"attn: {level}"
        assert list(trace.x) == [name for name, _, _ in line]
        assert list(trace.y) == [mean for _, mean, _ in line]
        assert list(trace.error_y.array) == [half for _, _, half in line]
    assert (figure.layout.xaxis.title.text, figure.layout.xaxis.type) == ("skip", "category")


def test_names_of_factors_and_levels_are_text_for_plotly() -> None:
    study = factorial_study()
    trials = study.trials.rename(columns={"factor:skip": "factor:<b>skip"})
    trials["factor:attn"] = trials["factor:attn"].replace("none", "<i>none")
    trials["factor:<b>skip"] = trials["factor:<b>skip"].replace("add", "a & b")
    (figure,) = [one.figure for one in drawings(replace(study, trials=trials)) if one.figure is not None]
    shown = [figure.layout.xaxis.title.text, *(t.name for t in figure.data), *(x for t in figure.data for x in t.x)]
    assert not [text for text in shown if re.search(r"<|& ", text)]
    assert "attn: &#60;i&#62;none" in shown
    assert "a &#38; b" in shown


def test_an_importance_is_written_with_two_digits_and_doubted_where_chance_reaches_it() -> None:
    study = make_study(seeds=0, trials=40)
    found = importances(part(study.trials, "search"), "loss")
    said = words(by_name(study)["importance-loss"])
    known = [row for row in found.rows if math.isfinite(row.share)]
    assert [text for text in said if text in {row.parameter for row in known}] == [row.parameter for row in known]
    assert {f"{row.share:.2f}" for row in known} <= set(said)
    assert said.count("not above chance") == sum(row.share <= row.chance for row in known)
    assert f"share of the variance of ranks of held-out loss (n = {found.n})" in said


def test_few_trials_have_no_importances() -> None:
    assert not [name for name in by_name(make_study(seeds=0, trials=5)) if name.startswith("importance")]


@pytest.mark.parametrize(
    ("objectives", "names"),
    [
        (("loss", "latency"), ["pareto-loss-latency"]),
        (("latency", "loss", "memory"), ["pareto-loss-latency", "pareto-loss-memory"]),
        (("macs",), ["history"]),
        ((), ["history"]),
    ],
)
def test_a_search_is_drawn_against_each_cost_or_trial_by_trial(objectives: tuple[str, ...], names: list[str]) -> None:
    found = by_name(make_study(seeds=0, trials=5, objectives=objectives))
    assert [name for name in found if name.startswith(("pareto", "history"))] == names
    stairs = [trace for trace in found[names[0]].figure.data if trace.mode == "lines"]  # type: ignore[union-attr]
    assert len(stairs) <= 1
    assert not (len(names) > 1 and stairs), "a front in three objectives is no staircase in two of them"


def test_without_a_result_a_study_has_its_base_alone() -> None:
    assert list(by_name(with_status(make_study(seeds=1, trials=3), "failed", "boom"))) == ["architecture-base"]


def test_without_a_search_the_best_variant_stands_beside_the_base() -> None:
    study = without(full_study(), "search")
    means = study.trials[study.trials["variant"] != "base"].groupby("variant")["loss"].mean()
    drawing = by_name(study)["architectures"]
    assert {"base", str(means.idxmin())} <= set(words(drawing))
    assert drawing.width == DOUBLE


def test_the_base_that_is_best_is_drawn_once() -> None:
    assert "architectures" not in by_name(make_study(seeds=0, trials=1))


# ---- print


def printed(figure: go.Figure, width: float = SINGLE, height: float = 0.72) -> go.Figure:
    data = in_print(figure, width, height)
    return go.Figure(data["data"], data["layout"])


def test_a_figure_for_print_has_its_size_on_white_paper_and_type_of_print() -> None:
    figure = full()["pareto-loss-latency"].figure
    assert figure is not None
    found = printed(figure, 3.3, 0.5)
    assert (found.layout.width, found.layout.height) == (317, 158)
    assert (found.layout.paper_bgcolor, found.layout.plot_bgcolor) == ("#ffffff", "#ffffff")
    assert found.layout.font.size == 10
    assert found.layout.xaxis.title.text == figure.layout.xaxis.title.text
    assert figure.layout.width is None, "the figure of the page stays as it was"


def test_marks_and_lines_shrink_for_print() -> None:
    marks: Any = go.Scatter(x=[1, 2], y=[1, 2], marker={"size": [10, 20]}, line={"width": 2}, mode="markers+text")
    plain: Any = go.Scatter(x=[1], y=[1], marker={"size": 10}, mode="markers")
    first, second = printed(go.Figure([marks, plain])).data
    assert list(first.marker.size) == [6.5, 13.0]
    assert first.line.width == pytest.approx(1.3)
    assert first.textfont.size == 8
    assert (second.marker.size, second.textfont.size) == (6.5, None)


def test_what_the_page_says_of_its_buttons_is_left_out_in_print() -> None:
    figure = go.Figure()
    figure.add_annotation(text="2 trials outside this view (double-click)")
    (note,) = printed(figure).layout.annotations
    assert note.text == "2 trials outside this view"


PLOTLY = '<svg class="main-svg" xmlns="http://www.w3.org/2000/svg" width="192" height="96" {}><rect width="192"/></svg>'


@pytest.mark.parametrize("box", ["", 'viewBox="0 0 192 96"'])
def test_plotlys_drawings_are_files_in_inches_of_print(box: str) -> None:
    svg = write._in_inches(PLOTLY.format(box))
    assert size_of(svg) == (2.0, 1.0)
    root = ET.fromstring(svg)
    assert root.attrib["viewBox"] == "0 0 192 96"
    assert (root.attrib["width"], root.attrib["height"]) == ("2.000in", "1.000in")
    assert root[0].attrib["width"] == "192", "what stands in the drawing keeps its units"


@pytest.fixture
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "find_browser", lambda: None)


@pytest.mark.usefixtures("no_browser")
def test_a_format_that_is_asked_for_twice_is_written_once(tmp_path: Path) -> None:
    study = replace(make_study(seeds=2, trials=0), curves={}, loss_bins={})
    written, left_out = write.write_figures(study, tmp_path / "deep" / "er", ["svg", "svg"], 4.5)
    assert len(written) == len(set(written)) == len(drawings(study))
    assert left_out == []
    assert {size_of(path.read_text(encoding="utf-8"))[0] for path in written} == {4.5}


@pytest.mark.usefixtures("no_browser")
@pytest.mark.parametrize(
    ("formats", "width", "said"),
    [
        (["gif", "svg"], None, "`gif` is no format of figures. Formats: svg, pdf, png."),
        (["svg"], 0.99, "a figure cannot be 0.99 in wide. A column has 3.3 in, a page 7; from 1 to 40."),
        (["svg"], 41.0, "a figure cannot be 41 in wide. A column has 3.3 in, a page 7; from 1 to 40."),
        (["svg"], math.nan, "a figure cannot be nan in wide. A column has 3.3 in, a page 7; from 1 to 40."),
        (["pdf"], None, "PDF and PNG need a browser: none of chromium, chromium-browser, google-chrome, "
         "google-chrome-stable, chrome is on PATH. Install Chromium or Chrome, or name one with USHAPE_BROWSER. "
         "`--format svg` needs none."),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_before_a_file_is(
    formats: list[str], width: float | None, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as refused:
        write.write_figures(make_study(seeds=1, trials=0), tmp_path / "figures", formats, width)
    assert said in str(refused.value)
    assert not (tmp_path / "figures").exists()
