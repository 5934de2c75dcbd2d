"""From an architecture to a torch module."""

from __future__ import annotations

from collections.abc import Mapping

import networkx as nx
from torch import fx, nn

from archspec import ArchGraph, UserError, user_error
from archspec.graphs.graph import input_shapes, inputs_of, op_of, order
from builder.inputs import ARGUMENTS, COMMON, given
from builder.lowering import Argument, Call, Lowered, Result, lower
from builder.names import name_problems
from builder.network import NODE_ID, Network


def assemble(architecture: ArchGraph) -> Network:
    """The torch module of a built architecture.

    Node ids are the module paths and so the prefixes of its `state_dict`; the nodes of its `torch.fx` graph are named
    by the ids with dots as underscores. Its forward takes ``x [b, channels, size, size]``, ``t [b]`` and ``context``;
    of these, inputs that the architecture does not have may be given and are ignored. Where the architecture has them,
    it also takes ``label [b]``, ``vector [b, dim]`` and ``tokens [b, length, dim]``, best given by name. Weights start
    as torch's defaults on the default device, from torch's global generator; see `builder.initialise`.

    Raises:
        UserError: it is not a built architecture, an id cannot be a module path (U109), or an operation has no
            lowering; in the forward, an input that the architecture has was not given.
    """
    if not isinstance(architecture, nx.DiGraph) or "name" not in architecture.graph:
        hint = "Give the graph: assemble(archspec.build(archspec.load(FILE)))."
        raise user_error(f"assemble takes a built architecture, not a {type(architecture).__name__}.", hint)
    return Network(architecture, *traced(architecture))


def traced(architecture: ArchGraph) -> tuple[dict[str, nn.Module], fx.Graph]:
    """The modules of an architecture by node id, and the graph of calls over them."""
    lowered = {node: lower(op_of(architecture, node), input_shapes(architecture, node)) for node in order(architecture)}
    modules = {node: module for node, module in lowered.items() if isinstance(module, nn.Module)}
    problems = list(name_problems(modules))
    if problems:
        raise UserError(problems)
    return modules, _calls(architecture, lowered)


def _calls(architecture: ArchGraph, lowered: Mapping[str, Lowered]) -> fx.Graph:
    graph = fx.Graph()
    present = {what.name for what in lowered.values() if isinstance(what, Argument)}
    taken = [name for name in ARGUMENTS.values() if name in COMMON or name in present]
    arguments = {"x": graph.placeholder("x")}
    arguments |= {name: graph.placeholder(name, default_value=None) for name in taken if name != "x"}
    values: dict[str, fx.Node] = {}
    for node, what in lowered.items():
        ports = {port: values[source] for port, source in inputs_of(architecture, node).items()}
        name = _variable(node)
        match what:
            case Argument("x"):
                value = arguments["x"]
            case Argument():
                value = graph.create_node(
                    "call_function", given, (arguments[what.name], what.name), {}, f"{name}_given"
                )
            case Call():
                value = graph.create_node("call_function", what.function, *what.arrange(ports), name)
            case Result():
                value = graph.output(ports["x"])
            case nn.Module():
                names = [port.name for port in op_of(architecture, node).ports()]
                value = graph.create_node("call_module", node, _positional(names, ports), {}, name)
        value.meta[NODE_ID] = node
        values[node] = value
    return graph


def _variable(node: str) -> str:
    """The name of a node's value in the generated code; torch itself steers clear of every other taken name."""
    return "self_" if node == "self" else node.replace(".", "_")


def _positional(names: list[str], ports: Mapping[str, fx.Node]) -> tuple[fx.Node | None, ...]:
    """The nodes at the ports in their order, None for an empty port before a filled one."""
    filled = [ports.get(name) for name in names]
    while filled and filled[-1] is None:
        filled.pop()
    return tuple(filled)
