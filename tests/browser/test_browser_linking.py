"""Trials chosen in one view are marked in all: plot, parallel coordinates, table."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from reports.analysis.search import search_points
from reports.dashboard import write_dashboard
from tests.browser.watched import Watched
from tests.reports.synthetic_study import full_study, without

pytestmark = pytest.mark.browser

SELECTED = """place => place.data.filter(t => t.customdata).flatMap(
    t => t.selectedpoints === undefined || t.selectedpoints === null ? [] : t.selectedpoints.map(i => t.customdata[i])
).sort((a, b) => a - b)"""
MARKED = "nodes => nodes.map(n => Number(n.dataset.trial)).sort((a, b) => a - b)"


def marked(watched: Watched) -> tuple[list[int], list[int], list[int]]:
    """The trials marked in the first plot, in the lines and in the table."""
    page = watched.page
    return (
        page.locator('[data-chart^="pareto"]').first.evaluate(SELECTED),
        page.locator(".parallel .line.chosen").evaluate_all(MARKED),
        page.locator("#trial-table tbody.chosen").evaluate_all(MARKED),
    )


def test_a_box_in_the_table_marks_the_trial_everywhere(watched: Watched) -> None:
    watched.scroll_through()
    trials = [point.trial for point in search_points(full_study()) if point.kind == "front"][:2]
    for trial in trials:
        watched.page.get_by_label(f"Mark search trial {trial} in every view").check()
    assert marked(watched) == (sorted(trials), sorted(trials), sorted(trials))
    bar = watched.page.locator("#chosen")
    shown = ", ".join(map(str, sorted(trials)))
    assert bar.locator("output").inner_text() == f"2 trials chosen: {shown}"
    watched.page.get_by_label("only these in the table").check()
    assert watched.page.locator("#trial-table tbody:visible").count() == 2
    assert watched.page.locator("#trial-count").inner_text().startswith("2 of ")
    bar.get_by_role("button", name="Clear").click()
    assert marked(watched) == ([], [], [])
    assert not bar.is_visible()
    assert watched.page.locator("#trial-table tbody:visible").count() == len(full_study().trials)


def test_a_selection_in_a_plot_marks_lines_and_rows(watched: Watched) -> None:
    watched.scroll_through()
    place = watched.page.locator('[data-chart^="pareto"]').first
    trials = place.evaluate(
        """place => {
            const points = place.data.filter(t => t.customdata).flatMap(t => t.customdata).slice(0, 3);
            place.emit('plotly_selected', { points: points.map(customdata => ({ customdata })) });
            return points.sort((a, b) => a - b);
        }"""
    )
    in_plot, in_lines, in_table = marked(watched)
    assert in_plot == in_table == trials
    assert in_lines == [trial for trial in trials if trial in in_lines]
    assert in_lines


def test_a_line_can_be_clicked(watched: Watched) -> None:
    watched.scroll_through()
    line = watched.page.locator(".parallel .line.k-front").first
    trial = int(line.get_attribute("data-trial") or "-1")
    line.evaluate("node => node.dispatchEvent(new MouseEvent('click', {bubbles: true}))")
    assert marked(watched) == ([trial], [trial], [trial])


def test_a_study_without_a_search_has_nothing_to_choose(browser: Browser, tmp_path: Path) -> None:
    path = write_dashboard(without(full_study(), "search"), tmp_path / "dashboard.html")
    page = Watched(browser, path)
    assert page.page.locator(".marker").count() == 0
    assert page.page.locator("#chosen").count() == 0
    page.page.close()
    assert page.complaints == []
