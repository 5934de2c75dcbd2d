"""Tables to files: CSV and Parquet for programs, Markdown and LaTeX for readers."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from archspec import user_error
from archspec.text.atomic import write_bytes, write_text
from reports.metrics import MINUS, MISSING, NARROW, NBSP
from reports.tables.content import Table, tables

if TYPE_CHECKING:
    from studies.frame import StudyResults

Writer = Callable[[Table, Path], None]

_LATEX = str.maketrans(
    {
        MINUS: "$-$", MISSING: "---", NARROW: "\\,", NBSP: "~", "×": "$\\times$", "Δ": "$\\Delta$", "<": "$<$",
        ">": "$>$", "|": "$|$", "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
        "\n": " ", **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    }
)  # fmt: skip


def write_tables(results: StudyResults, folder: Path, formats: tuple[str, ...] | None = None) -> list[Path]:
    """Write every table that the study has something for, and all its trials.

    Args:
        results: the study.
        folder: where the files go; made if it is missing.
        formats: keys of `FORMATS`; None: all that can be written here.

    Returns:
        The files: ``trials.csv`` and ``trials.parquet``, then ``ablation.*`` and ``front.*``.

    Raises:
        UserError: a format is not known, or Parquet is asked for without pyarrow.
    """
    chosen = formats or tuple(name for name in FORMATS if name != "parquet" or _has_pyarrow())
    for name in chosen:
        if name not in FORMATS:
            raise user_error(f"there is no format `{name}`.", f"Formats: {', '.join(FORMATS)}.")
    if "parquet" in chosen and not _has_pyarrow():
        raise user_error("Parquet needs the package pyarrow.", "Run `pip install ushape[parquet]`.")
    everything = Table("trials", "", results.trials, results.trials)
    written = []
    for table in (everything, *tables(results)):
        for name in chosen:
            if table is everything and name not in _FOR_PROGRAMS:
                continue
            path = folder / f"{table.name}.{_SUFFIXES.get(name, name)}"
            FORMATS[name](table, path)
            written.append(path)
    return written


def _has_pyarrow() -> bool:
    from importlib.util import find_spec

    return find_spec("pyarrow") is not None


def _csv(table: Table, path: Path) -> None:
    write_text(path, table.numbers.to_csv(index=False, lineterminator="\n"))


def _parquet(table: Table, path: Path) -> None:
    buffer = BytesIO()
    # A search parameter may be a number in one trial and a word in another; a column of a file has one type.
    plain = table.numbers.copy()
    for column in plain.columns:
        if plain[column].map(type).nunique() > 1 and plain[column].dtype == object:
            plain[column] = plain[column].map(lambda value: None if pd.isna(value) else str(value))
    plain.to_parquet(buffer, index=False)
    write_bytes(path, buffer.getvalue())


def _markdown(table: Table, path: Path) -> None:
    escaped = table.words.rename(columns=_for_markdown).map(_for_markdown)
    body = escaped.to_markdown(index=False, disable_numparse=True)
    write_text(path, f"{_for_markdown(table.caption)}\n\n{body}\n")


def _for_markdown(value: object) -> str:
    """Keep what a user wrote from being a column's or row's end or markup of the page that shows the table."""
    text = re.sub(r"[<>&\\*`]", lambda sign: f"&#{ord(sign[0])};", str(value))
    return text.replace("|", "\\|").replace("\n", " ")


def _latex(table: Table, path: Path) -> None:
    escaped = table.words.rename(columns=_for_latex).map(_for_latex)
    text = escaped.style.hide(axis="index").to_latex(
        hrules=True, caption=_for_latex(table.caption), label=f"tab:{table.name}", position_float="centering"
    )
    write_text(path, f"% needs \\usepackage{{booktabs}}\n{text}")


def _for_latex(value: object) -> str:
    """Every sign as itself; `[` and `*` would belong to the end of the row before."""
    text = str(value).translate(_LATEX)
    return f"{{{text[0]}}}{text[1:]}" if text.startswith(("[", "*")) else text


FORMATS: dict[str, Writer] = {"csv": _csv, "parquet": _parquet, "markdown": _markdown, "latex": _latex}
"""What tables can be written as."""
_SUFFIXES = {"markdown": "md", "latex": "tex"}
_FOR_PROGRAMS = ("csv", "parquet")
