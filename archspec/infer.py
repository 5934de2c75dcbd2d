"""Shapes and prices along the graph, and every rule of shapes that it breaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import networkx as nx

from archspec.errors import Problem
from archspec.graph import ArchGraph, inputs_and_output, inputs_of, known_shape, op_of, order, place_of
from archspec.ops import Input, Misfit, Op, Unread
from archspec.ops.base import Aspect
from archspec.positions import NOWHERE, Place
from archspec.shapes import MAX_CHANNELS, MAX_SIZE, NAMES, FeatureMap, Shape
from archspec.structure import structure_problems


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

    def __post_init__(self) -> None:
        try:
            self.order = order(self.graph)
        except nx.NetworkXUnfeasible:  # a cycle
            self.order = None

    def run(self) -> Iterator[Problem]:
        for node in self.graph:
            self.graph.nodes[node].pop("shape", None)
            self.graph.nodes[node].pop("price", None)
        for node in self.order or ():
            yield from self._node(node, op_of(self.graph, node))

    def _node(self, node: str, op: Op) -> Iterator[Problem]:
        sources = inputs_of(self.graph, node)
        self._doubts[node] = frozenset().union(*(self._doubts.get(source, ()) for source in sources.values()))
        if isinstance(op, Unread):
            return
        wrong = list(self._wrong_kinds(node, op, sources))
        yield from wrong
        inputs = known_inputs(self.graph, sources)
        ports = {port.name: port for port in op.ports()}
        complete = all(not port.required or name in inputs for name, port in ports.items())
        if wrong or not complete or len(inputs) < len(sources) or not inputs.keys() <= ports.keys():
            return
        misfits = list(op.misfits(inputs))
        for misfit in misfits:
            yield from self._report(node, misfit, sources, inputs)
        if "out" in type(op).model_fields and not any(misfit.doubts == "channels" for misfit in misfits):
            self._doubts[node] -= {"channels"}
        yield from self._put_shape(node, op, inputs)

    def _wrong_kinds(self, node: str, op: Op, sources: Mapping[str, str]) -> Iterator[Problem]:
        for port in op.ports():
            source = sources.get(port.name)
            shape = known_shape(self.graph, source) if source is not None else None
            if shape is not None and not isinstance(shape, port.takes):
                message = (
                    f"its port `{port.name}` takes {NAMES[port.takes]}, but `{source}` gives {NAMES[type(shape)]}."
                )
                yield place_of(self.graph, node, port.name).problem("U201", message, node=node)

    def _report(
        self, node: str, misfit: Misfit, sources: Mapping[str, str], inputs: Mapping[str, Shape]
    ) -> Iterator[Problem]:
        if misfit.about in self._doubts[node]:
            return
        if misfit.doubts is not None:
            self._doubts[node] |= {misfit.doubts}
        if misfit.field is not None and misfit.field in sources and misfit.about is not None:
            self._doubts[sources[misfit.field]] |= {misfit.about}
        came = ", ".join(f"{source} = {inputs[port]}" for port, source in sources.items()) if misfit.about else ""
        hint = " ".join(part for part in (misfit.hint, f"Inputs: {came}." if came else None) if part)
        place = place_of(self.graph, node, misfit.field)
        yield place.problem(misfit.code, misfit.message, hint, node=node)

    def _put_shape(self, node: str, op: Op, inputs: Mapping[str, Shape]) -> Iterator[Problem]:
        shape = op.shape(inputs)
        if isinstance(shape, FeatureMap) and (shape.channels > MAX_CHANNELS or shape.size > MAX_SIZE):
            message = f"a map of {shape.channels:,} channels and {shape.size:,}x{shape.size:,} pixels is too large."
            hint = f"At most {MAX_CHANNELS:,} channels and {MAX_SIZE:,} pixels a side are possible."
            yield place_of(self.graph, node).problem("U209", message, hint, node=node)
            return
        self.graph.nodes[node]["shape"] = shape
        self.graph.nodes[node]["price"] = op.price(inputs)

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


def _is_image(op: Op) -> bool:
    return isinstance(op, Input) and op.kind == "image"
