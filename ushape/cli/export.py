"""`ushape export`: an architecture in forms that need nothing of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from archspec import ArchGraph
    from builder.export.verify import Exported
    from builder.network import Network


def export(  # noqa: PLR0913 - the options of a command
    file: Annotated[
        Path, typer.Argument(help="An architecture file, zoo/NAME, or with --trial a study.", show_default=False)
    ],
    *,
    trial: Annotated[
        str | None,
        typer.Option("--trial", help="Of a study: best, a number, or PART/NUMBER (ablation/0).", show_default=False),
    ] = None,
    to: Annotated[
        str, typer.Option("--to", help="forward, python, yaml, onnx, pt2, diffusers.", show_default=True)
    ] = "forward",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File (or folder) to write; forward and yaml: default standard output."),
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
    """Write an architecture for use without ushape, with the weights of a checkpoint, of a study's trial or of a seed.

    [bold]forward[/bold] is the generated code alone, [bold]python[/bold] one file of plain PyTorch with everything that
    it uses (and the weights beside it, if there are any), [bold]yaml[/bold] the architecture as a file.
    [bold]onnx[/bold], [bold]pt2[/bold] (torch.export) and [bold]diffusers[/bold] hold the weights. Each is tried
    beside the compiled model before it is written. A study keeps weights if it says run: {keep_weights: 1}.

    [bold]ushape export study.yaml --trial best --to python --out winner.py[/bold]
    """
    from archspec import user_error
    from archspec.text.suggest import did_you_mean
    from ushape.cli.console import out as console

    if to not in (*_TEXTS, *_WRITERS):
        forms = [*_TEXTS, *_WRITERS]
        raise user_error(f"there is no form `{to}`.", did_you_mean(to, forms) or f"Forms: {', '.join(forms)}.")
    if to in _WRITERS and out is None:
        raise user_error(f"{to} is written to a file.", "Name it: --out PATH.")
    asked = _asked(file, trial, weights, takes_weights=to in _WRITERS)
    if to in _TEXTS:
        _write_text(_TEXTS[to](asked.graph), out)
        return
    assert out is not None
    network = _network(asked, (layout, ema, seed))
    exported = _WRITERS[to](network, out, asked)
    console.print(
        f"{exported.path}: differs from the compiled model by at most {exported.difference:.2g} (limit "
        f"{exported.limit:.0e})"
    )


@dataclass(frozen=True)
class _Asked:
    """What is to be written: an architecture, its text where it has one, and a checkpoint where there is one."""

    graph: ArchGraph
    spec: str | None
    weights: Path | None


def _asked(file: Path, trial: str | None, weights: Path | None, *, takes_weights: bool) -> _Asked:
    from archspec import build, load, user_error
    from archspec.text.files import read_text, resolve
    from ushape.cli.checking import is_study_file
    from ushape.cli.chosen import chosen_trial
    from ushape.cli.console import err

    if trial is None:
        if file.is_dir() or is_study_file(file):
            hint = "Say which of its trials: --trial best, or a number that `ushape status` shows."
            raise user_error(f"{file} is a study, not an architecture.", hint)
        return _Asked(build(load(file)), read_text(resolve(file)), weights)
    found = chosen_trial(file, trial)
    loss = "no result" if found.loss is None else f"loss {found.loss:.4f}"
    if weights is not None or not takes_weights:
        note = ""
    elif found.weights is not None:
        note = f"; with the weights of {found.weights}"
    else:
        note = "; its weights are not there (run: {keep_weights: 1} keeps those of the best), so it is untrained"
    err.print(f"{found.name}: {loss}{note}", markup=False)
    return _Asked(found.graph, None, weights or found.weights)


def _write_text(text: str, out: Path | None) -> None:
    from archspec.text.atomic import write_text

    text = text.rstrip("\n")
    if out is None:
        print(text)  # noqa: T201
    else:
        write_text(out, text + "\n")


def _forward(graph: ArchGraph) -> str:
    from builder.export import source

    return source(graph)


def _yaml(graph: ArchGraph) -> str:
    from archspec import to_yaml

    return to_yaml(graph)


def _network(asked: _Asked, options: tuple[str | None, bool, int]) -> Network:
    from builder import assemble, initialise
    from builder.weights import load_weights

    layout, ema, seed = options
    network = assemble(asked.graph).eval()
    if asked.weights is None:
        initialise(network, seed)
    else:
        load_weights(network, asked.weights, layout_name=layout, ema=ema)
    return network


def _python(network: Network, out: Path, asked: _Asked) -> Exported:
    from builder.export.standalone import write_standalone
    from ushape.cli.console import out as console

    exported, beside = write_standalone(network, out, spec=asked.spec, weights=asked.weights is not None)
    if beside is not None:
        console.print(f"{beside}: its weights")
    return exported


def _onnx(network: Network, out: Path, asked: _Asked) -> Exported:
    from builder.export.program import write_onnx

    del asked
    return write_onnx(network, out)


def _pt2(network: Network, out: Path, asked: _Asked) -> Exported:
    from builder.export.program import write_program

    del asked
    return write_program(network, out)


def _diffusers(network: Network, out: Path, asked: _Asked) -> Exported:
    from builder.export.diffusers import write_diffusers

    del asked
    return write_diffusers(network, out)


_TEXTS: dict[str, Callable[[ArchGraph], str]] = {"forward": _forward, "yaml": _yaml}
_WRITERS: dict[str, Callable[[Network, Path, _Asked], Exported]] = {
    "python": _python, "onnx": _onnx, "pt2": _pt2, "diffusers": _diffusers,
}  # fmt: skip
