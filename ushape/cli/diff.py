"""`ushape diff`: what differs between two architectures, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from archspec import ArchGraph


def diff(
    first: Annotated[str, typer.Argument(help="A file, zoo/NAME, a study or STUDY#VARIANT.", show_default=False)],
    second: Annotated[
        str | None, typer.Argument(help="The same; without it each variant of the study is compared to its base.")
    ] = None,
    *,
    variant: Annotated[str | None, typer.Option("--variant", help="Only this variant of the study.")] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON on standard output.")] = False,
) -> None:
    """Show what differs between two architectures: nodes, parameters, connections, and the price of it.

    [bold]ushape diff zoo/seed-256 zoo/seed-256-linear[/bold], [bold]ushape diff study.yaml --variant NAME[/bold]
    """
    from archspec.edits.diff import as_data, difference, in_words
    from ushape.cli.console import out, print_json

    pairs = [(architecture(first), _second(second, variant))] if second is not None else _of_study(first, variant)
    found = [difference(one, other) for one, other in pairs]
    if json:
        data = [as_data(one) for one in found]
        print_json(data[0] if second is not None or variant is not None else data)
        return
    for number, one in enumerate(found):
        if number:
            out.print()
        for line in in_words(one):
            out.print(line, markup=False)


def _second(name: str, variant: str | None) -> ArchGraph:
    return architecture(name if variant is None else f"{name}#{variant}")


def architecture(name: str) -> ArchGraph:
    """The graph that a word of the command line names: a file, ``zoo/NAME``, a study's base, or ``STUDY#VARIANT``."""
    file, mark, variant = name.rpartition("#") if not Path(name).exists() else (name, "", "")
    if mark:
        return _variants(file, variant)[0]
    from ushape.cli.checking import is_study_file

    if is_study_file(name):
        from studies.study.load import load_study

        return load_study(name).base
    from archspec import build, load

    return build(load(name))


def _of_study(file: str, variant: str | None) -> list[tuple[ArchGraph, ArchGraph]]:
    from archspec import user_error
    from ushape.cli.checking import is_study_file

    if "#" in file and not Path(file).exists():
        file, _, variant = file.rpartition("#")
    if not is_study_file(file):
        raise user_error("it is compared to nothing.", "Name a second file, or a study, whose variants are compared.",
                         file=file)  # fmt: skip
    base, others = architecture(file), _variants(file, variant)
    if not others:
        raise user_error("the study has no variants to compare.", "Name a second file, to compare its base to.",
                         file=file)  # fmt: skip
    return [(base, graph) for graph in others]


def _variants(file: str, name: str | None) -> list[ArchGraph]:
    """The graphs of a study's variants, named after them; or of one of them."""
    from archspec import user_error
    from archspec.text.suggest import did_you_mean
    from studies.driver.plan import variants
    from studies.study.load import load_study

    found = {variant.name: variant.graph.copy() for variant in variants(load_study(file))}
    if name is not None and name not in found:
        hint = did_you_mean(name, found) or f"Its variants: {', '.join(found) or 'none'}."
        raise user_error(f"the study has no variant `{name}`.", hint, file=file)
    for own, graph in found.items():
        graph.graph["name"] = own
    return [graph for own, graph in found.items() if own == name or (name is None and own != "base")]
