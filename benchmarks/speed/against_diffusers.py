"""Speed of compiled models beside diffusers' UNet2DModel with the same weights: forward, and forward and backward.

    python benchmarks/speed/against_diffusers.py [--quick] [--case NAME] [--batch 1 16] [--device cuda] [--cpu-seconds]
        [--compile] [--seconds 20] [--publish]

A ratio above 1 says that ours is faster. `prepared` is ours after `builder.for_inference`. The network with attention
at 64x64 pixels is also compared with CompVis' arithmetic: q·k and softmax written out. `--quick` takes batch 1 and
three seconds a case; `--compile` puts both through torch.compile first, which takes minutes for all but the smallest
network.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from networks import ATTENTION, SIZES, Pair, WrittenOut, pair
from table import add_options, chosen, device_of, machine_of, print_table, published, table, with_published
from timing import clock, geometric_mean, interleaved, load, ratio, shown
from torch import nn

from builder.inference import for_inference


@dataclass(frozen=True)
class Case:
    """One row."""

    name: str
    batch: int
    train: bool
    last: bool

    @property
    def label(self) -> list[object]:
        layout = "channels_last" if self.last else "contiguous"
        return [self.name, self.batch, "train" if self.train else "forward", layout]


def cases(names: list[str], batches: list[int]) -> Iterator[Case]:
    for name in names:
        for batch in batches:
            for train in (False, True):
                for last in (False, True):
                    yield Case(name, batch, train, last)


def contenders(made: Pair, case: Case, *, compiled: bool) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    layout = torch.channels_last if case.last else torch.contiguous_format
    networks = {"ours": made.ours, "diffusers": made.theirs}
    if case.name == ATTENTION:
        networks["written out"] = written_out(made)
    networks = {what: copy.deepcopy(net).to(memory_format=layout).train(case.train) for what, net in networks.items()}
    if not case.train:
        networks["prepared"] = for_inference(made.ours)
    if compiled:
        networks = {what: torch.compile(net) for what, net in networks.items()}
    timed = training if case.train else inference
    x = made.x.contiguous(memory_format=layout)
    return {what: timed(net, x, made.t) for what, net in networks.items()}


def written_out(made: Pair) -> nn.Module:
    """Ours with CompVis' attention."""
    network = copy.deepcopy(made.ours)
    for node in list(network.architecture):
        if ".attn" in node:
            network.set_submodule(node, WrittenOut(network.get_submodule(node)))
    return network


def training(network: nn.Module, x: torch.Tensor, t: torch.Tensor) -> Callable[[], None]:
    """A forward and a backward pass."""

    def call() -> None:
        output(network(x, t)).square().mean().backward()
        network.zero_grad(set_to_none=True)

    return call


def inference(network: nn.Module, x: torch.Tensor, t: torch.Tensor) -> Callable[[], None]:
    """A forward pass."""

    def call() -> None:
        with torch.inference_mode():
            network(x, t)

    return call


def output(result: object) -> torch.Tensor:
    """The tensor that a network gives, of diffusers' inside of an object."""
    return result if isinstance(result, torch.Tensor) else result.sample


def check(made: Pair, case: Case) -> None:
    """What is compared must compute the same."""
    networks = [made.ours.eval(), made.theirs.eval(), for_inference(made.ours)]
    with torch.inference_mode():
        first, *others = (output(network(made.x[:1], made.t[:1])) for network in networks)
    for other in others:
        difference = float((first - other).abs().max() / first.abs().max().clamp_min(1.0))
        assert difference < 1e-5, f"{case.name}: outputs differ by {difference:.1e}"


#: cells that say which row it is
KEYS = 4
COLUMNS = (("diffusers", "ours"), ("diffusers", "prepared"), ("written out", "ours"), ("written out", "prepared"))

HEADER = ["network", "batch", "what", "layout", *(f"{base} / {what}" for base, what in COLUMNS), "rounds", "load"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--forward", action="store_true", help="forward passes alone")
    parser.add_argument("--seconds", type=float, default=None, help="of each case; default 20, with --quick 3")
    options = parser.parse_args()
    device = device_of(options)
    if device is None:
        return
    now = clock(device, cpu_seconds=options.cpu_seconds)
    seconds = options.seconds or (3.0 if options.quick else 20.0)
    block = "compiled" if options.compile else "speed"
    machine, rows = machine_of(options, device), []
    for case in cases(chosen(options, SIZES), options.batch or ([1] if options.quick else [1, 16])):
        if case.train and options.forward:
            continue
        busy = load()
        made = pair(case.name, case.batch, device)
        check(made, case)
        found = interleaved(contenders(made, case, compiled=options.compile), options.rounds, now, seconds)
        ratios = [ratio(found[base], found[what]) if {base, what} <= set(found) else None for base, what in COLUMNS]
        cells = ("-" if value is None else shown(value) for value in ratios)
        rows.append([*case.label, *cells, len(found["ours"]), busy])
        print(*rows[-1], sep=" | ", flush=True)
        so_far = with_published(options, block, HEADER, rows, machine, KEYS)
        published(options, block, table(HEADER, so_far, machine + means(so_far)))  # a later case may be killed
    print_table(HEADER, rows, machine + means([[str(cell) for cell in row] for row in rows]))


def means(rows: list[list[str]]) -> str:
    """The geometric mean of what preparing gains, of the networks that diffusers is the measure of."""
    column = HEADER.index("diffusers / prepared")
    gains = [float(row[column].split()[0]) for row in rows if row[column] != "-" and row[0] != ATTENTION]
    if not gains:
        return ""
    return f". Prepared beside diffusers, geometric mean of {len(gains)} forward cases: {geometric_mean(gains):.2f}"


if __name__ == "__main__":
    main()
