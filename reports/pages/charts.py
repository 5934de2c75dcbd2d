"""Plotly figures on a page: collected while sections are built, written once as data, drawn when scrolled to."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go
from markupsafe import Markup

from reports.theme import CONFIG, dark_colours


@dataclass(frozen=True)
class Chart:
    """A figure's place on the page."""

    key: str
    label: str
    """What it shows, for those who can't see it."""
    height: int


@dataclass
class Charts:
    """The figures of one page."""

    figures: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    """Keys of those that the page's script makes itself, from what a reader chooses."""

    def add(self, key: str, figure: go.Figure, label: str) -> Chart:
        """Keep a figure under a key that is unique on the page."""
        self._claim(key)
        self.figures[key] = json.loads(figure.to_json(engine="json"))
        # plotly.py attaches its own template, which would only repeat what `chart_layout` says.
        self.figures[key]["layout"].pop("template", None)
        return Chart(key, label, int(figure.layout.height or 360))

    def chosen(self, key: str, height: int, label: str) -> Chart:
        """Keep a place for a figure that the page's script makes."""
        self._claim(key)
        self.made.add(key)
        return Chart(key, label, height)

    @property
    def any(self) -> bool:
        """Whether the page has any plot."""
        return bool(self.figures or self.made)

    def _claim(self, key: str) -> None:
        if key in self.figures or key in self.made:
            raise ValueError(f"two figures are called {key}")

    def data(self) -> Markup:
        """Write everything the page's script needs as JSON that is safe inside a script element."""
        return safe_json({"figures": self.figures, "config": CONFIG, "dark": dark_colours()})


def safe_json(value: object) -> Markup:
    """Write JSON that can't end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
