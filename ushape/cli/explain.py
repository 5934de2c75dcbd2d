"""`ushape explain`: why a rule is there, a wrong example, and its correction; and what a term means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from archspec.text.explain import Page

_CODE = re.compile(r"[Uu]\d\w*")


def explain(
    what: Annotated[
        str | None, typer.Argument(help="A rule, such as U204, or a term, such as rung; without it all are listed.")
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="As JSON on standard output.")] = False,
) -> None:
    """Explain a rule (why it is there, an example that breaks it, and the example mended) or a term.

    [bold]ushape explain U204[/bold], [bold]ushape explain "P(better)"[/bold]; [bold]ushape explain[/bold] lists all.
    """
    from ushape.cli.console import out, print_json

    if what is None:
        _list(json=json)
    elif _CODE.fullmatch(what.strip()):
        from archspec.text.explain import page

        found = page(what)
        print_json(_data(found)) if json else out.print(_text(found), markup=False, end="")
    else:
        from ushape.glossary import meaning

        term, says = meaning(what)
        print_json({"term": term, "meaning": says}) if json else out.print(f"{term}: {says}", markup=False)


def _list(*, json: bool) -> None:
    from archspec.text.explain import page
    from archspec.text.rules import RULES
    from ushape.cli.console import out, print_json
    from ushape.glossary import glossary

    if json:
        print_json([_data(page(known)) for known in RULES])
        return
    for known, rule in RULES.items():
        out.print(f"{known}  {rule.severity:<7}  {rule.title}", markup=False)
    out.print(f"\nTerms: {', '.join(glossary())}.", markup=False)


def _text(found: Page) -> str:
    examples = [f"{title}:\n\n{_indented(text)}" for title, text in (("Wrong", found.wrong), ("Right", found.right))]
    head = f"{found.code} ({found.rule.severity}): {found.rule.title}"
    return "\n\n".join([head, found.why, *examples]) + "\n"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.rstrip().split("\n"))


def _data(found: Page) -> dict[str, str]:
    return {
        "code": found.code, "severity": found.rule.severity, "title": found.rule.title, "why": found.why,
        "language": found.language, "wrong": found.wrong, "right": found.right,
    }  # fmt: skip
