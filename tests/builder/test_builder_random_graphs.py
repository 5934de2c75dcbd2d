"""Random graphs out of every operation and every parameter: sound with torch's shapes and counts, or refused."""

import random
from collections import Counter
from typing import Literal, get_args, get_origin

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from network_arguments import network_arguments, torch_size
from pydantic import ValidationError
from torch.utils.flop_counter import FlopCounterMode

from archspec import OPS, check_data, fingerprint, from_document, to_document, total_price
from archspec.graphs.graph import op_of, shape_of
from archspec.ops import Input, Output
from archspec.ops.shapes import Embedding, FeatureMap
from archspec.text.positions import Positions
from builder import assemble
from tests.builder.shapes import Shapes
from tests.examples import up_to

#: Numbers for parameters that are no flags and no choices; None stands for leaving it out.
NUMBERS = {
    "out": [4, 8], "dim": [4, 6, 5], "hidden": [4, 8], "groups": [1, 2, 4, "auto"], "eps": [1e-6, 0.1], "heads": [1, 2],
    "head_dim": [2, 4], "emb_dim": [4], "dropout": [0.0, 0.1], "residual_scale": [1.0, 0.5], "x_scale": [1.0, 0.5],
    "skip_scale": [1.0, 0.5], "depth": [1, 2], "ff_mult": [1, 2], "classes": [3], "scale": [1.0, 2.0], "steps": [20],
    "freq_shift": [0.0, 1.0], "max_period": [10_000.0, 50.0], "bandwidth": [1.0], "t": [0.3, 0.5], "limit": [256.0],
    "filter": [(1.0, 1.0), (1.0, 3.0, 3.0, 1.0)], "resample_filter": [(1.0, 1.0), (1.0, 3.0, 3.0, 1.0)],
    "backbone": [1.2], "threshold": [1.0], "window": [2, 4], "shift": [0, 1],
}  # fmt: skip
INPUTS = {
    "x": {"op": "input", "channels": 4, "resolution": 8},
    "t": {"op": "input", "kind": "timestep"},
    "label": {"op": "input", "kind": "label"},
    "vector": {"op": "input", "kind": "vector", "dim": 4},
    "tokens": {"op": "input", "kind": "tokens", "dim": 4, "length": 3},
    "context": {"op": "input", "kind": "context", "channels": 4, "resolution": 8},
    "control": {"op": "input", "kind": "control", "channels": 4, "resolution": 8},
}


#: Values that have to be seen at work.
WANTED = {
    ("resnet_block", "norm_type"): {"'rms'", "'layer'", "'pixel'", "'none'"},
    ("time_embedding", "type"): {"'fourier'", "'learned'"},
}
#: Operations with parameters that all have to be seen at work, in more than one value.
VARIED = ("resnet_block", "time_embedding", "norm", "add", "concat", "attention", "window_attention")


def values(name, annotation):
    """What a parameter may be."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if annotation is bool or bool in get_args(annotation) or "Flag" in str(annotation):
        return [True, False]
    if any("bool" in str(inner) for inner in get_args(annotation)):
        return [True, False]
    return NUMBERS[name]


def drawn(cls, chance):
    """An operation with parameters at random; None where they don't go together."""
    given_ = {"op": cls.model_fields["op"].default}
    for name, field in cls.model_fields.items():
        if name != "op" and (field.is_required() or name == "groups" or chance.random() < 0.3):
            given_[name] = chance.choice(values(name, field.annotation))
    for _ in range(4):
        try:
            return cls.model_validate(given_)
        except ValidationError as error:  # what has no meaning beside the others goes
            for fault in error.errors():
                given_.pop(fault.get("ctx", {}).get("at", "type"), None)
    return None


