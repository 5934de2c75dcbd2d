"""One self-contained HTML file for a study, or for several: it opens offline and asks nothing of any network."""

from __future__ import annotations

import base64
import gc
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import jinja2
import plotly.offline
from markupsafe import Markup, escape

from archspec.text.atomic import write_text
from reports.metrics import join_words, signed
from reports.pages import ablation, answer, architectures, method, samples, search, studies, trials
from reports.pages.charts import Charts
from reports.pages.search_data import packed_text
from reports.theme import css_variables

if TYPE_CHECKING:
    from studies.frame import StudyResults

T = TypeVar("T")


@dataclass(frozen=True)
class Section(Generic[T]):
    """One part of the page: its anchor, its title, and what gathers its content (None: nothing to show)."""

    key: str
    title: str
    context: Callable[[T, Charts], dict[str, Any] | None]
    prefix: str = ""

    @property
    def template(self) -> str:
        """Name of its template."""
        return f"{self.prefix}{self.key}"


@dataclass(frozen=True)
class Head:
    """What stands at the top of a page."""

    kind: str
    title: str
    question: str | None = None


SECTIONS: tuple[Section[StudyResults], ...] = (
    Section("answer", "The answer", answer.context),
    Section("ablation", "Ablation", ablation.context),
    Section("search", "Search", search.context),
    Section("samples", "Samples", samples.context),
    Section("architectures", "Architectures", architectures.context),
    Section("trials", "All trials", trials.context),
    Section("method", "How it was measured", method.context),
)
"""The page from top to bottom; each has a template of its name."""

COMPARISON: tuple[Section[Sequence[StudyResults]], ...] = (
    Section("answers", "The answers", studies.answers, "studies-"),
    Section("protocols", "How they were made", studies.protocols, "studies-"),
    Section("plane", "Quality and cost", studies.plane, "studies-"),
    Section("progress", "How the searches went", studies.progress, "studies-"),
    Section("common", "Common architectures", studies.common, "studies-"),
)
"""The same for several studies."""


SCRIPTS = (
    "dashboard.js",
    "architectures.js",
    "table.js",
    "linking.js",
    "layers.js",
    "search.js",
    "strokes.js",
    "stamps.js",
    "marks.js",
    "planes.js",
    "curves.js",
    "parallel.js",
)
"""The page's own script, in the order in which its parts need each other."""


def write_dashboard(results: StudyResults, path: Path, *, refresh: int | None = None) -> Path:
    """Write the study's page.

    Args:
        results: the study, in whatever state it is.
        refresh: seconds after which an open page reads the file again; None: never.
        path: file to write; its folder is made if it is missing, and a file that is there is replaced at once or not
            at all.

    Returns:
        The path.
    """
    write_text(path, render(results, refresh=refresh))
    return path


def render(results: StudyResults, *, refresh: int | None = None) -> str:
    """Return the page as text; see `write_dashboard`."""
    return _page(Head("Study", results.name, results.question), SECTIONS, results, refresh)


def write_comparison(several: Sequence[StudyResults], path: Path) -> Path:
    """Write the page of several studies; as `write_dashboard`. Those of one name are numbered as they are given."""
    told = _told_apart(several)
    title = join_words(results.name for results in told)
    write_text(path, _page(Head(f"{len(told)} studies", title), COMPARISON, told, None))
    return path


def _told_apart(several: Sequence[StudyResults]) -> list[StudyResults]:
    """The studies with names that differ."""
    number = Counter(results.name for results in several)
    seen: Counter[str] = Counter()
    told = []
    for results in several:
        seen[results.name] += 1
        name = results.name if number[results.name] == 1 else f"{results.name} ({seen[results.name]})"
        told.append(replace(results, name=name))
    return told


def _page(head: Head, sections: tuple[Section[T], ...], subject: T, refresh: int | None) -> str:
    with _without_pauses():
        return _rendered(head, sections, subject, refresh)


@contextmanager
def _without_pauses() -> Iterator[None]:
    """Keep the collector of cycles from walking a study of thousands of trials again and again; none are made here."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _rendered(head: Head, sections: tuple[Section[T], ...], subject: T, refresh: int | None) -> str:
    charts = Charts()
    gathered = [(section, section.context(subject, charts)) for section in sections]
    shown = [(section, content) for section, content in gathered if content is not None]
    library, library_packed = _library() if charts.any else ("", Markup(""))
    script = "".join(_file(name) for name in SCRIPTS)
    return (
        _templates()
        .get_template("page.html.jinja")
        .render(
            head=head,
            refresh=refresh,
            sections=shown,
            charts=charts.data(),
            styles=Markup(css_variables() + _file("dashboard.css")),
            library=library_packed,
            script=Markup(script),
            policy=_policy([library, script]),
            written=datetime.now(tz=UTC).strftime("%Y-%m-%d %H:%M UTC"),
        )
    )


def _policy(scripts: list[str]) -> str:
    """A content security policy under which only these very scripts run and no request leaves the page."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts if text]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _library() -> tuple[str, Markup]:
    """Plotly's script, and as the page keeps it.

    Compressed, and unpacked once the page stands: a third of the size, and text is painted before it is read.
    """
    script: str = plotly.offline.get_plotlyjs()
    return script, packed_text(script)


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reports", "pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["opening"] = lambda text: f"{text[:1].upper()}{text[1:]}"
    environment.filters["signed"] = signed
    # What stands between backticks in our sentences is a command.
    environment.filters["coded"] = _coded
    environment.filters["raw_number"] = lambda value: "" if value is None else repr(float(value))
    return environment


def _coded(text: str) -> Markup:
    return Markup(re.sub(r"`(ushape [a-z]+)`", r"<code>\1</code>", str(escape(text))))


def _file(name: str) -> str:
    return resources.files("reports.pages").joinpath(name).read_text(encoding="utf-8")
