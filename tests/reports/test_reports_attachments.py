"""What optuna-dashboard shows beside a study and its trials: whole notes, and files that are made when asked for."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

import archspec
from reports.attachments import Attachments
from studies.records.record import TrialRecord
from studies.records.store import Store
from tests.reports.synthetic_study import graph_of

BASE, OTHER = graph_of(), graph_of(mid="false")
MARKS = archspec.fingerprint(BASE), archspec.fingerprint(OTHER)
SOURCE = "version: 1\nname: made-up\n"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study that has begun, with two architectures on record."""
    folder = tmp_path_factory.mktemp("attachments") / "it"
    found = Store(folder, "made-up", create=True)
    for mark, graph in zip(MARKS, (BASE, OTHER), strict=True):
        found.write_architecture(mark, archspec.to_document(graph))
    found.remember_study(found.open("search", ["loss"]), {"question": "Is it <b>?"}, MARKS[0], SOURCE)
    return folder


@pytest.fixture
def store(begun: Path, tmp_path: Path) -> Store:
    """That study, in a folder of its own."""
    return Store(Path(shutil.copytree(begun, tmp_path / "it")))


def beside(store: Store, **kept: Path) -> Attachments:
    return Attachments(store, lambda _: {name.replace("_", "."): path for name, path in kept.items()})


def record(**changes: Any) -> TrialRecord:
    known = {"part": "search", "trial": 7, "seed": 3, "status": "finished", "protocol_hash": "p", "started": "2026"}
    return TrialRecord.model_validate({**known, **changes})


def note(store: Store, **changes: Any) -> list[str]:
    return beside(store).trial_note(record(**changes)).replace("\u202f", " ").split("\n\n")


def test_the_studys_note_has_its_name_question_and_file(store: Store) -> None:
    name, question, told, source = beside(store).note().split("\n\n")
    assert (name, question) == ("# `made-up`", "`Is it <b>?`")
    assert "positive is over" in told
    assert source == f"```\n{SOURCE.rstrip()}\n```"


def test_without_a_question_and_a_file_the_note_leaves_them_out(store: Store) -> None:
    (store.folder / "study.yaml").unlink()
    store.remember_study(store.open("search", ["loss"]), {}, MARKS[0], SOURCE)
    (store.folder / "study.yaml").unlink(missing_ok=True)
    assert len(beside(store).note().split("\n\n")) == 2
    assert list(beside(store).files()) == ["base.svg"]


def test_the_studys_files_are_its_base_and_its_text(store: Store) -> None:
    found = beside(store).files()
    assert list(found) == ["base.svg", "study.yaml.txt"]
    assert found["study.yaml.txt"]() == SOURCE.encode()
    svg = ET.fromstring(found["base.svg"]())
    assert svg.findtext("{http://www.w3.org/2000/svg}title") == "base"


def test_a_trials_note_says_what_it_is_and_how_it_ended(store: Store) -> None:
    assert note(store) == ["**finished** (trained and measured): search trial 7, seed 3", "The base as it is."]
    assert note(store, part="ablation", variant="no-skips")[0].endswith("ablation trial 7, variant `no-skips`, seed 3")
    assert note(store, status="failed", reason="RuntimeError: `boom`\n  twice")[:2] == [
        "**failed** (raised an error, or its worker died): search trial 7, seed 3",
        "Reason: `RuntimeError: 'boom' twice`",
    ]
    assert note(store, status="replayed", replay_of="ablation/0")[1] == "Result of `ablation/0`"


def test_edits_are_a_list_and_parameters_and_metrics_are_tables(store: Store) -> None:
    said = note(
        store, edits=("remove mid.attn_1", "set a|b"), params={"ch": 32, "k|l": [1, 2]},
        metrics={"loss": 0.25, "latency": 0.002, "memory": 2.0**20, "mine": 3.0},
    )  # fmt: skip
    assert said[1:3] == ["Differs from the base by:", "- `remove mid.attn_1`\n- `set a|b`"]
    assert said[3].splitlines() == ["| Parameter | |", "|---|---|", "| `ch` | `32` |", "| `k¦l` | `[1, 2]` |"]
    assert said[4].splitlines() == [
        "| Metric | |", "|---|---|", "| `held-out loss` | `0.2500` |", "| `latency` | `2.00 ms` |",
        "| `peak memory` | `1.00 MiB` |", "| `mine` | `3.00` |",
    ]  # fmt: skip


