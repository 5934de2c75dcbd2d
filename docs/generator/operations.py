"""The page of the operations: each with its parameters and a picture of one that stands in a network."""

from __future__ import annotations

from functools import cache
from importlib import resources

from archspec import OPS, Op, build, load, loads, total_price
from archspec.graphs.graph import ArchGraph, ops_of
from generator.files import kind
from generator.markdown import code, table
from generator.picture import picture

#: heading -> the modules whose operations stand under it
GROUPS = {
    "Ends": ("io",),
    "Convolutions, norms, activations": ("conv",),
    "Blocks": ("residual", "transformer", "window", "attention"),
    "Down and up": ("resample", "resampling"),
    "Where paths meet": ("merge", "skips"),
    "Time, labels and other conditions": ("embeddings", "conditioning"),
    "DDPM++ and NCSN++": ("score",),
    "EDM2": ("magnitude", "mp_block"),
}
#: networks in which an operation is looked for; the last one has what no network of the zoo has
NETWORKS = (
    "zoo/seed-256",
    "zoo/adm-64",
    "zoo/bk-sdm-tiny",
    "zoo/edm-ncsnpp-cifar10",
    "zoo/edm-ddpmpp-cifar10",
    "zoo/edm2-xs",
)


def page() -> str:
    """The page as Markdown."""
    parts = [
        "# Operations",
        "What a node can be. Each picture is a node of a real network: what comes in at its ports, and what leaves. "
        "`C×H×W` is a feature map, a number in brackets an embedding's width. MACs are those of one image.",
    ]
    left = dict(OPS)
    for heading, modules in GROUPS.items():
        parts.append(f"## {heading}")
        names = {f"archspec.ops.{module}" for module in modules}
        for name in [name for name, cls in left.items() if cls.__module__ in names]:
            parts += _section(name, left.pop(name))
    if left:
        raise ValueError(f"operations without a heading in GROUPS: {', '.join(left)}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(name: str, cls: type[Op]) -> list[str]:
    where, graph, node = example_of(name)
    schema = cls.model_json_schema()
    fields = {key: one for key, one in schema["properties"].items() if key != "op"}
    rows = [(code(key), code(kind(one)), _default(one), one.get("description", "")) for key, one in fields.items()]
    caption = f"{code(node)} of {where}"
    svg = f"```{{raw}} html\n{picture(graph, node)}\n```"
    return [f"### {name}", _docstring(cls), svg, caption, table(["parameter", "value", "default", "what it is"], rows)]


def _default(schema: dict[str, object]) -> str:
    if "default" not in schema:
        return "required"
    value = schema["default"]
    return code("null" if value is None else str(value).lower() if isinstance(value, bool) else value)


def _docstring(cls: type[Op]) -> str:
    """The docstring as Markdown: its double backticks are code in both."""
    text = cls.__doc__ or ""
    return "\n".join(line.strip() for line in text.strip().split("\n"))


def example_of(name: str) -> tuple[str, ArchGraph, str]:
    """(where, graph, node) of the first node with this operation that is met."""
    for where, graph in networks().items():
        for node, op in ops_of(graph):
            if op.op == name:
                return where, graph, node
    raise ValueError(f"no example has the operation {name}: add it to docs/generator/example.yaml")


@cache
def networks() -> dict[str, ArchGraph]:
    """Words for a network -> the network, smallest means first."""
    found = {code(name): build(load(name)) for name in NETWORKS}
    own = build(loads((resources.files("generator") / "example.yaml").read_text(encoding="utf-8")))
    assert total_price(own).parameters > 0
    return {**found, "an example": own}
