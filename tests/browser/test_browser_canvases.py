"""What is drawn from a picture that was kept is, pixel by pixel, what is drawn without it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from reports.dashboard import write_dashboard
from studies.frame import StudyResults
from tests.browser.watched import Watched
from tests.reports.synthetic_study import make_study

pytestmark = pytest.mark.browser

# Counts what is poured and what is stamped since the last look, and leaves nothing to pour from where it is told so.
SPIED = """forgetful => {
    window.spied = { poured: 0, stamped: 0 };
    const { strokes, stamps } = page;
    page.strokes = (...given) => {
        const own = strokes(...given);
        return { ...own, pour: ink => { spied.poured += 1; own.pour(ink); } };
    };
    page.stamps = Object.assign((...given) => {
        const own = stamps(...given);
        return { ...own, put: (...mark) => { spied.stamped += 1; own.put(...mark); } };
    }, stamps);
    const { set } = Map.prototype;
    if (forgetful) Map.prototype.set = function (key, value) { return value?.ink ? this : set.call(this, key, value); };
}"""

CHOOSE = """trials => {
    Object.assign(spied, { poured: 0, stamped: 0 });
    page.links.choose(trials);
    return { ...spied, picture: document.querySelectorAll('#parallel canvas')[1].toDataURL() };
}"""

# Whether the chosen marks are those of all, left and right of where the strip begins.
MARKS = """key => {
    const [all, some] = document.querySelectorAll(`#plot-${key} canvas.layer`);
    const { _offset: begin } = document.getElementById(`plot-${key}`)._fullLayout.xaxis2;
    const at = Math.round((begin - 6) * all.width / all.clientWidth);
    const part = (canvas, from, to) =>
        [...canvas.getContext('2d').getImageData(from, 0, to - from, canvas.height).data];
    const same = (a, b) => a.every((value, place) => value === b[place]);
    const right = part(some, at, some.width);
    return {
        left: same(part(all, 0, at), part(some, 0, at)), right: same(part(all, at, all.width), right),
        blank: right.every(value => value === 0), ink: part(some, 0, at).some(value => value),
    };
}"""


@pytest.fixture(scope="module")
def study() -> StudyResults:
    study = make_study(seeds=0, trials=300)
    # Replays are left out of plots; here they count as trials of their own.
    return replace(
        study, trials=study.trials.assign(status=study.trials["status"].replace("replayed", "finished"), replay_of=None)
    )


@pytest.fixture(scope="module")
def written(study: StudyResults, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reports.pages.search_data.MANY", 100)
        yield write_dashboard(study, tmp_path_factory.mktemp("canvases") / "d.html")


def opened(browser: Browser, path: Path, *, forgetful: bool) -> Page:
    watched = Watched(browser, path)
    watched.page.wait_for_function("() => typeof page !== 'undefined'")
    watched.page.evaluate(SPIED, forgetful)
    watched.draw("pareto")
    watched.page.locator("#parallel").scroll_into_view_if_needed()
    watched.page.wait_for_function("() => document.getElementById('parallel').dataset.drawn")
    return watched.page


def results_of(page: Page) -> tuple[list[int], list[int]]:
    """The trials with a result and those without one that the plots show."""
    found: dict[str, Any] = page.evaluate(
        """async () => {
            const { data, lost } = await page.search;
            const of = without => data.trials.filter((_, i) => (data.kind[i] === lost) === without);
            return { results: of(false), lost: of(true) };
        }"""
    )
    return found["results"], found["lost"]


def test_lines_of_most_trials_are_those_of_all_without_the_rest(browser: Browser, written: Path) -> None:
    quick, slow = opened(browser, written, forgetful=False), opened(browser, written, forgetful=True)
    results, lost = results_of(quick)
    every = [*results, *lost]
    assert len(results) > 150
    for chosen in (every, results, every[3:], [*results[: len(results) * 2 // 3], *lost[1:]], results[:30]):
        ours, plain = quick.evaluate(CHOOSE, chosen), slow.evaluate(CHOOSE, chosen)
        assert ours["picture"] == plain["picture"]
        assert plain["poured"] == 0
        assert (ours["poured"] > 0) == (len(chosen) > 100)
    quick.close()
    slow.close()


def test_marks_of_all_trials_are_the_picture_of_all(browser: Browser, written: Path) -> None:
    page = opened(browser, written, forgetful=False)
    results, lost = results_of(page)
    assert lost
    told = page.evaluate(CHOOSE, results)
    assert told["stamped"] == 0
    assert page.evaluate(MARKS, "pareto") == {"left": True, "right": False, "blank": True, "ink": True}
    told = page.evaluate(CHOOSE, [*results, *lost])
    assert told["stamped"] == len(lost)
    assert page.evaluate(MARKS, "pareto") == {"left": True, "right": True, "blank": False, "ink": True}
    told = page.evaluate(CHOOSE, results[1:])
    assert told["stamped"] >= len(results) - 1
    assert page.evaluate(MARKS, "pareto") == {"left": False, "right": False, "blank": True, "ink": True}
    page.close()