def random_document(chance, size):
    """A graph in which shapes fit most of the time."""
    nodes, edges = dict(INPUTS), []
    shapes = {node: OPS["input"].model_validate(data).shape({}) for node, data in INPUTS.items()}
    classes = [cls for cls in OPS.values() if cls not in (Input, Output)] + 4 * [OPS[name] for name in VARIED]
    while len(nodes) < len(INPUTS) + size:
        op = drawn(chance.choice(classes), chance)
        if op is None:
            continue
        node, sources = f"n{len(nodes)}", {}
        for port in op.ports():
            fitting = [known for known, shape in shapes.items() if isinstance(shape, port.takes)]
            recent = fitting[-3:] if chance.random() < 0.7 else fitting
            if recent and (port.required or chance.random() < 0.5):
                sources[port.name] = chance.choice(recent)
        inputs = {port: shapes[source] for port, source in sources.items()}
        if any(port.required and port.name not in sources for port in op.ports()):
            continue
        if list(op.misfits(inputs)) and chance.random() < 0.98:
            continue
        nodes[node] = op.model_dump(mode="json")
        shapes[node] = op.shape(inputs)
        edges += [[source, node, port] for port, source in sources.items()]
    ends = [node for node, shape in shapes.items() if isinstance(shape, FeatureMap) and shape.size == 8]
    embeddings = [node for node, shape in shapes.items() if isinstance(shape, Embedding)]
    nodes["last"] = {"op": "resnet_block", "out": 4, "groups": 1}  # so that some embedding has a use
    nodes["out"] = {"op": "output"}
    edges += [[ends[-1], "last"], [embeddings[-1], "last", "emb"], ["last", "out"]]
    return {"version": 1, "name": "random", "graph": _needed(nodes, edges)}


def _needed(nodes, edges):
    """Only what the output needs, and the image."""
    needed = {"out"}
    for _ in nodes:
        needed |= {source for source, target, *_ in edges if target in needed}
    kept = [edge for edge in edges if edge[1] in needed]
    if "x" not in needed:
        nodes["join"] = {"op": "concat"}
        last = next(edge for edge in kept if edge[1] == "out")
        kept.remove(last)
        kept += [["x", "join"], [last[0], "join", "skip"], ["join", "out"]]
    return {"nodes": {n: data for n, data in nodes.items() if n in needed or n in ("x", "join")}, "edges": kept}


def examine(document):
    """The operations of a sound graph, which is compiled; nothing for one that is refused."""
    checked = check_data(document, Positions("random"))
    if checked.graph is None:
        assert checked.errors
        return []
    graph = checked.graph
    assert fingerprint(from_document(to_document(graph))) == fingerprint(graph)
    with torch.device("meta"):
        network = assemble(graph).eval()
    made = network_arguments(graph, batch=2)
    shapes = Shapes(network)
    shapes.run(*(made.get(node.target) for node in network.graph.find_nodes(op="placeholder")))
    assert shapes.seen == {node: torch_size(shape_of(graph, node), 2) for node in graph}
    with FlopCounterMode(display=False) as counter:
        network(**network_arguments(graph))
    price = total_price(graph)
    assert price.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert 2 * price.macs == counter.get_total_flops()
    return [op_of(graph, node) for node in graph]


def too_alike(met):
    """Parameters of which more values have to be seen."""
    alike = {key for key, seen in met.items() if key[0] in VARIED and key[1] != "op" and len(seen) == 1}
    for key, values_ in WANTED.items():
        alike |= {key} if values_ - met.get(key, set()) else set()
    return alike


def test_every_operation_and_every_parameter_is_met_in_sound_graphs():
    chance = random.Random(20261124)
    met, counts = {}, Counter()
    every = {(name, key) for name, cls in OPS.items() for key in cls.model_fields}
    while sum(counts.values()) < 400 and (every - met.keys() or too_alike(met)):
        ops = examine(random_document(chance, chance.randint(4, 16)))
        counts[bool(ops)] += 1
        for op in ops:
            for name in type(op).model_fields:
                met.setdefault((op.op, name), set()).add(repr(getattr(op, name)))
    assert counts[True] > 0.8 * sum(counts.values())
    assert every - met.keys() == set()
    assert too_alike(met) == set()


@up_to(40)
@given(st.integers(0, 2**32), st.integers(2, 10))
def test_any_graph_is_sound_or_refused(seed, size):
    examine(random_document(random.Random(seed), size))


def test_a_wrong_graph_is_refused():
    document = random_document(random.Random(0), 4)
    document["graph"]["edges"] = document["graph"]["edges"][:-1]
    assert examine(document) == []


@pytest.mark.parametrize("name", OPS)
def test_every_parameter_can_be_drawn(name):
    for key, field in OPS[name].model_fields.items():
        if key not in ("op", "kind", "channels", "resolution", "length"):
            assert values(key, field.annotation)
