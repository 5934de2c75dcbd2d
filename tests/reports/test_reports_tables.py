from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from archspec import UserError
from reports.analysis.ablation import compare
from reports.tables import write_tables
from reports.tables.content import tables
from tests.reports.synthetic_study import full_study, make_study, read_exactly, without


def test_every_table_in_every_format(tmp_path: Path) -> None:
    written = write_tables(full_study(), tmp_path)
    assert sorted(path.name for path in written) == [
        "ablation.csv", "ablation.md", "ablation.parquet", "ablation.tex", "front.csv", "front.md", "front.parquet",
        "front.tex", "trials.csv", "trials.parquet",
    ]  # fmt: skip
    assert all(path.stat().st_size > 200 for path in written)


def test_numbers_come_back_as_they_are(tmp_path: Path) -> None:
    results = full_study()
    write_tables(results, tmp_path, ("csv", "parquet"))
    effects = {effect.variant: effect for effect in compare(results.trials, "loss")}
    written = read_exactly(tmp_path / "ablation.csv")
    for frame in (written, pd.read_parquet(tmp_path / "ablation.parquet")):
        rows = frame[frame["metric"] == "loss"].set_index("variant")
        assert set(rows.index) == set(effects)
        for variant, effect in effects.items():
            assert rows.loc[variant, "difference"] == effect.mean
            assert rows.loc[variant, "low"] == effect.low
            assert rows.loc[variant, "high_holm"] == effect.high_adjusted
            assert rows.loc[variant, "verdict"] == str(effect.verdict)
    trials = pd.read_parquet(tmp_path / "trials.parquet")
    assert trials["loss"].tolist() == pytest.approx(results.trials["loss"].tolist(), nan_ok=True, rel=0)


def test_markdown_has_a_row_for_each_variant_with_its_interval(tmp_path: Path) -> None:
    write_tables(full_study(), tmp_path, ("markdown",))
    lines = (tmp_path / "ablation.md").read_text(encoding="utf-8").splitlines()
    assert "95 % t interval" in lines[0]
    front = (tmp_path / "front.md").read_text(encoding="utf-8")
    assert "Compared by the ratio of latency to a reference network, which the table does not show." in front
    head, rows = lines[2], lines[4:]
    assert head.count("|") == rows[0].count("|")
    assert [row.split("|")[1].strip() for row in rows] == [
        effect.variant for effect in compare(full_study().trials, "loss")
    ]
    assert re.search(r"no-skips \| \+0\.\d+ \[\+0\.\d+, \+0\.\d+\] ", rows[0].replace("  ", ""))


def test_markdown_holds_no_markup_of_users(tmp_path: Path) -> None:
    results = full_study()
    trials = results.trials.copy()
    trials["variant"] = trials["variant"].replace("no-skips", "a|b <script>alert(1)</script> & c")
    trials = trials.rename(columns={"param:ch_mult": "param:<b>|"})
    write_tables(replace(results, trials=trials), tmp_path, ("markdown",))
    text = (tmp_path / "ablation.md").read_text(encoding="utf-8")
    assert r"a\|b &#60;script&#62;alert(1)&#60;/script&#62; &#38; c" in text
    assert r"&#60;b&#62;\|" in (tmp_path / "front.md").read_text(encoding="utf-8")


def test_latex_is_booktabs_with_every_special_sign_escaped(tmp_path: Path) -> None:
    results = full_study()
    trials = results.trials.copy()
    trials["variant"] = trials["variant"].replace("no-skips", "no_skips & 50% #1 {x}")
    write_tables(replace(results, trials=trials, name="a_b"), tmp_path, ("latex",))
    text = (tmp_path / "ablation.tex").read_text(encoding="utf-8")
    assert "\\toprule" in text
    assert "\\bottomrule" in text
    assert r"no\_skips \& 50\% \#1 \{x\}" in text
    assert r"a\_b" in text
    assert text.isascii()
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(rows[0].split(" & ")) - 1}


def test_a_study_without_a_part_has_no_table_of_it(tmp_path: Path) -> None:
    assert [table.name for table in tables(without(full_study(), "ablation"))] == ["front"]
    assert [table.name for table in tables(without(full_study(), "search"))] == ["ablation"]
    empty = without(without(full_study(), "ablation"), "search")
    assert [path.name for path in write_tables(empty, tmp_path, ("csv", "latex"))] == ["trials.csv"]


def test_too_few_seeds_have_no_verdict_in_the_table() -> None:
    (table, *_) = tables(without(make_study(seeds=3), "search"))
    lost = {2: "; diverged in 1 of 3", 3: ""}
    verdicts = {f"too few seeds for a verdict (n={n}; 5 needed{lost[n]})" for n in (2, 3)}
    assert set(table.words["verdict"]) == verdicts


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        write_tables(full_study(), tmp_path, ("docx",))
    assert str(caught.value.problems[0].message) == "there is no format `docx`."
    assert caught.value.problems[0].hint == "Formats: csv, parquet, markdown, latex."
    assert list(tmp_path.iterdir()) == []
