"""Small architectures for the digits, for benchmarks that need many."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from archspec import UserError, build, fingerprint, loads, total_price
from archspec.graphs.graph import ArchGraph

BASE: dict[str, Any] = {
    "ch": 32, "out_ch": 1, "ch_mult": [1, 2], "num_res_blocks": 1, "attn_resolutions": [4], "in_channels": 1,
    "resolution": 8, "num_groups": 8,
}  # fmt: skip

CHOICES: dict[str, list[Any]] = {
    "ch": [8, 16, 24, 32],
    "ch_mult": [[1], [1, 1], [1, 2], [1, 1, 1], [2, 1]],
    "num_res_blocks": [1, 2],
    "attn_resolutions": [[], [4], [8]],
    "attn_type": ["vanilla", "linear"],
    "skip": ["concat", "add"],
    "mid_attn": [True, False],
}


def unet(**changes: Any) -> ArchGraph:
    """The base U-Net, about 0.7 M parameters, with parameters of `unet:` changed."""
    return build(loads(f"version: 1\nname: small\nunet: {json.dumps(BASE | changes)}"))


def small_unets(number: int, most: int, seed: int = 0) -> list[tuple[dict[str, Any], ArchGraph]]:
    """So many different random U-Nets for 8×8 grey images with at most `most` parameters, always the same."""
    found: dict[str, tuple[dict[str, Any], ArchGraph]] = {}
    for changes, graph in _random(random.Random(seed)):
        if total_price(graph).parameters <= most:
            found.setdefault(fingerprint(graph), (changes, graph))
        if len(found) == number:
            break
    return list(found.values())


def _random(draw: random.Random) -> Iterator[tuple[dict[str, Any], ArchGraph]]:
    while True:
        changes = {name: draw.choice(values) for name, values in CHOICES.items()}
        try:
            yield changes, unet(**changes)
        except UserError:
            continue
