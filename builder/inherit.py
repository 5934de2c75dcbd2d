"""Weights of a network for an edited one: everything that still fits, and what was done, said weight by weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

import torch
from torch import Size, Tensor

from archspec import ArchGraph, Op, ops, user_error
from archspec.graphs.graph import inputs_of, op_of
from archspec.text.suggest import did_you_mean
from builder.network import Network
from builder.segments import Segments, overlaps, segments

#: What becomes of weights of another shape. exact: they start anew. crop: what both have is taken over, and the rest
#: keeps its start. zero: the same, but inputs that are new have no effect at first, since their weights are zero.
Policy = Literal["exact", "crop", "zero"]


@dataclass(frozen=True)
class Change:
    """A weight that was taken over in part."""

    key: str
    parent: tuple[int, ...]
    child: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.key}: {'×'.join(map(str, self.parent)) or '1'} -> {'×'.join(map(str, self.child)) or '1'}"


@dataclass(frozen=True)
class Inheritance:
    """What an edited network got from its parent.

    Attributes:
        kept: weights taken over as they are.
        cut: weights of another shape, taken over in part (sliced, padded, or both).
        new: weights that keep their start, since the parent has none of that name or none that fits.
        left: the parent's weights that have no place any more.
        numbers: how many numbers were taken over.
        total: how many numbers the child has.
    """

    kept: tuple[str, ...]
    cut: tuple[Change, ...]
    new: tuple[str, ...]
    left: tuple[str, ...]
    numbers: int
    total: int

    def __str__(self) -> str:
        return (
            f"{self.numbers:,} of {self.total:,} numbers inherited: {len(self.kept)} weights kept, "
            f"{len(self.cut)} cut, {len(self.new)} new; {len(self.left)} of the parent's left behind"
        )


def inherit(parent: Network, child: Network, policy: Policy = "crop") -> Inheritance:
    """Give `child` all weights of `parent` that still fit, in place; see `inherit_state`."""
    return inherit_state(parent.architecture, parent.state_dict(), child, policy)


@torch.no_grad()
def inherit_state(
    architecture: ArchGraph, state: Mapping[str, Tensor], child: Network, policy: Policy = "crop"
) -> Inheritance:
    """Give `child` the weights `state` of a network of `architecture`, as far as they fit; the others keep their start.

    A weight goes to the one of the same name. Where shapes differ, the leading rows and columns of both are taken over;
    columns that act on a concatenation follow the part that they acted on, so that a skip connection that is taken
    away takes its own columns with it. Kernels of another size share their middle. Projections to q, k and v are joined
    or taken apart as the child has them. What means something else is new: where the embedding enters in another way, a
    layer has a gate in one of both alone, or a map shrinks by another method.

    Args:
        architecture: of the parent.
        state: its weights, under our names.
        child: the network to be filled; initialise it before.
        policy: what becomes of weights of another shape.

    Raises:
        UserError: there is no such policy, or no weight has a name of the parent's.
    """
    if policy not in get_args(Policy):
        hint = did_you_mean(policy, get_args(Policy)) or f"Policies: {', '.join(get_args(Policy))}."
        raise user_error(f"there is no policy of inheritance `{policy}`.", hint)
    matcher = _Matcher(architecture, child.architecture)
    own = child.state_dict()
    state = _projected(state, own)
    kept, cut, new, numbers = [], [], [], 0
    for key, value in own.items():
        given = state.get(key)
        parts = [] if given is None else matcher.parts(key, given.shape, value.shape)
        if given is None or not parts or (policy == "exact" and not _whole(parts, given, value)):
            new.append(key)
            continue
        if policy == "zero":
            _silence(value, parts)
        for source, target in parts:
            value[target] = given[source].to(value.device, value.dtype)
            numbers += value[target].numel()
        if _whole(parts, given, value):
            kept.append(key)
        else:
            cut.append(Change(key, tuple(given.shape), tuple(value.shape)))
    if not kept and not cut:
        raise user_error("nothing can be inherited: no weight of the parent's has a name of the child's that fits.")
    left = tuple(key for key in state if key not in own)
    total = sum(value.numel() for value in own.values())
    return Inheritance(tuple(kept), tuple(cut), tuple(new), left, numbers, total)


def _projected(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state` with its projections to q, k and v together, or apart, where they are so in `own`."""
    found, apart = dict(state), set()
    for key in own.keys() - state.keys():
        layer, _, leaf = key.rpartition(".")
        path, _, name = layer.rpartition(".")
        parts, joint = [f"{path}.{part}.{leaf}" for part in "qkv"], f"{path}.qkv.{leaf}"
        if name == "qkv" and all(part in state for part in parts):
            found[key] = torch.cat([found.pop(part) for part in parts])
        elif key in parts and joint in state:
            found[key] = state[joint].chunk(3)[parts.index(key)]
            apart.add(joint)
    return {key: value for key, value in found.items() if key not in apart}


_Index = tuple[slice, ...]
_Parts = list[tuple[_Index, _Index]]


