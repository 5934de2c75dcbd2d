"""`ushape profile`: FLOPs and peak memory of an architecture, predicted."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from archspec import ArchGraph
    from builder.profile import Prediction, Profile


class Device(StrEnum):
    """Whose kernels and allocator."""

    cpu = "cpu"
    cuda = "cuda"


class Arithmetic(StrEnum):
    """Types of numbers."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


class Optimizer(StrEnum):
    """What updates the weights."""

    adamw = "adamw"
    adam = "adam"
    sgd = "sgd"
    sgd_momentum = "sgd-momentum"


class Variant(StrEnum):
    """torch's implementations of an optimizer."""

    fused = "fused"
    foreach = "foreach"
    loop = "loop"


#: Blocks that are listed.
_BLOCKS = 12


def profile(  # noqa: PLR0913 - one parameter an option of the command
    file: Annotated[
        Path, typer.Argument(help="An architecture file, zoo/NAME, or a study, for its base.", show_default=False)
    ],
    *,
    batch: Annotated[
        int | None, typer.Option("--batch", "-b", min=1, help="Images per call; default 1, or the batch of a study.")
    ] = None,
    device: Annotated[Device, typer.Option(help="Whose kernels and allocator; it need not be there.")] = Device.cpu,
    dtype: Annotated[Arithmetic, typer.Option(help="Of weights and inputs.")] = Arithmetic.float32,
    autocast: Annotated[Arithmetic | None, typer.Option(help="Arithmetic of the forward by torch.autocast.")] = None,
    optimizer: Annotated[Optimizer, typer.Option(help="What updates the weights.")] = Optimizer.adamw,
    variant: Annotated[Variant | None, typer.Option(help="Of the optimizer; default fused, of SGD foreach.")] = None,
    ema: Annotated[bool, typer.Option(help="Keep an averaged copy of the weights.")] = True,
    grad_clip: Annotated[bool, typer.Option(help="Clip gradients by their norm.")] = True,
    checkpointing: Annotated[
        bool, typer.Option("--checkpointing", help="Compute blocks again in the backward.")
    ] = False,
    channels_last: Annotated[bool, typer.Option("--channels-last", help="Weights and images channels last.")] = False,
    calibrated: Annotated[
        bool, typer.Option("--calibrated", help="Run each operation once alone, and remember what it needs.")
    ] = False,
    latency: Annotated[
        list[Path] | None,
        typer.Option(
            "--latency",
            help="Predict latency too, learned from a study run on this device (file or folder); repeatable.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON on standard output.")] = False,
) -> None:
    """Predict FLOPs and peak memory of inference and of a training step, without weights and without the device.

    [bold]ushape profile zoo/sd15 --device cuda --batch 4 --autocast bfloat16[/bold]. What is resident at the peak is
    listed by block. With --calibrated the prediction for this machine's CPU is exact to 0.1 %. With --latency STUDY
    the latency that the study would measure is predicted as well, with the error on architectures held out.
    """
    from builder.profile import ProfileOptions
    from builder.profile import profile as predicted
    from ushape.cli.console import print_json
    from ushape.cli.latency import latency_data, show_latency

    graph, batch = _asked(file, batch)
    chosen = variant or (Variant.foreach if optimizer.startswith("sgd") else Variant.fused)
    _refuse_fused_sgd(optimizer, chosen)
    options = ProfileOptions(
        batch=batch,
        device=device.value,
        dtype=dtype.value,
        autocast=None if autocast is None else autocast.value,
        optimizer=optimizer.value,
        variant=chosen.value,
        ema=ema,
        grad_clip=grad_clip,
        checkpointing=checkpointing,
        channels_last=channels_last,
    )
    found = predicted(graph, options, calibrated=calibrated)
    foretold = latency_data(graph, latency) if latency else None
    if json:
        print_json(found.as_dict() | ({"latency": foretold} if foretold else {}))
        return
    _show(found)
    if foretold:
        show_latency(foretold)


def _asked(file: Path, batch: int | None) -> tuple[ArchGraph, int]:
    """What is profiled, and with how many images: a study's base with the images that it computes at once."""
    from archspec import build, load
    from ushape.cli.checking import is_study_file

    if not is_study_file(file):
        return build(load(file)), batch or 1
    from studies.study.load import load_study

    study = load_study(file)
    micro = study.protocol.train.micro_batch
    return study.base, batch or (micro if isinstance(micro, int) else study.protocol.train.batch)


