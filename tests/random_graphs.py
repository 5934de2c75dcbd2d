"""Random graphs as plain data, ways to write them otherwise, and an independent judge of what is one computation.

Graphs are small and of two widths and two sizes, so that chance makes twins. The judge knows nothing of
the package's: it states each operation's meaning in its own words, takes weightless nodes that do the same to
the same for one, and asks networkx whether the rest is isomorphic.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import networkx as nx

Data = dict[str, Any]
Shape = tuple[int, int]  # channels, size
IMAGE: Shape = (4, 8)


@dataclass
class Sketch:
    """A graph on its way: nodes in topological order, ``target -> {port: source}``, and the shape of each."""

    nodes: dict[str, Data] = field(default_factory=dict)
    sources: dict[str, dict[str, str]] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)

    def put(self, node: str, data: Data, sources: dict[str, str]) -> None:
        self.nodes[node], self.sources[node] = data, sources
        self.shapes[node] = shape_of(data, [self.shapes[source] for source in sources.values()])

    def users(self, node: str) -> list[tuple[str, str]]:
        return [(target, port) for target, given in self.sources.items() for port, at in given.items() if at == node]

    def copy(self) -> Sketch:
        nodes = {node: dict(data) for node, data in self.nodes.items()}
        return Sketch(nodes, {node: dict(given) for node, given in self.sources.items()}, dict(self.shapes))


def shape_of(data: Data, given: list[Shape]) -> Shape:
    """Channels and size that leave."""
    if data["op"] in ("input", "output"):
        return given[0] if given else IMAGE
    (channels, size), op = given[0], data["op"]
    if op == "concat":
        channels += given[1][0]
    halves = op == "downsample" or data.get("resample") == "down"
    doubles = op == "upsample" or data.get("resample") == "up"
    return data.get("out", channels), size // 2 if halves else size * 2 if doubles else size


# drawing

_NORM = {"groups": [1, 2, 4, "auto"], "eps": [1e-6, 1e-5], "norm_type": ["group", "group", "rms", "pixel", "none"]}
#: operation -> parameter -> values; what may be left out has its default at chance
VALUES: dict[str, dict[str, list[Any]]] = {
    "conv": {"out": [4, 8], "kernel": [3, 1], "bias": [True, False], "zero_init": [False, True]},
    "norm": {"type": ["group", "layer", "rms", "pixel"], "groups": [1, 2, 4, "auto"], "eps": [1e-6, 1e-5]},
    "act": {"fn": ["silu", "relu"]},
    "downsample": {"method": ["conv", "avg_pool"], "padding": ["asymmetric", "symmetric"]},
    "upsample": {"conv": [True, False], "mode": ["nearest", "bilinear"]},
    "fir_resample": {"resample": ["down", "up"], "filter": [[1.0, 1.0], [1.0, 3.0, 3.0, 1.0]]},
    "resnet_block": {
        **_NORM, "out": [4, 8], "conditioning": ["none"], "hidden": [None, 4, 8], "conv_shortcut": [False, True],
        "act": ["silu", "gelu"], "norm_order": ["pre", "post"], "residual": [True, False],
        "project_shortcut": [False, True], "residual_scale": [1.0, 0.5],
    },
    "attention": {
        **_NORM, "type": ["vanilla", "linear"], "heads": [None, 1, 2], "norm": [None, True, False],
        "residual": [None, True, False], "qkv_bias": [None, True, False], "fused_qkv": [False, True],
    },
    "add": {
        "project": [False, True], "x_scale": [1.0, 1.0, 0.5], "skip_scale": [1.0, 1.0, 0.5],
        "learn_x_scale": [False, False, True], "learn_skip_scale": [False, False, True],
    },
    "concat": {"skip_scale": [1.0, 1.0, 0.5], "learn_skip_scale": [False, True]},
}  # fmt: skip
DEFAULTS: dict[str, Data] = {
    "conv": {"kernel": 3, "groups": 1, "bias": True, "zero_init": False},
    "norm": {"type": "group", "groups": 32, "eps": 1e-6},
    "act": {"fn": "silu"},
    "downsample": {"method": "conv", "padding": "asymmetric"},
    "upsample": {"conv": True, "mode": "nearest"},
    "fir_resample": {"filter": [1.0, 3.0, 3.0, 1.0]},
    "resnet_block": {
        "conditioning": "add", "emb_dim": None, "dropout": 0.0, "groups": 32, "eps": 1e-6, "conv_shortcut": False,
        "zero_init": False, "resample": "none", "resample_filter": None, "hidden": None, "residual": True,
        "residual_scale": 1.0, "project_shortcut": False, "norm_type": "group", "norm_order": "pre", "act": "silu",
        "condition_both": False,
    },
    "attention": {
        "type": "vanilla", "heads": None, "head_dim": None, "norm": None, "residual": None, "groups": 32, "eps": 1e-6,
        "qkv_bias": None, "fused_qkv": False, "zero_init": False, "residual_scale": 1.0, "norm_type": "group",
    },
    "add": {
        "project": False, "x_scale": 1.0, "skip_scale": 1.0, "learn_x_scale": False, "learn_skip_scale": False,
    },
    "concat": {"skip_scale": 1.0, "learn_skip_scale": False},
}  # fmt: skip
_KINDS = ["conv", "conv", "act", "norm", "add", "add", "concat", "resnet_block", "attention", "downsample", "upsample",
          "fir_resample"]  # fmt: skip
#: parameters that must be said, since their defaults do not fit such small graphs
_SAID = {"groups", "out", "conditioning", "resample"}


def drawn(op: str, chance: random.Random) -> Data:
    """An operation with parameters at random."""
    data: Data = {"op": op}
    for name, values in VALUES[op].items():
        if name in _SAID or chance.random() < 0.4:
            data[name] = chance.choice(values)
    return data


def random_sketch(chance: random.Random, least: int = 3, most: int = 8) -> Sketch:
    """A sound graph of so many operations; all of them are used."""
    sketch = Sketch()
    sketch.put("x", {"op": "input", "channels": 4, "resolution": 8}, {})
    for index in range(chance.randint(least, most)):
        _grow(sketch, f"n{index}", chance)
    last = list(sketch.nodes)[-1]
    if sketch.shapes[last][1] != 8:
        sketch.put("back", {"op": "upsample"}, {"x": last})
        last = "back"
    sketch.put("out", {"op": "output"}, {"x": last})
    return pruned(sketch)


def _grow(sketch: Sketch, node: str, chance: random.Random) -> None:
    data = drawn(chance.choice(_KINDS), chance)
    known = list(sketch.nodes)
    x = chance.choice(known[-3:])
    size = sketch.shapes[x][1]
    if data["op"] in ("add", "concat"):
        others = [other for other in known if sketch.shapes[other][1] == size]
        skip = chance.choice(others)
        if data["op"] == "add" and sketch.shapes[skip][0] != sketch.shapes[x][0]:
            data["project"] = True
        sketch.put(node, data, {"x": x, "skip": skip})
        return
    if data["op"] in ("downsample", "upsample") or data["op"] == "fir_resample":
        down = size == 8
        data = drawn("downsample" if down else "upsample", chance) if data["op"] != "fir_resample" else data
        data |= {"resample": "down" if down else "up"} if data["op"] == "fir_resample" else {}
    sketch.put(node, data, {"x": x})


def pruned(sketch: Sketch) -> Sketch:
    """Without what the output does not need."""
    used: set[str] = set()
    todo = ["out"]
    while todo:
        node = todo.pop()
        if node not in used:
            used.add(node)
            todo.extend(sketch.sources[node].values())
    keep = [node for node in sketch.nodes if node in used or node == "x"]
    return Sketch(
        {node: sketch.nodes[node] for node in keep},
        {node: sketch.sources[node] for node in keep},
        {node: sketch.shapes[node] for node in keep},
    )


def document(sketch: Sketch, chance: random.Random) -> Data:
    """As a document: names, orders, and whether defaults are spelled out, at random."""
    chosen = list(sketch.nodes)
    chance.shuffle(chosen)
    names = {node: f"n{chance.randrange(10**9)}" for node in chosen}
    nodes = {names[node]: _spelled(sketch.nodes[node], chance) for node in chosen}
    edges = [
        [names[source], names[node], port] if port != "x" or chance.random() < 0.5 else [names[source], names[node]]
        for node, given in sketch.sources.items()
        for port, source in given.items()
    ]
    chance.shuffle(edges)
    return {"version": 1, "name": "random", "graph": {"nodes": nodes, "edges": edges}}


def _spelled(data: Data, chance: random.Random) -> Data:
    defaults = DEFAULTS.get(data["op"], {})
    given = {key: value for key, value in data.items() if chance.random() < 0.7 or value != defaults.get(key, ...)}
    given |= {key: value for key, value in defaults.items() if key not in data and chance.random() < 0.15}
    items = list(given.items())
    chance.shuffle(items)
    return dict(items)


# the judge

Meaning = Callable[[Data, list[int]], Hashable]


def _norm_meaning(kind: str, groups: Any, eps: float, widths: list[int]) -> Hashable:
    if kind == "none":
        return "none"
    numbers = tuple(min(32, width // 4) if groups == "auto" else groups for width in widths) if kind == "group" else ()
    return (kind, numbers, eps)


def _block(data: Data, channels: list[int]) -> Hashable:
    out, hidden = data["out"], data["hidden"] or data["out"]
    widths = [channels[0], hidden] if data["norm_order"] == "pre" else [hidden, out]
    shortcut = None
    if data["residual"] and (channels[0] != out or data["project_shortcut"]):
        shortcut = 3 if data["conv_shortcut"] else 1
    norm = _norm_meaning(data["norm_type"], data["groups"], data["eps"], widths)
    return ("block", out, hidden, shortcut, data["residual"], norm, data["norm_order"], data["act"],
            data["residual_scale"])  # fmt: skip


def _attention(data: Data, channels: list[int]) -> Hashable:
    plain = data["type"] == "vanilla"
    heads = data["heads"] or (channels[0] // data["head_dim"] if data["head_dim"] else 1)
    norm = "none"
    if plain if data["norm"] is None else data["norm"]:
        norm = _norm_meaning(data["norm_type"], data["groups"], data["eps"], channels[:1])
    residual, bias = (plain if data[key] is None else data[key] for key in ("residual", "qkv_bias"))
    return ("attention", data["type"], heads, data["head_dim"] or channels[0] // heads, norm, residual, bias)


def _filter(data: Data, channels: list[int]) -> Hashable:
    taps = tuple(tap / sum(data["filter"]) for tap in data["filter"])
    if taps != (0.5, 0.5):
        return ("fir", data["resample"], taps)
    return ("pool", None) if data["resample"] == "down" else ("up", False, "nearest")


MEANINGS: dict[str, Meaning] = {
    "input": lambda data, _: "input",
    "output": lambda data, _: "output",
    "conv": lambda data, _: ("conv", data["out"], data["kernel"], data["groups"], data["bias"], data["zero_init"]),
    "norm": lambda data, c: ("norm", _norm_meaning(data["type"], data["groups"], data["eps"], c)),
    "act": lambda data, _: ("act", data["fn"]),
    "downsample": lambda data, _: ("down", data["padding"]) if data["method"] == "conv" else ("pool", None),
    "upsample": lambda data, _: ("up", data["conv"], data["mode"]),
    "fir_resample": _filter,
    "resnet_block": _block,
    "attention": _attention,
    "add": lambda data, c: ("add", c[0] != c[1]),
    "concat": lambda data, _: ("concat", data["skip_scale"], data["learn_skip_scale"]),
}
_WEIGHTLESS = {"input", "output", "act", "pool", "fir"}


def _has_weights(meaning: Hashable, data: Data) -> bool:
    kind = meaning if isinstance(meaning, str) else meaning[0]  # type: ignore[index]
    if kind == "add":
        return bool(meaning[1] or data["learn_x_scale"] or data["learn_skip_scale"])  # type: ignore[index]
    if kind == "concat":
        return bool(data["learn_skip_scale"])
    if kind == "up":
        return bool(meaning[1])  # type: ignore[index]
    if kind == "norm":
        return meaning[1][0] != "pixel"  # type: ignore[index]
    return kind not in _WEIGHTLESS


def reduced(sketch: Sketch) -> nx.DiGraph[int]:
    """The computation as a labelled graph: identities left out, weightless twins merged."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    value: dict[str, int] = {}
    known: dict[Hashable, int] = {}
    for node, written in sketch.nodes.items():
        data, given = {**DEFAULTS.get(written["op"], {}), **written}, sketch.sources[node]
        meaning = MEANINGS[data["op"]](data, [sketch.shapes[source][0] for source in given.values()])
        if meaning == ("norm", "none"):
            value[node] = value[given["x"]]
            continue
        arriving = sorted((_label(data, meaning, port), value[source]) for port, source in given.items())
        key = (meaning, tuple(arriving))
        if not _has_weights(meaning, data) and key in known:
            value[node] = known[key]
            continue
        number = value[node] = known[key] = len(graph)
        labels: dict[int, list[str]] = {}
        for label, source in arriving:
            labels.setdefault(source, []).append(label)
        graph.add_node(number, meaning=meaning)
        for source, ports in labels.items():
            graph.add_edge(source, number, ports=tuple(sorted(ports)))
    return graph.subgraph(nx.ancestors(graph, value["out"]) | {value["out"]})


def _label(data: Data, meaning: Hashable, port: str) -> str:
    if data["op"] != "add":
        return port
    projects = meaning[1]  # type: ignore[index]
    return f"{port if projects else ''}{data[f'{port}_scale']}{data[f'learn_{port}_scale']}"


def invariant(graph: nx.DiGraph[int]) -> Hashable:
    """The same for one computation: what there is, and what feeds it."""
    meanings: dict[int, Hashable] = dict(graph.nodes(data="meaning"))
    edges = Counter((meanings[a], meanings[b], ports) for a, b, ports in graph.edges(data="ports"))
    return frozenset(Counter(meanings.values()).items()), frozenset(edges.items())


def same_computation(one: nx.DiGraph[int], other: nx.DiGraph[int]) -> bool:
    """Whether two reduced graphs are one."""
    return invariant(one) == invariant(other) and bool(
        nx.is_isomorphic(one, other, lambda a, b: a["meaning"] == b["meaning"], lambda a, b: a["ports"] == b["ports"])
    )
