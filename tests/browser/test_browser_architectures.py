"""Any two architectures side by side: marked in the page as the analysis marks them, and told block by block."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from archspec import from_document
from reports.dashboard import write_dashboard
from reports.figures.unet_diff import Difference, difference
from reports.figures.unet_labels import node_tooltip
from reports.figures.unet_units import Network
from tests.browser.watched import Watched
from tests.reports.synthetic_study import full_study, make_study

pytestmark = pytest.mark.browser

SIDES = ("left", "right")


def fingerprint_of(watched: Watched, label: str) -> str:
    option = watched.page.locator("#architecture-choice option", has_text=re.compile(label)).first
    return str(option.get_attribute("value"))


def choose(watched: Watched, left: str, right: str) -> None:
    page = watched.page
    page.locator("#architecture-left").select_option(left)
    page.locator(f'#architecture-pair[data-left="{left}"]').wait_for()
    page.locator("#architecture-choice").select_option(right)
    page.locator(f'#architecture-pair[data-shown="{right}"]').wait_for()


def expected(left: str, right: str) -> Difference:
    documents = full_study().architectures
    found = difference(*(Network(from_document(documents[mark])) for mark in (left, right)))
    assert found is not None
    return found


def marks(watched: Watched, slot: str) -> dict[str, str]:
    """Node -> its mark, of those that have one."""
    found: dict[str, str] = watched.page.locator(f'[data-slot="{slot}"] .node').evaluate_all(
        """nodes => Object.fromEntries(nodes.map(n => [n.dataset.node,
            (n.getAttribute('class').match(/m-([a-z]+)/) ?? [])[1]]).filter(([, mark]) => mark))"""
    )
    return found


@pytest.mark.parametrize(
    ("left", "right"),
    [("variant skip-add", "variant no-attention"), ("variant linear-attention", "variant no-skips"),
     ("variant no-skips", "variant attention-at-8")],
)  # fmt: skip
def test_any_two_are_marked_as_the_analysis_marks_them(watched: Watched, left: str, right: str) -> None:
    a, b = fingerprint_of(watched, left), fingerprint_of(watched, right)
    choose(watched, a, b)
    found = expected(a, b)
    assert marks(watched, "left") == {node: mark for node, mark in found.base.items() if mark}
    assert marks(watched, "right") == {node: mark for node, mark in found.other.items() if mark}
    removed = watched.page.locator('[data-slot="left"] .skip.m-removed').count()
    assert removed == list(found.base_skips.values()).count("removed")
    # At one scale, whatever their widths are.
    boxes = [watched.page.locator(f'[data-slot="{s}"] [data-node="mid.block_1"] rect').bounding_box() for s in SIDES]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["width"] == pytest.approx(boxes[1]["width"], rel=0.01)
    words = watched.page.locator('[data-slot="difference"]').inner_text()
    for mark, number in found.counts.items():
        shown = {"follows": "with other channels only"}.get(mark, mark)
        assert (f"{number} {shown}" in words) == bool(number)
    assert watched.page.locator('[data-slot="left_title"]').inner_text().startswith(left)


def test_every_trial_of_the_search_can_stand_on_either_side(watched: Watched) -> None:
    study = full_study()
    kept = set(study.trials["fingerprint"].dropna())
    for side in ("architecture-left", "architecture-choice"):
        values = watched.page.locator(f"#{side} option").evaluate_all("options => options.map(o => o.value)")
        assert set(values) == kept | {study.base}
    best = fingerprint_of(watched, "^best")
    watched.page.get_by_role("button", name="Swap sides").click()
    watched.page.locator(f'#architecture-pair[data-left="{best}"]').wait_for()
    assert watched.page.locator('[data-slot="right_title"]').inner_text() == "base"
    assert marks(watched, "left") == {node: mark for node, mark in expected(best, study.base).base.items() if mark}


def test_a_block_in_focus_is_told_with_its_memory(watched: Watched) -> None:
    node = watched.page.locator('[data-slot="left"] .node[data-node="mid.block_1"]')
    node.focus()
    told = watched.page.locator("#architecture-block").inner_text()
    study = full_study()
    wanted = node_tooltip(from_document(study.architectures[study.base]), "mid.block_1")
    assert told == wanted.replace("\n", " · ")
    # 64 channels of 4 × 4, four bytes each.
    assert "output 4.00 KiB an image" in told


def test_any_trial_can_be_chosen_where_the_lists_have_only_some(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MAX_PAIRS", "MAX_LISTED"):
        monkeypatch.setattr(f"reports.pages.architectures.{name}", 1)
    study = make_study(seeds=1, trials=6)
    watched = Watched(browser, write_dashboard(study, tmp_path / "page.html"))
    page = watched.page
    assert page.locator("#architecture-choice option").count() == 2  # one and the base
    search = study.trials[(study.trials["part"] == "search") & study.trials["fingerprint"].notna()]
    for trial, fingerprint in zip(search["trial"], search["fingerprint"], strict=True):
        page.locator("#architecture-trial").fill(str(trial))
        page.locator("#architecture-trial").press("Enter")
        page.locator(f'#architecture-pair[data-shown="{fingerprint}"]').wait_for()
        if fingerprint == study.base:
            continue
        graph = from_document(study.architectures[fingerprint])
        right = page.locator('[data-slot="right"] .node title').evaluate_all("all => all.map(t => t.textContent)")
        plain = [title.split("\nother side")[0] for title in right]
        assert set(plain) == {node_tooltip(graph, title.split(":")[0]) for title in plain}
    page.locator("#architecture-trial").fill("999")
    page.locator("#architecture-trial").press("Enter")
    page.get_by_text("Trial 999 of the search has no architecture that can be drawn here.").wait_for()
    # The same from the row of a variant, which no number names.
    variant = study.trials[study.trials["variant"] == "skip-add"].iloc[0]
    page.locator(f'[aria-controls="d-ablation-{variant["trial"]}"]').click()
    page.locator(f"#d-ablation-{variant['trial']}").get_by_role("button", name="Compare its architecture").click()
    page.locator(f'#architecture-pair[data-shown="{variant["fingerprint"]}"]').wait_for()
    page.close()
    assert watched.complaints == []


def test_architectures_beyond_what_a_page_holds_are_counted(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.figures.unet_catalogue.MOST_FORMS", 3)
    study = make_study(seeds=1, trials=6)
    watched = Watched(browser, write_dashboard(study, tmp_path / "page.html"))
    page = watched.page
    options = page.locator("#architecture-choice option").count() - 1
    distinct = len(set(study.trials["fingerprint"].dropna()) - {study.base})
    assert 2 <= options < distinct
    said = f"{options} of {distinct} different architectures can be drawn here"
    assert said in page.locator("#architectures").inner_text()
    page.close()
    assert watched.complaints == []
