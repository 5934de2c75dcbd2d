"""The kinds of norms: what they count for, which rules they have, and what the fingerprint sees of them.

``group``: over groups of channels and all positions, with scale and shift (Wu and He 2018). ``layer``: over each
position's channels, with scale and shift (Ba et al. 2016; on maps as Liu et al. 2022). ``rms``: each position's
channels over their root mean square, with a scale (Zhang and Sennrich 2019). ``pixel``: the same without a scale
(Karras et al. 2018). ``none``: no norm.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from archspec.ops.base import Misfit, group_misfits, num_groups

NormType = Literal["group", "rms", "layer", "pixel", "none"]

#: Trained numbers for each channel.
_PER_CHANNEL: dict[NormType, int] = {"group": 2, "layer": 2, "rms": 1, "pixel": 0, "none": 0}


def norm_parameters(kind: NormType, channels: int) -> int:
    """Trained numbers of a norm over so many channels."""
    return _PER_CHANNEL[kind] * channels


def norm_misfits(kind: NormType, channels: int, groups: int | str, field: str = "groups") -> Iterator[Misfit]:
    """The rule of group norm, where that is the kind; the others fit any width."""
    if kind == "group":
        yield from group_misfits(channels, groups, field)


def norm_as_it_acts(kind: NormType, groups: int | str, eps: float, *widths: int) -> dict[str, Any]:
    """`groups` and `eps` as the fingerprint sees them: the number of groups at each width, None without effect."""
    numbers = [num_groups(groups, width) for width in widths]
    alike = len(set(numbers)) == 1
    return {
        "groups": (numbers[0] if alike else numbers) if kind == "group" else None,
        "eps": eps if kind != "none" else None,
    }
