"""What an architecture is: text to a checked, shaped and priced graph. No torch, no optuna."""

from pathlib import Path

from archspec.build import Checked, Spec, build, check_data, check_file, check_spec, check_text
from archspec.edits.edit import Edit
from archspec.graphs.fingerprint import fingerprint
from archspec.graphs.graph import ArchGraph, total_price
from archspec.ops import OPS, Op, Price
from archspec.text.errors import Problem, UserError, user_error
from archspec.text.files import zoo_names
from archspec.write import from_document, to_document, to_yaml


def load(path: str | Path) -> Spec:
    """A sound architecture from a file (or ``zoo/NAME``); `UserError` with every problem."""
    return _sound(check_file(path))


def loads(text: str, source: str = "<string>") -> Spec:
    """A sound architecture from text; `UserError` with every problem."""
    return _sound(check_text(text, source))


def _sound(checked: Checked) -> Spec:
    checked.sound()
    assert checked.spec is not None
    return checked.spec


__all__ = [
    "OPS", "ArchGraph", "Checked", "Edit", "Op", "Price", "Problem", "Spec", "UserError", "build", "check_data",
    "check_file", "check_spec", "check_text", "fingerprint", "from_document", "load", "loads", "to_document", "to_yaml",
    "total_price", "user_error", "zoo_names",
]  # fmt: skip
