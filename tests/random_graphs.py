"""Random graphs as plain data, and ways to write them otherwise.

Graphs are small and of two widths and two sizes, so that chance makes twins.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

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
