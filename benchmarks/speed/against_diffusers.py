"""Speed of compiled models beside diffusers' UNet2DModel with the same weights: forward, and forward and backward.

    python benchmarks/speed/against_diffusers.py [--quick] [--device cuda] [--cpu-seconds] [--compile]

A ratio above 1 says that ours is faster. `--quick` takes batch 1 and fewer rounds; `--cpu-seconds` counts CPU time
instead of wall time, for a machine that others use too.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Iterator

import torch
from networks import SIZES, Pair, WrittenOut, pair
from timing import circumstances, clock, interleaved, ratio, shown
from torch import nn


def contenders(made: Pair, *, train: bool, last: bool, compiled: bool) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    x = made.x.contiguous(memory_format=torch.channels_last) if last else made.x
    networks = {"ours": made.ours, "diffusers": made.theirs}
    if compiled:
        networks = {name: torch.compile(net) for name, net in networks.items()}
    else:
        networks["written out"] = written_out(made)
    layout = torch.channels_last if last else torch.contiguous_format
    networks = {name: copy.deepcopy(net).to(memory_format=layout).train(train) for name, net in networks.items()}
    timed = training if train else inference
    return {name: timed(net, x, made.t) for name, net in networks.items()}


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


def cases(*, quick: bool) -> Iterator[tuple[str, int, bool, bool]]:
    """(network, batch, training, channels_last)"""
    for name in SIZES:
        for batch in (1,) if quick else (1, 16):
            for train in (False, True):
                for last in (False, True):
                    yield name, batch, train, last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cpu-seconds", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--only", default="", help="a part of the networks' names")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print("skipped: there is no CUDA device here")
        return
    device = torch.device(options.device)
    torch.set_num_threads(1 if options.cpu_seconds else torch.get_num_threads())
    now = clock(device, cpu_seconds=options.cpu_seconds)
    rounds = options.rounds or (7 if options.quick else 25)
    print(f"{circumstances(device)}; {'CPU' if options.cpu_seconds else 'wall'} seconds, {rounds} rounds")
    print("| network | batch | what | layout | ours / diffusers | ours / written out |")
    print("|---|---|---|---|---|---|")
    for name, batch, train, last in cases(quick=options.quick):
        if options.only not in name:
            continue
        made = pair(name, batch, device)
        found = interleaved(contenders(made, train=train, last=last, compiled=options.compile), rounds, now)
        row = [
            shown(ratio(found["diffusers"], found["ours"])),
            shown(ratio(found["written out"], found["ours"])) if "written out" in found else "-",
        ]
        what, layout = "train" if train else "forward", "channels_last" if last else "contiguous"
        print(f"| {name} | {batch} | {what} | {layout} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
