"""Figures for a paper: which there are, that they hold the numbers, their size, and what is said without a browser."""

from __future__ import annotations

import math
import re
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from archspec import UserError
from reports.analysis.interaction import cells_of
from reports.paper import write_figures
from reports.paper.browser import NAMES, VARIABLE, size_of
from reports.paper.content import drawings
from reports.paper.drawing import Drawing
from reports.paper.rows import Row, Scale, rows_svg
from studies.frame import StudyResults
from tests.reports.factorial_study import factorial_study
from tests.reports.synthetic_study import full_study, make_study, with_status, without
from ushape.cli.figures import inches

SVG = "{http://www.w3.org/2000/svg}"
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("reports.paper.browser.shutil.which", lambda name: None)


@cache
def full() -> dict[str, Drawing]:
    return by_name(drawings(full_study()))


@cache
def small() -> StudyResults:
    return make_study(seeds=2, trials=6)


def by_name(found: list[Drawing]) -> dict[str, Drawing]:
    return {one.name: one for one in found}


def texts(svg: str) -> list[str]:
    return [text.text or "" for text in ET.fromstring(svg).iter(f"{SVG}text")]


def test_a_study_has_the_figures_of_its_dashboard() -> None:
    assert list(full()) == [
        "forest-loss", "forest-latency", "forest-train_latency", "forest-memory", "forest-train_memory",
        "training-curves-ablation", "loss-by-noise-level", "pareto-loss-latency", "importance-loss",
        "importance-latency", "training-curves-search", "architecture-base", "architectures",
    ]  # fmt: skip
    assert next(iter(by_name(drawings(make_study(seeds=0, trials=4, objectives=("loss",)))))) == "history"
    assert next(iter(by_name(drawings(without(small(), "ablation"))))) == "pareto-loss-latency"


def test_a_forest_plot_says_numbers_and_verdicts_where_there_is_room() -> None:
    drawing = full()["forest-loss"]
    assert drawing.svg is not None
    wide, narrow = drawing.svg(7.0), drawing.svg(3.3)
    assert {"no-skips", "attention-at-8", "worse", "better", "inconclusive"} <= set(texts(wide))
    assert any(re.fullmatch(r"−0\.00\d+ \[−0\.00\d+, −0\.00\d+\]", text) for text in texts(wide))
    assert "no-skips" in texts(narrow)
    assert "worse" not in texts(narrow)
    assert size_of(wide)[0] == 7.0
    assert size_of(narrow)[0] == 3.3
    # Four variants are drawn seed by seed; the fifth is off the scale and written.
    assert wide.count("<circle") == 8 * 4
    assert any(text.endswith("▸") for text in texts(wide))


@pytest.mark.parametrize(
    ("interval", "outer", "arrows"),
    [
        ((0.2, 0.8), (0.0, 1.0), []),
        ((0.2, 0.8), (0.1, 1.7), ["M-6 -5L0 0L-6 5"]),
        ((-2.0, 0.8), (-3.0, 0.9), ["M6 -5L0 0L6 5"]),
        ((-2.0, 3.0), (math.nan, math.nan), ["M6 -5L0 0L6 5", "M-6 -5L0 0L-6 5"]),
    ],
)
def test_an_interval_that_leaves_the_axis_ends_in_an_arrow(
    interval: tuple[float, float], outer: tuple[float, float], arrows: list[str]
) -> None:
    svg = rows_svg([Row("a", 0.5, *interval, outer, mark="M0 0Z")], Scale(0.0, 1.0, "x"), "t", 3.3)
    drawn = [path.attrib["d"] for path in ET.fromstring(svg).iter(f"{SVG}path")]
    assert [d for d in drawn if d != "M0 0Z"] == arrows


def test_no_drawing_needs_a_style_sheet() -> None:
    for drawing in full().values():
        if drawing.svg is None:
            continue
        svg = drawing.svg(drawing.width)
        assert not re.search(r'class=|var\(|<style|tabindex|href|[";]NaN|nan', svg)
        shapes = [e for e in ET.fromstring(svg).iter() if e.tag in (f"{SVG}rect", f"{SVG}circle", f"{SVG}path")]
        assert all("fill" in shape.attrib for shape in shapes)


def test_both_architectures_stand_side_by_side_or_one_above_the_other() -> None:
    drawing = full()["architectures"]
    assert drawing.svg is not None
    wide, narrow = drawing.svg(7.0), drawing.svg(3.3)
    assert texts(wide)[0] == "base"
    assert any(text.startswith("best of the search (trial") for text in texts(wide))
    assert {"+", "−"} <= set(texts(wide))
    assert size_of(wide)[0] > size_of(wide)[1]
    assert size_of(narrow)[0] < size_of(narrow)[1]


