"""What an operation is: typed ports, parameters, a shape rule, and a price."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from archspec.ops.shapes import Embedding, FeatureMap, Shape
from archspec.text.fields import HARMLESS, WHOLE, Count, Epsilon, Flag, Form, Groups, Number, Rate, Width

__all__ = [
    "HARMLESS", "WHOLE", "Aspect", "Count", "Epsilon", "Flag", "Groups", "KeepsShape", "Misfit", "Number", "Op", "Port",
    "Price", "Rate", "Role", "Width", "divisors", "embedding_dim", "feature_map", "group_misfits", "halving_misfits",
    "listed", "num_groups",
]  # fmt: skip

Role = Literal["main", "skip", "emb", "context"]
Aspect = Literal["channels", "size"]


@dataclass(frozen=True)
class Port:
    """A named input of an operation and what it takes."""

    name: str
    takes: type[Shape] | UnionType
    role: Role = "main"
    required: bool = True


@dataclass(frozen=True)
class Price:
    """What an operation costs: parameters, and multiply-accumulates for one image."""

    parameters: int = 0
    macs: int = 0

    def __add__(self, other: Price) -> Price:
        return Price(self.parameters + other.parameters, self.macs + other.macs)


@dataclass(frozen=True)
class Misfit:
    """A rule that an operation's inputs break; becomes a `Problem` once its place is known.

    Attributes:
        code: the rule.
        message: what is wrong.
        hint: what would be right.
        field: the parameter (or port) at fault, so that the problem points at its line.
        about: what it is about the inputs that does not fit. Where that is in doubt already because of a problem
            further up, this one is a consequence and is not reported.
        doubts: what this puts in doubt about the output.
    """

    code: str
    message: str
    hint: str | None = None
    field: str | None = None
    about: Aspect | None = None
    doubts: Aspect | None = None


def _with_required_op(schema: dict[str, Any]) -> None:
    schema["required"] = ["op", *(name for name in schema.get("required", []) if name != "op")]


class Op(Form):
    """An operation: a frozen description, one subclass per kind, final.

    A subclass declares ``op: Literal["its_name"]`` and its parameters, and overrides `shape`, and where they apply
    `ports`, `misfits`, `parameters`, `macs`, `canonical` and `commutative`. `inputs` maps port names to shapes; every
    required port is present when these methods are called. A parameter named ``out`` is the number of channels that
    leave, whatever arrives.
    """

    model_config = ConfigDict(json_schema_extra=_with_required_op)

    op: str

    PORTS: ClassVar[tuple[Port, ...]] = (Port("x", FeatureMap),)
    #: Parameters that `labels` tells; the fingerprint sees them there.
    LABELLED: ClassVar[frozenset[str]] = frozenset()
    #: Parameters that came after version 1 of the fingerprint: they enter it only where they are not at their default.
    LATER: ClassVar[frozenset[str]] = frozenset()

    def ports(self) -> tuple[Port, ...]:
        """The input ports, main input first; may depend on the parameters."""
        return self.PORTS

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """The output's shape. Must answer even where `misfits` finds something, so that checking goes on."""
        raise NotImplementedError

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Every rule that these inputs break."""
        del inputs
        yield from ()

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """Number of trainable numbers."""
        del inputs
        return 0

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """Multiply-accumulates for one image: convolutions and matrix products, as torch's FlopCounterMode counts."""
        del inputs
        return 0

    def canonical(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """The parameters with every default and every equivalent spelling resolved; what the fingerprint sees."""
        del inputs
        return self.written()

    def normed(self, inputs: Mapping[str, Shape]) -> tuple[int, ...]:
        """The widths over which it has group norms, all of them with its parameter `groups`."""
        del inputs
        return ()

    def written(self) -> dict[str, Any]:
        """The parameters as plain data, defaults spelled out; those of `LATER` only where they are not at theirs."""
        written = self.model_dump(mode="json")
        fields = type(self).model_fields
        return {k: v for k, v in written.items() if k not in self.LATER or getattr(self, k) != fields[k].default}

    def commutative(self, inputs: Mapping[str, Shape]) -> bool:
        """Whether the inputs may be swapped without changing the result."""
        del inputs
        return False

    def labels(self, inputs: Mapping[str, Shape]) -> dict[str, str]:
        """Port -> what the fingerprint calls it; inputs at ports of one label may be swapped.

        With `LABELLED` the labels also tell what is done to each input.
        """
        return dict.fromkeys(inputs, "") if self.commutative(inputs) else {port: port for port in inputs}

    def identity(self, inputs: Mapping[str, Shape]) -> bool:
        """Whether it gives what it takes at its only port, so that it might as well not be there."""
        del inputs
        return False

    def stateless(self, inputs: Mapping[str, Shape]) -> bool:
        """Whether two such operations on the same inputs are as good as one: no parameters and no chance."""
        return self.parameters(inputs) == 0

    def price(self, inputs: Mapping[str, Shape]) -> Price:
        """Parameters and multiply-accumulates together."""
        return Price(self.parameters(inputs), self.macs(inputs))


class KeepsShape(Op):
    """An operation that gives what it takes at ``x``, as far as shapes go."""

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """As ``x``."""
        return inputs["x"]


def feature_map(inputs: Mapping[str, Shape], port: str = "x") -> FeatureMap:
    """The feature map at a port that is declared to take one."""
    shape = inputs[port]
    assert isinstance(shape, FeatureMap)
    return shape


def embedding_dim(inputs: Mapping[str, Shape], port: str = "x") -> int:
    """Width of the embedding at a port that is declared to take one; 0 where none arrives."""
    shape = inputs.get(port)
    return shape.dim if isinstance(shape, Embedding) else 0


def num_groups(groups: int | str, channels: int) -> int:
    """The groups of a norm over so many channels: as given, or by the rule ``auto``, min(32, channels / 4)."""
    return groups if isinstance(groups, int) else min(32, max(channels // 4, 1))


def divisors(number: int) -> list[int]:
    """All divisors in ascending order."""
    small = [d for d in range(1, int(number**0.5) + 1) if number % d == 0]
    return sorted({*small, *(number // d for d in small)})


def listed(numbers: list[int], most: int = 12) -> str:
    """A short enumeration: the numbers, or the first of them and an ellipsis."""
    return ", ".join(map(str, numbers[:most])) + (", …" if len(numbers) > most else "")


def group_misfits(channels: int, groups: int | str, field: str = "groups") -> Iterator[Misfit]:
    """The rule of group norm: channels divisible by groups; `field` is the parameter or port at fault."""
    groups = num_groups(groups, channels)
    if channels % groups:
        near = [channels // groups * groups, (channels // groups + 1) * groups]
        widths = " or ".join(str(width) for width in near if width)
        yield Misfit(
            "U204",
            f"{channels} channels do not split into {groups} groups.",
            f"Use a width divisible by {groups}, such as {widths}; or groups out of {listed(divisors(channels))}.",
            field=field,
            about=None if field in ("out", "hidden") else "channels",
            doubts="channels" if field == "out" else None,
        )


def halving_misfits(size: int) -> Iterator[Misfit]:
    """The rule of halving: an even size."""
    if size % 2:
        yield Misfit(
            "U206",
            f"a map of {size}x{size} pixels cannot be halved.",
            "Use a resolution that can be halved as often as this network does, or halve less often.",
            about="size",
            doubts="size",
        )
