"""The search's plots are made in the page: they hold the numbers of results.csv, whatever a reader chooses."""

import re
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page

from reports.dashboard import write_dashboard
from reports.figures.kinds import KINDS
from reports.metrics import METRICS
from reports.tables import write_results_csv
from studies.frame import StudyResults
from tests.browser.watched import Watched
from tests.reports.synthetic_study import full_study, make_study, with_status

pytestmark = pytest.mark.browser

SHOWN = """place => Object.fromEntries(place.data.filter(t => t.customdata && !t.xaxis && t.mode !== 'lines')
    .flatMap(t => t.customdata.map((trial, i) => [trial, [t.x[i], t.y[i]]])))"""


def csv_of(study: StudyResults, folder: Path) -> pd.DataFrame:
    frame = pd.read_csv(write_results_csv(study, folder / "results.csv"))
    frame = frame[(frame["part"] == "search") & (frame["status"] == "finished")]
    return frame.set_index("trial")


def shown(page: Page, key: str) -> dict[int, list[float]]:
    found: dict[str, list[float]] = page.locator(f"#plot-{key}").evaluate(SHOWN)
    return {int(trial): point for trial, point in found.items()}


@pytest.mark.parametrize(("up", "across"), [("memory", "latency"), ("loss", "macs")])
def test_any_two_metrics_show_the_numbers_of_the_csv(opened: Watched, tmp_path: Path, up: str, across: str) -> None:
    opened.draw("pareto")
    page, table = opened.page, csv_of(full_study(), tmp_path)
    page.select_option("#pareto-y", up)
    page.select_option("#pareto-x", across)
    page.wait_for_function(
        "name => document.getElementById('plot-pareto').layout.xaxis.title.text.startsWith(name)",
        arg=METRICS[across].label,
    )
    found = shown(page, "pareto")
    assert set(found) == set(table.index)
    factor = {"macs": 1e-6}
    for trial, (x, y) in found.items():
        assert x == pytest.approx(table.loc[trial, across] * factor.get(across, METRICS[across].factor))
        assert y == pytest.approx(table.loc[trial, up] * METRICS[up].factor)
    title = f"{METRICS[up].label} against {METRICS[across].label}"
    assert page.locator("#pareto-title").inner_text().lower() == title.lower()


def test_a_third_metric_is_told_by_colour_and_kinds_keep_their_symbols(watched: Watched) -> None:
    watched.draw("pareto")
    page = watched.page
    page.select_option("#pareto-colour", "memory")
    page.wait_for_selector("#plot-pareto .cbtitle, #plot-pareto .infolayer .cbcoloraxis", state="attached")
    symbols: dict[str, str] = page.locator("#plot-pareto").evaluate(
        "place => Object.fromEntries(place.data.filter(t => t.marker?.symbol).map(t => [t.name, t.marker.symbol]))"
    )
    assert set(symbols) == {*(kind.label for kind in KINDS.values()), "knee"}
    assert len(set(symbols.values())) == len(symbols)
    budgets = page.locator("#plot-pareto").evaluate("place => place.layout.shapes.filter(s => s.line.dash).length")
    assert budgets == 1


@pytest.mark.parametrize("many", [False, True])
def test_a_square_of_its_own_stands_around_the_knee_that_the_answer_names(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, many: bool
) -> None:
    if many:
        monkeypatch.setattr("reports.pages.search_data.MANY", 10)
    study = full_study()
    watched = Watched(browser, write_dashboard(study, tmp_path / "d.html"))
    watched.draw("pareto")
    page, table = watched.page, csv_of(study, tmp_path)
    named = re.search(r"Knee of the front: trial (\d+) ", page.locator(".say-knee").inner_text().replace("\xa0", " "))
    assert named
    row = table.loc[int(named[1])]
    (square,) = page.locator("#plot-pareto").evaluate(
        "place => place.data.filter(t => t.name === 'knee').map(t => [t.x, t.y, t.marker.symbol])"
    )
    assert square == [[pytest.approx(row["latency"] * 1e3)], [pytest.approx(row["loss"])], "square-open"]
    assert watched.complaints == []
    page.close()


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize(("up", "across"), [("loss", "latency"), ("latency", "loss")])
def test_what_is_said_in_the_corner_does_not_touch_a_budget(
    browser: Browser, tmp_path: Path, width: int, up: str, across: str
) -> None:
    study = make_study(seeds=0, budgets={"latency": 1.75e-3})
    trials = study.trials.copy()
    far = trials.index[(trials["status"] == "finished") & ~trials["feasible"]][0]
    trials.loc[far, ["latency", "loss"]] = [0.5, 40.0]
    written = write_dashboard(StudyResults(**{**vars(study), "trials": trials}), tmp_path / "d.html")
    watched = Watched(browser, written, width=width)
    watched.draw("pareto")
    page = watched.page
    page.select_option("#pareto-y", up)
    page.select_option("#pareto-x", across)
    page.wait_for_function(
        "name => document.getElementById('plot-pareto').layout.xaxis.title.text.startsWith(name)",
        arg=METRICS[across].label,
    )
    boxes = page.locator("#plot-pareto .annotation").evaluate_all(
        """notes => notes.map(n => [n.textContent, n.getBoundingClientRect()])
            .map(([text, { left, right, top, bottom }]) => [text, left, right, top, bottom])"""
    )
    found = {text: edges for text, *edges in boxes}
    (corner,) = [edges for text, edges in found.items() if "outside" in text]
    (label,) = [edges for text, edges in found.items() if text.startswith("budget")]
    apart = corner[0] >= label[1] or corner[1] <= label[0] or corner[2] >= label[3] or corner[3] <= label[2]
    assert apart, found
    page.close()


