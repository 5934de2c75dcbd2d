"""The fingerprint on random graphs: every renaming, every order, every change."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archspec
from archspec.graphs.graph import edges_of, op_of
from archspec.ops import Attention
from archspec.text.parse import Positions
from tests.examples import up_to

ENDS: dict[str, dict[str, Any]] = {"x": {"op": "input", "channels": 4, "resolution": 8}, "out": {"op": "output"}}


def graph(nodes: dict[str, dict[str, Any]], edges: list[list[str]]) -> archspec.ArchGraph:
    return archspec.from_document({"version": 1, "name": "random", "graph": {"nodes": nodes, "edges": edges}})


def unet(parameters: dict[str, Any]) -> archspec.ArchGraph:
    return archspec.check_data({"version": 1, "name": "random", "unet": parameters}, Positions("random")).sound()


# against the truth: small graphs of convolutions and sums, compared by every renaming of the convolutions

Definitions = list[tuple[str | int, ...]]  # of node i: the nodes before it (or "x") that it takes; one: conv, two: add


def random_definitions(chance: random.Random) -> Definitions:
    made: Definitions = []
    for index in range(chance.randint(3, 7)):
        known: list[str | int] = ["x", *range(index)]
        made.append(tuple(chance.choice(known) for _ in range(chance.choice([1, 1, 2]))))
    return made


def live(definitions: Definitions) -> list[int]:
    seen: set[str | int] = set()
    todo: list[str | int] = [len(definitions) - 1]
    while todo:
        node = todo.pop()
        if isinstance(node, int) and node not in seen:
            seen.add(node)
            todo.extend(definitions[node])
    return [index for index in range(len(definitions)) if index in seen]


def truth(definitions: Definitions) -> str:
    """The same text for the same computation: the smallest over all names that the convolutions could have."""
    nodes = live(definitions)
    convs = [node for node in nodes if len(definitions[node]) == 1]
    texts = []
    for names in itertools.permutations(range(len(convs))):
        named = dict(zip(convs, names, strict=True))
        values: dict[str | int, str] = {"x": "x"}
        for node in nodes:
            given = sorted(values[source] for source in definitions[node])
            values[node] = f"conv{named[node]}" if node in named else f"({'+'.join(given)})"
        inputs = sorted((values[conv], values[definitions[conv][0]]) for conv in convs)
        texts.append(f"{inputs} {values[len(definitions) - 1]}")
    return min(texts)


def written(definitions: Definitions, chance: random.Random) -> archspec.ArchGraph:
    """The graph of the definitions, with random names, orders and sides of sums."""
    nodes = live(definitions)
    names: dict[str | int, str] = {node: f"n{chance.randrange(10**6)}" for node in chance.sample(nodes, len(nodes))}
    names["x"] = "x"
    edges = [[names[len(definitions) - 1], "out", "x"]]
    for node in nodes:
        ports = chance.sample(["x", "skip"], 2) if len(definitions[node]) == 2 else ["x"]
        edges += [[names[source], names[node], port] for source, port in zip(definitions[node], ports, strict=True)]
    chance.shuffle(edges)
    kinds: dict[int, dict[str, Any]] = {1: {"op": "conv", "out": 4}, 2: {"op": "add"}}
    made = {names[node]: kinds[len(definitions[node])] for node in chance.sample(nodes, len(nodes))}
    return graph({**ENDS, **made}, edges)


@pytest.mark.parametrize("number", [400, pytest.param(1_500, marks=pytest.mark.slow)])
def test_no_collision_and_no_miss_among_random_graphs(number: int) -> None:
    chance = random.Random(20241124)
    by_truth: dict[str, set[str]] = {}
    by_mark: dict[str, set[str]] = {}
    for _ in range(number):
        definitions = random_definitions(chance)
        fact, found = truth(definitions), archspec.fingerprint(written(definitions, chance))
        by_truth.setdefault(fact, set()).add(found)
        by_mark.setdefault(found, set()).add(fact)
    assert [marks for marks in by_truth.values() if len(marks) > 1] == []
    assert [facts for facts in by_mark.values() if len(facts) > 1] == []
    assert len(by_mark) > number // 15


# any renaming and any order


@st.composite
def parameters(draw: st.DrawFn) -> dict[str, Any]:
    levels = draw(st.integers(1, 3))
    size = 2 ** draw(st.integers(levels, levels + 2))
    return {
        "ch": 8 * draw(st.integers(1, 3)),
        "out_ch": draw(st.integers(1, 4)),
        "ch_mult": draw(st.lists(st.sampled_from([1, 2, 1.5]), min_size=levels, max_size=levels)),
        "num_res_blocks": draw(st.integers(1, 2)),
        "attn_resolutions": draw(st.lists(st.sampled_from([2, 4, 8, 16]), max_size=2, unique=True)),
        "dropout": draw(st.sampled_from([0.0, 0.1])),
        "resamp_with_conv": draw(st.booleans()),
        "in_channels": draw(st.integers(2, 4)),
        "resolution": size,
        "use_timestep": draw(st.booleans()),
        "attn_type": draw(st.sampled_from(["vanilla", "linear", "none"])),
        "attn": draw(st.sampled_from([{}, {"heads": 2}, {"head_dim": 4}, {"norm": True, "residual": False}])),
        "mid_attn": draw(st.sampled_from([True, False, {"heads": 4}])),
        "skip": draw(st.sampled_from(["concat", "add", "none"])),
        "num_groups": draw(st.sampled_from([1, 4])),
        "norm_eps": draw(st.sampled_from([1e-6, 1e-5])),
        "zero_init": draw(st.booleans()),
        "context_channels": draw(st.integers(0, 1)),
    }


@up_to(40)
@given(parameters(), st.randoms(use_true_random=False))
def test_names_order_and_defaults_do_not_matter(given_: dict[str, Any], chance: random.Random) -> None:
    built = unet(given_)
    nodes, edges = archspec.to_document(built)["graph"].values()
    names = {node: f"n{index}" for index, node in enumerate(chance.sample(sorted(nodes), len(nodes)))}
    renamed = [(names[node], _shuffled(_leaner(op, chance), chance)) for node, op in nodes.items()]
    rewired = [[names[source], names[target], port] for source, target, port in edges]
    chance.shuffle(renamed)
    chance.shuffle(rewired)
    for edge in rewired:
        if edge[2] == "x" and chance.random() < 0.5:
            edge.pop()  # the first port is the default
    assert archspec.fingerprint(graph(dict(renamed), rewired)) == archspec.fingerprint(built)


def _shuffled(data: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    items = list(data.items())
    chance.shuffle(items)
    return dict(items)


def _leaner(data: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Without some of the parameters that have their default."""
    fields = archspec.OPS[data["op"]].model_fields
    return {k: v for k, v in data.items() if k == "op" or v != fields[k].default or chance.random() < 0.5}


