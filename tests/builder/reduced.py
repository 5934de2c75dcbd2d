"""Every architecture of the zoo at a width that a test can run."""

from __future__ import annotations

from functools import cache
from typing import Any

from archspec import ArchGraph, check_data, load
from archspec.text.positions import Positions

#: The narrowest width at which every multiplier still gives whole groups.
_WIDTHS = {"adm-512": 64}
_TOKENS, _VECTOR = {"dim": 12, "length": 5}, {"dim": 10}


def reduced(name: str, **changes: Any) -> ArchGraph:
    """The zoo's `name` with the same levels, blocks and kinds of parts, few channels and a small image."""
    return _changed(name, changes) if changes else _unchanged(name)


@cache
def _unchanged(name: str) -> ArchGraph:
    return _changed(name, {})


def _changed(name: str, changes: dict[str, Any]) -> ArchGraph:
    spec = load(f"zoo/{name}")
    written = spec.architecture.model_dump(mode="json", by_alias=True, exclude_unset=True)
    form = next(key for key in ("unet", "edm2", "song") if key in written)
    small = {"unet": _unet, "edm2": _edm2, "song": _song}[form](name, dict(written[form]))
    document = {"version": 1, "name": name, form: {**small, **changes}, "edits": written.get("edits", [])}
    return check_data(document, Positions(name)).sound()


def _unet(name: str, unet: dict[str, Any]) -> dict[str, Any]:
    attn = unet.get("attn", {})
    ratio = _ratio(unet, len(unet["ch_mult"]))
    unet |= {"ch": _WIDTHS.get(name, 32), **_smaller(unet, ratio)}
    if "head_dim" in attn:
        unet["attn"] = {**attn, "head_dim": 16}
    if "tokens" in unet:
        unet |= {"tokens": _TOKENS}
    if "vector" in unet:
        unet |= {"vector": _VECTOR}
    depth = unet.get("transformer", {}).get("depth", 1)
    if depth != 1:
        less = [min(number, 2) for number in depth] if isinstance(depth, list) else 2
        unet["transformer"] = {**unet["transformer"], "depth": less}
    if "label" in unet:
        unet["label"] = {**unet["label"], "classes": 7}
    return unet


def _edm2(name: str, edm2: dict[str, Any]) -> dict[str, Any]:
    del name
    return edm2 | {"ch": 16, "head_dim": 8, "classes": 7, "resolution": 16, "attn_resolutions": [4, 2]}


def _song(name: str, song: dict[str, Any]) -> dict[str, Any]:
    del name
    ratio = _ratio(song, len(song["ch_mult"]))
    return song | {"ch": 16, **_smaller(song, ratio)} | ({"classes": 7} if "classes" in song else {})


def _ratio(sizes: dict[str, Any], levels: int) -> int:
    """By how much the image can shrink so that every level and every resolution with attention stays."""
    smallest = min([sizes["resolution"] >> (levels - 1), *sizes["attn_resolutions"]])
    return max(int(smallest) // 2, 1)


def _smaller(sizes: dict[str, Any], ratio: int) -> dict[str, Any]:
    resolutions = [size // ratio for size in sizes["attn_resolutions"]]
    return {"resolution": sizes["resolution"] // ratio, "attn_resolutions": resolutions}