def _whole(parts: _Parts, given: Tensor, value: Tensor) -> bool:
    """Whether all of both went over, to where it was."""
    if given.shape != value.shape:
        return False
    count = sum(given[source].numel() for source, _ in parts)
    return count == value.numel() and all(source == target for source, target in parts)


def _silence(value: Tensor, parts: _Parts) -> None:
    """Zero for the weights of inputs that the parent did not have: they lie along all dimensions but the first."""
    for dim in range(1, value.ndim):
        old = torch.zeros(value.shape[dim], dtype=torch.bool, device=value.device)
        for _, target in parts:
            old[target[dim]] = True
        value.index_fill_(dim, (~old).nonzero().flatten(), 0.0)


#: Operation -> layer -> the dimension of its weight that lies along the channels of the input ``x``.
_ALONG_X: dict[type[Op], dict[str, int]] = {
    ops.ResnetBlock: {"norm1": 0, "conv1": 1, "nin_shortcut": 1, "conv_shortcut": 1},
    ops.Attention: {"norm": 0, "q": 1, "k": 1, "v": 1, "qkv": 1, "to_qkv": 1},
    ops.Transformer: {"norm": 0, "proj_in": 1},
    ops.WindowAttention: {"norm": 0, "qkv": 1},
    ops.Conv: {"": 1},
    ops.Norm: {"": 0},
    ops.MpConv: {"": 1},
    ops.MpBlock: {"conv_skip": 1, "conv_res0": 1},
    ops.MpAttention: {"qkv": 1},
}
#: Layers whose rows are so many groups one after another, each of which is cut by itself.
_ROW_GROUPS = {"qkv": 3, "to_qkv": 3}


#: The dimensions of a convolution's weight that lie along its taps, which are cut and padded around the middle one.
_TAPS = (2, 3)


def _row_groups(op: Op, layer: str) -> int:
    if isinstance(op, ops.ResnetBlock) and layer in ("temb_proj", "temb_proj_other"):
        return 2 if op.conditioning == "scale_shift" else 1
    if layer.endswith("ff.net.0.proj"):
        return 2 if isinstance(op, ops.Transformer) and op.ff_act == "geglu" else 1
    return _ROW_GROUPS.get(layer, 1)


class _Matcher:
    """Knows both graphs: which rows and columns of a weight mean the same in both."""

    def __init__(self, parent: ArchGraph, child: ArchGraph) -> None:
        self.parent, self.child = parent, child
        self.parent_parts, self.child_parts = segments(parent), segments(child)

    def parts(self, key: str, parent: Size, child: Size) -> _Parts:
        """(index into the parent's weight, index into the child's) of everything that both have."""
        node, layer = self._place(key)
        if len(parent) != len(child) or not self._same_meaning(node, layer):
            return []
        along = [self._along(node, layer, dim, (parent[dim], child[dim])) for dim in range(len(child))]
        return [(tuple(s for s, _ in chosen), tuple(t for _, t in chosen)) for chosen in product(*along)]

    def _place(self, key: str) -> tuple[str, str]:
        words = key.split(".")
        end = next(end for end in range(len(words), 0, -1) if ".".join(words[:end]) in self.child)
        return ".".join(words[:end]), ".".join(words[end:-1])

    def _along(self, node: str, layer: str, dim: int, sizes: tuple[int, int]) -> list[tuple[slice, slice]]:
        groups = _row_groups(op_of(self.child, node), layer) if dim == 0 else 1
        if groups > 1 and not any(size % groups for size in sizes):
            there, here = (size // groups for size in sizes)
            both = min(there, here)
            return [(slice(g * there, g * there + both), slice(g * here, g * here + both)) for g in range(groups)]
        joined = self._joined(node, layer, dim, sizes)
        if joined is not None:
            return overlaps(*joined)
        both = min(sizes)
        there, here = ((size - both) // 2 if dim in _TAPS else 0 for size in sizes)
        return [(slice(there, there + both), slice(here, here + both))]

    def _same_meaning(self, node: str, layer: str) -> bool:
        """Whether rows and columns mean the same: a scale is no summand, and a layer with a gate none without."""
        if node not in self.parent:
            return True
        parent, child = op_of(self.parent, node), op_of(self.child, node)
        if isinstance(parent, ops.Downsample) and isinstance(child, ops.Downsample) and parent.method != child.method:
            return False
        return _row_groups(parent, layer) == _row_groups(child, layer)

    def _joined(self, node: str, layer: str, dim: int, sizes: tuple[int, int]) -> tuple[Segments, Segments] | None:
        """The parts of ``x`` in both graphs, where this dimension lies along them."""
        if node not in self.parent or _ALONG_X.get(type(op_of(self.child, node)), {}).get(layer) != dim:
            return None
        found = []
        for graph, parts, size in (
            (self.parent, self.parent_parts, sizes[0]),
            (self.child, self.child_parts, sizes[1]),
        ):
            source = inputs_of(graph, node).get("x", "")
            here = parts.get(source, ())
            if sum(width for _, width in here) != size:
                return None
            found.append(here)
        return found[0], found[1]
