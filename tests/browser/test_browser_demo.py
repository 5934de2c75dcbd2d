"""The dashboard of the demo study itself, as a user gets it: its numbers are those of its own records."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser
from scipy import stats

from reports.dashboard import write_dashboard
from studies.frame import load_results
from tests.browser.watched import Watched

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's results: what `make demo` made, if USHAPE_DEMO names it, else a run with very short trainings."""
    if made := os.environ.get("USHAPE_DEMO"):
        return Path(made)
    folder = tmp_path_factory.mktemp("demo")
    text = (ROOT / "examples" / "digits.yaml").read_text(encoding="utf-8")
    shorter = {
        "steps: 50": "steps: 2", "seeds: 5": "seeds: 2", "trials: 8": "trials: 3",
        "max_seconds: 0.3": "rounds: 2, min_seconds: 0.0, max_seconds: 0.1",
    }  # fmt: skip
    for old, new in shorter.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "digits.yaml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "ushape", "run", "digits.yaml"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=280)
    return folder / "runs" / "digits"


@pytest.mark.parametrize("width", [1440, 800])
def test_the_demos_dashboard_shows_its_records(demo: Path, browser: Browser, width: int) -> None:
    table = pd.read_csv(demo / "results.csv")
    page = Watched(browser, demo / "dashboard.html", width)
    page.scroll_through()
    assert page.overflow() == 0
    losses = table[(table["part"] == "ablation") & (table["status"] == "finished")]
    wide = losses.pivot(index="seed", columns="variant", values="loss")
    variants = [name for name in wide.columns if name != "base"]
    assert len(variants) == 4
    for name in variants:
        differences = (wide[name] - wide["base"]).dropna()
        cell = page.page.locator(f'td[data-variant="{name}"][data-metric="loss"][data-value]').first
        assert float(str(cell.get_attribute("data-value"))) == pytest.approx(differences.mean(), rel=1e-9)
        half = stats.t.ppf(0.975, len(differences) - 1) * differences.std(ddof=1) / len(differences) ** 0.5
        low, high = float(str(cell.get_attribute("data-low"))), float(str(cell.get_attribute("data-high")))
        assert (low, high) == pytest.approx((differences.mean() - half, differences.mean() + half), rel=1e-6)
    for part, status in {(row.part, row.status) for row in table.itertuples()}:
        shown = page.page.locator(f'[data-counts="{part}"] [data-status="{status}"]').first
        here = table[(table["part"] == part) & (table["status"] == status)]
        assert int(str(shown.get_attribute("data-value"))) == len(here)
    assert page.page.locator("#trial-table tbody").count() == len(table)
    assert page.complaints == []
    page.page.close()


def test_the_report_can_be_written_again_and_holds_the_same_numbers(demo: Path, tmp_path: Path) -> None:
    written = write_dashboard(load_results(demo), tmp_path / "again.html")
    assert written.stat().st_size < 6_000_000
    assert "data-variant" in written.read_text(encoding="utf-8")