def test_the_legend_of_kinds_counts_what_the_plot_shows(opened: Watched) -> None:
    opened.draw("pareto")
    counts: dict[str, int] = opened.page.locator("#plot-pareto").evaluate(
        "place => Object.fromEntries(place.data.filter(t => t.customdata).map(t => [t.name, t.customdata.length]))"
    )
    for item in opened.page.locator("#search .key li").all():
        name = next(name for name in counts if name in item.inner_text())
        assert counts[name] == int(item.get_attribute("data-value") or -1)


def test_a_slice_shows_any_parameter_against_any_metric(opened: Watched, tmp_path: Path) -> None:
    opened.draw("slices")
    page, table = opened.page, csv_of(full_study(), tmp_path)
    page.select_option("#slice-parameter", label="num_res_blocks")
    page.select_option("#slice-metric", "latency")
    page.wait_for_function("() => document.getElementById('plot-slices').layout.xaxis.title.text === 'num_res_blocks'")
    levels = sorted({str(int(v)) for v in table["param:num_res_blocks"]})
    assert page.locator("#plot-slices").evaluate("place => place.layout.xaxis.ticktext") == levels
    found = shown(page, "slices")
    assert set(found) == set(table.index)
    for trial, (x, y) in found.items():
        assert levels[round(x)] == str(int(table.loc[trial, "param:num_res_blocks"]))
        assert y == pytest.approx(table.loc[trial, "latency"] * 1e3)


