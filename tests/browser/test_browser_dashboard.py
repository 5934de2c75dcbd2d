"""Opens the page in a real browser: reads its numbers, sorts, filters, chooses, and lets nothing go wrong unseen."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import Browser

from reports.analysis.ablation import compare
from reports.analysis.search import search_points
from reports.dashboard import write_dashboard
from tests.browser.watched import Watched
from tests.reports.synthetic_study import full_study, make_study, with_status

pytestmark = pytest.mark.browser


def test_the_verdicts_on_the_page_are_those_of_the_analysis(opened: Watched) -> None:
    effects = compare(full_study().trials, "loss")
    rows = opened.page.locator("#forest-loss tbody tr")
    assert rows.count() == len(effects) == 5
    for effect in effects:
        row = opened.page.locator(f'#forest-loss tbody tr[data-variant="{effect.variant}"]')
        cell = row.locator('td[data-metric="loss"]')
        assert float(cell.get_attribute("data-value") or "") == effect.mean
        assert float(cell.get_attribute("data-low") or "") == effect.low
        assert float(cell.get_attribute("data-high") or "") == effect.high
        assert float(row.locator('[data-field="p"]').get_attribute("data-value") or "") == effect.p_holm
        verdict = row.locator('[data-field="verdict"] .verdict').inner_text()
        assert verdict.split("\n")[-1].strip().startswith(str(effect.verdict))
        # The one that is off the scale is written out; every other seed is a dot.
        assert row.locator("circle.seed").count() == (0 if effect.variant == "no-skips" else effect.n)


def test_the_dots_stand_where_the_axis_says(opened: Watched) -> None:
    effect = next(e for e in compare(full_study().trials, "loss") if e.variant == "no-attention")
    ticks: list[tuple[float, float]] = opened.page.evaluate(
        """() => [...document.querySelectorAll('#forest-loss tfoot text')].map(t => {
            const box = t.getBoundingClientRect();
            return [Number(t.textContent.replace('−', '-')), box.left + box.width / 2];
        })"""
    )
    (v0, x0), (v1, x1) = ticks[0], ticks[-1]
    dots: list[float] = opened.page.evaluate(
        """() => [...document.querySelectorAll('#forest-loss tr[data-variant="no-attention"] .seed')].map(c => {
            const box = c.getBoundingClientRect();
            return box.left + box.width / 2;
        })"""
    )
    shown = [v0 + (x - x0) / (x1 - x0) * (v1 - v0) for x in dots]
    assert shown == pytest.approx(list(effect.differences), abs=0.0005)


def test_another_metric_can_be_chosen(watched: Watched) -> None:
    page = watched.page
    page.get_by_role("button", name="latency", exact=True).first.click()
    assert page.locator("#forest-latency").is_visible()
    assert not page.locator("#forest-loss").is_visible()
    effect = next(e for e in compare(full_study().trials, "latency") if e.variant == "skip-add")
    cell = page.locator('#forest-latency td[data-variant="skip-add"]')
    assert float(cell.get_attribute("data-value") or "") == effect.mean


def test_the_plots_hold_the_frames_numbers_and_offer_no_upload(opened: Watched) -> None:
    opened.scroll_through()
    page = opened.page
    shown: list[list[float]] = page.evaluate(
        """() => document.getElementById('plot-pareto').data
            .filter(t => t.customdata && !t.xaxis)
            .flatMap(t => t.customdata.map((trial, i) => [trial, t.x[i], t.y[i]]))"""
    )
    points = {p.trial: p for p in search_points(full_study()) if p.kind != "no result"}
    assert {int(trial) for trial, _, _ in shown} == set(points)
    for trial, x, y in shown:
        assert x == pytest.approx(points[int(trial)].values["latency"] * 1e3)
        assert y == points[int(trial)].values["loss"]
    titles: list[str] = page.evaluate(
        "() => [...document.querySelectorAll('.modebar-btn')].map(b => b.getAttribute('data-title') ?? b.textContent)"
    )
    assert titles
    assert not [t for t in titles if any(word in t.lower() for word in ("share", "cloud", "edit", "upload"))]


def test_the_table_sorts_both_ways_by_click_and_by_keyboard(watched: Watched) -> None:
    page = watched.page

    def losses() -> list[float]:
        found: list[str] = page.evaluate(
            """() => [...document.querySelectorAll('#trial-table tbody tr:first-child td[data-metric=loss]')]
                .map(cell => cell.dataset.value)"""
        )
        return [float(value) if value else float("inf") for value in found]

    head = page.locator('#trial-table th[data-column="loss"]')
    head.get_by_role("button").click()
    wanted = sorted(full_study().trials["loss"].dropna())
    assert head.get_attribute("aria-sort") == "ascending"
    assert losses()[: len(wanted)] == wanted
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert losses()[: len(wanted)] == wanted[::-1]
    # What has no loss stays at the end.
    assert set(losses()[len(wanted) :]) == {float("inf")}


def test_the_table_filters_by_words_part_and_status(watched: Watched) -> None:
    page, trials = watched.page, full_study().trials
    page.fill("#trial-filter", "skip-add")
    wanted = int((trials["variant"] == "skip-add").sum())
    assert page.locator("#trial-count").inner_text() == f"{wanted} of {len(trials)} trials"
    assert page.locator("#trial-table tbody:visible").count() == wanted
    page.fill("#trial-filter", "")
    page.select_option("#trial-status", "refused")
    refused = trials[trials["status"] == "refused"]
    assert page.locator("#trial-count").inner_text() == f"{len(refused)} of {len(trials)} trials"
    page.select_option("#trial-part", "ablation")
    assert page.locator("#trial-count").inner_text() == f"0 of {len(trials)} trials"


def test_a_row_opens_to_reason_edits_and_fingerprint(watched: Watched) -> None:
    page, trials = watched.page, full_study().trials
    oom = trials[trials["status"] == "oom"].iloc[0]
    body = page.locator(f'tbody[data-part="search"][data-trial="{oom["trial"]}"]')
    details = body.locator(".details")
    assert not details.is_visible()
    body.get_by_role("button").first.click()
    assert details.is_visible()
    text = details.inner_text()
    for piece in (oom["reason"], oom["fingerprint"], oom["edits"]):
        assert str(piece) in text


def test_another_architecture_can_be_compared(watched: Watched) -> None:
    page = watched.page
    title = page.locator('[data-slot="right_title"]')
    assert title.inner_text().startswith("best: trial ")
    choice = page.locator("#architecture-choice")
    value = choice.locator("option", has_text="variant no-skips").get_attribute("value")
    choice.select_option(value)
    page.locator(f'#architecture-pair[data-shown="{value}"]').wait_for()
    assert title.inner_text() == "variant no-skips"
    assert page.locator('[data-slot="left"] .skip.m-removed').count() == 6
    assert page.locator('[data-slot="right"] .skip').count() == 0


def test_a_row_leads_to_the_picture_of_its_architecture(watched: Watched) -> None:
    page, trials = watched.page, full_study().trials
    row = trials[trials["variant"] == "linear-attention"].iloc[0]
    body = page.locator(f'tbody[data-part="ablation"][data-trial="{row["trial"]}"]')
    body.get_by_role("button").first.click()
    body.get_by_role("button", name="Compare its architecture with the base").click()
    page.locator(f'#architecture-pair[data-shown="{row["fingerprint"]}"]').wait_for()
    assert "linear-attention" in page.locator('[data-slot="right_title"]').inner_text()


def test_what_was_counted_is_on_the_page(opened: Watched) -> None:
    counts = full_study().trials.groupby(["part", "status"]).size()
    for (part, status), number in counts.items():  # type: ignore[misc]
        shown = opened.page.locator(f'[data-counts="{part}"] [data-status="{status}"]')
        assert shown.get_attribute("data-value") == str(number)


FITS = "() => document.documentElement.scrollWidth === document.documentElement.clientWidth"


@pytest.mark.parametrize(("first", "others", "scheme"), [(1440, [800], "light"), (390, [], "dark")])
def test_nothing_is_wider_than_the_page(
    browser: Browser, dashboard: Path, first: int, others: list[int], scheme: str
) -> None:
    watched = Watched(browser, dashboard, first, scheme)
    watched.scroll_through()
    for width in (first, *others):
        watched.page.set_viewport_size({"width": width, "height": 900})
        watched.page.wait_for_function("width => innerWidth === width", arg=width)
        # Plots follow a tenth of a second later.
        watched.page.wait_for_function(FITS, timeout=5000)
        if width >= 800:
            # The verdicts are what readers came for: they need no scrolling inside the table either.
            inside = "e => e.scrollWidth - e.clientWidth"
            assert watched.page.locator("#forest-loss .scroll").evaluate(inside) == 0
    assert watched.complaints == []
    watched.page.close()


def test_dark_screens_get_dark_plots_and_paper_gets_light_ones(browser: Browser, dashboard: Path) -> None:
    watched = Watched(browser, dashboard, scheme="dark")
    page = watched.page
    plot = page.locator("#plot-pareto")
    plot.scroll_into_view_if_needed()
    page.wait_for_selector("#plot-pareto .main-svg")
    ink = "() => document.getElementById('plot-pareto').layout.font.color"
    assert page.evaluate(ink) == "#e9ebee"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(ink) == "#16191d"
    assert page.evaluate("document.querySelectorAll('[data-chart] .main-svg').length") > 3
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(ink) == "#e9ebee"
    assert watched.complaints == []
    page.close()


# What stands where while the page is laid out for paper: the page's width, and the places of plots, canvases and lines.
PAPER = """() => matchMedia('print').addEventListener('change', ({ matches }) => {
    if (!matches) return;
    const box = node => (({ left, right, top, bottom }) => [left, right, top, bottom])(node.getBoundingClientRect());
    const boxes = selector => [...document.querySelectorAll(selector)].map(box);
    window.onPaper = {
        width: document.documentElement.clientWidth, tables: boxes('.importances, .trials, .forest-table'),
        plots: [...document.querySelectorAll('[data-chart]')].filter(p => p.clientWidth).map(place => ({
            place: box(place), pictures: [...place.querySelectorAll('.main-svg, canvas')].map(box),
        })),
        lines: [...document.querySelectorAll('#parallel > canvas, #parallel > svg')].map(box),
    };
})"""


def test_on_paper_nothing_is_cut_off_and_lines_stand_on_their_axes(
    browser: Browser, dashboard: Path, tmp_path: Path
) -> None:
    watched = Watched(browser, dashboard)
    page = watched.page
    watched.draw("pareto")
    page.evaluate(PAPER)
    page.pdf(path=tmp_path / "page.pdf", format="A4", margin={"left": "15mm", "right": "15mm"})
    found: dict[str, Any] = page.evaluate("onPaper")
    assert len(found["plots"]) > 3
    for plot in found["plots"]:
        assert plot["pictures"]
        for picture in plot["pictures"]:
            assert picture == [pytest.approx(edge, abs=1.5) for edge in plot["place"]]
    edges = [box[1] for box in (*found["tables"], *found["lines"], *(plot["place"] for plot in found["plots"]))]
    assert max(edges) <= found["width"] + 1.5
    canvas, _, axes = found["lines"]
    assert axes == [pytest.approx(edge, abs=0.5) for edge in canvas]
    # The screen has its own size again.
    page.wait_for_function(
        """() => { const place = document.getElementById('plot-pareto');
        return place._fullLayout.width === place.clientWidth && !place.querySelector('.main-svg[viewBox]'); }"""
    )
    assert watched.complaints == []
    page.close()


@pytest.mark.parametrize("state", ["all failed", "no trial", "one trial"])
def test_studies_without_much_to_show_open_quietly(browser: Browser, tmp_path: Path, state: str) -> None:
    study = make_study(seeds=0, trials=0 if state == "no trial" else 1)
    if state == "all failed":
        study = with_status(study, "failed", "RuntimeError: boom")
    watched = Watched(browser, write_dashboard(study, tmp_path / "d.html"))
    watched.scroll_through()
    assert watched.overflow() == 0
    assert watched.complaints == []
    watched.page.close()


def test_markup_in_names_stays_text(browser: Browser, tmp_path: Path) -> None:
    study = make_study(seeds=5, trials=0)
    evil = "<img src=x onerror=\"document.title='hacked'\">"
    trials = study.trials.assign(reason=evil)
    trials["variant"] = trials["variant"].where(trials["variant"] == "base", evil + trials["variant"].astype(str))
    changed = type(study)(**{**vars(study), "trials": pd.DataFrame(trials), "question": evil})
    watched = Watched(browser, write_dashboard(changed, tmp_path / "d.html"))
    watched.scroll_through()
    assert watched.page.title() == "digits – ushape"
    assert watched.page.locator("img").count() == 0
    assert evil in watched.page.locator(".question").inner_text()
    assert watched.page.locator(".legendtext", has_text=evil).count() > 1, "as it is written, quotation marks too"
    assert watched.complaints == []
    watched.page.close()