def test_a_factorials_effects_and_cells() -> None:
    study = factorial_study()
    found = by_name(drawings(study))
    effects, interaction = found["factorial-effects"], found["interaction-skip-attn"]
    assert effects.svg is not None
    assert {"attn", "skip", "skip × attn"} <= set(texts(effects.svg(7.0)))
    cells = cells_of(study.trials, "loss")
    lines = cells.lines("skip", "attn")
    assert {level: [at for at, _, _ in line] for level, line in lines.items()} == {
        "base": ["base", "add"], "none": ["base", "add"],
    }  # fmt: skip
    rows = study.trials
    wanted = rows[(rows["factor:skip"] == "add") & (rows["factor:attn"] == "none")]["loss"].mean()
    assert lines["none"][1][1] == pytest.approx(wanted)
    assert interaction.figure is not None
    assert [trace.name for trace in interaction.figure.data] == ["attn: base", "attn: none"]


def test_names_from_files_are_escaped_and_name_no_other_folder() -> None:
    study = make_study(seeds=5, trials=0)
    evil = "<script>&'\"/../x"
    trials = study.trials.assign(variant=study.trials["variant"].replace("skip-add", evil))
    drawing = by_name(drawings(replace(study, trials=trials)))["forest-loss"]
    assert drawing.svg is not None
    assert evil in texts(drawing.svg(7.0))
    factors = factorial_study()
    renamed = factors.trials.rename(columns={"factor:skip": "factor:../ö <b>"})
    names = list(by_name(drawings(replace(factors, trials=renamed))))
    assert not [name for name in names if re.search(r"[^A-Za-z0-9_.-]|^\.|\.\./", name)]


@pytest.mark.usefixtures("no_browser")
def test_without_a_browser_our_own_drawings_are_written_as_svg(tmp_path: Path) -> None:
    written, left_out = write_figures(small(), tmp_path / "figures", ["svg"])
    assert [path.name for path in written][-1:] == ["architecture-base.svg"]
    assert {path.suffix for path in written} == {".svg"}
    assert left_out == [
        "training-curves-ablation", "loss-by-noise-level", "pareto-loss-latency", "training-curves-search",
    ]  # fmt: skip
    with pytest.raises(UserError, match=r"PDF and PNG need a browser.*--format svg` needs none"):
        write_figures(small(), tmp_path, None)


def test_what_cannot_be_drawn_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="`gif` is no format of figures"):
        write_figures(small(), tmp_path, ["gif"])
    with pytest.raises(UserError, match=r"cannot be 0\.1 in wide"):
        write_figures(small(), tmp_path, ["svg"], 0.1)
    nothing = replace(with_status(small(), "failed", "boom"), base="")
    with pytest.raises(UserError, match="digits has nothing to draw yet"):
        write_figures(nothing, tmp_path, ["svg"])
    monkeypatch.setenv(VARIABLE, "no-such-program")
    with pytest.raises(UserError, match="USHAPE_BROWSER names no-such-program, which is no program"):
        write_figures(small(), tmp_path, ["svg"])
    monkeypatch.setenv(VARIABLE, "true")
    with pytest.raises(UserError, match="did not start"):
        write_figures(small(), tmp_path, ["png"])


def test_widths_are_names_or_inches() -> None:
    assert [inches(text) for text in (None, "single", "double", "4.5", "4.5in")] == [None, 3.3, 7.0, 4.5, 4.5]
    with pytest.raises(UserError, match="`wide` is no width"):
        inches("wide")


@pytest.mark.browser
def test_all_formats_in_the_size_of_print(tmp_path: Path) -> None:
    if BROWSER is None:
        pytest.skip("no Chromium on PATH")
    from PIL import Image

    study = replace(small(), curves={}, loss_bins={})
    written, left_out = write_figures(study, tmp_path, None, 3.3)
    assert left_out == []
    assert len(written) == 3 * len(drawings(study))
    assert {path.name for path in written} >= {"pareto-loss-latency.svg", "pareto-loss-latency.pdf", "forest-loss.png"}
    for path in written:
        if path.suffix == ".png":
            with Image.open(path) as picture:
                assert picture.size[0] == pytest.approx(3.3 * 300, abs=2)
                assert picture.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
                assert len(set(picture.convert("L").resize((60, 60)).tobytes())) > 5
        elif path.suffix == ".pdf":
            content = path.read_bytes()
            box = re.findall(rb"/MediaBox \[0 0 ([0-9.]+) ([0-9.]+)\]", content)
            assert len(box) == 1
            assert float(box[0][0]) == pytest.approx(3.3 * 72, abs=1)
            assert b"/FontFile" in content
        else:
            assert size_of(path.read_text(encoding="utf-8"))[0] == pytest.approx(3.3, abs=0.01)
    plotted = (tmp_path / "pareto-loss-latency.svg").read_text(encoding="utf-8")
    assert "latency (ms)" in plotted
    assert "double-click" not in plotted