def test_budgets_that_are_broken_are_named_and_those_that_are_kept_are_not(store: Store) -> None:
    said = note(store, violations={"latency": 0.25, "memory": -0.5, "macs": 0.0, "parameters": 1.0})
    assert said[-1] == "Over budget: `latency` by +25 %, `parameters` by +100 %"
    assert not any("budget" in line for line in note(store, violations={"memory": -0.5, "macs": 0.0}))


@pytest.mark.parametrize(
    ("text", "fenced"),
    [("Traceback:\n  boom\n", "```\nTraceback:\n  boom\n```"), ("a ``` b ```` c", "```\na ''' b '''` c\n```")],
)
def test_a_traceback_cannot_leave_its_fence(store: Store, text: str, fenced: str) -> None:
    assert note(store, status="failed", detail={"traceback": text})[-1] == fenced


@pytest.mark.parametrize(
    "text", ["![x](http://elsewhere.example/x.png)", "<script>alert(1)</script>", "a`b`c", "# head\n\n- item", "*bold*"]
)
def test_text_from_files_is_code_wherever_it_stands(store: Store, text: str) -> None:
    said = beside(store).trial_note(
        record(variant=text, reason=text, edits=(text,), params={text: text}, replay_of=text, violations={text: 1.0})
    )
    plain = re.sub(r"`[^`\n]*`", "", said)
    for word in re.findall(r"[a-z]{4,}", text):
        assert word not in plain


def test_a_trials_files_are_its_u_spec_and_curve(store: Store) -> None:
    store.write_curve("search", 7, [(1, 0.5), (2, 1e-7), (3, 0.1 + 0.2)])
    found = beside(store).trial_files(record(fingerprint=MARKS[1]))
    assert list(found) == ["architecture.svg", "architecture.json", "curve.csv"]
    assert json.loads(found["architecture.json"]()) == json.loads(json.dumps(archspec.to_document(OTHER)))
    assert found["curve.csv"]().decode().splitlines() == [
        "step,training loss", "1,0.5", "2,1e-07", "3,0.30000000000000004",
    ]  # fmt: skip
    svg = found["architecture.svg"]().decode()
    assert ">base</text>" in svg
    assert ">this trial</text>" in svg
    assert svg.count("stroke-dasharray") > 0, "what the base alone has is outlined"


def test_the_base_is_drawn_alone(store: Store) -> None:
    svg = beside(store).trial_files(record(fingerprint=MARKS[0]))["architecture.svg"]().decode()
    assert "this trial" not in svg
    assert svg == beside(store).files()["base.svg"]().decode()


def test_a_trial_without_architecture_or_curve_has_only_what_it_left(store: Store, tmp_path: Path) -> None:
    picture = tmp_path / "x.png"
    picture.write_bytes(b"png")
    found = beside(store, samples_png=picture).trial_files(record(fingerprint=None, status="refused"))
    assert {name: make() for name, make in found.items()} == {"samples.png": b"png"}
    assert beside(store).trial_files(record(fingerprint="0" * 16)) == {}


def damaged(store: Store, mark: str, content: str) -> None:
    (store.folder / "architectures" / f"{mark}.json").write_text(content, encoding="utf-8")


def test_an_architecture_of_another_version_is_missing_as_a_picture_alone(store: Store) -> None:
    unknown = json.dumps({"version": 1, "name": "x", "graph": {"nodes": {"a": {"op": "no_such"}}, "edges": []}})
    damaged(store, MARKS[1], unknown)
    found = beside(store).trial_files(record(fingerprint=MARKS[1]))
    assert found["architecture.json"]().decode() == unknown
    with pytest.raises(KeyError):
        found["architecture.svg"]()
    damaged(store, MARKS[0], unknown)
    with pytest.raises(KeyError):
        beside(store).files()["base.svg"]()


def test_a_trial_is_drawn_alone_where_the_base_is_not_kept(store: Store) -> None:
    made = beside(store).trial_files(record(fingerprint=MARKS[1]))["architecture.svg"]
    (store.folder / "architectures" / f"{MARKS[0]}.json").unlink()
    assert ET.fromstring(made()).findtext("{http://www.w3.org/2000/svg}title") == "this trial"
    assert list(beside(store).files()) == ["study.yaml.txt"]


def test_a_file_that_went_meanwhile_is_said_to_be_missing(store: Store) -> None:
    made = beside(store).trial_files(record(fingerprint=MARKS[1]))["architecture.svg"]
    (store.folder / "architectures" / f"{MARKS[1]}.json").unlink()
    with pytest.raises(KeyError, match=MARKS[1]):
        made()
