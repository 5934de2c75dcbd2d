"""`ushape explain`: why a rule is there, a wrong example, and its correction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from archspec.explain import Page


def explain(
    code: Annotated[str | None, typer.Argument(help="A rule, such as U204; without it all are listed.")] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="As JSON on standard output.")] = False,
) -> None:
    """Explain a rule: why it is there, an example that breaks it, and the example mended.

    [bold]ushape explain U204[/bold]; [bold]ushape explain[/bold] lists all rules.
    """
    from archspec.explain import page
    from archspec.rules import RULES
    from ushape.cli.console import out, print_json

    if code is not None:
        found = page(code)
        if json:
            print_json(_data(found))
        else:
            out.print(_text(found), markup=False, end="")
    elif json:
        print_json([_data(page(known)) for known in RULES])
    else:
        for known, rule in RULES.items():
            out.print(f"{known}  {rule.severity:<7}  {rule.title}", markup=False)


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
