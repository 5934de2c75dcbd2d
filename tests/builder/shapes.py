"""What sizes a compiled network's results really have, by the architecture's nodes."""

from __future__ import annotations

from typing import Any

from torch import fx

from builder.network import NODE_ID, Network


class Shapes(fx.Interpreter):
    """Runs a network node by node and keeps the shape of each result by the architecture's node."""

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self.seen: dict[str, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if NODE_ID in n.meta:
            self.seen[n.meta[NODE_ID]] = tuple(result.shape)
        return result
