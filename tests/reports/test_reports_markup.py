"""The page as a tree: well formed, every reference leads somewhere, every control and picture has a name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from reports.dashboard import SCRIPTS, render, write_comparison
from reports.theme import LIGHT
from studies.frame import StudyResults, frame
from tests.reports.factorial_study import factorial_study
from tests.reports.reading import Element, tree
from tests.reports.synthetic_study import full_page, make_study

LONG = "Δx " * 40 + "<i>&amp;</i>" + "w" * 300


def _odd() -> StudyResults:
    """Names of hundreds of letters, markup in them, and statuses that this version does not know."""
    study = make_study(seeds=2, trials=4)
    trials = study.trials.copy()
    trials.loc[trials["variant"] == "skip-add", "variant"] = LONG
    trials.loc[trials.index[-1], ["status", "reason"]] = ["odd status", LONG]
    return replace(study, name=LONG, question=LONG, trials=trials.rename(columns={"param:attn_type": f"param:{LONG}"}))


def _compared() -> str:
    with TemporaryDirectory() as folder:
        path = write_comparison([make_study(seeds=2, trials=4), _odd()], Path(folder) / "page.html")
        return path.read_text(encoding="utf-8")


PAGES: dict[str, Callable[[], str]] = {
    "full": full_page,
    "empty": lambda: render(replace(make_study(seeds=0, trials=0), trials=frame([]), base="", architectures={})),
    "factorial": lambda: render(factorial_study()),
    "odd": lambda: render(_odd(), refresh=5),
    "comparison": _compared,
}


@cache
def page(name: str) -> tuple[Element, list[str]]:
    return tree(PAGES[name]())


@pytest.fixture(params=PAGES)
def root(request: pytest.FixtureRequest) -> Element:
    return page(request.param)[0]


@pytest.mark.parametrize("name", PAGES)
def test_what_is_opened_is_closed_in_turn(name: str) -> None:
    assert page(name)[1] == []


def test_ids_are_unique_and_every_reference_leads_to_one(root: Element) -> None:
    ids = Counter(one.get("id") for one in root.all() if one.get("id"))
    assert [name for name, number in ids.items() if number > 1] == []
    pointing = ("for", "aria-controls", "aria-labelledby", "aria-describedby")
    wanted = {name for one in root.all() for key in pointing for name in one.get(key).split()}
    wanted |= {one.get("href")[1:] for one in root.all("a")}
    wanted |= {one.get("data-panel") for one in root.all("button") if one.get("data-panel")}
    assert wanted - set(ids) == set()


def test_every_control_has_a_name(root: Element) -> None:
    labelled = {one.get("for") for one in root.all("label")}
    within = {id(control) for label in root.all("label") for control in label.all() if label.words}
    for control in root.all("select", "input", "button"):
        named = control.get("aria-label") or control.get("id") in labelled or id(control) in within
        assert named or (control.tag == "button" and control.words), control.attributes


def test_every_picture_has_a_name_or_is_passed_over(root: Element) -> None:
    for one in root.all():
        if one.get("role") == "img":
            assert one.get("aria-label"), one.attributes
        elif one.tag == "img":
            assert one.get("alt"), one.attributes
    inside = {id(below) for one in root.all("svg") for below in one.all("svg")}
    for one in root.all("svg"):
        told = one.get("role") in ("img", "group") and one.get("aria-label")
        assert told or one.get("aria-hidden") or id(one) in inside or not one.children


def test_what_scrolls_can_be_reached_and_is_named(root: Element) -> None:
    for one in root.all():
        if one.get("role") == "region":
            assert one.get("tabindex") == "0"
            assert one.get("aria-label")


def test_tables_have_as_many_cells_as_heads(root: Element) -> None:
    def width(row: Element) -> int:
        return sum(int(cell.get("colspan") or 1) for cell in row.children if cell.tag in ("td", "th"))

    for table in root.all("table"):
        (head,) = [one for one in table.children if one.tag == "thead"]
        columns = {width(row) for row in head.all("tr")}
        spans = [int(cell.get("rowspan") or 1) > 1 for cell in table.all("td", "th")]
        if not any(spans):
            assert {width(row) for row in table.all("tr")} == columns
        assert all(cell.get("scope") in ("col", "row", "rowgroup") for cell in table.all("th"))


def test_signs_that_words_stand_beside_are_not_read_out(root: Element) -> None:
    signs = [one for one in root.all("span") if one.get("class") == "sign"]
    assert all(one.get("aria-hidden") == "true" for one in signs)


def test_the_page_says_its_language_title_and_that_it_needs_no_zoom(root: Element) -> None:
    (html,) = [one for one in root.children if one.tag == "html"]
    assert html.get("lang") == "en"
    metas = {one.get("name"): one.get("content") for one in root.all("meta") if one.get("name")}
    assert metas["viewport"] == "width=device-width, initial-scale=1"
    assert metas["color-scheme"] == "light dark"
    (title,), (h1,) = next(root.all("head")).all("title"), root.all("h1")
    assert title.words == f"{h1.words} – ushape"


def test_the_contents_lead_to_every_section_in_order(root: Element) -> None:
    (nav,) = root.all("nav")
    sections = list(root.all("section"))
    assert [one.get("href") for one in nav.all("a")] == [f"#{one.get('id')}" for one in sections]
    assert [one.words for one in nav.all("a")] == [next(one.all("h2")).words for one in sections]
    first = next(root.all("a"))
    assert (first.get("class"), first.get("href")) == ("skip-link", f"#{sections[0].get('id')}")


def test_nothing_is_named_that_lies_elsewhere(root: Element) -> None:
    for one in root.all():
        for name, value in one.attributes.items():
            if name == "xmlns":
                continue
            assert not re.match(r"(https?:)?//", value or ""), (one.tag, name, value)
        if one.tag in ("style",):
            assert not re.search(r"url\(|@import", one.words)


def test_only_a_running_study_reads_itself_again() -> None:
    refresh = [one for one in page("odd")[0].all("meta") if one.get("http-equiv") == "refresh"]
    assert [one.get("content") for one in refresh] == ["5"]
    assert "this page reads itself again every 5 s" in page("odd")[0].words
    assert not [one for one in page("full")[0].all("meta") if one.get("http-equiv") == "refresh"]


def test_long_names_and_markup_in_them_are_shown_whole() -> None:
    root = page("odd")[0]
    shown = re.sub(r"\s+", " ", LONG)
    (h1,) = root.all("h1")
    assert h1.words == shown
    assert shown in [one.words for one in root.all("span") if one.get("class") == "name"]
    assert shown in [one.words for one in root.all("dd") if one.get("class") == "reason"]
    assert list(root.all("i")) == []


# ---- what the files of the page say of one another


def source(name: str) -> str:
    return resources.files("reports.pages").joinpath(name).read_text(encoding="utf-8")


def test_what_the_script_looks_for_stands_in_a_template() -> None:
    looked = {name for file in SCRIPTS for name in re.findall(r'getElementById\("([\w-]+)"\)', source(file))}
    templates = [one for one in resources.files("reports.pages").iterdir() if one.name.endswith(".jinja")]
    said = {name for one in templates for name in re.findall(r'\bid="([\w-]+)"', one.read_text(encoding="utf-8"))}
    said |= {one.get("id") for one in page("full")[0].all("section")}
    assert len(looked) > 15
    assert looked - said == set()


def test_every_script_of_the_page_is_part_of_it() -> None:
    there = {one.name for one in resources.files("reports.pages").iterdir() if one.name.endswith(".js")}
    assert set(SCRIPTS) == there


def test_every_colour_that_is_asked_for_is_defined_and_every_one_defined_is_used() -> None:
    css = source("dashboard.css")
    local = set(re.findall(r"--([a-z-]+):", css))
    asked = set(re.findall(r"var\(--([a-z-]+)\)", css))
    assert asked - local - {"font"} <= set(LIGHT)
    assert set(LIGHT) <= asked


def test_every_class_of_the_style_sheet_is_given_to_something() -> None:
    selectors = re.sub(r"\{[^{}]*\}", " ", source("dashboard.css"))
    classes = set(re.findall(r"\.([a-zA-Z][\w-]*)", selectors))
    folder = resources.files("reports")
    files = [*folder.joinpath("pages").iterdir(), *folder.joinpath("figures").iterdir()]
    told = {word for one in files if one.name.endswith((".py", ".js", ".jinja")) for word in
            re.findall(r"[\w-]+", one.read_text(encoding="utf-8"))}  # fmt: skip
    # Put together of a letter for what it is about and a name: kinds, statuses, sentences, verdicts.
    plain = {name for name in classes if not re.match(r"(k|s|say|v)-", name)}
    theirs = {"annotation-text", "modebar", "scatterlayer"}  # plotly's
    assert plain - told - theirs == set()
