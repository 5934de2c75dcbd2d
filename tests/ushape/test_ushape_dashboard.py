"""The study's database in optuna-dashboard, asked over HTTP; the database itself stays as it was."""

from __future__ import annotations

import hashlib
import json
import threading
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import IntDistribution

import archspec
from archspec import UserError
from search import optuna_bridge as bridge
from studies.records.artifacts import keep_files
from studies.records.record import TrialRecord
from studies.records.server import MARKER
from studies.records.shown import Page, ShownStorage
from studies.records.store import Store
from tests.reports.synthetic_study import graph_of
from ushape.cli.dashboard import serve

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
EVIL = "<script>alert(1)</script> ![x](http://elsewhere.example/x.png) `y`"


def made(folder: Path, store: Store | None = None) -> Store:
    """A study with a search of three trials: within budget, over it, and failed."""
    store = store or Store(folder, "made-up", create=True)
    base, other = graph_of(), graph_of(mid="false")
    marks = archspec.fingerprint(base), archspec.fingerprint(other)
    for mark, graph in zip(marks, (base, other), strict=True):
        store.write_architecture(mark, archspec.to_document(graph))
    study = store.open("search", ["loss", "parameters"])
    store.remember_study(study, {"name": "made-up", "question": "Is it?"}, marks[0], "name: made-up\n")
    common = {"part": "search", "seed": 0, "protocol_hash": "p", "started": "2026-11-03T10:00:00+00:00"}
    rows: list[dict[str, Any]] = [
        {"status": "finished", "fingerprint": marks[0], "metrics": {"loss": 0.5, "parameters": 10.0},
         "violations": {"parameters": -0.5}},
        {"status": "finished", "fingerprint": marks[1], "metrics": {"loss": 0.25, "parameters": 30.0},
         "violations": {"parameters": 0.5}, "edits": ["remove mid.attn_1", EVIL]},
        {"status": "failed", "fingerprint": marks[1], "reason": "RuntimeError: boom",
         "detail": {"traceback": "Traceback:\n  boom ``` here"}},
    ]  # fmt: skip
    for number, row in enumerate(rows):
        trial = study.ask({"depth": IntDistribution(1, 3)})
        one = TrialRecord.model_validate({**common, "trial": number, "params": {"depth": number + 1}, **row})
        store.write_curve("search", number, [(step, 1 / step) for step in range(1, 301)])
        one = keep_files(folder, one, {"samples.png": PNG} if number == 0 else {})
        store.keep(trial, one)
        limits = one.violations or {"trained": 1.0}
        bridge.tell(trial, [one.metrics.get("loss"), one.metrics.get("parameters")], limits)
    return store


