"""What is said to a browser and made of its answers: a peer at the other end of two pipes stands for Chromium."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from archspec import UserError
from reports.paper.browser import NAMES, VARIABLE, Browser, find_browser, size_of

HINT = f"Name another Chromium or Chrome with {VARIABLE}; `--format svg` draws what needs none."
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="192" height="96"></svg>'

Answer = dict[str, Any] | Callable[[dict[str, Any]], Any]
TARGETS: dict[str, Answer] = {
    "Target.getTargets": {"targetInfos": [{"type": "worker", "targetId": "w"}, {"type": "page", "targetId": "p"}]},
    "Target.createTarget": {"targetId": "new"},
    "Target.attachToTarget": {"sessionId": "s"},
    "Page.getFrameTree": {"frameTree": {"frame": {"id": "f"}}},
    "Page.setDocumentContent": {},
}


class Peer:
    """Answers each question from a table, and remembers them."""

    def __init__(self, answers: dict[str, Answer], *, pieces: int = 1 << 16) -> None:
        self.asked: list[dict[str, Any]] = []
        self._answers, self._pieces = {**TARGETS, **answers}, pieces
        self.reads, self.write = os.pipe()
        self.read, self._writes = os.pipe()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        rest = b""
        while piece := os.read(self.reads, 1 << 16):
            *messages, rest = (rest + piece).split(b"\0")
            for message in map(json.loads, messages):
                self.asked.append(message)
                answer = self._answers[message["method"]]
                found = answer(message["params"]) if callable(answer) else answer
                if found is None:
                    os.close(self._writes)
                    return
                self._say({"method": "Something.happened", "params": {}})
                self._say({"id": message["id"], **(found if "error" in found else {"result": found})})
        os.close(self._writes)

    def _say(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\0"
        for start in range(0, len(data), self._pieces):
            os.write(self._writes, data[start : start + self._pieces])

    def asked_for(self, method: str) -> list[dict[str, Any]]:
        return [one["params"] for one in self.asked if one["method"] == method]

    def close(self) -> None:
        os.close(self.write)
        self._thread.join(10)
        os.close(self.read)
        os.close(self.reads)


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    """Makes peers, and sends them away after the test."""
    made: list[Peer] = []

    def make(answers: dict[str, Answer] | None = None, **options: int) -> Peer:
        made.append(Peer(answers or {}, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def browser(one: Peer) -> Browser:
    return Browser("/bin/some-browser", one.write, one.read)


def test_the_page_that_is_there_is_used_and_asked_in_its_session(peer: Callable[..., Peer]) -> None:
    one = peer()
    browser(one)
    assert [message["method"] for message in one.asked] == [
        "Target.getTargets", "Target.attachToTarget", "Page.getFrameTree",
    ]  # fmt: skip
    assert one.asked_for("Target.attachToTarget") == [{"targetId": "p", "flatten": True}]
    assert [message.get("sessionId") for message in one.asked] == [None, None, "s"]
    assert len({message["id"] for message in one.asked}) == 3


def test_a_browser_without_a_page_is_asked_for_one(peer: Callable[..., Peer]) -> None:
    one = peer({"Target.getTargets": {"targetInfos": [{"type": "worker", "targetId": "w"}]}})
    browser(one)
    assert one.asked_for("Target.createTarget") == [{"url": "about:blank"}]
    assert one.asked_for("Target.attachToTarget")[0]["targetId"] == "new"


def test_an_answer_that_comes_in_pieces_is_put_together(peer: Callable[..., Peer]) -> None:
    browser(peer(pieces=3))


def test_a_pdf_is_one_page_of_the_drawings_size(peer: Callable[..., Peer], tmp_path: Path) -> None:
    one = peer({"Page.printToPDF": {"data": base64.b64encode(b"%PDF").decode()}})
    browser(one).pdf(SVG, tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == b"%PDF"
    (options,) = one.asked_for("Page.printToPDF")
    assert (options["paperWidth"], options["paperHeight"], options["pageRanges"]) == (2.0, 1.0, "1")
    assert {options[f"margin{side}"] for side in ("Top", "Bottom", "Left", "Right")} == {0}
    (shown,) = one.asked_for("Page.setDocumentContent")
    assert shown["frameId"] == "f"
    assert SVG in shown["html"]


def test_a_png_has_three_hundred_dots_an_inch(peer: Callable[..., Peer], tmp_path: Path) -> None:
    one = peer({"Page.captureScreenshot": {"data": base64.b64encode(b"png").decode()}})
    browser(one).png(SVG, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"png"
    (options,) = one.asked_for("Page.captureScreenshot")
    assert options["clip"] == {"x": 0, "y": 0, "width": 192, "height": 96, "scale": 300 / 96}


def test_plotlys_figures_come_back_as_svg(peer: Callable[..., Peer]) -> None:
    def evaluate(params: dict[str, Any]) -> dict[str, Any]:
        drawn = "data:image/svg+xml,%3Csvg%3E%C3%A4%3C/svg%3E" if '"y":' in params["expression"] else 0
        return {"result": {"value": drawn}}

    one = peer({"Runtime.evaluate": evaluate})
    figure = go.Figure(go.Scatter(x=np.array([1.0, 2.0]), y=np.array([0.25, 0.5]))).to_plotly_json()
    assert browser(one).drawn({"a": figure}) == {"a": "<svg>ä</svg>"}
    library, drawing = one.asked_for("Runtime.evaluate")
    assert len(library["expression"]) > 1_000_000
    data = json.loads(drawing["expression"].rpartition(")(")[2].removesuffix(")"))["data"][0]["y"]
    values = data if isinstance(data, list) else np.frombuffer(base64.b64decode(data["bdata"]), data["dtype"]).tolist()
    assert values == [0.25, 0.5]


def test_without_figures_plotly_is_not_loaded(peer: Callable[..., Peer]) -> None:
    one = peer()
    assert browser(one).drawn({}) == {}
    assert one.asked_for("Runtime.evaluate") == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            {"exceptionDetails": {"exception": {"description": "TypeError: no\n  at line 1"}}},
            "did not draw: TypeError: no",
        ),
        ({"exceptionDetails": {}}, "did not draw: an error"),
        ({"error": {"message": "not allowed"}}, "refused Runtime.evaluate: not allowed"),
    ],
)
def test_what_a_browser_cannot_draw_is_said_in_its_words(
    peer: Callable[..., Peer], answer: dict[str, Any], said: str
) -> None:
    running = browser(peer({"Runtime.evaluate": answer}))
    with pytest.raises(UserError) as refused:
        running.drawn({"a": {}})
    assert f"/bin/some-browser {said}." in str(refused.value)
    assert HINT in str(refused.value)


def test_a_browser_that_goes_away_is_said_not_to_have_started(peer: Callable[..., Peer]) -> None:
    one = peer({"Target.getTargets": lambda _: None})
    with pytest.raises(UserError, match=r"/bin/some-browser did not start\."):
        browser(one)


def test_a_browser_that_does_not_listen_is_said_not_to_have_started() -> None:
    ends = [*os.pipe(), *os.pipe()]
    os.close(ends[0])
    try:
        with pytest.raises(UserError, match=r"/bin/some-browser did not start\."):
            Browser("/bin/some-browser", ends[1], ends[2])
    finally:
        for end in ends[1:]:
            os.close(end)


def test_one_that_stays_silent_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.paper.browser._SECONDS", 0.01)
    ends = [*os.pipe(), *os.pipe()]
    try:
        with pytest.raises(UserError, match=r"/bin/some-browser has not answered for 0 s\."):
            Browser("/bin/some-browser", ends[1], ends[2])
    finally:
        for end in ends:
            os.close(end)


def test_the_first_of_the_names_that_is_there_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_browser() is None
    for name in (NAMES[3], NAMES[1]):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    assert find_browser() == str(tmp_path / NAMES[1])
    monkeypatch.setenv(VARIABLE, NAMES[3])
    assert find_browser() == str(tmp_path / NAMES[3])


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('width="3.30in" height="2in"', (3.3, 2.0)),
        ('width="96" height="48"', (1.0, 0.5)),
        ('x="1" height="48" width="9.6"', (0.1, 0.5)),
    ],
)
def test_a_drawings_size_is_read_in_inches(attributes: str, size: tuple[float, float]) -> None:
    assert size_of(f'<svg class="a" {attributes}><rect width="1" height="1"/></svg>') == pytest.approx(size)
