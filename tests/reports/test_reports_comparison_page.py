"""The page of several studies: their names, what differs, what they share, line by line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reports.analysis.trials import usable
from reports.dashboard import COMPARISON, write_comparison
from reports.pages import studies
from reports.pages.charts import Charts
from studies.frame import StudyResults
from tests.reports.reading import Element, tree
from tests.reports.synthetic_study import full_study, make_study, with_status, without

SMALL = replace(make_study(seeds=2, trials=4), name="small")
TINY = replace(make_study(seeds=0, trials=1), name="tiny")


def page(folder: Path, *several: StudyResults) -> dict[str, Element]:
    """Section -> what stands in it."""
    root, wrong = tree(write_comparison(several, folder / "page.html").read_text(encoding="utf-8"))
    assert wrong == []
    return {one.get("id"): one for one in root.all("section")} | {"h1": next(root.all("h1"))}


def plane(*several: StudyResults) -> tuple[dict[str, Any] | None, Charts]:
    charts = Charts()
    return studies.plane(several, charts), charts


def test_studies_stand_in_the_order_in_which_they_are_given(tmp_path: Path) -> None:
    one, other = replace(TINY, name="zebra"), replace(TINY, name="ant")
    found = page(tmp_path, one, other)
    assert found["h1"].words == "zebra and ant"
    assert [head.words for head in found["answers"].all("h3")] == ["zebra", "ant"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a", "b"], "a and b"),
        (["a", "a"], "a (1) and a (2)"),
        (["a", "b", "a"], "a (1), b and a (2)"),
    ],
)
def test_names_are_told_apart_where_they_are_alike(names: list[str], told: str, tmp_path: Path) -> None:
    assert page(tmp_path, *(replace(TINY, name=name) for name in names))["h1"].words == told


def test_sections_are_in_order_and_a_study_tells_its_question_answer_and_counts(tmp_path: Path) -> None:
    asked, silent = replace(full_study(), name="asked"), replace(SMALL, name="silent", question=None)
    found = page(tmp_path, asked, silent)
    assert [key for key in found if key != "h1"] == [section.key for section in COMPARISON]
    first, second = [one for one in found["answers"].all("div") if one.get("class") == "answer-group"]
    captions = [one.words for one in first.all("p") if one.get("class") == "caption"]
    assert captions[0] == full_study().question
    assert captions[1].startswith("Ablation: 48 trials: 47 finished, 1 diverged")
    assert captions[2].startswith("Search: 20 trials: ")
    assert all(text.startswith(("Ablation:", "Search:")) for text in
               [one.words for one in second.all("p") if one.get("class") == "caption"])  # fmt: skip


def test_settings_that_differ_are_a_table_with_what_they_spoil(tmp_path: Path) -> None:
    protocol = TINY.document["protocol"]
    changed = {**protocol, "train": {**protocol["train"], "steps": 600}, "extra": "<x>"}
    longer = replace(TINY, name="longer", document={**TINY.document, "protocol": changed})
    rows = [[cell.words for cell in row.children] for row in page(tmp_path, TINY, longer)["protocols"].all("tr")]
    assert rows[0] == ["Setting", "tiny", "longer", "Not comparable"]
    assert ["protocol.train.steps", "300", "600", "losses"] in rows
    assert ["protocol.extra", "—", "<x>", "losses"] in rows
    alike = page(tmp_path, TINY, replace(TINY, name="again"))["protocols"]
    assert "Same protocol, data, measurement and device: losses, times and memory compare directly." in alike.words
    assert list(alike.all("table")) == []


def test_the_plane_has_the_loss_against_the_first_two_shared_costs() -> None:
    found, charts = plane(full_study(), SMALL)
    assert found is not None
    assert [chart.key for chart in found["plots"]] == ["studies-latency", "studies-parameters"]
    assert found["plots"][0].label == "held-out loss against latency of every trial of digits and small"
    assert set(charts.figures) == {"studies-latency", "studies-parameters"}
    untimed = replace(SMALL, trials=SMALL.trials.assign(latency=float("nan")))
    found, _ = plane(full_study(), untimed)
    assert found is not None
    assert [chart.key for chart in found["plots"]] == ["studies-parameters", "studies-macs"]


def test_without_a_shared_loss_or_cost_there_is_no_plane() -> None:
    assert plane(full_study(), with_status(SMALL, "failed", "boom"))[0] is None
    costless = SMALL.trials.assign(**dict.fromkeys(("latency", "parameters", "macs", "memory"), float("nan")))
    assert plane(full_study(), replace(SMALL, trials=costless))[0] is None


def test_the_section_of_searches_is_there_only_where_two_have_one() -> None:
    plain = without(full_study(), "search")
    assert studies.progress([full_study(), plain], Charts()) is None
    assert studies.progress([full_study(), SMALL], Charts()) is not None


def test_where_searches_ended_is_told_in_numbers() -> None:
    one, other = (replace(make_study(seeds=0, trials=n, seed=s), name=f"s{s}") for n, s in ((20, 3), (12, 5)))
    found = studies.progress([one, other], Charts())
    assert found is not None
    assert [name for name, _, _ in found["ends"]] == ["s3", "s5"]
    assert 0.9 < max(volume for *_, volume in found["ends"]) <= 1.0 + 1e-9
    counted = ["finished", "oom", "failed"]
    assert [n for _, n, _ in found["ends"]] == [int(s.trials["status"].isin(counted).sum()) for s in (one, other)]
    assert (found["ratios"], found["random"], found["few"], found["apart"]) == ("latency", None, [], ())


def test_a_search_with_too_few_trials_is_named_and_not_drawn() -> None:
    few = replace(make_study(seeds=0, trials=1), name="few")
    charts = Charts()
    found = studies.progress([replace(make_study(seeds=0, trials=12), name="long"), few], charts)
    assert found is not None
    assert (found["few"], found["plot"], charts.any) == (["few"], None, False)


def test_common_architectures_have_a_line_for_each_study() -> None:
    found = studies.common([full_study(), SMALL], Charts())
    assert found is not None
    assert [metric.name for metric in found["metrics"]] == [
        "loss", "latency", "train_latency", "memory", "parameters", "macs",
    ]  # fmt: skip
    row = next(one for one in found["rows"] if one["fingerprint"] == full_study().base)
    assert [name for name, _ in row["lines"]] == ["the base, trial 0"] * 2
    kept = usable(full_study().trials)
    mine = kept[(kept["fingerprint"] == full_study().base) & (kept["status"] == "finished")]
    loss, *_, parameters, _ = row["lines"][0][1]
    assert loss == f"{mine['loss'].mean():.4f} (n={len(mine)})"
    assert "n=" not in parameters, "what is counted is not measured several times"


def test_what_one_study_lacks_is_a_dash() -> None:
    untimed = replace(SMALL, trials=SMALL.trials.copy())
    rows = untimed.trials["fingerprint"] == untimed.base
    untimed.trials.loc[rows, "memory"] = float("nan")
    found = studies.common([full_study(), untimed], Charts())
    assert found is not None
    memory = [metric.name for metric in found["metrics"]].index("memory")
    row = next(one for one in found["rows"] if one["fingerprint"] == untimed.base)
    assert [cells[memory] == "—" for _, cells in row["lines"]] == [False, True]
