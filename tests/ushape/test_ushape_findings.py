"""What docs/findings.md says is what its files hold."""

from __future__ import annotations

import io
import re
import runpy
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
NUMBERS = r"(?P<mean>\S+) \[(?P<low>\S+), (?P<high>\S+)\] \| (?P<percent>\S+)(?: %)? \| (?P<p_holm>\S+)"
ROW = re.compile(rf"^\| (?P<what>[^|]+?) \| {NUMBERS} \|", re.MULTILINE)
LOST = re.compile(r"^\| (?P<what>[^|(]+?)(?: \([^|]*\))? \|[^\n]*diverged in (?P<seeds>\d) of 8", re.MULTILINE)
STUDIES = {
    "attention_kinds": "## Linear attention on digits",
    "attention_colour": "## The same question on colour",
    "skips": "## Skips on digits",
    "attention_places": "## Where attention matters",
}


def section(study: str) -> str:
    return TEXT[TEXT.index(STUDIES[study]) :].split("\n## ")[0]


def agree(said: str, value: float) -> bool:
    """Whether a number is the value, rounded to the digits it has."""
    if said.startswith("<"):
        return value < float(said[1:])
    digits = len(said.partition(".")[2])
    return abs(float(said.replace("−", "-")) - value) <= 0.51 * 10**-digits


@pytest.mark.parametrize("study", STUDIES)
def test_every_row_is_recomputed_from_its_file(
    study: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scripts = ROOT / "docs" / "recompute"
    monkeypatch.setattr(sys, "argv", ["verdicts.py", str(ROOT / "examples" / "results" / f"{study}.csv")])
    monkeypatch.syspath_prepend(str(scripts))
    runpy.run_path(str(scripts / "verdicts.py"))
    table = pd.read_csv(io.StringIO(capsys.readouterr().out), index_col="what")
    table.index = pd.Index([str(name).replace("factor:", "") for name in table.index])
    rows = list(ROW.finditer(section(study)))
    assert len(rows) >= 2
    for row in rows:
        for column in ("mean", "low", "high", "percent", "p_holm"):
            if row[column] != "—":
                value = float(table.loc[row["what"], column])
                assert agree(row[column], value), f"{row['what']}: {column} is {value}, not {row[column]}"


@pytest.mark.parametrize("study", STUDIES)
def test_what_diverged_is_counted(study: str) -> None:
    frame = pd.read_csv(ROOT / "examples" / "results" / f"{study}.csv")
    assert set(frame["seed"]) == set(range(8))
    assert set(frame["status"]) <= {"finished", "diverged"}
    lost = frame[frame["status"] == "diverged"].groupby("variant").size()
    assert {row["what"]: int(row["seeds"]) for row in LOST.finditer(section(study))} == lost.to_dict()
