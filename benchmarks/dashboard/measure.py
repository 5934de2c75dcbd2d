"""How long a dashboard takes to write, how large it is, and how fast it opens and answers in headless Chromium.

python -m benchmarks.dashboard.measure [TRIALS] [--keep FILE] [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import shutil
import tempfile
import time
from pathlib import Path

from playwright.sync_api import CDPSession, Page, sync_playwright

from benchmarks.dashboard.made import large_study
from reports.dashboard import write_dashboard

NAMES = ("chromium", "chromium-browser", "google-chrome")

PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"

BRUSH = """([key, share]) => new Promise(done => {
    // A box over the share of the marks that lie furthest to the left, as plotly reports one.
    const place = document.getElementById('plot-' + key);
    const groups = page.marked[key].shown().filter(group => group.axes[0] === 'xaxis');
    const xs = groups.flatMap(group => group.x).sort((a, b) => a - b);
    const ys = groups.flatMap(group => group.y);
    const range = {
        x: [xs[0], xs[Math.max(0, Math.round(xs.length * share) - 1)]],
        y: [ys.reduce((a, b) => Math.min(a, b)), ys.reduce((a, b) => Math.max(a, b))],
    };
    const lines = document.getElementById('parallel');
    const before = Number(lines.dataset.drawn);
    const box = lines.getBoundingClientRect();
    // The frame after the next begins when the next one is on its way to the screen.
    const shown = () => new Promise(next => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(next))));
    const start = performance.now();
    place.emit('plotly_selected', { range, points: [] });
    // By now all views are marked but the lines, which may take more frames than one.
    const seen = shown().then(() => performance.now() - start);
    const wait = async () => {
        while (Number(lines.dataset.drawn) === before) await new Promise(next => setTimeout(next, 2));
        await shown();
        const all = performance.now() - start;
        const inView = box.top < innerHeight && box.bottom > 0;
        done([page.links.chosen.size, inView ? all : await seen, all]);
    };
    wait();
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trials", nargs="?", type=int, default=10_000)
    parser.add_argument("--keep", type=Path, help="write the page here")
    parser.add_argument("--profile", action="store_true", help="show where writing spends its time")
    given = parser.parse_args()
    study = large_study(given.trials)
    with tempfile.TemporaryDirectory() as folder:
        path = given.keep or Path(folder) / "dashboard.html"
        profile = cProfile.Profile(time.process_time) if given.profile else None
        wall, cpu = time.perf_counter(), time.process_time()
        if profile:
            profile.runcall(write_dashboard, study, path)
            pstats.Stats(profile).sort_stats("cumulative").print_stats(45)
        else:
            write_dashboard(study, path)
        print(f"written in {time.perf_counter() - wall:.1f} s ({time.process_time() - cpu:.1f} s of CPU)")
        print(f"size {path.stat().st_size / 1e6:.2f} MB")
        _browse(path, given.trials)


def _browse(path: Path, trials: int) -> None:
    program = next(found for name in NAMES if (found := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--headless", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.on("console", lambda m: print("console", m.type, m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: print("error", error))
        start = time.perf_counter()
        page.goto(path.as_uri())
        page.wait_for_function(f"() => ({PAINT}) !== null")
        print(f"first paint {page.evaluate(PAINT) / 1e3:.2f} s, loaded {time.perf_counter() - start:.2f} s")
        _first(page, "pareto")
        for key in ("slices", "search-curves"):
            _first(page, key)
        _architecture(page, trials - 1)
        page.locator("#parallel").scroll_into_view_if_needed()
        page.wait_for_function("() => document.getElementById('parallel').dataset.drawn")
        inspector = page.context.new_cdp_session(page)
        inspector.send("Performance.enable", {"timeDomain": "threadTicks"})
        for key in ("pareto", "slices"):
            for share in (0.01, 0.1, 1.0):
                page.locator(f"#plot-{key}").scroll_into_view_if_needed()
                before = _busy(inspector)
                number, seen, every = page.evaluate(BRUSH, [key, share])
                busy = _busy(inspector) - before
                page.wait_for_timeout(1500)
                print(
                    f"brush in {key}, {number} trials: {seen / 1e3:.3f} s to all in view, {every / 1e3:.3f} s to all "
                    f"({busy:.3f} s of the page's CPU)"
                )
        browser.close()


def _architecture(page: Page, trial: int) -> None:
    """Choose the architecture of a trial that is not in the lists by its number."""
    number = page.locator("#architecture-trial")
    if not number.count():
        return
    number.scroll_into_view_if_needed()
    start = time.perf_counter()
    number.fill(str(trial))
    number.press("Enter")
    page.wait_for_function("() => document.getElementById('architecture-pair').dataset.shown")
    print(f"architecture of trial {trial} drawn {time.perf_counter() - start:.2f} s after its number was given")


def _busy(inspector: CDPSession) -> float:
    """CPU seconds of the page's own thread so far; what other threads paint is not in it."""
    metrics = inspector.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


def _first(page: Page, key: str) -> None:
    start = time.perf_counter()
    page.locator(f"#plot-{key}").scroll_into_view_if_needed()
    page.wait_for_function("key => document.querySelector(`#plot-${key} .main-svg`) !== null", arg=key, timeout=60_000)
    print(f"{key} drawn {time.perf_counter() - start:.2f} s after it was scrolled to")


if __name__ == "__main__":
    main()