def _refuse_fused_sgd(optimizer: Optimizer, variant: Variant) -> None:
    from archspec import user_error

    if optimizer.startswith("sgd") and variant is Variant.fused:
        raise user_error("the fused SGD is not predicted.", "Use --variant foreach or --variant loop.")


def _show(found: Profile) -> None:
    from rich.table import Table

    from ushape.cli.console import count, out

    out.print(f"[bold]{found.name}[/bold]  {found.parameters:,} parameters, {count(found.macs)}MACs per image")
    out.print(_described(found.options.model_dump()))
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("", "peak memory", "reserved", "forward FLOPs", "backward FLOPs", "MACs", "at the peak"):
        table.add_column(title, justify="left" if title in ("", "at the peak") else "right")
    predictions = [one for one in (found.inference, found.training) if one is not None]
    for one in predictions:
        peak = one.peak
        table.add_row(
            "inference" if one.call == "inference" else "training step",
            _amount(one.memory), "-" if one.reserved is None else _amount(one.reserved),
            count(one.cost.forward_flops), count(one.cost.backward_flops) if one.cost.backward_flops else "-",
            count(one.cost.macs), f"{peak.phase} of {peak.node or 'the whole'} ({peak.operation.split('.')[1]})",
        )  # fmt: skip
    out.print(table)
    for one in predictions:
        _show_resident(one)
    for line in dict.fromkeys(_remarks(predictions)):
        out.print(line)


def _described(options: dict[str, Any]) -> str:
    parts = [f"batch {options['batch']}", options["device"], options["dtype"]]
    parts += [f"autocast {options['autocast']}"] if options["autocast"] else []
    parts.append(f"{options['optimizer']} {options['variant']}")
    named = {"ema": "averaged weights", "grad_clip": "clipping", "checkpointing": "", "channels_last": "channels last"}
    parts += [name or key for key, name in named.items() if options[key]]
    return ", ".join(parts)


def _show_resident(one: Prediction) -> None:
    from rich.table import Table

    from ushape.cli.console import out

    kinds: Counter[str] = Counter()
    nodes: dict[str, Counter[str]] = {}
    for part in one.peak.resident:
        kinds[part.kind] += part.nbytes
        nodes.setdefault(part.node, Counter())[part.kind] += part.nbytes
    out.print()
    out.print(f"[bold]resident at the peak of {'inference' if one.call == 'inference' else 'a training step'}[/bold]")
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("block", no_wrap=True)
    for title in ("all", *(kind for kind, _ in kinds.most_common())):
        table.add_column(title, justify="right")
    ordered = sorted(nodes.items(), key=lambda item: -item[1].total())
    for node, held in ordered[:_BLOCKS]:
        table.add_row(node or "(none)", *_cells(held, kinds))
    if len(ordered) > _BLOCKS:
        rest = sum((held for _, held in ordered[_BLOCKS:]), Counter[str]())
        table.add_row(f"{len(ordered) - _BLOCKS} others", *_cells(rest, kinds))
    table.add_row("all", *_cells(kinds, kinds))
    out.print(table)


def _cells(held: Counter[str], kinds: Counter[str]) -> list[str]:
    return [_amount(held.total()), *(_amount(held[kind]) if held[kind] else "-" for kind, _ in kinds.most_common())]


def _remarks(predictions: list[Prediction]) -> list[str]:
    remarks = []
    for one in predictions:
        if one.tier == "static" and one.reserved is None:
            remarks.append("Static: workspaces by rule. --calibrated measures them on this machine.")
        if one.by_rule:
            remarks.append(f"{one.by_rule} operations could not be run alone; their workspaces go by rule.")
        if one.note:
            remarks.append(f"{one.note[0].upper()}{one.note[1:]}.")
    return remarks


def _amount(nbytes: int) -> str:
    """Bytes as MiB or GiB."""
    return f"{nbytes / 2**30:.3f} GiB" if nbytes >= 2**30 else f"{nbytes / 2**20:.2f} MiB"
