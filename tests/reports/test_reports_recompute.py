"""The scripts in the docs get every number of the report from results.csv alone, in twenty statements each."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.analysis.ablation import Rules, compare
from reports.analysis.ablation_notes import factorial_effects
from reports.analysis.worth import costs_by_variant
from reports.dashboard import render
from reports.tables import write_results_csv
from studies.frame import StudyResults
from tests.reports.synthetic_study import full_study
from tests.reports.test_reports_designs import factorial_frame

SCRIPTS = Path(__file__).parents[2] / "docs" / "recompute"
MARGIN = 0.004


def study() -> StudyResults:
    """The synthetic study with a margin, and a factorial beside its variants."""
    plain = full_study()
    ablation = plain.trials[plain.trials["part"] == "ablation"].assign(design="variants", reference="base")
    cells = factorial_frame(seeds=8)
    cells = cells[cells["variant"] != "base"].assign(trial=lambda rows: rows["trial"] + 1000)
    levels = {f"factor:{name}": np.where(ablation["variant"] == "base", "base", None) for name in "abc"}
    trials = pd.concat([ablation.assign(**levels), cells], ignore_index=True)
    margin = {"value": MARGIN, "relative": False}
    document = plain.document | {"ablation": {"margin": margin, "variants": {}}}
    return replace(plain, trials=trials, document=document, stated=({"margin": margin, "stated": "now", "results": 0},))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_results_csv(study(), tmp_path_factory.mktemp("csv") / "results.csv")


def printed(script: str, *arguments: str) -> pd.DataFrame:
    """What a script of the docs prints."""
    command = [sys.executable, str(SCRIPTS / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return pd.read_csv(io.StringIO(done.stdout), index_col=0)


@pytest.fixture(scope="module")
def table(results: Path) -> pd.DataFrame:
    return printed("verdicts.py", str(results), str(MARGIN))


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.py")), ids=lambda path: path.name)
def test_a_script_has_twenty_statements_at_most(script: Path) -> None:
    nodes = ast.walk(ast.parse(script.read_text()))
    said = [node for node in nodes if isinstance(node, ast.stmt) and not isinstance(node, ast.Import | ast.ImportFrom)]
    assert 0 < len(said) - 1 <= 20, "a docstring and twenty statements"


def test_every_number_of_a_variant(table: pd.DataFrame) -> None:
    judged = [effect for effect in compare(study().trials, "loss", Rules(margin=MARGIN)) if effect.design == "variants"]
    assert len(judged) == 5
    for effect in judged:
        row = table.loc[effect.variant]
        assert row["n"] == effect.n
        for name in ("mean", "percent", "low", "high", "sds", "p", "p_holm", "low_adjusted", "high_adjusted",
                     "p_equivalence"):  # fmt: skip
            assert row[name] == pytest.approx(getattr(effect, name), rel=1e-6, abs=1e-12), f"{effect.variant} {name}"
        assert row["p_better"] == effect.improvement.share
        assert row["detectable"] == pytest.approx(effect.smallest_detectable, rel=1e-4)


def test_every_effect_of_the_factorial(table: pd.DataFrame) -> None:
    tested = factorial_effects(study().trials, "loss", Rules(margin=MARGIN))
    assert [one.term.name for one in tested] == ["a", "b", "c", "a x b", "a x c", "b x c"]
    for one in tested:
        row = table.loc["factor:" + one.term.name.replace(" x ", " x factor:")]
        found = (one.term.estimate, one.term.low, one.term.high, one.p_holm)
        assert tuple(row[["mean", "low", "high", "p_holm"]]) == pytest.approx(found, rel=1e-6)


def test_the_effects_alone(results: Path, table: pd.DataFrame) -> None:
    alone = printed("effects.py", str(results))
    assert len(alone) == 6
    for name, row in alone.iterrows():
        assert tuple(table.loc[name, list(alone.columns)]) == pytest.approx(tuple(row))


def test_every_cost(results: Path) -> None:
    table = printed("costs.py", str(results))
    found = costs_by_variant(study().trials)
    assert len(table) == 5 and set(table.index) <= set(found)
    for variant in table.index:
        assert found[variant]
        for cost in found[variant]:
            assert table.loc[variant, f"{cost.metric}_percent"] == pytest.approx(cost.percent), cost.metric


class _Values(HTMLParser):
    """The numbers that the page shows of each variant's loss: field -> value."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[tuple[str, str], float] = {}
        self.variant = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        if tag == "tr":
            self.variant = given.get("data-variant", "") if given.get("data-metric") == "loss" else ""
        if tag in ("td", "span") and self.variant and given.get("data-value"):
            self.found[self.variant, given.get("data-field", "mean")] = float(given["data-value"])
            if "data-low" in given:
                self.found[self.variant, "low"] = float(given["data-low"])
                self.found[self.variant, "high"] = float(given["data-high"])


def test_the_page_shows_these_numbers(table: pd.DataFrame) -> None:
    page = _Values()
    page.feed(render(study()))
    columns = {
        "mean": "mean", "low": "low", "high": "high", "percent": "percent", "sds": "sds", "p": "p_holm",
        "p-equivalence": "p_equivalence", "improvement": "p_better",
    }  # fmt: skip
    judged = [str(name) for name in table.index if not str(name).startswith("factor:")]
    for variant in judged:
        for field, column in columns.items():
            assert page.found[variant, field] == pytest.approx(table.loc[variant, column], rel=1e-6, abs=1e-12)