@contextmanager
def served(folder: Path) -> Iterator[str]:
    server = serve(folder, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()


def get(url: str) -> tuple[bytes, str]:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read(), answer.headers["Content-Type"]


def detail(address: str) -> dict[str, Any]:
    (study,) = json.loads(get(f"{address}/api/studies")[0])["study_summaries"]
    found: dict[str, Any] = json.loads(get(f"{address}/api/studies/{study['study_id']}")[0])
    return {**found, "id": study["study_id"], "summary": study}


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("made-up")
    made(place).optuna_storage.engine.dispose()
    return place


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    before = contents(folder)
    with served(folder) as found:
        yield found
    assert contents(folder) == before


def test_constraints_values_and_objectives_are_shown(address: str) -> None:
    found = detail(address)
    assert (found["name"], found["objective_names"]) == ("made-up/search", ["loss", "parameters"])
    assert [trial["constraints"] for trial in found["trials"]] == [[-0.5], [0.5], [1.0]]
    assert found["trials"][1]["values"] == [0.25, 30.0]
    assert [trial["params"][0]["name"] for trial in found["trials"]] == ["depth"] * 3
    assert found["note"]["body"].startswith("# `made-up`\n\n`Is it?`")


def test_a_trials_note_says_spec_difference_and_failure(address: str) -> None:
    notes = [trial["note"]["body"] for trial in detail(address)["trials"]]
    assert "The base as it is." in notes[0]
    assert "- `remove mid.attn_1`" in notes[1]
    assert "Over budget: `parameters` by +50" in notes[1]
    assert "| `depth` | `2` |" in notes[1]
    assert "Reason: `RuntimeError: boom`" in notes[2]
    assert notes[2].endswith("```\nTraceback:\n  boom ''' here\n```")
    # Whatever a file says stays text: markup and pictures of others are code in the note.
    assert "- `<script>alert(1)</script> ![x](http://elsewhere.example/x.png) 'y'`" in notes[1]
    attributes = {one["key"]: one["value"] for one in detail(address)["trials"][2]["user_attrs"]}
    assert (attributes["status"], attributes["reason"]) == ("failed", "RuntimeError: boom")
    assert "record" not in attributes


def test_curves_are_thinned_in_the_plot_and_whole_in_the_file(address: str) -> None:
    found = detail(address)
    steps = found["trials"][0]["intermediate_values"]
    assert found["has_intermediate_values"]
    assert 90 <= len(steps) <= 101
    assert (steps[0], steps[-1]) == ({"step": 1, "value": 1.0}, {"step": 300, "value": 1 / 300})
    assert len(artifact(address, found, 0, "curve.csv")[0].splitlines()) == 301


def artifact(address: str, found: dict[str, Any], trial: int, name: str) -> tuple[bytes, str]:
    one = found["trials"][trial]
    meta = next(meta for meta in one["artifacts"] if meta["filename"] == name)
    return get(f"{address}/artifacts/{found['id']}/{one['trial_id']}/{meta['artifact_id']}")


def test_pictures_and_files_are_served(address: str) -> None:
    found = detail(address)
    names = [[meta["filename"] for meta in trial["artifacts"]] for trial in found["trials"]]
    drawn = ["architecture.svg", "architecture.json", "curve.csv"]
    assert names == [[*drawn, "samples.png"], drawn, drawn]
    svg, kind = artifact(address, found, 1, "architecture.svg")
    assert kind == "image/svg+xml"
    texts = [text.text for text in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert {"base", "this trial", "−"} <= set(texts)
    png, kind = artifact(address, found, 0, "samples.png")
    assert (png[:4], kind) == (b"\x89PNG", "image/png")
    assert [meta["filename"] for meta in found["artifacts"]] == ["base.svg", "study.yaml.txt"]
    base = found["artifacts"][0]["artifact_id"]
    assert b"<svg" in get(f"{address}/artifacts/{found['id']}/{base}")[0]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{address}/artifacts/{found['id']}/c-00")


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/api/studies/1/note"), ("DELETE", "/api/studies/1"), ("POST", "/api/studies")],
)  # fmt: skip
def test_nothing_can_be_changed(address: str, method: str, path: str) -> None:
    asked = urllib.request.Request(f"{address}{path}", data=b"{}", method=method)
    with pytest.raises(urllib.error.HTTPError, match="405"):
        urllib.request.urlopen(asked, timeout=20)


def test_a_study_that_goes_on_is_read_again(tmp_path: Path) -> None:
    store = made(tmp_path)
    shown = ShownStorage(Store(tmp_path), Page(str, dict, lambda _: "", lambda _: {}))
    (one,) = shown.get_all_studies()

    def states() -> list[str]:
        return [trial.state.name for trial in shown.get_all_trials(one._study_id)]

    assert states() == ["COMPLETE"] * 3
    trial = store.load("search").ask({"depth": IntDistribution(1, 3)})
    assert states()[3:] == ["RUNNING"]
    bridge.tell_failed(trial)
    assert states()[3:] == ["FAIL"]
    with pytest.raises(RuntimeError, match="not changed from here"):
        shown.set_study_user_attr(one._study_id, "a", 1)
    with pytest.raises(KeyError):
        shown.get_trial(10**6)


def test_without_the_extra_the_message_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ushape.cli.dashboard.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs the package optuna-dashboard.*pip install 'ushape\[dashboard\]'"):
        serve(tmp_path, "127.0.0.1", 0)


def test_no_study_and_a_taken_port_are_said_so(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are no results in"):
        serve(tmp_path, "127.0.0.1", 0)
    taken = serve(folder, "127.0.0.1", 0)
    with pytest.raises(UserError, match=f"127.0.0.1:{taken.server_port} cannot be listened on"):
        serve(folder, "127.0.0.1", taken.server_port)
    taken.server_close()


@pytest.mark.postgres
def test_a_study_on_a_server_is_shown_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import os
    import uuid

    from sqlalchemy.engine import make_url

    from studies.records.database import Storage
    from tests.studies.postgres_server import own_server

    with own_server() as server:
        url = make_url(os.environ.get("TEST_POSTGRES_URL") or server.url)
        whole = url if url.password else url.set(password="hunter2-f00d")
        monkeypatch.setenv("USHAPE_TEST_STORAGE", whole.render_as_string(hide_password=False))
        name, storage = f"s-{uuid.uuid4().hex[:12]}", Storage(env="USHAPE_TEST_STORAGE")
        made(tmp_path, Store(tmp_path, name, create=True, storage=storage))
        made(tmp_path / "b", Store(tmp_path / "b", f"{name}-other", create=True, storage=storage))
        assert (tmp_path / MARKER).is_file()
        with served(tmp_path) as found:
            shown = detail(found)
            assert shown["name"] == f"{name}/search"
            assert [trial["constraints"] for trial in shown["trials"]] == [[-0.5], [0.5], [1.0]]
            text = json.dumps(shown)
    said = capfd.readouterr()
    assert not [whole.password for place in (text, said.out, said.err) if str(whole.password) in place]
