"""EDM2, DDPM++ and NCSN++ as modules: parameters and FLOPs to the unit, on the meta device.

The counter is right about all of them: it counts grouped, strided and transposed convolutions (the FIR filters) and
both products of attention, and none of these networks has an operation that it does not know.
"""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from archspec import build, load, total_price
from archspec.graph import ops_of, shape_of
from archspec.shapes import Embedding, FeatureMap
from builder import assemble
from builder.inputs import ARGUMENTS

#: name -> (parameters, FLOPs of FlopCounterMode for one image)
KNOWN = {
    "edm-ddpmpp-cifar10": (55_733_891, 42_383_051_008),
    "edm-ddpmpp-cifar10-cond": (55_735_299, 42_383_053_568),
    "edm-ncsnpp-cifar10": (56_397_827, 42_791_856_640),
    "edm2-xs": (124_713_125, 89_907_437_568),
    "edm2-s": (280_212_709, 201_644_765_184),
    "edm2-m": (497_807_653, 357_904_498_688),
    "edm2-l": (777_497_957, 558_686_638_080),
    "edm2-xl": (1_119_283_621, 803_991_183_360),
    "edm2-xxl": (1_523_164_645, 1_093_818_134_528),
}


def inputs(graph, batch=1):
    """Values on the default device for the inputs that a graph has, by the names of forward's arguments."""
    made = {}
    for node, op in ops_of(graph):
        if op.op == "input":
            match shape_of(graph, node):
                case FeatureMap(channels, size):
                    value = torch.randn(batch, channels, size, size)
                case Embedding(dim):
                    value = torch.randn(batch, dim)
                case _:
                    value = torch.arange(batch)
            made[ARGUMENTS[op.kind]] = value
    return made


@pytest.mark.parametrize("name", KNOWN)
def test_torch_counts_what_is_published_and_what_is_priced(name):
    graph = build(load(f"zoo/{name}"))
    with torch.device("meta"):
        network = assemble(graph)
        with FlopCounterMode(display=False) as counter:
            result = network(**inputs(graph))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert (parameters, counter.get_total_flops()) == KNOWN[name]
    price = total_price(graph)
    assert (price.parameters, 2 * price.macs) == KNOWN[name]
    assert result.shape[1:] == network.get_submodule("conv_out").weight.shape[:1] + inputs(graph)["x"].shape[2:]
