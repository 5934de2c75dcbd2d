"""Architectures that predictions are held against: the zoo at reduced width and size, and random ones."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from archspec import ArchGraph, check_data, fingerprint, zoo_names
from archspec.text.files import read_text, resolve
from archspec.text.parse import Positions, parse

#: Largest number of pixels per side that a network of the zoo keeps.
_SIDE = 32
_WIDTHS = (32, 64, 96, 128)
_FORMS = ("unet", "song", "edm2")


@dataclass(frozen=True)
class Case:
    """One architecture and a batch."""

    name: str
    graph: ArchGraph
    batch: int


def zoo_cases() -> Iterator[Case]:
    """Every architecture of the zoo, as narrow as it can be checked, at 32 pixels or less."""
    seen: set[str] = set()
    for name in zoo_names():
        document = parse(read_text(resolve(f"zoo/{name}")), name).data
        for width in _WIDTHS:
            checked = check_data(_reduced(document, width), Positions(name))
            if checked.graph is None or checked.errors or fingerprint(checked.graph) in seen:
                continue  # a rule is broken, or another one has become the same
            seen.add(fingerprint(checked.graph))
            yield Case(f"{name} ch {width}", checked.graph, (1, 2, 4)[len(seen) % 3])
            break


def _reduced(document: dict[str, Any], width: int) -> dict[str, Any]:
    form = next(key for key in _FORMS if key in document)
    part = {**document[form], "ch": width}
    factor = max(part["resolution"] // _SIDE, 1)
    part["resolution"] //= factor
    if "attn_resolutions" in part:
        part["attn_resolutions"] = [max(side // factor, 1) for side in part["attn_resolutions"]]
    if "tokens" in part:
        part["tokens"] = {**part["tokens"], "dim": 64}
    return {**document, form: part}


def random_cases(count: int, seed: int = 0) -> Iterator[Case]:
    """Random U-Nets of the short form; those that break a rule are drawn again."""
    draw = random.Random(seed)
    made = 0
    for _ in range(100 * count):
        if made == count:
            return
        part = _random_unet(draw)
        name = f"random {made}"
        checked = check_data({"version": 1, "name": name, "unet": part}, Positions(name))
        batch = draw.choice([1, 2, 3, 4, 8, 16])
        if checked.graph is None or checked.errors or batch * part["resolution"] > 256:
            continue
        yield Case(_named(name, part), checked.graph, batch)
        made += 1


def _named(name: str, part: dict[str, Any]) -> str:
    attention = ",".join(map(str, part["attn_resolutions"])) or "none"
    widths = f"ch {part['ch']} x {part['ch_mult']}"
    return f"{name}: {widths}, {part['resolution']} px, {part['attn_type']} attention at {attention}"


def _random_unet(draw: random.Random) -> dict[str, Any]:
    levels = draw.choice([2, 3, 4])
    resolution = draw.choice([16, 32, 32, 64])
    reached = [resolution >> level for level in range(levels)]
    attn_type = draw.choice(["vanilla", "vanilla", "linear", "transformer", "none"])
    part: dict[str, Any] = {
        "ch": draw.choice([16, 24, 32, 48, 64]),
        "out_ch": draw.choice([1, 3, 4]),
        "ch_mult": [draw.choice([1, 2, 3]) for _ in range(levels)],
        "num_res_blocks": draw.choice([1, 2, 3]),
        "attn_resolutions": sorted(draw.sample(reached, draw.randint(0, 2)), reverse=True),
        "in_channels": draw.choice([1, 3, 4]),
        "resolution": resolution,
        "attn_type": attn_type,
        "dropout": draw.choice([0.0, 0.0, 0.1]),
        "num_groups": 8,
    }
    if attn_type in ("vanilla", "transformer"):
        part["attn"] = {"heads": draw.choice([1, 2, 4])}
    if draw.random() < 0.3:
        part["conditioning"] = "scale_shift"
    if draw.random() < 0.3:
        part["resblock_updown"] = True
    part["out_ch"] = part["in_channels"]
    return part
