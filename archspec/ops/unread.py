"""A stand-in, so that one node that cannot be read does not hide what is wrong with the others."""

from __future__ import annotations

from typing import ClassVar, Literal

from archspec.ops.base import Op, Port


class Unread(Op):
    """Stands for a node whose description is wrong; takes anything, gives nothing, and is never built."""

    op: Literal["unread"] = "unread"

    PORTS: ClassVar[tuple[Port, ...]] = ()
