"""Reads a page of a report as a browser would: tags, scripts, text, and what it keeps packed."""

from __future__ import annotations

import base64
import json
import re
import zlib
from html.parser import HTMLParser


class Reader(HTMLParser):
    """Collects tags, attributes and text, scripts apart."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_script = tag in ("script", "style")
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if not self._in_script:
            self.text.append(data)
        elif self.scripts and self.tags[-1][0] == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def words(page: str) -> str:
    return re.sub(r"\s+", " ", " ".join(read(page).text)).replace("\u202f", " ")


def stored(page: str, name: str) -> str:
    """What the page keeps compressed under an id."""
    packed = next(text for attributes, text in read(page).scripts if attributes.get("id") == name)
    return zlib.decompress(base64.b64decode(json.loads(packed))).decode()
