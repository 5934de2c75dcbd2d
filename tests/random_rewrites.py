"""Other ways to write a graph, and changes of it; what a change does is for the judge to say."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.random_graphs import DEFAULTS, VALUES, Sketch, pruned

Step = Callable[[Sketch, random.Random], None]


def _some(sketch: Sketch, chance: random.Random, *ops: str) -> str | None:
    found = [node for node, data in sketch.nodes.items() if data["op"] in ops]
    return chance.choice(found) if found else None


def _after(sketch: Sketch, node: str, made: str, data: dict[str, Any], sources: dict[str, str]) -> None:
    """Put a node right behind another one, so that the order stays topological."""
    old = sketch.copy()
    for store in (sketch.nodes, sketch.sources, sketch.shapes):
        store.clear()
    for known in old.nodes:
        sketch.nodes[known], sketch.sources[known] = old.nodes[known], old.sources[known]
        sketch.shapes[known] = old.shapes[known]
        if known == node:
            sketch.put(made, data, sources)


# rewrites: the same computation


def swap_sum(sketch: Sketch, chance: random.Random) -> None:
    """The inputs of a sum change places, and their factors with them."""
    node = _some(sketch, chance, "add")
    if node is None:
        return
    data, given = sketch.nodes[node], sketch.sources[node]
    if sketch.shapes[given["x"]][0] != sketch.shapes[given["skip"]][0]:
        return
    sketch.sources[node] = {"x": given["skip"], "skip": given["x"]}
    for key in ("{}_scale", "learn_{}_scale"):
        x, skip = key.format("x"), key.format("skip")
        both = {**DEFAULTS["add"], **data}
        data[x], data[skip] = both[skip], both[x]


def split_twin(sketch: Sketch, chance: random.Random) -> None:
    """A weightless node that several use becomes two."""
    node = _some(sketch, chance, "act", "fir_resample")
    if node is None or len(sketch.users(node)) < 2:
        return
    twin = f"{node}t"
    if twin in sketch.nodes:
        return
    target, port = chance.choice(sketch.users(node))
    _after(sketch, node, twin, dict(sketch.nodes[node]), dict(sketch.sources[node]))
    sketch.sources[target][port] = twin


def put_nothing(sketch: Sketch, chance: random.Random) -> None:
    """A norm of type none comes in somewhere."""
    target = chance.choice([node for node, given in sketch.sources.items() if given])
    port = chance.choice(list(sketch.sources[target]))
    source, made = sketch.sources[target][port], f"none{len(sketch.nodes)}"
    _after(sketch, source, made, {"op": "norm", "type": "none", "groups": chance.choice([3, 32])}, {"x": source})
    sketch.sources[target][port] = made


def respell(sketch: Sketch, chance: random.Random) -> None:
    """A parameter is said in another way, or one that has no effect is said."""
    node = _some(sketch, chance, *_RESPELL)
    if node is not None:
        data = sketch.nodes[node]
        channels = sketch.shapes[sketch.sources[node]["x"]][0]
        data |= _RESPELL[data["op"]]({**DEFAULTS[data["op"]], **data}, channels)


def _respell_block(data: dict[str, Any], channels: int) -> dict[str, Any]:
    other: dict[str, Any] = {"hidden": data["out"]} if data["hidden"] is None else {}
    other |= {"resample_filter": [1.0, 2.0, 2.0, 1.0]}
    if channels == data["out"] and not data["project_shortcut"]:
        other["conv_shortcut"] = not data["conv_shortcut"]
    return other | ({"groups": 3} if data["norm_type"] in ("rms", "pixel", "none") else {})


def _respell_attention(data: dict[str, Any], channels: int) -> dict[str, Any]:
    heads, plain = data["heads"] or 1, data["type"] == "vanilla"
    other: dict[str, Any] = {"heads": None, "head_dim": channels // heads} if data["head_dim"] is None else {}
    other |= {key: plain for key in ("norm", "residual", "qkv_bias") if data[key] is None}
    return other | {"fused_qkv": not data["fused_qkv"]}


def _respell_filter(data: dict[str, Any], channels: int) -> dict[str, Any]:
    del channels
    return {"filter": [2.0 * tap for tap in data["filter"]]}


def _respell_norm(data: dict[str, Any], channels: int) -> dict[str, Any]:
    if data["type"] != "group":
        return {"groups": 5}
    return {"groups": channels // 4} if data["groups"] == "auto" else {}


_RESPELL: dict[str, Callable[[dict[str, Any], int], dict[str, Any]]] = {
    "resnet_block": _respell_block,
    "attention": _respell_attention,
    "fir_resample": _respell_filter,
    "norm": _respell_norm,
}


def other_operation(sketch: Sketch, chance: random.Random) -> None:
    """Average pooling and nearest neighbour under their other name, and a pooling's idle padding."""
    node = _some(sketch, chance, "downsample", "upsample")
    data = sketch.nodes[node] if node is not None else {}
    if data.get("method") == "avg_pool":
        data["padding"] = "symmetric"
        made: dict[str, Any] = {"op": "fir_resample", "resample": "down", "filter": [1.0, 1.0]}
    elif data.get("conv") is False and data.get("mode", "nearest") == "nearest":
        made = {"op": "fir_resample", "resample": "up", "filter": [0.5, 0.5]}
    else:
        return
    if chance.random() < 0.5:
        data.clear()
        data |= made


