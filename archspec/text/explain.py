"""Pages about rules: why each is there, a wrong example, and its correction. One Markdown file a rule in `pages/`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from archspec.text.errors import user_error
from archspec.text.rules import RULES, Rule
from archspec.text.suggest import did_you_mean

_EXAMPLE = re.compile(
    r"^## (?P<title>Wrong|Right)\n\n```(?P<language>[a-z]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Page:
    """What there is to say about one rule.

    Attributes:
        code: of the rule.
        rule: its title and severity.
        why: why it is there.
        language: of the examples: ``yaml``, or ``sh`` where the rule is about a command.
        wrong: an example that breaks it.
        right: the same, mended.
    """

    code: str
    rule: Rule
    why: str
    language: str
    wrong: str
    right: str


def page(code: str) -> Page:
    """The page of a rule; raises `UserError` where there is no such rule."""
    code = code.strip().upper()
    if code not in RULES:
        groups = ", ".join(dict.fromkeys(f"{name[:2]}xx" for name in RULES))
        hint = did_you_mean(code, RULES) if len(code) == 4 else None
        raise user_error(f"there is no rule {code[:40]}.", hint or f"Rules: {groups}; `ushape explain` lists all.")
    text = (pages_folder() / f"{code}.md").read_text(encoding="utf-8")
    why, _, _ = text.partition("\n## ")
    examples = {match["title"]: match for match in _EXAMPLE.finditer(text)}
    wrong, right = examples["Wrong"], examples["Right"]
    return Page(code, RULES[code], why.strip(), wrong["language"], wrong["text"], right["text"])


def pages_folder() -> Path:
    """Where the pages are."""
    return Path(str(resources.files("archspec"))) / "pages"
