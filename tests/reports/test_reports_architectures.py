"""Which architectures the page offers, in which order, what they are called, and what is said of a pair."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from functools import cache
from typing import Any

import pandas as pd
import pytest

import archspec
from archspec import from_document, total_price
from reports.analysis.trials import part
from reports.pages import architectures
from reports.pages.charts import Charts
from studies.frame import StudyResults
from tests.reports.synthetic_study import VARIANTS, full_study, graph_of, make_study, without


def context(results: StudyResults) -> dict[str, Any]:
    found = architectures.context(results, Charts())
    assert found is not None
    return found


@cache
def of_full_study() -> dict[str, Any]:
    return context(full_study())


def labels(results: StudyResults) -> list[str]:
    return [choice.label.replace("\u202f", " ") for choice in context(results)["choices"]]


def unpacked(text: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(text)))


def searched(*rows: tuple[str, float | None, str], **changes: Any) -> StudyResults:
    """A search whose trials are (what differs from the base, loss, status), one row each."""
    study = make_study(seeds=0, trials=1)
    base = study.trials.iloc[0].to_dict()
    kinds: dict[str, dict[str, Any]] = {
        "base": {}, "linear": {"kind": "linear"}, "bare": {"attn": "[]"}, "deep": {"blocks": 3}, "add": {"skip": "add"},
    }  # fmt: skip
    graphs = {name: graph_of(**kinds[name]) for name in {"base", *(name for name, _, _ in rows)}}
    marks = {name: archspec.fingerprint(graph) for name, graph in graphs.items()}
    trials = [
        {**base, "trial": number, "fingerprint": marks[name], "loss": loss, "status": status}
        for number, (name, loss, status) in enumerate(rows)
    ]
    documents = {marks[name]: archspec.to_document(graph) for name, graph in graphs.items()}
    frame = pd.DataFrame(trials).astype({"loss": float})
    return replace(study, trials=frame, architectures=documents, base=marks["base"], budgets={}, **changes)


def test_the_best_comes_first_and_then_small_losses_before_large_ones() -> None:
    study = searched(
        ("base", 0.5, "finished"), ("linear", 0.4, "finished"), ("bare", 0.2, "finished"), ("deep", 0.3, "finished")
    )
    assert labels(study) == ["best: trial 2 (0.2000)", "trial 3 (0.3000)", "trial 1 (0.4000)"]


def test_an_architecture_without_a_result_says_how_it_ended() -> None:
    study = searched(("base", 0.5, "finished"), ("linear", None, "oom"), ("bare", 0.6, "finished"))
    assert labels(study) == ["trial 2 (0.6000)", "trial 1 (oom)"]


def test_an_architecture_stands_in_the_list_once_with_the_trials_that_repeat_it() -> None:
    study = searched(("base", 0.5, "finished"), *[("linear", 0.4, "replayed")] * 3)
    assert labels(study) == ["best: trial 1 (0.4000), also 2, 3"]
    many = searched(("base", 0.5, "finished"), *[("linear", 0.4, "replayed")] * 10)
    assert labels(many) == ["best: trial 1 (0.4000), also 2, 3, 4, 5, 6, 7 and 3 more"]


def test_a_variant_that_the_search_found_too_has_both_names() -> None:
    names = labels(full_study())
    assert names[0].startswith("best: ")
    variants = [name for name in names if "variant" in name]
    assert len(variants) == len(VARIANTS)
    assert any("variant linear-attention; trial" in name for name in variants)
    assert names.index(variants[0]) < names.index(next(n for n in names[1:] if "variant" not in n))


def test_without_a_search_the_best_variant_comes_first() -> None:
    study = make_study(seeds=3, trials=0)
    rows = study.trials[study.trials["variant"] != "base"]
    means = rows.groupby("variant")["loss"].mean()
    names = labels(study)
    assert names[0] == f"variant {means.idxmin()}"
    assert set(names) == {f"variant {name}" for name in VARIANTS}


def test_variants_without_a_result_are_offered_as_they_come() -> None:
    study = make_study(seeds=1, trials=0)
    lost = study.trials.assign(status="failed", loss=float("nan"))
    assert labels(replace(study, trials=lost)) == [f"variant {name}" for name in VARIANTS]


def test_the_base_is_never_compared_with_itself() -> None:
    found = context(searched(("base", 0.5, "finished")))
    assert (found["choices"], found["first"]) == ([], None)
    assert set(found["pair"]) == {"left", "left_caption"}


def test_without_the_base_there_is_no_section() -> None:
    study = full_study()
    others = {mark: document for mark, document in study.architectures.items() if mark != study.base}
    assert architectures.context(replace(study, architectures=others), Charts()) is None


def test_what_is_not_on_record_is_not_offered() -> None:
    study = full_study()
    gone = next(iter(set(part(study.trials, "search")["fingerprint"]) - {study.base}))
    rest = {mark: document for mark, document in study.architectures.items() if mark != gone}
    found = context(replace(study, architectures=rest))
    assert gone not in [choice.fingerprint for choice in found["choices"]]
    assert found["drawable"] == found["all"] == len(of_full_study()["choices"]) - 1


def test_what_cannot_be_drawn_is_counted() -> None:
    study = full_study()
    broken = next(iter(set(part(study.trials, "search")["fingerprint"]) - {study.base}))
    damaged = {**study.architectures, broken: {"version": 1, "name": "x", "graph": {"nodes": {}, "edges": []}}}
    found = context(replace(study, architectures=damaged))
    assert found["all"] - found["drawable"] == 1


def test_a_pair_says_prices_and_how_many_nodes_differ() -> None:
    study = searched(("base", 0.5, "finished"), ("linear", 0.2, "finished"))
    prices = [total_price(from_document(study.architectures[mark])) for mark in study.trials["fingerprint"]]
    pair = {key: text.replace("\u202f", " ") for key, text in context(study)["pair"].items()}
    assert pair["difference"] == "Nodes: 6 changed."
    assert pair["left_caption"] == f"{prices[0].parameters / 1e6:.2f} M parameters, {prices[0].macs / 1e6:.1f} M MACs"
    change = (prices[1].parameters / prices[0].parameters - 1) * 100
    assert f"({change:+.1f} %)".replace("-", "−") in pair["right_caption"]
    assert pair["right_title"] == "best: trial 1 (0.2000)"


@pytest.mark.parametrize(
    ("kind", "told"),
    [("bare", "Nodes: 5 removed."), ("add", "Nodes: 6 changed, "), ("deep", "Nodes: ")],
)
def test_the_kinds_of_difference_are_counted_in_words(kind: str, told: str) -> None:
    difference = context(searched(("base", 0.5, "finished"), (kind, 0.2, "finished")))["pair"]["difference"]
    assert difference.startswith(told)
    assert difference.endswith(".")


def test_pictures_of_pairs_are_kept_for_the_first_of_the_list_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architectures, "MAX_PAIRS", 2)
    found = context(full_study())
    pictures = json.loads(found["pictures"])
    assert list(pictures) == [choice.fingerprint for choice in found["choices"][:2]]
    assert unpacked(pictures[found["first"].fingerprint]) == found["pair"]


def test_a_long_list_is_cut_and_the_others_are_found_by_their_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = of_full_study()
    assert whole["trials"] == 0
    monkeypatch.setattr(architectures, "MAX_LISTED", 3)
    found = context(full_study())
    assert found["choices"] == whole["choices"][:3]
    rows = part(full_study().trials, "search")
    assert found["trials"] == len(rows)
    kept = unpacked(json.loads(found["alone"]))
    marks = list(kept["entries"])
    assert {trial: marks[at] for trial, at in kept["trials"]} == dict(
        zip(rows["trial"], rows["fingerprint"], strict=True)
    )


def test_every_entry_of_the_catalogue_has_its_name_and_its_price_against_the_base() -> None:
    study = full_study()
    kept = unpacked(json.loads(of_full_study()["alone"]))
    assert next(iter(kept["entries"])) == study.base
    base = total_price(from_document(study.architectures[study.base]))
    for mark, (label, caption, form, blocks) in kept["entries"].items():
        price = total_price(from_document(study.architectures[mark]))
        assert (label == "base") == (mark == study.base)
        assert ("%" in caption) == ((price.parameters, price.macs) != (base.parameters, base.macs))
        assert len(blocks) == len(kept["forms"][form][1]) == len(study.architectures[mark]["graph"]["nodes"])


def test_a_search_without_fingerprints_has_the_base_alone() -> None:
    study = without(full_study(), "ablation")
    rows = study.trials.assign(fingerprint=None)
    assert context(replace(study, trials=rows, objectives=()))["choices"] == []
