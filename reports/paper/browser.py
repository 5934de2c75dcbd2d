"""A Chromium or Chrome that is installed, run without a window: draws plotly's figures, prints and photographs SVG.

It is spoken to through two pipes, in its own protocol of JSON between zero bytes; no port, no network.
Its profile is a folder of its own that goes with it.
"""

from __future__ import annotations

import base64
import json
import os
import re
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote

import plotly.offline

from archspec import user_error
from archspec.text.atomic import write_bytes
from reports.figures.standalone import PIXELS

#: Names by which the browser is looked for; this variable names another.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
VARIABLE = "USHAPE_BROWSER"
#: Pixels of a PNG in an inch of print.
DOTS = 300
#: Seconds that one answer may take.
_SECONDS = 120.0
#: Puts two pipes where the browser looks for them, then becomes the browser.
_LAUNCH = (
    "import fcntl, os, sys\n"
    "high = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 20) for end in sys.argv[1:3]]\n"
    "[os.dup2(end, place) for end, place in zip(high, (3, 4))]\n"
    "os.execv(sys.argv[3], sys.argv[3:])"
)


def find_browser() -> str | None:
    """The browser's path; None if none is installed.

    Raises:
        UserError: the environment names one that is not there.
    """
    named = os.environ.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise user_error(f"{VARIABLE} names {named}, which is no program.", "Name a Chromium or Chrome.")
        return found
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def browser(path: str) -> Iterator[Browser]:
    """The browser at `path`, with one empty page, for as long as the block lasts."""
    with TemporaryDirectory(prefix="ushape-", ignore_cleanup_errors=True) as profile:
        asked, answered = os.pipe(), os.pipe()
        command = [path, "--headless", "--remote-debugging-pipe", f"--user-data-dir={profile}", *_options()]
        launch = [sys.executable, "-c", _LAUNCH, str(asked[0]), str(answered[1]), *command]
        ends = (asked[0], answered[1])
        process = subprocess.Popen(
            launch, pass_fds=ends, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for end in ends:
            os.close(end)
        try:
            yield Browser(path, asked[1], answered[0])
        finally:
            os.close(asked[1])
            os.close(answered[0])
            process.kill()
            process.wait()


def _options() -> tuple[str, ...]:
    # Chromium's own cage cannot be had by root, as in most containers; what is opened here is ours alone.
    caged = () if getattr(os, "geteuid", lambda: 1)() else ("--no-sandbox",)
    return ("--disable-gpu", "--no-first-run", "--disable-extensions", "--disable-background-networking",
            "--disable-dev-shm-usage", *caged, "about:blank")  # fmt: skip


class Browser:
    """One that runs; see `browser`.

    Args:
        path: its program, for messages.
        write: pipe to it.
        read: pipe from it.
    """

    def __init__(self, path: str, write: int, read: int) -> None:
        self._path, self._write, self._read = path, write, read
        self._number, self._rest = 0, b""
        self._session: str | None = None
        pages = [one for one in self._ask("Target.getTargets")["targetInfos"] if one["type"] == "page"]
        target = {"targetId": pages[0]["targetId"]} if pages else self._ask("Target.createTarget", url="about:blank")
        self._session = self._ask("Target.attachToTarget", **target, flatten=True)["sessionId"]
        self._frame = self._ask("Page.getFrameTree")["frameTree"]["frame"]["id"]

    def drawn(self, figures: Mapping[str, dict[str, Any]]) -> dict[str, str]:
        """Each of plotly's figures (data and layout) as SVG."""
        if not figures:
            return {}
        self._show("<!doctype html><body></body>")
        self._evaluate(plotly.offline.get_plotlyjs() + ";0")
        return {name: self._plotted(figure) for name, figure in figures.items()}

    def _plotted(self, figure: dict[str, Any]) -> str:
        url = self._evaluate(f"({_DRAW})({json.dumps(figure, default=_plain)})")
        return unquote(str(url).partition(",")[2])

    def pdf(self, svg: str, path: Path) -> None:
        """Print an SVG file as one page of its size, its letters as letters."""
        wide, high = size_of(svg)
        self._show(_page(svg))
        options = {"paperWidth": wide, "paperHeight": high, "printBackground": True, "preferCSSPageSize": False}
        margins = dict.fromkeys(("marginTop", "marginBottom", "marginLeft", "marginRight"), 0)
        write_bytes(path, base64.b64decode(self._ask("Page.printToPDF", **options, **margins, pageRanges="1")["data"]))

    def png(self, svg: str, path: Path) -> None:
        """Photograph an SVG file at `DOTS` an inch."""
        wide, high = (side * PIXELS for side in size_of(svg))
        self._show(_page(svg))
        clip = {"x": 0, "y": 0, "width": wide, "height": high, "scale": DOTS / PIXELS}
        found = self._ask("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        write_bytes(path, base64.b64decode(found["data"]))

    def _show(self, html: str) -> None:
        self._ask("Page.setDocumentContent", frameId=self._frame, html=html)

    def _evaluate(self, script: str) -> Any:
        found = self._ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            told = found["exceptionDetails"].get("exception", {}).get("description", "an error")
            raise self._trouble(f"did not draw: {str(told).splitlines()[0]}")
        return found["result"].get("value")

    def _ask(self, method: str, **options: Any) -> dict[str, Any]:
        self._number += 1
        whose = {} if self._session is None else {"sessionId": self._session}
        message = json.dumps({"id": self._number, "method": method, "params": options, **whose}).encode() + b"\0"
        try:
            while message:
                message = message[os.write(self._write, message) :]
        except OSError:
            raise self._trouble("did not start") from None
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                break
        if "error" in answer:
            raise self._trouble(f"refused {method}: {answer['error'].get('message')}")
        found: dict[str, Any] = answer["result"]
        return found

    def _next(self) -> dict[str, Any]:
        """The next message, an answer or something that happened."""
        until = time.monotonic() + _SECONDS
        with selectors.DefaultSelector() as ready:
            ready.register(self._read, selectors.EVENT_READ)
            while b"\0" not in self._rest:
                if not ready.select(max(0.0, until - time.monotonic())):
                    raise self._trouble(f"has not answered for {_SECONDS:.0f} s")
                piece = os.read(self._read, 1 << 20)
                if not piece:
                    raise self._trouble("did not start")
                self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def _trouble(self, what: str) -> Exception:
        hint = f"Name another Chromium or Chrome with {VARIABLE}; `--format svg` draws what needs none."
        return user_error(f"{self._path} {what}.", hint)


def size_of(svg: str) -> tuple[float, float]:
    """(width, height) of an SVG file in inches."""
    wide, high = (re.search(rf'<svg[^>]*? {side}="([0-9.]+)(in)?"', svg) for side in ("width", "height"))
    assert wide is not None
    assert high is not None
    scale = 1.0 if wide.group(2) == "in" else PIXELS
    return float(wide.group(1)) / scale, float(high.group(1)) / scale


def _page(svg: str) -> str:
    style = "<style>@page{margin:0}html,body{margin:0}svg{display:block}</style>"
    return f'<!doctype html><meta charset="utf-8">{style}<body>{svg}</body>'


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value.to_plotly_json()


_DRAW = """async ({ data, layout }) => {
  const place = document.body.appendChild(document.createElement("div"));
  await Plotly.newPlot(place, data, layout, { staticPlot: true, showSendToCloud: false });
  const url = await Plotly.toImage(place, { format: "svg", width: layout.width, height: layout.height });
  Plotly.purge(place);
  place.remove();
  return url;
}"""
