"""What an operation can become in torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import fx, nn

from archspec.ops.shapes import Shape

Shapes: TypeAlias = Mapping[str, Shape]
Ports: TypeAlias = Mapping[str, fx.Node]
Arguments: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class Call:
    """A function without weights, and how the nodes at its ports become its arguments."""

    function: Callable[..., torch.Tensor]
    arrange: Callable[[Ports], Arguments]


@dataclass(frozen=True)
class Argument:
    """An argument of the model's forward."""

    name: str


@dataclass(frozen=True)
class Result:
    """What the model's forward returns."""


Lowered: TypeAlias = nn.Module | Call | Argument | Result
#: An operation (of the class it is registered for) and the shapes at its filled ports -> what it becomes.
Lowering: TypeAlias = Callable[[Any, Shapes], Lowered]
