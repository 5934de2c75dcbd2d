"""`ushape show`: an architecture by its levels, or what a study will run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from studies.study.study import Study


def show(
    file: Annotated[Path, typer.Argument(help="An architecture or study file, or zoo/NAME.", show_default=False)],
    *,
    nodes: Annotated[bool, typer.Option("--nodes", help="Every node with its id, inputs and shape.")] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON on standard output.")] = False,
) -> None:
    """Show an architecture: levels, channels, attention, skips, parameters, MACs. Or what a study will run.

    [bold]ushape show unet.yaml --nodes[/bold] lists the node ids that edits select.
    """
    from archspec.text.files import read_text, resolve
    from archspec.text.parse import parse
    from ushape.cli.checking import is_study

    document = parse(read_text(resolve(file)), str(file))
    if is_study(document):
        from studies.study.load import load_study

        _show_study(load_study(file), json=json)
    else:
        _show_architecture(file, nodes=nodes, json=json)


def _show_architecture(file: Path, *, nodes: bool, json: bool) -> None:
    from archspec import check_file
    from archspec.graphs.summary import summary
    from ushape.cli.console import print_json, show_problems

    graph = check_file(file).sound()
    data = summary(graph)
    if json:
        print_json(data)
        return
    show_problems(graph.graph["warnings"])
    print_architecture(data, nodes=nodes)


def print_architecture(data: dict[str, Any], *, nodes: bool = False) -> None:
    """An architecture's summary as tables."""
    from rich.table import Table

    from ushape.cli.console import count, out

    inputs = ", ".join(f"{name} = {shape}" for name, shape in data["inputs"].items())
    out.print(f"[bold]{_escaped(data['name'])}[/bold]  {inputs} -> {data['output']}")
    out.print(f"{data['parameters']:,} parameters, {count(data['macs'])}MACs per image, {data['fingerprint']}")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("resolution", "channels", "blocks", "attention", "skips", "parameters", "MACs"):
        table.add_column(title, justify="left" if title in ("attention", "skips") else "right")
    for row in data["levels"]:
        table.add_row(
            f"{row['resolution']}x{row['resolution']}", ", ".join(map(str, row["channels"])), str(row["blocks"]),
            row["attention"] or "-", row["skips"] or "-", f"{row['parameters']:,}", count(row["macs"]),
        )  # fmt: skip
    out.print(table)
    if nodes:
        _print_nodes(data["nodes"])


def _print_nodes(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from ushape.cli.console import count, out

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("node", "op", "inputs", "output"):
        table.add_column(title, no_wrap=title == "node", overflow="fold")
    for title in ("parameters", "MACs"):
        table.add_column(title, justify="right")
    for row in rows:
        inputs = ", ".join(source if port == "x" else f"{port}={source}" for port, source in row["inputs"].items())
        table.add_row(row["node"], row["op"], inputs, row["output"], f"{row['parameters']:,}", count(row["macs"]))
    out.print()
    out.print(table)


def _show_study(study: Study, *, json: bool) -> None:
    from archspec.graphs.summary import summary
    from ushape.cli.console import print_json, show_problems

    data = _study_data(study)
    if json:
        print_json({**data, "base": summary(study.base)})
        return
    show_problems(study.warnings)
    print_architecture(summary(study.base))
    _print_study(data)


def _study_data(study: Study) -> dict[str, Any]:
    from archspec import total_price
    from studies.driver.plan import most_cells, variants
    from ushape.cli.show_space import search_data

    base = total_price(study.base)
    rows = []
    for variant in variants(study):
        price = total_price(variant.graph)
        rows.append(
            {
                "variant": variant.name,
                "edits": list(variant.edits),
                "parameters": price.parameters,
                "parameters_change": price.parameters / base.parameters - 1,
                "macs": price.macs,
                "macs_change": price.macs / base.macs - 1,
                "fingerprint": variant.fingerprint,
            }
        )
    return {
        "name": study.name,
        "question": study.file.question,
        "seeds": list(study.seeds),
        "variants": rows,
        "ablation_trainings": most_cells(study),
        "runs": study.protocol.runs,
        "search": search_data(study),
        "protocol_hash": study.protocol_hash(),
    }


def _print_study(data: dict[str, Any]) -> None:
    from rich.table import Table

    from ushape.cli.console import change, count, out
    from ushape.cli.show_space import print_search

    out.print()
    out.print(f"[bold]study {_escaped(data['name'])}[/bold]  {_escaped(data['question'] or '')}")
    if data["variants"]:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for title in ("variant", "parameters", "", "MACs", "", "edits"):
            table.add_column(title, justify="left" if title in ("variant", "edits") else "right")
        for row in data["variants"]:
            table.add_row(
                _escaped(row["variant"]), f"{row['parameters']:,}", change(row["parameters_change"]),
                count(row["macs"]), change(row["macs_change"]), _escaped("; ".join(row["edits"])),
            )  # fmt: skip
        out.print(table)
        variants, seeds = len(data["variants"]), len(data["seeds"])
        trainings, runs = data["ablation_trainings"], data["runs"]
        whole = f"{variants} variants x {seeds} seed{'s' * (seeds != 1)} = {trainings} {runs}"
        more = f"{variants} variants and those that a path adds: {trainings} {runs} at most"
        out.print(whole if trainings == variants * seeds else more)
    if data["search"]:
        print_search(data["search"], data["runs"])


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
