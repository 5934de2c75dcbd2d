"""Shapes and prices along the graph, and every rule of shapes that it breaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import networkx as nx

from archspec.graphs.graph import ArchGraph, inputs_and_output, inputs_of, known_shape, op_of, order, place_of
from archspec.graphs.structure import structure_problems
from archspec.ops import Input, Misfit, Op, Port, Price, Unread
from archspec.ops.base import Aspect
from archspec.ops.shapes import MAX_CHANNELS, MAX_SIZE, NAMES, FeatureMap, Shape
from archspec.text.errors import Problem
from archspec.text.positions import NOWHERE, Place


def annotate(graph: ArchGraph) -> None:
    """Infer shapes and prices where they can be inferred; says nothing about what is wrong."""
    for _ in _Inference(graph).run():
        pass


def problems(graph: ArchGraph, root: Place = NOWHERE) -> Iterator[Problem]:
    """Every broken rule: structure first, then shapes as far as the structure allows to infer them."""
    inference = _Inference(graph)
    yield from structure_problems(graph, root, cyclic=inference.order is None)
    yield from inference.run()
    yield from inference.sizes_agree()


def known_inputs(graph: ArchGraph, sources: Mapping[str, str]) -> dict[str, Shape]:
    """Port name -> shape that arrives there from its source, for the ports where it is known."""
    arriving = {port: known_shape(graph, source) for port, source in sources.items()}
    return {port: shape for port, shape in arriving.items() if shape is not None}


@dataclass
class _Inference:
    """One walk along the graph; remembers what a problem further up has put in doubt, so as not to repeat it."""

    graph: ArchGraph
    order: list[str] | None = field(init=False)
    _doubts: dict[str, frozenset[Aspect]] = field(default_factory=dict)
    #: operation (by its identity: blocks alike share theirs) and inputs that fit -> shape and price
    _fits: dict[tuple[Any, ...], tuple[Shape, Price]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            self.order = order(self.graph)
        except nx.NetworkXUnfeasible:  # a cycle
            self.order = None

    def run(self) -> Iterator[Problem]:
        nodes = self.graph.nodes
        for node in self.graph:
            data = nodes[node]
            data.pop("shape", None)
            data.pop("price", None)
        for node in self.order or ():
            yield from self._node(node, op_of(self.graph, node))

    def _node(self, node: str, op: Op) -> Iterator[Problem]:
        sources = inputs_of(self.graph, node)
        if self._doubts:
            self._doubts[node] = frozenset().union(*(self._doubts.get(source, ()) for source in sources.values()))
        if isinstance(op, Unread):
            return
        inputs, ports = known_inputs(self.graph, sources), op.ports()
        wrong = list(self._wrong_kinds(node, ports, sources, inputs))
        yield from wrong
        if wrong or len(inputs) < len(sources) or not _fills(ports, inputs):
            return
        key = (id(op), *inputs.items())
        known = self._fits.get(key)
        if known is None:
            yield from self._judge(node, op, sources, inputs)
            return
        self._settle(node, op)
        data = self.graph.nodes[node]
        data["shape"], data["price"] = known

    def _settle(self, node: str, op: Op) -> None:
        """What says its own channels puts an end to doubts about those that come."""
        if self._doubts.get(node) and "out" in type(op).model_fields:
            self._doubts[node] -= {"channels"}

    def _judge(self, node: str, op: Op, sources: Mapping[str, str], inputs: Mapping[str, Shape]) -> Iterator[Problem]:
        """What does not fit of these inputs; shape and price, which are remembered where all does."""
        misfits = list(op.misfits(inputs))
        for misfit in misfits:
            yield from self._report(node, misfit, sources, inputs)
        if not any(misfit.doubts == "channels" for misfit in misfits):
            self._settle(node, op)
        yield from self._put_shape(node, op, inputs, fits=not misfits)

    def _wrong_kinds(
        self, node: str, ports: Sequence[Port], sources: Mapping[str, str], inputs: Mapping[str, Shape]
    ) -> Iterator[Problem]:
        for port in ports:
            shape = inputs.get(port.name)
            if shape is not None and not isinstance(shape, port.takes):
                message = (
                    f"its port `{port.name}` takes {NAMES[port.takes]}, "
                    f"but `{sources[port.name]}` gives {NAMES[type(shape)]}."
                )
                yield place_of(self.graph, node, port.name).problem("U201", message, node=node)

    def _report(
        self, node: str, misfit: Misfit, sources: Mapping[str, str], inputs: Mapping[str, Shape]
    ) -> Iterator[Problem]:
        if misfit.about in self._doubts.get(node, ()):
            return
        if misfit.doubts is not None:
            self._doubt(node, misfit.doubts)
        if misfit.field is not None and misfit.field in sources and misfit.about is not None:
            self._doubt(sources[misfit.field], misfit.about)
        came = ", ".join(f"{source} = {inputs[port]}" for port, source in sources.items()) if misfit.about else ""
        hint = " ".join(part for part in (misfit.hint, f"Inputs: {came}." if came else None) if part)
        place = place_of(self.graph, node, misfit.field)
        yield place.problem(misfit.code, misfit.message, hint, node=node)

    def _doubt(self, node: str, about: Aspect) -> None:
        self._doubts[node] = self._doubts.get(node, frozenset()) | {about}

    def _put_shape(self, node: str, op: Op, inputs: Mapping[str, Shape], *, fits: bool) -> Iterator[Problem]:
        shape = op.shape(inputs)
        if isinstance(shape, FeatureMap) and (shape.channels > MAX_CHANNELS or shape.size > MAX_SIZE):
            message = f"a map of {shape.channels:,} channels and {shape.size:,}x{shape.size:,} pixels is too large."
            hint = f"At most {MAX_CHANNELS:,} channels and {MAX_SIZE:,} pixels a side are possible."
            yield place_of(self.graph, node).problem("U209", message, hint, node=node)
            return
        data, price = self.graph.nodes[node], op.price(inputs)
        data["shape"], data["price"] = shape, price
        if fits:
            self._fits[id(op), *inputs.items()] = shape, price

    def sizes_agree(self) -> Iterator[Problem]:
        """The output has the image's size."""
        inputs, outputs = inputs_and_output(self.graph)
        images = [node for node in inputs if _is_image(op_of(self.graph, node))]
        image = known_shape(self.graph, images[0]) if images else None
        output = known_shape(self.graph, outputs[0]) if outputs else None
        if not (isinstance(image, FeatureMap) and isinstance(output, FeatureMap)) or image.size == output.size:
            return
        if "size" not in self._doubts.get(outputs[0], ()):
            message = f"the output has {output.size}x{output.size} pixels, the image {image.size}x{image.size}."
            place = place_of(self.graph, outputs[0])
            yield place.problem("U208", message, "Go up as often as down.", node=outputs[0])


def _fills(ports: Sequence[Port], inputs: Mapping[str, Shape]) -> bool:
    """Whether these inputs are at ports that there are, and at every port that needs one."""
    filled = 0
    for port in ports:
        if port.name in inputs:
            filled += 1
        elif port.required:
            return False
    return filled == len(inputs)


def _is_image(op: Op) -> bool:
    return isinstance(op, Input) and op.kind == "image"
