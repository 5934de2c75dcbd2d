"""`ushape zoo`: the architectures that ship with the package."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def zoo(
    name: Annotated[
        str | None, typer.Argument(help="One of them, whose file is printed, to be changed.", show_default=False)
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="As JSON on standard output.")] = False,
) -> None:
    """List the architectures that ship with ushape, with their numbers; each is named zoo/NAME in files and commands.

    [bold]ushape show zoo/seed-256[/bold] shows one of them, [bold]ushape zoo seed-256 > mine.yaml[/bold] writes its
    text to a file of yours.
    """
    from rich.table import Table

    from ushape.cli.console import count, out, print_json

    if name is not None:
        print(_text(name), end="")  # noqa: T201
        return
    rows = zoo_rows()
    if json:
        print_json(rows)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("name", no_wrap=True)
    for title in ("image", "parameters", "MACs"):
        table.add_column(title, justify="right")
    table.add_column("what it is")
    for row in rows:
        numbers = (row["image"], f"{row['parameters']:,}", count(row["macs"]))
        table.add_row(f"zoo/{row['name']}", *numbers, row["description"] or "")
    out.print(table)


def _text(name: str) -> str:
    """The file of one of them, as it stands in the package."""
    from archspec import user_error, zoo_names
    from archspec.text.files import zoo_folder
    from archspec.text.suggest import did_you_mean

    bare = name.removeprefix("zoo/")
    if bare not in zoo_names():
        hint = did_you_mean(bare, zoo_names()) or "`ushape zoo` lists those that ship."
        raise user_error(f"there is no `{bare}` in the zoo.", hint)
    return (zoo_folder() / f"{bare}.yaml").read_text(encoding="utf-8")


def zoo_rows() -> list[dict[str, Any]]:
    """One row an architecture: name, image, parameters, MACs (one image), fingerprint, and what its file says of it."""
    from archspec import build, fingerprint, load, total_price, zoo_names
    from archspec.graphs.graph import input_nodes, shape_of

    rows = []
    for name in zoo_names():
        spec = load(f"zoo/{name}")
        graph = build(spec)
        price = total_price(graph)
        rows.append(
            {
                "name": name,
                "image": str(shape_of(graph, input_nodes(graph)["image"])),
                "parameters": price.parameters,
                "macs": price.macs,
                "fingerprint": fingerprint(graph),
                "description": " ".join((spec.architecture.description or "").split()) or None,
            }
        )
    return rows
