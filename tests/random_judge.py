"""An independent judge of what is one computation.

It knows nothing of the package's: it states each operation's meaning in its own words, takes weightless nodes that do
the same to the same for one, and asks networkx whether the rest is isomorphic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any

import networkx as nx

from tests.random_graphs import DEFAULTS, Data, Sketch

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