def test_markup_in_parameters_and_reasons_stays_text(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Rows that are written into the file, and rows that the page's script makes.
    monkeypatch.setattr("reports.pages.trials.MOST_WRITTEN", 10)
    study = make_study(seeds=0, trials=20)
    evil = "<img src=x onerror=\"document.title='hacked'\">"
    trials = study.trials.assign(reason=evil).rename(columns={"param:ch_mult": f"param:{evil}"})
    trials["param:attn_type"] = trials["param:attn_type"] + evil
    watched = Watched(browser, write_dashboard(StudyResults(**{**vars(study), "trials": trials}), tmp_path / "d.html"))
    watched.scroll_through()
    watched.page.locator("#trial-pager").get_by_text("rows 1 to 20 of 20").wait_for()
    assert watched.page.locator("img").count() == 0
    assert watched.page.locator("#trial-table .reason").last.text_content() == evil
    texts = watched.page.locator("#plot-pareto").evaluate("place => place.data.flatMap(t => t.hovertext ?? [])")
    assert texts
    assert not [text for text in texts if "<img" in text]
    assert watched.page.title() == "digits – ushape"
    assert watched.complaints == []
    watched.page.close()


def test_rows_that_the_script_makes_say_which_part_they_are_of(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(seeds=1, trials=8)
    whole = Watched(browser, write_dashboard(study, tmp_path / "whole.html"))
    first_cells = "rows => rows.map(row => row.cells[1].innerText.trim())"
    wanted = whole.page.locator("#trial-table tbody tr:first-child").evaluate_all(first_cells)
    assert wanted[0] == "ablation 0"
    assert wanted[-1] == "search 7"
    whole.page.close()
    monkeypatch.setattr("reports.pages.trials.MOST_WRITTEN", 2)
    cut = Watched(browser, write_dashboard(study, tmp_path / "cut.html"))
    cut.page.locator("#trial-pager").get_by_text(f"of {len(wanted)}").wait_for()
    assert cut.page.locator("#trial-table tbody tr:first-child").evaluate_all(first_cells) == wanted
    cut.page.fill("#trial-filter", "ablation")
    found = sum(cell.startswith("ablation") for cell in wanted)
    assert cut.page.locator("#trial-count").inner_text() == f"{found} of {len(wanted)} trials"
    cut.page.close()
    assert whole.complaints == cut.complaints == []


def test_many_trials_are_shown_in_pages_of_a_table_and_as_marks_on_a_canvas(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.pages.trials.MOST_WRITTEN", 20)
    monkeypatch.setattr("reports.pages.search_data.MANY", 100)
    study = make_study(seeds=0, trials=230)
    watched = Watched(browser, write_dashboard(study, tmp_path / "d.html"))
    page = watched.page
    pager = page.locator("#trial-pager")
    pager.get_by_text("rows 1 to 200 of 230").wait_for()
    assert page.locator("#trial-table tbody").count() == 200
    pager.get_by_role("button", name="Later rows").click()
    assert page.locator("#trial-table tbody").count() == 30
    page.locator('#trial-table th[data-column="loss"] button').click()
    losses = page.locator("#trial-table tbody tr:first-child td[data-metric=loss]").evaluate_all(
        "cells => cells.map(cell => Number(cell.dataset.value))"
    )
    assert losses[:50] == sorted(study.trials["loss"].dropna())[:50]
    best = page.locator("#trial-table tbody").first
    best.get_by_role("button").first.click()
    assert best.locator(".details").is_visible()
    page.fill("#trial-filter", "out of memory")
    assert page.locator("#trial-count").inner_text() == f"{(study.trials['status'] == 'oom').sum()} of 230 trials"
    page.fill("#trial-filter", "")
    # A trial that stands on another page of the table is chosen as well.
    last = int(study.trials["trial"].iloc[-1])
    page.evaluate("trial => page.links.choose([trial])", last)
    page.get_by_label("only these in the table").check()
    assert page.locator("#trial-table tbody.chosen").get_attribute("data-trial") == str(last)
    _marks_on_a_canvas(page, csv_of(study, tmp_path))
    assert watched.complaints == []
    page.close()


def _marks_on_a_canvas(page: Page, table: pd.DataFrame) -> None:
    page.locator("#plot-pareto").scroll_into_view_if_needed()
    page.wait_for_selector("#plot-pareto canvas.all")
    assert page.locator("#plot-pareto").get_attribute("data-chosen") == "1"
    found: list[list[float]] = page.evaluate(
        """() => page.marked.pareto.shown().filter(g => g.axes[0] === 'xaxis').flatMap(
            g => g.rows.map((_, at) => [g.x[at], g.y[at], g.px[at], g.py[at]]))"""
    )
    shown = {(x, y): (px, py) for x, y, px, py in found}
    wanted = sorted(zip(table["latency"] * 1e3, table["loss"], strict=True))
    assert sorted(shown) == [pytest.approx(one) for one in wanted]
    # The mark of the best loss is where the axes say, is told of under the pointer, and a click takes it in.
    (_, loss), (px, py) = min(shown.items(), key=lambda one: one[0][1])
    trial = int(table["loss"].idxmin())
    place = page.locator("#plot-pareto").bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + px, place["y"] + py)
    tip = page.locator("#plot-pareto .tip")
    assert tip.inner_text().startswith(f"trial {trial}, finished")
    assert f"held-out loss {loss:.4g}" in tip.inner_text()
    chosen: list[int] = page.evaluate("[...page.links.chosen]")
    page.mouse.down()
    page.mouse.up()
    assert set(page.evaluate("[...page.links.chosen]")) == {*chosen, trial}
    ink = """() => { const c = document.querySelector('#plot-pareto canvas.layer:not(.all)');
        return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter(v => v).length; }"""
    assert page.evaluate(ink) > 0
    page.evaluate("page.links.choose([])")
    assert page.locator("#plot-pareto").get_attribute("data-chosen") == "0"


def test_a_search_without_results_has_words_instead_of_plots(browser: Browser, tmp_path: Path) -> None:
    study = with_status(make_study(seeds=0, trials=5), "failed", "RuntimeError: boom")
    watched = Watched(browser, write_dashboard(study, tmp_path / "d.html"))
    assert "No search trial has a result yet" in watched.page.locator("#search").inner_text()
    assert watched.page.locator("#search .plot").count() == 0
    assert watched.complaints == []
    watched.page.close()
