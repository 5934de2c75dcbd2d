"""Overhead of the graph: a compiled model of 200 tiny nodes beside the same modules called from a forward by hand.

    python benchmarks/speed/overhead.py [--quick] [--cpu-seconds] [--publish]

A ratio of 1.02 says that the compiled model takes 2 % longer.
"""

from __future__ import annotations

import argparse
from itertools import pairwise

import torch
from table import add_options, circumstances_of, print_table, published
from timing import clock, interleaved, ratio, shown
from torch import nn

from archspec import from_document
from builder import assemble, initialise

NODES = 200


def chain() -> nn.Module:
    """A compiled model: 200 convolutions of 1x1 pixels, one after another."""
    nodes = {"x": {"op": "input", "channels": 4, "resolution": 2}}
    nodes |= {f"conv_{number}": {"op": "conv", "out": 4, "kernel": 1} for number in range(NODES)}
    nodes["y"] = {"op": "output"}
    names = list(nodes)
    edges = [list(pair) for pair in pairwise(names)]
    graph = from_document({"version": 1, "name": "chain", "graph": {"nodes": nodes, "edges": edges}})
    network = assemble(graph).eval()
    initialise(network, seed=0)
    return network


class ByHand(nn.Module):
    """The same modules as attributes; the forward is written out as a person would, a line for each."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        for number in range(NODES):
            self.add_module(f"conv_{number}", network.get_submodule(f"conv_{number}"))


def written_out() -> type[ByHand]:
    """`ByHand` with a forward of `NODES` lines."""
    lines = "\n".join(f"    x = self.conv_{number}(x)" for number in range(NODES))
    namespace: dict[str, object] = {}
    exec(f"def forward(self, x):\n{lines}\n    return x", namespace)
    return type("WrittenByHand", (ByHand,), {"forward": namespace["forward"]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    compiled = chain()
    by_hand = written_out()(compiled)
    x = torch.randn(1, 4, 2, 2)
    calls = {"compiled": lambda: compiled(x), "by hand": lambda: by_hand(x)}
    cpu = torch.device("cpu")
    with torch.inference_mode():
        assert torch.equal(compiled(x), by_hand(x))
        found = interleaved(
            calls, options.rounds or (200 if options.quick else 2000), clock(cpu, cpu_seconds=options.cpu_seconds)
        )
    rows = [[NODES, shown(ratio(found["compiled"], found["by hand"]), digits=3), len(found["compiled"])]]
    published(
        options,
        "overhead",
        print_table(["nodes", "compiled / by hand", "rounds"], rows, circumstances_of(options, cpu)),
    )


if __name__ == "__main__":
    main()
