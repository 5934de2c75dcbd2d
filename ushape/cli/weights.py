"""`ushape weights`: checkpoints from one layout to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

weights = typer.Typer(
    name="weights", no_args_is_help=True, help="Checkpoints: which layout they have, and from one layout to another."
)


@weights.command()
def convert(
    source: Annotated[Path, typer.Argument(help="A checkpoint: safetensors, torch's, or a folder of diffusers'.")],
    target: Annotated[Path, typer.Argument(help="File to write: .safetensors, .pt, .pth, .ckpt or .bin.")],
    *,
    architecture: Annotated[
        Path,
        typer.Option(
            "--for",
            help="The architecture it is for: a file, zoo/NAME, a study (its base) or STUDY#VARIANT.",
            show_default=False,
        ),
    ],
    to: Annotated[str, typer.Option(help="Layout to write: compvis, ldm, adm, adm-new-order, diffusers.")] = "compvis",
    layout: Annotated[
        str | None, typer.Option("--from", help="Layout of the checkpoint; default: found out.", show_default=False)
    ] = None,
    ema: Annotated[bool, typer.Option("--ema", help="Take the averaged weights beside the weights.")] = False,
) -> None:
    """Read a checkpoint, check it whole against the architecture, and write it in another layout.

    Nothing in a checkpoint is run, and nothing is written unless every weight fits.
    """
    from builder.weights import read_checkpoint, write_checkpoint
    from ushape.cli.console import out
    from ushape.cli.diff import architecture as graph_of

    graph = graph_of(str(architecture))
    found = read_checkpoint(source, graph, layout_name=layout, ema=ema)
    write_checkpoint(target, graph, found.state, to)
    count = sum(value.numel() for value in found.state.values())
    what = "averaged weights" if ema else "weights"
    out.print(f"{found.layout.name} -> {to}: {len(found.state)} {what}, {count:,} numbers, in {target}")
    if found.ignored:
        parts = ", ".join(f"{word} ({number})" for word, number in found.ignored.items())
        out.print(f"left out, no part of the U-Net: {parts}")


@weights.command()
def layouts() -> None:
    """List the layouts."""
    from builder.weights import LAYOUTS
    from ushape.cli.console import out

    for name, one in LAYOUTS.items():
        out.print(f"{name:22}{one.about}")
