"""The compiled model: a `torch.fx.GraphModule` that remembers its architecture and survives copy and pickle."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import fx, nn
from torch.fx.node import map_aggregate

from archspec import ArchGraph

#: Key in `Node.meta`: id of the architecture's node whose output this is.
NODE_ID = "node"
#: Key in `Network.meta`: the architecture.
ARCHITECTURE = "architecture"

#: Attributes that `GraphModule` makes from its graph.
_GENERATED = frozenset({"_graph", "_code", "_lineno_map", "_prologue_start", "_tracer_cls"})


class Group(nn.Module):
    """Submodules under one path; those named by numbers can be indexed: ``model.down[0].block[1]``."""

    def __init__(self, modules: Mapping[str, nn.Module] | None = None) -> None:
        super().__init__()
        for name, module in (modules or {}).items():
            self.add_module(name, module)

    def __getitem__(self, index: int) -> nn.Module:
        """The submodule whose name is this number."""
        return self.get_submodule(str(index))

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[nn.Module]:
        return self.children()


def grouped(modules: Mapping[str, nn.Module]) -> Group:
    """Modules by path as a tree; siblings that are named by numbers stand in the order of these."""
    inner: dict[str, dict[str, nn.Module]] = {}
    children: dict[str, nn.Module] = {}
    for path, module in modules.items():
        first, _, rest = path.partition(".")
        if rest:
            inner.setdefault(first, {})[rest] = module
            children[first] = nn.Module()  # keeps the place
        else:
            children[first] = module
    children |= {name: grouped(below) for name, below in inner.items()}
    if all(name.isdecimal() for name in children):
        children = dict(sorted(children.items(), key=lambda item: int(item[0])))
    return Group(children)


class Network(fx.GraphModule):
    """A compiled model. Its forward takes ``(x, t=None, context=None)``.

    Args:
        architecture: what it was compiled from; kept in `meta` under `ARCHITECTURE`, and shared by copies.
        modules: node id -> module.
        graph: the calls of these modules and of functions, in order.
    """

    def __init__(self, architecture: ArchGraph, modules: Mapping[str, nn.Module], graph: fx.Graph) -> None:
        root = grouped(modules)
        super().__init__(root, graph, class_name=_kind(self).__name__)
        self._modules.update(root._modules)  # noqa: SLF001 - groups instead of the bare modules that torch puts between
        self.meta[ARCHITECTURE] = architecture

    @property
    def architecture(self) -> ArchGraph:
        """The architecture that this was compiled from."""
        architecture: ArchGraph = self.meta[ARCHITECTURE]
        return architecture

    # torch pickles the generated code and traces it again, which loses the names of function calls and runs `given` on
    # proxies. So the graph goes along as a table.
    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: value for name, value in self.__dict__.items() if name not in _GENERATED}
        return _restored, (_kind(self), _rows(self.graph), state)

    def __deepcopy__(self, memo: dict[int, Any]) -> Network:
        memo[id(self.architecture)] = self.architecture
        restore, parts = self.__reduce__()
        copied: Network = restore(*copy.deepcopy(parts, memo))
        memo[id(self)] = copied
        return copied


def _kind(network: Network) -> type[Network]:
    """The class that was written: torch puts a class of its own in front of it for every single module."""
    return next(cls for cls in type(network).__mro__ if not cls.__qualname__.endswith("GraphModuleImpl"))


@dataclass(frozen=True)
class _Ref:
    """A node as another node's argument."""

    name: str


@dataclass(frozen=True)
class _Row:
    """One node of a `torch.fx.Graph` without its links, which pickle would follow until the stack is full."""

    op: str
    name: str
    target: Any
    args: Any
    kwargs: Any
    meta: dict[str, Any]


def _rows(graph: fx.Graph) -> list[_Row]:
    def reference(value: Any) -> Any:
        return _Ref(value.name) if isinstance(value, fx.Node) else value

    def plain(arguments: Any) -> Any:
        return map_aggregate(arguments, reference)

    return [_Row(n.op, n.name, n.target, plain(n.args), plain(n.kwargs), dict(n.meta)) for n in graph.nodes]


def _graph_of(rows: list[_Row]) -> fx.Graph:
    graph = fx.Graph()
    nodes: dict[str, fx.Node] = {}

    def node(value: Any) -> Any:
        return nodes[value.name] if isinstance(value, _Ref) else value

    def linked(arguments: Any) -> Any:
        return map_aggregate(arguments, node)

    for row in rows:
        nodes[row.name] = graph.create_node(row.op, row.target, linked(row.args), linked(row.kwargs), row.name)
        nodes[row.name].meta.update(row.meta)
    return graph


def _restored(kind: type[Network], rows: list[_Row], state: dict[str, Any]) -> Network:
    root = nn.Module()
    root.__dict__.update(state)
    network = kind.__new__(kind)
    fx.GraphModule.__init__(network, root, _graph_of(rows), class_name=kind.__name__)
    network.__dict__.update(state)
    return network