REWRITES: list[Step] = [swap_sum, split_twin, put_nothing, respell, other_operation]


# changes: mostly another computation


def change_parameter(sketch: Sketch, chance: random.Random) -> None:
    """Another value of one parameter that leaves the shapes as they are."""
    node = _some(sketch, chance, *VALUES)
    if node is None:
        return
    data = sketch.nodes[node]
    fixed = {"out", "conditioning", "resample", "project"}
    names = [
        name for name, values in VALUES[data["op"]].items() if name not in fixed and len(set(map(str, values))) > 1
    ]
    if names:
        name = chance.choice(names)
        before = {**DEFAULTS[data["op"]], **data}[name]
        data[name] = chance.choice([value for value in VALUES[data["op"]][name] if value != before])


def rewire(sketch: Sketch, chance: random.Random) -> None:
    """One input comes from another node of the same shape."""
    order = list(sketch.nodes)
    target = chance.choice([node for node, given in sketch.sources.items() if given])
    port = chance.choice(list(sketch.sources[target]))
    source = sketch.sources[target][port]
    others = [
        node for node in order[: order.index(target)] if node != source and sketch.shapes[node] == sketch.shapes[source]
    ]
    if others:
        sketch.sources[target][port] = chance.choice(others)


def swap_inputs(sketch: Sketch, chance: random.Random) -> None:
    """The inputs of a join change places alone."""
    node = _some(sketch, chance, "concat", "add")
    if node is not None:
        given = sketch.sources[node]
        sketch.sources[node] = {"x": given["skip"], "skip": given["x"]}
        if sketch.shapes[given["x"]] != sketch.shapes[given["skip"]] and sketch.nodes[node]["op"] == "add":
            sketch.sources[node] = given


def put_activation(sketch: Sketch, chance: random.Random) -> None:
    """An activation comes in somewhere."""
    target = chance.choice([node for node, given in sketch.sources.items() if given])
    port = chance.choice(list(sketch.sources[target]))
    source, made = sketch.sources[target][port], f"act{len(sketch.nodes)}"
    _after(sketch, source, made, {"op": "act"}, {"x": source})
    sketch.sources[target][port] = made


def split_weights(sketch: Sketch, chance: random.Random) -> None:
    """A node with weights that several use becomes two, each with its own."""
    node = _some(sketch, chance, "conv", "resnet_block", "attention")
    if node is None or len(sketch.users(node)) < 2:
        return
    target, port = chance.choice(sketch.users(node))
    _after(sketch, node, f"{node}w", dict(sketch.nodes[node]), dict(sketch.sources[node]))
    sketch.sources[target][port] = f"{node}w"


CHANGES: list[Step] = [change_parameter, change_parameter, rewire, swap_inputs, put_activation, split_weights]


def rewritten(sketch: Sketch, chance: random.Random) -> Sketch:
    """The same computation, written otherwise."""
    made = sketch.copy()
    for step in chance.choices(REWRITES, k=chance.randint(1, 4)):
        step(made, chance)
    return made


def changed(sketch: Sketch, chance: random.Random) -> Sketch:
    """One change (more where one does nothing here), what the output does not need any more left out."""
    made = sketch.copy()
    for step in chance.choices(CHANGES, k=6):
        step(made, chance)
        if (made.nodes, made.sources) != (sketch.nodes, sketch.sources):
            break
    return pruned(made)
