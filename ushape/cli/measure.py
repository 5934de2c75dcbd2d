"""`ushape measure`: architectures head to head, by latency and memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from studies.measure.compare import Comparison
    from studies.sections.protocol import Measure


def measure(  # noqa: PLR0913 - the options of a command
    files: Annotated[list[str], typer.Argument(help="Files, zoo/NAME, STUDY#VARIANT.", show_default=False)],
    *,
    against: Annotated[str, typer.Option("--against", help="What they are compared to.", show_default=False)],
    training: Annotated[bool, typer.Option("--training", help="Training steps; inference otherwise.")] = False,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Images per call.")] = 8,
    processes: Annotated[int, typer.Option("--processes", min=1, max=100, help="Fresh processes.")] = 3,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads of torch.")] = 1,
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="Timed seconds per process at most.")] = 10.0,
    precision: Annotated[float, typer.Option("--precision", help="Half-width at which timing stops early.")] = 0.005,
    memory: Annotated[bool, typer.Option("--memory", help="Peak memory too, each in its own process.")] = False,
    history: Annotated[
        Path | None, typer.Option("--history", help="Folder for CUDA's memory histories; with --memory.")
    ] = None,
    compiled: Annotated[bool, typer.Option("--compile", help="Under torch.compile.")] = False,
    cuda_graph: Annotated[bool, typer.Option("--cuda-graph", help="As replays of a CUDA graph.")] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON on standard output.")] = False,
) -> None:
    """Time architectures side by side against one, in fresh processes, and say the ratio with its 95 % interval.

    [bold]ushape measure small.yaml wide.yaml --against base.yaml[/bold]
    """
    from archspec import to_document
    from studies.training.failures import MeasuringFailed
    from ushape.cli.console import err, print_json
    from ushape.cli.diff import architecture

    how = _how(
        batch=batch, processes=processes, device=device, threads=threads, max_seconds=seconds, precision=precision,
        memory=memory or history is not None, compile=compiled, cuda_graph=cuda_graph,
    )  # fmt: skip
    names = [against, *files]
    documents = [to_document(architecture(name)) for name in names]

    from studies.measure.compare import compare
    from studies.sections.protocol import Protocol

    try:
        with err.status("measuring") as shown:
            found = compare(
                list(zip(names, documents, strict=True)),
                Protocol(),
                how,
                training=training,
                history=history,
                said=lambda text: shown.update(f"measuring: {text}"),
            )
    except MeasuringFailed as error:
        err.print(f"error: nothing was measured: {error}", markup=False)
        raise typer.Exit(1) from None
    if json:
        print_json({**found.model_dump(mode="json"), "verdicts": found.verdicts, "measure": how.model_dump()})
    else:
        _show(found, how, training=training)


def _how(**options: Any) -> Measure:
    from pydantic import ValidationError

    from archspec import user_error
    from studies.sections.protocol import Measure

    try:
        return Measure(min_seconds=min(0.2, options["max_seconds"]), **options)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("max_seconds", "seconds").replace("_", "-") if first["loc"] else "options"
        raise user_error(f"--{name} {first.get('input')}: {first['msg']}.", "See `ushape measure --help`.") from None


def _show(found: Comparison, how: Measure, *, training: bool) -> None:
    from rich.table import Table

    from ushape.cli.console import err, mebibytes, out, seconds

    what = f"{'a training step' if training else 'inference'} of {how.batch} images"
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("", f"ratio to {found.names[0]}", "95 % interval", "", "median", "p10 to p90", "images/s", "memory"):
        table.add_column(title, justify="left" if title == "" else "right")
    for number, (name, latency) in enumerate(zip(found.names, found.latencies, strict=True)):
        interval = latency.ratio_interval
        within = f"{interval[0]:.4f} to {interval[1]:.4f}" if interval else "-"
        table.add_row(
            Path(name).name if number else f"{name} (against)",
            f"{latency.ratio:.4f}" if number else "1",
            within if number else "",
            found.verdicts[number - 1] if number else "",
            seconds(latency.median),
            f"{seconds(latency.p10)} to {seconds(latency.p90)}",
            f"{latency.throughput:,.1f}",
            mebibytes(found.memory[number]["peak"]) if found.memory else "-",
        )
    out.print(f"{what}, {how.threads} thread(s), {len(found.load)} fresh processes, {found.latencies[0].rounds} rounds")
    out.print(table)
    for word in found.disturbed:
        err.print(f"disturbed: {word}", markup=False)
    for word in found.unknown:
        err.print(f"not watched: {word}", markup=False)
    if found.exclusive:
        err.print(f"not alone: {found.exclusive}", markup=False)
