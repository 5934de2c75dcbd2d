"""Reads a page of a report as a browser would: tags, scripts, text, what stands in what, and what it keeps packed."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
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


@dataclass
class Element:
    """A tag with what stands in it."""

    tag: str
    attributes: dict[str, str | None]
    content: list[Element | str] = field(default_factory=list)

    @property
    def children(self) -> list[Element]:
        """The tags right below."""
        return [one for one in self.content if isinstance(one, Element)]

    def all(self, *wanted: str) -> Iterator[Element]:
        """Everything below of some tags, or of any, in order."""
        for child in self.children:
            if not wanted or child.tag in wanted:
                yield child
            yield from child.all(*wanted)

    def get(self, name: str) -> str:
        """An attribute; empty without it."""
        return self.attributes.get(name) or ""

    @property
    def words(self) -> str:
        """The text in it and below, with single blanks."""
        return re.sub(r"\s+", " ", " ".join(one if isinstance(one, str) else one.words for one in self.content)).strip()


class _Builder(HTMLParser):
    """Builds the tree, and knows what was closed that was not open."""

    _EMPTY = ("meta", "input", "br", "wbr", "img", "link", "hr")

    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("", {})]
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.open[-1].content.append(element)
        if tag not in self._EMPTY:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].content.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if self.open[-1].tag != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()} closes <{self.open[-1].tag}>")
        if any(element.tag == tag for element in self.open):
            while self.open.pop().tag != tag:
                pass

    def handle_data(self, data: str) -> None:
        self.open[-1].content.append(data)


def tree(page: str) -> tuple[Element, list[str]]:
    """The page as a tree, and every tag that is closed out of turn or never."""
    builder = _Builder()
    builder.feed(page)
    return builder.open[0], [*builder.wrong, *(f"<{one.tag}> is never closed" for one in builder.open[1:])]
