"""The words that ushape uses, with what they mean: ``glossary.md``, which the documentation shows as it is."""

from __future__ import annotations

import re
from importlib import resources

from archspec.text.errors import user_error
from archspec.text.suggest import did_you_mean

_ENTRY = re.compile(r"^(?P<terms>(?:\S.*\n)+)(?P<meaning>(?: {2,}.*\n?)+)", re.MULTILINE)
_LINK = re.compile(r"\s*[^.]*\[\]\([^)]*\)\.")
_ROLE = re.compile(r"\{\w+\}`([^`<]+)(?: <[^`]*)?`")


def glossary() -> dict[str, str]:
    """Every term, and what it means in one paragraph."""
    text = resources.files("ushape").joinpath("glossary.md").read_text(encoding="utf-8")
    inside = text.partition("```{glossary}\n")[2].partition("```")[0]
    found: dict[str, str] = {}
    for entry in _ENTRY.finditer(inside):
        meaning = _ROLE.sub(r"\1", _LINK.sub("", " ".join(entry["meaning"].split())))
        found |= dict.fromkeys(entry["terms"].splitlines(), meaning)
    return found


def meaning(term: str) -> tuple[str, str]:
    """A term as the glossary spells it, and what it means; raises `UserError` where there is none."""
    known = glossary()
    folded = {name.casefold(): name for name in known}
    name = folded.get(" ".join(term.split()).casefold())
    if name is None:
        hint = did_you_mean(term.casefold(), folded) or "`ushape explain` lists all rules and terms."
        raise user_error(f"there is no rule and no term `{term[:40]}`.", hint)
    return name, known[name]