@up_to(40)
@given(parameters(), st.data())
def test_any_changed_parameter_shows(given_: dict[str, Any], data: st.DataObject) -> None:
    built = unet(given_)
    document = archspec.to_document(built)
    nodes = document["graph"]["nodes"]
    node = data.draw(st.sampled_from(sorted(n for n in nodes if _changes(built, n))))
    key, value = data.draw(st.sampled_from(_changes(built, node)))
    changed = json.loads(json.dumps(document))
    changed["graph"]["nodes"][node][key] = value
    assert archspec.fingerprint(archspec.from_document(changed)) != archspec.fingerprint(built)


def _changes(built: archspec.ArchGraph, node: str) -> list[tuple[str, Any]]:
    """Parameters of a node that can be changed alone, so that the graph stays sound and computes something else."""
    op = op_of(built, node)
    changes: dict[str, list[tuple[str, Any]]] = {
        "conv": [("kernel", 1 if op.model_dump().get("kernel") != 1 else 5), ("bias", False)],
        "norm": [("groups", 2), ("eps", 0.5)],
        "act": [("fn", "gelu")],
        "resnet_block": [("dropout", 0.7), ("groups", 2), ("eps", 0.5)],
        "downsample": [("method", "avg_pool" if op.model_dump().get("method") == "conv" else "conv")],
        "upsample": [("conv", not op.model_dump().get("conv"))],
        "time_embedding": [("order", "cos_sin"), ("freq_shift", 0.0), ("max_period", 99.0)],
        "mlp": [("hidden", 3)],
    }
    if isinstance(op, Attention):
        return [("residual", not op.is_residual), ("type", "linear" if op.type == "vanilla" else "vanilla")]
    return changes.get(op.op, [])


@up_to(40)
@given(parameters())
def test_documents_and_yaml_are_the_graph_again(given_: dict[str, Any]) -> None:
    built = unet(given_)
    document = archspec.to_document(built)
    again = archspec.from_document(json.loads(json.dumps(document)))
    assert archspec.to_document(again) == document
    assert list(edges_of(again)) != []
    assert {(e.source, e.target, e.port) for e in edges_of(again)} == {
        (e.source, e.target, e.port) for e in edges_of(built)
    }
    assert archspec.total_price(again) == archspec.total_price(built)
    assert archspec.fingerprint(again) == archspec.fingerprint(built)
    read = archspec.build(archspec.loads(archspec.to_yaml(built)))
    assert archspec.to_document(read) == document
