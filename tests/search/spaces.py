"""A base and spaces of it, as tests write them."""

from __future__ import annotations

from typing import Any

from archspec import loads
from search.dimension import Dimension
from search.space import Space

BASE = loads(
    """
version: 1
name: base
unet: {ch: 32, out_ch: 1, ch_mult: [1, 2], num_res_blocks: 1, attn_resolutions: [4], in_channels: 1, resolution: 8}
"""
)


def space(**dimensions: object) -> Space:
    return {
        name: Dimension.model_validate({"choice": value} if isinstance(value, list) else value)
        for name, value in dimensions.items()
    }


def edge(source: str, target: str = "up.0.skip.1", port: str | None = "skip") -> dict[str, Any]:
    return {"edge": {"from": source, "to": target, **({"port": port} if port else {})}}
