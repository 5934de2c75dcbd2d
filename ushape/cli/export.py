"""`ushape export`: an architecture in forms that need nothing of ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from archspec import ArchGraph
    from builder.export.verify import Exported
    from builder.network import Network


def export(
    file: Annotated[Path, typer.Argument(help="An architecture file, or zoo/NAME.", show_default=False)],
    *,
    to: Annotated[
        str, typer.Option("--to", help="forward, python, onnx, pt2, diffusers.", show_default=True)
    ] = "forward",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File (or folder) to write; forward: default standard output.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", help="A checkpoint to take the weights from.", show_default=False)
    ] = None,
    layout: Annotated[
        str | None, typer.Option("--from", help="Layout of the checkpoint; default: found out.", show_default=False)
    ] = None,
    ema: Annotated[bool, typer.Option("--ema", help="Take the checkpoint's averaged weights.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the weights without a checkpoint.")] = 0,
) -> None:
    """Write an architecture for use without ushape, with the weights of a checkpoint or of a seed.

    [bold]forward[/bold] is the generated code alone, [bold]python[/bold] one file of plain PyTorch with everything that
    it uses (and the weights beside it with --weights), [bold]onnx[/bold], [bold]pt2[/bold] (torch.export) and
    [bold]diffusers[/bold] hold the weights. Each is tried beside the compiled model before it is written.
    """
    from archspec import build, load, user_error
    from archspec.text.suggest import did_you_mean
    from ushape.cli.console import out as console

    if to == "forward":
        _forward(file, out)
        return
    writers = {"python": _python, "onnx": _onnx, "pt2": _pt2, "diffusers": _diffusers}
    if to not in writers:
        hint = did_you_mean(to, ["forward", *writers]) or f"Forms: forward, {', '.join(writers)}."
        raise user_error(f"there is no form `{to}`.", hint)
    if out is None:
        raise user_error(f"{to} is written to a file.", "Name it: --out PATH.")
    network = _network(build(load(file)), weights, (layout, ema, seed))
    exported = writers[to](network, out, file, weights is not None)
    console.print(
        f"{exported.path}: differs from the compiled model by at most {exported.difference:.2g} (limit "
        f"{exported.limit:.0e})"
    )


def _forward(file: Path, out: Path | None) -> None:
    from archspec import build, load
    from archspec.text.atomic import write_text
    from builder.export import source

    code = source(build(load(file)))
    if out is None:
        print(code)  # noqa: T201
    else:
        write_text(out, code + "\n")


def _network(graph: ArchGraph, weights: Path | None, options: tuple[str | None, bool, int]) -> Network:
    from builder import assemble, initialise
    from builder.weights import load_weights

    layout, ema, seed = options
    network = assemble(graph).eval()
    if weights is None:
        initialise(network, seed)
    else:
        load_weights(network, weights, layout_name=layout, ema=ema)
    return network


def _python(network: Network, out: Path, file: Path, weights: bool) -> Exported:  # noqa: FBT001 - of a table
    from archspec.text.files import read_text, resolve
    from builder.export.standalone import write_standalone
    from ushape.cli.console import out as console

    exported, beside = write_standalone(network, out, spec=read_text(resolve(file)), weights=weights)
    if beside is not None:
        console.print(f"{beside}: its weights")
    return exported


def _onnx(network: Network, out: Path, file: Path, weights: bool) -> Exported:  # noqa: FBT001 - of a table
    from builder.export.program import write_onnx

    del file, weights
    return write_onnx(network, out)


def _pt2(network: Network, out: Path, file: Path, weights: bool) -> Exported:  # noqa: FBT001 - of a table
    from builder.export.program import write_program

    del file, weights
    return write_program(network, out)


def _diffusers(network: Network, out: Path, file: Path, weights: bool) -> Exported:  # noqa: FBT001 - of a table
    from builder.export.diffusers import write_diffusers

    del file, weights
    return write_diffusers(network, out)
