"""How the arguments of a compiled model's forward are taken: functions that appear in its generated code."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec import user_error

#: kind of an input node -> the argument of forward that it is
ARGUMENTS = {
    "image": "x",
    "timestep": "t",
    "context": "context",
    "label": "label",
    "vector": "vector",
    "tokens": "tokens",
    "control": "control",
}

#: the arguments that every network takes, needed or not; the others only those take that have such an input
COMMON = ("x", "t", "context")

_MISSING = {
    "t": ("this network needs timesteps.", "Call it as model(x, t), t with one number per image."),
    "context": ("this network needs a context image.", "Call it as model(x, t, context)."),
    "label": ("this network needs labels.", "Call it as model(x, t, label=…), with one class number per image."),
    "vector": ("this network needs vectors.", "Call it as model(x, t, vector=…), with one vector per image."),
    "tokens": ("this network needs tokens.", "Call it as model(x, t, tokens=…), with [batch, length, dim]."),
    "control": ("this network needs a control image.", "Call it as model(x, t, control=…)."),
}


def given(value: Tensor | None, name: str) -> Tensor:
    """The value itself; `UserError` if the argument `name` of forward, which the network needs, was left out."""
    if value is None:
        message, hint = _MISSING[name]
        raise user_error(message, hint)
    return value


def with_context(x: Tensor, context: Tensor | None) -> Tensor:
    """``[b, c, h, w]`` and optionally ``[b, d, h, w]`` joined on channels: ``[b, c + d, h, w]``."""
    return x if context is None else torch.cat([x, context], dim=1)
