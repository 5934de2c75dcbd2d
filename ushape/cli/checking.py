"""What is wrong or doubtful about a file, architecture or study, and which of the two it is."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from archspec import Problem, UserError
from archspec.build import check_document
from archspec.short_forms import SHORT_FORMS
from archspec.text.atomic import write_text
from archspec.text.files import read_text, resolve
from archspec.text.fix import fixed
from archspec.text.parse import Document, read


def problems_of(file: Path) -> tuple[Problem, ...]:
    """Everything wrong or doubtful about one file, architecture or study."""
    try:
        return _problems_in(file, read_text(resolve(file), str(file)))
    except UserError as error:
        return error.problems


def _problems_in(file: Path, text: str) -> tuple[Problem, ...]:
    try:
        document, unread = read(text, str(file))
    except UserError as error:
        return error.problems
    if not is_study(document):
        return check_document(document, unread).problems
    from studies.study.load import check_study_document

    return check_study_document(document, file, unread, here=True)[1]


def fix_file(file: Path) -> list[Problem]:
    """Correct in a file what is certain; the problems that this solved."""
    try:
        text = read_text(resolve(file), str(file))
    except UserError:
        return []
    corrected, solved = fixed(text, partial(_problems_in, file), str(file))
    if solved:
        marked = file.read_bytes().startswith(b"\xef\xbb\xbf")
        write_text(file, "\N{ZERO WIDTH NO-BREAK SPACE}" * marked + corrected)
    return solved


def is_study(document: Document) -> bool:
    """Whether a document is a study rather than an architecture."""
    keys = set(document.data) if isinstance(document.data, dict) else set()
    return bool(keys & {"base", "ablation", "search", "protocol"}) and not keys & {*SHORT_FORMS, "graph"}


def is_study_file(file: str | Path) -> bool:
    """The same of a file, or ``zoo/NAME``; `UserError` if it cannot be read at all."""
    return is_study(read(read_text(resolve(file), str(file)), str(file))[0])
