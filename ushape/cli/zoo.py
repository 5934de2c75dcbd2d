"""`ushape zoo`: the architectures that ship with the package."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def zoo(
    *,
    json: Annotated[bool, typer.Option("--json", help="As JSON on standard output.")] = False,
) -> None:
    """List the architectures that ship with ushape, with their numbers; each is named zoo/NAME in files and commands.

    [bold]ushape show zoo/seed-256[/bold] shows one of them.
    """
    from rich.table import Table

    from ushape.cli.console import count, out, print_json

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
