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


def marked(watched: Watched) -> tuple[list[int], list[int], int, list[int]]:
    """The trials marked in the first plot, in the slice and in the table, and how many lines are."""
    page = watched.page
    return (
        page.locator("#plot-pareto").evaluate(SELECTED),
        page.locator("#plot-slices").evaluate(SELECTED),
        int(page.locator("#parallel").get_attribute("data-chosen") or 0),
        page.locator("#trial-table tbody.chosen").evaluate_all(MARKED),
    )


def in_curves(watched: Watched) -> set[int]:
    """The trials whose curves are drawn bold."""
    found = watched.page.locator("#plot-search-curves").get_attribute("data-chosen") or ""
    return {int(trial) for trial in found.split(",") if trial}


def test_a_box_in_the_table_marks_the_trial_everywhere(watched: Watched) -> None:
    watched.scroll_through()
    trials = [point.trial for point in search_points(full_study()) if point.kind == "front"][:2]
    for trial in trials:
        watched.page.get_by_label(f"Mark search trial {trial} in every view").check()
    assert marked(watched) == (sorted(trials), sorted(trials), 2, sorted(trials))
    assert in_curves(watched) == set(trials)
    bar = watched.page.locator("#chosen")
    shown = ", ".join(map(str, sorted(trials)))
    assert bar.locator("output").inner_text() == f"2 trials chosen: {shown}"
    watched.page.get_by_label("only these in the table").check()
    assert watched.page.locator("#trial-table tbody:visible").count() == 2
    assert watched.page.locator("#trial-count").inner_text().startswith("2 of ")
    bar.get_by_role("button", name="Clear").click()
    assert marked(watched) == ([], [], 0, [])
    assert in_curves(watched) == set()
    assert not bar.is_visible()
    assert watched.page.locator("#trial-table tbody:visible").count() == len(full_study().trials)


def test_a_box_over_curves_chooses_their_trials_while_it_is_drawn(watched: Watched) -> None:
    watched.scroll_through()
    page = watched.page
    plot = page.locator("#plot-search-curves")
    plot.scroll_into_view_if_needed()
    plot.hover()
    plot.locator('.modebar-btn[data-val="select"]').click()
    area = plot.locator(".nsewdrag").bounding_box()
    assert area is not None
    page.mouse.move(area["x"] + 4, area["y"] + 4)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] - 4, area["y"] + area["height"] - 4, steps=5)
    shown = page.locator("#chosen output")
    shown.wait_for()
    points = search_points(full_study())
    curves = {p.trial for p in points if ("search", p.trial) in full_study().curves}
    page.wait_for_function("n => page.links.chosen.size === n", arg=len(curves))
    page.mouse.up()
    assert in_curves(watched) == curves
    assert set(marked(watched)[3]) == curves
    page.locator("#plot-search-curves .selectionlayer path").first.wait_for(state="attached")
    # A choice made elsewhere takes the box away, and nothing brings its trials back.
    page.get_by_label(f"Mark search trial {min(curves)} in every view").uncheck()
    assert page.locator("#plot-search-curves .selectionlayer path").count() == 0
    assert in_curves(watched) == curves - {min(curves)}


@pytest.mark.parametrize("key", ["pareto", "slices"])
def test_a_selection_in_any_plot_marks_all_views(watched: Watched, key: str) -> None:
    watched.scroll_through()
    trials = watched.page.locator(f"#plot-{key}").evaluate(
        """place => {
            const traces = place.data.filter(t => t.customdata?.length);
            const points = [...new Set(traces.flatMap(t => [...t.customdata]).filter(t => t !== null))].slice(-3);
            place.emit('plotly_selected', { points: points.map(customdata => ({ customdata })) });
            return points.sort((a, b) => a - b);
        }"""
    )
    in_plot, in_slice, lines, in_table = marked(watched)
    assert len(trials) == 3
    assert in_table == in_plot == trials
    assert set(in_slice) <= set(trials)
    assert lines == 3
    assert in_curves(watched) <= set(trials)


def axis_box(watched: Watched, axis: int) -> dict[str, float]:
    catch = watched.page.locator(f'#parallel [data-axis="{axis}"] .catch')
    catch.scroll_into_view_if_needed()
    found = catch.bounding_box()
    assert found is not None
    return dict(found)


def test_a_range_on_an_axis_chooses_the_trials_in_it(watched: Watched) -> None:
    watched.scroll_through()
    page, points = watched.page, search_points(full_study())
    # The first axis is ch_mult: 1,1 at the bottom, 2,2 at the top.
    box = axis_box(watched, 0)
    middle = box["x"] + box["width"] / 2
    page.mouse.move(middle, box["y"] + box["height"] - 2)
    page.mouse.down()
    page.mouse.move(middle, box["y"] + box["height"] - 40, steps=4)
    page.mouse.up()
    wanted = [p.trial for p in points if p.parameters["ch_mult"] == "1,1"]
    assert wanted
    assert marked(watched)[3] == wanted
    assert marked(watched)[2] == len(wanted)
    # A second axis narrows the choice; latency is the sixth, and small networks are quick.
    page.locator('#parallel [data-axis="5"]').focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    known = [p.values["latency"] for p in points if p.kind != "no result"]
    span = max(known) - min(known)
    share = {p.trial: (p.values["latency"] - min(known)) / span for p in points if p.kind != "no result"}
    both = [trial for trial in wanted if trial in share and 0.092 <= share[trial] <= 0.3]
    assert both
    assert marked(watched)[3] == both
    page.keyboard.press("Escape")
    assert marked(watched)[3] == wanted
    page.mouse.click(middle, box["y"] + box["height"] / 2)
    assert marked(watched) == ([], [], 0, [])


def test_a_study_without_a_search_has_nothing_to_choose(browser: Browser, tmp_path: Path) -> None:
    path = write_dashboard(without(full_study(), "search"), tmp_path / "dashboard.html")
    page = Watched(browser, path)
    assert page.page.locator(".marker").count() == 0
    assert page.page.locator("#chosen").count() == 0
    page.page.close()
    assert page.complaints == []
