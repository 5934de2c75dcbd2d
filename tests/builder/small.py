"""A U-Net of two levels that is built and run in milliseconds, with edits and other parameters; and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archspec import ArchGraph, UserError, check_data
from archspec.text.positions import Positions
from builder import assemble, initialise
from builder.network import Network

UNET: dict[str, Any] = {
    "ch": 8, "out_ch": 3, "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 3, "resolution": 16,
    "ch_mult": [1, 2], "num_groups": 4,
}  # fmt: skip


def architecture(*edits: dict[str, Any], **changes: Any) -> ArchGraph:
    """The small U-Net after these edits, with these parameters instead of its own."""
    document = {"version": 1, "name": "small", "unet": {**UNET, **changes}, "edits": list(edits)}
    return check_data(document, Positions("small")).sound()


def network(*edits: dict[str, Any], seed: int = 0, **changes: Any) -> Network:
    """It compiled, started from a seed, in evaluation mode."""
    made = assemble(architecture(*edits, **changes)).eval()
    initialise(made, seed)
    return made


def one_level(name: str = "test", /, **changes: Any) -> Network:
    """One level of 8×8 pixels without attention, for what is written or traced several times."""
    parameters = {**UNET, "resolution": 8, "attn_resolutions": [], "ch_mult": [1], "mid_attn": False, **changes}
    made = assemble(check_data({"version": 1, "name": name, "unet": parameters}, Positions("test")).sound()).eval()
    initialise(made, seed=0)
    return made


def refusal(call: Callable[..., object], *args: Any, **kwargs: Any) -> str:
    """What is said where a call is refused."""
    with pytest.raises(UserError) as caught:
        call(*args, **kwargs)
    return str(caught.value)
