"""The parts of a U-Net that designs take out or put in: by a word, or by a selector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from archspec.edits.edit import Edit
from archspec.edits.select import Selector, SelectorParts, in_words, select, suggestion
from archspec.graphs.graph import ArchGraph, inputs_of, known_shape, op_of
from archspec.graphs.sides import standings
from archspec.ops import Input
from archspec.ops.shapes import FeatureMap
from archspec.text.suggest import did_you_mean
from studies.sections.protocol import Section
from studies.study.designs.forms import Origin

PartWord = Literal["attention_blocks", "attention_levels", "skips", "middle", "time"]
Grouping = Literal["node", "resolution", "all"]

ATTENTION = frozenset({"attention", "transformer", "mp_attention", "window_attention"})
MERGES = frozenset({"concat", "add", "mp_concat", "mp_sum", "gated_concat", "freeu_concat"})

#: A part's name and the edits that take it out.
Part = tuple[str, tuple[Edit, ...]]


class PartChoice(Section):
    """Parts of the base, by a word or by a selector."""

    part: PartWord | None = Field(
        None, description="attention_blocks, attention_levels, skips (one part each), middle, or time conditioning"
    )
    nodes: Selector | None = Field(None, description="or the nodes that a selector finds")
    by: Grouping = Field("node", description="with nodes: one part a node, one a resolution, or all together")
    project: bool = Field(
        default=False, description="keep a 1×1 convolution in the place of a node that changes the channels"
    )

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if (self.part is None) == (self.nodes is None):
            raise ValueError("needs one of part and nodes")
        return self


WORDS: tuple[str, ...] = ("attention_blocks", "attention_levels", "skips", "middle", "time")


def _choice(value: Any) -> Any:
    if isinstance(value, str):
        return {"part": value} if value in WORDS else {"nodes": value}
    return value


def _choices(value: Any) -> Any:
    return [_choice(one) for one in value] if isinstance(value, list | tuple) else [_choice(value)]


_One = PartWord | Selector | PartChoice
PartChoices = Annotated[
    tuple[PartChoice, ...], Field(min_length=1), BeforeValidator(_choices, json_schema_input_type=_One | list[_One])
]


def parts(origin: Origin, choice: PartChoice) -> list[Part]:
    """The parts that a choice means, each with the edits that take it out; empty where the base has none."""
    if choice.part is not None:
        return list(_BY_WORD[choice.part](origin))
    assert choice.nodes is not None
    return list(_selected(origin.graph, select(origin.graph, choice.nodes), choice))


def nothing_there(origin: Origin, choice: PartChoice) -> tuple[str, str]:
    """What to say of a choice that means no part of the base: message and hint."""
    if choice.part is not None:
        return f"the base has no part `{choice.part}`.", "Take it out, or name nodes by a selector."
    assert choice.nodes is not None
    words = in_words(choice.nodes)
    close = did_you_mean(words, WORDS)
    return f"`{words}` matches no node.", close or suggestion(origin.graph, choice.nodes)


def removal(nodes: list[str], *, project: bool = False) -> Edit:
    """One edit that takes these nodes out together."""
    selector: str | SelectorParts = nodes[0] if len(nodes) == 1 else SelectorParts(any=tuple(nodes))
    return Edit.model_validate({"remove": {"nodes": selector, "project": True} if project else selector})


def _selected(graph: ArchGraph, nodes: list[str], choice: PartChoice) -> Iterator[Part]:
    assert choice.nodes is not None
    words = in_words(choice.nodes)
    if choice.by == "node":
        groups = {node: [node] for node in nodes}
    elif choice.by == "all":
        groups = {words: nodes} if nodes else {}
    else:
        groups = _by_size(graph, nodes, words)
    for name, members in groups.items():
        yield name, (removal(members, project=choice.project),)


def _by_size(graph: ArchGraph, nodes: list[str], words: str) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for node in nodes:
        shape = known_shape(graph, node)
        size = f"{words} @ {shape.size}" if isinstance(shape, FeatureMap) else words
        groups.setdefault(size, []).append(node)
    return groups


def _attention(graph: ArchGraph) -> list[str]:
    return [node for node in graph if op_of(graph, node).op in ATTENTION]


def _attention_blocks(origin: Origin) -> Iterator[Part]:
    return ((node, (removal([node]),)) for node in _attention(origin.graph))


def _attention_levels(origin: Origin) -> Iterator[Part]:
    graph = origin.graph
    sides = standings(graph)
    middle = [node for node in _attention(graph) if sides[node].side == "mid"]
    groups = _by_size(graph, [node for node in _attention(graph) if node not in middle], "attention")
    for name, members in groups.items():
        yield name, (removal(members),)
    if middle:
        yield "middle attention", (removal(middle),)


def _skips(origin: Origin) -> Iterator[Part]:
    graph = origin.graph
    for node in graph:
        skip = inputs_of(graph, node).get("skip")
        # A context image that is joined at the input is no skip connection.
        if skip is not None and op_of(graph, node).op in MERGES and not isinstance(op_of(graph, skip), Input):
            yield node, (removal([node]),)


def _middle(origin: Origin) -> Iterator[Part]:
    short = origin.short_form
    if short is not None and "mid_block" in type(short[1]).model_fields:
        if short[1].mid_block:
            yield "middle", (Edit.model_validate({short[0]: {"mid_block": False}}),)
        return
    sides = standings(origin.graph)
    nodes = [node for node in origin.graph if sides[node].side == "mid" and node.startswith("mid.")]
    if nodes:
        yield "middle", (removal(nodes),)


def _time(origin: Origin) -> Iterator[Part]:
    short = origin.short_form
    if short is not None and getattr(short[1], "use_timestep", False):
        yield "time conditioning", (Edit.model_validate({short[0]: {"use_timestep": False}}),)


_BY_WORD: dict[PartWord, Callable[[Origin], Iterator[Part]]] = {
    "attention_blocks": _attention_blocks,
    "attention_levels": _attention_levels,
    "skips": _skips,
    "middle": _middle,
    "time": _time,
}
