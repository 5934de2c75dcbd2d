"""Vector-Jacobian products of the calls that are computed again, written out so that each frees what it has used.

A rule runs a call on its tensors and gives, beside the result, its pullback: from the gradients of the results to those
of the tensors. Torch's engine does the same for any call, but keeps what it needs until its end, and takes longer to
start than a small call; so it serves those that have no rule here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, fx
from torch.nn import functional

from builder.remat.calls import added, added_to, normed_silu
from builder.remat.layer import layer_of

aten = torch.ops.aten

Gradients: TypeAlias = list[Tensor | None]

#: (gradients of the results up to the last one that was read, which it empties; whether they may be written over) ->
#: (those of the tensors; the same)
Pullback: TypeAlias = Callable[[Gradients, bool], tuple[Gradients, bool]]

#: (what the call reads of other calls, in order; whether each wants a gradient) -> (result, pullback)
Rule: TypeAlias = Callable[[Sequence[Any], Sequence[bool]], tuple[Any, Pullback]]

Maker: TypeAlias = Callable[[fx.Node], Rule | None]


def by_engine(function: Callable[..., Any]) -> Rule:
    """The rule of any function, by torch's engine."""

    def rule(given: Sequence[Any], wanted: Sequence[bool]) -> tuple[Any, Pullback]:
        leaves = [x.detach().requires_grad_() if own else x for x, own in zip(given, wanted, strict=True)]
        with torch.enable_grad():
            out = function(*leaves)
        alone = isinstance(out, Tensor)
        results = [out] if alone else list(out)
        asked = [x for x, own in zip(leaves, wanted, strict=True) if own]

        def pull(grads: Gradients, mine: bool) -> tuple[Gradients, bool]:  # noqa: FBT001
            pairs = [(x, grad) for x, grad in zip(results, grads, strict=False) if grad is not None and x.requires_grad]
            grads.clear()
            ends, given = [x for x, _ in pairs], [grad for _, grad in pairs]
            found = iter(torch.autograd.grad(ends, asked, given, allow_unused=True) if pairs else [None] * len(asked))
            return [next(found) if own else None for own in wanted], False

        return (out.detach() if alone else [x.detach() for x in out]), pull

    return rule


def _group_norm(node: fx.Node) -> Rule | None:
    if not is_plain_norm(node):
        return None
    source: Any = node.args[0]
    groups, eps, dim = node.args[1], node.args[4], _dim(source) if is_absorbed(source) else 1
    then_silu = node.target is normed_silu

    def rule(given: Sequence[Any], wanted: Sequence[bool]) -> tuple[Tensor, Pullback]:
        *parts, weight, bias = given
        kinds = _kinds(parts, dim)

        def joined() -> Tensor:
            return parts[0] if len(parts) == 1 else torch.cat(parts, dim)

        def normed(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            return torch.native_group_norm(x, weight, bias, *sizes, eps)  # type: ignore[arg-type]

        x = joined()
        layout, sizes = _layout(x), (x.shape[0], x.shape[1], x.shape[2:].numel(), groups)
        out, mean, rstd = normed(x.contiguous(memory_format=layout))
        if then_silu:
            functional.silu(out, inplace=True)

        def pull(grads: Gradients, mine: bool) -> tuple[Gradients, bool]:  # noqa: FBT001
            # Several maps are joined once more, which takes less time than keeping them joined takes memory.
            x, grad = joined().contiguous(memory_format=layout), grads.pop()
            if then_silu:
                grad = _through_silu(grad, normed(x)[0], mine=mine)
            grad = grad.contiguous(memory_format=layout)  # type: ignore[union-attr]
            mask = [True, *wanted[-2:]]  # torch 2.13 dies without the first with channels last
            dx, *rest = aten.native_group_norm_backward(grad, x, mean, rstd, weight, *sizes, mask)
            return [*_parted(dx, kinds, dim, wanted), *rest], True

        return out, pull

    return rule


def is_absorbed(node: fx.Node) -> bool:
    """Whether a call is part of the rule of the call that reads it: maps that are joined for a group norm alone."""
    if node.target is not torch.cat or len(node.users) != 1:
        return False
    (user,) = node.users
    return user.target in {torch.group_norm, normed_silu} and is_plain_norm(user) and user.args[0] is node


def is_plain_norm(node: fx.Node) -> bool:
    """Whether a group norm is called with all its arguments, and has weights."""
    whole = len(node.args) == 5 and not node.kwargs
    return whole and all(isinstance(node.args[at], fx.Node) for at in (0, 2, 3))


def _dim(cat: fx.Node) -> int:
    dim: Any = cat.args[1] if len(cat.args) > 1 else cat.kwargs.get("dim", 0)
    return int(dim)


def _kinds(parts: Sequence[Tensor], dim: int) -> list[tuple[int, torch.dtype]]:
    return [(part.shape[dim], part.dtype) for part in parts]


def _parted(grad: Any, kinds: Sequence[tuple[int, torch.dtype]], dim: int, wanted: Sequence[bool]) -> Gradients:
    """The gradients of maps that were joined, of these widths and types."""
    parts = grad.split([width for width, _ in kinds], dim) if len(kinds) > 1 else [grad]
    return [part.to(dtype) if own else None for part, (_, dtype), own in zip(parts, kinds, wanted, strict=False)]


def _layout(x: Tensor) -> torch.memory_format:
    """The layout that torch's group norm works in; of a single image it looks at the stride of the images too."""
    last = x.device.type != "cuda" and x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
    if not last or x.is_contiguous() or x.stride(0) < x.stride(2) * x.shape[2]:
        return torch.contiguous_format
    return torch.channels_last


def _silu(node: fx.Node) -> Rule | None:
    if len(node.args) > 1 or node.kwargs.get("inplace"):
        return None

    def rule(given: Sequence[Any], wanted: Sequence[bool]) -> tuple[Tensor, Pullback]:
        del wanted
        (x,) = given

        def pull(grads: Gradients, mine: bool) -> tuple[Gradients, bool]:  # noqa: FBT001
            return [_through_silu(grads.pop(), x, mine=mine)], True

        return functional.silu(x), pull

    return rule


def _through_silu(grad: Any, x: Tensor, *, mine: bool) -> Tensor:
    """The gradient of SiLU's argument `x`, written over that of its result where that is allowed."""
    found: Tensor = aten.silu_backward.grad_input(grad, x, grad_input=grad) if mine else aten.silu_backward(grad, x)
    return found


def _cat(node: fx.Node) -> Rule | None:
    dim = _dim(node)

    def rule(given: Sequence[Any], wanted: Sequence[bool]) -> tuple[Tensor, Pullback]:
        kinds = _kinds(given, dim)

        def pull(grads: Gradients, mine: bool) -> tuple[Gradients, bool]:  # noqa: FBT001
            return _parted(grads.pop(), kinds, dim, wanted), mine

        return torch.cat(list(given), dim), pull

    return rule


def _sum(node: fx.Node) -> Rule | None:
    if node.kwargs or len(node.args) != 2 or not all(isinstance(side, fx.Node) for side in node.args):
        return None
    function: Any = node.target

    def rule(given: Sequence[Any], wanted: Sequence[bool]) -> tuple[Tensor, Pullback]:
        kinds = [(x.shape, x.dtype) for x in given]

        def pull(grads: Gradients, mine: bool) -> tuple[Gradients, bool]:  # noqa: FBT001
            grad = grads.pop()
            found = [_summed(grad, *kind) if own else None for kind, own in zip(kinds, wanted, strict=True)]
            return found, mine and sum(wanted) == 1

        return function(*given), pull

    return rule


def _summed(grad: Any, shape: torch.Size, dtype: torch.dtype) -> Tensor:
    """The gradient of a side of a sum, which may have been broadcast."""
    found: Tensor = (grad if grad.shape == shape else grad.sum_to_size(shape)).to(dtype)
    return found


def _pad(node: fx.Node) -> Rule | None:
    if len(node.args) != 2 or node.kwargs.get("mode", "constant") != "constant":
        return None
    sides: Any = node.args[1]
    back = [-side for side in sides]

    def rule(given: Sequence[Any], wanted: Sequence[bool]) -> tuple[Tensor, Pullback]:
        del wanted

        def pull(grads: Gradients, mine: bool) -> tuple[Gradients, bool]:  # noqa: FBT001
            return [functional.pad(grads.pop(), back)], mine  # type: ignore[arg-type]

        return functional.pad(given[0], sides, **node.kwargs), pull  # type: ignore[arg-type]

    return rule


def _arrangement(node: fx.Node) -> Rule | None:
    """Methods that give the same numbers in another arrangement."""
    method, rest = getattr(Tensor, str(node.target)), node.args[1:]
    if node.kwargs or len(node.all_input_nodes) != 1 or any(isinstance(one, torch.dtype) for one in rest):
        return None

    def rule(given: Sequence[Any], wanted: Sequence[bool]) -> tuple[Tensor, Pullback]:
        del wanted
        shape = given[0].shape

        def pull(grads: Gradients, mine: bool) -> tuple[Gradients, bool]:  # noqa: FBT001
            grad: Any = grads.pop()
            return [grad.transpose(*rest) if node.target == "transpose" else grad.reshape(shape)], mine

        return method(given[0], *rest), pull

    return rule


def _layer(node: fx.Node) -> Rule | None:
    layer = layer_of(node)
    if layer is None or not all(isinstance(one, fx.Node) for one in node.args[:3]):
        return None

    def rule(given: Sequence[Any], wanted: Sequence[bool]) -> tuple[Tensor, Pullback]:
        x, weight, bias = given

        def pull(grads: Gradients, mine: bool) -> tuple[Gradients, bool]:  # noqa: FBT001
            return list(layer.backward(grads.pop(), x, weight, wanted)), True  # type: ignore[arg-type]

        return layer(x, weight, bias), pull

    return rule


#: rules that hold whatever the types of numbers
_ANY: dict[Any, Maker] = {
    functional.silu: _silu, torch.cat: _cat, operator.add: _sum, added: _sum, added_to: _sum, functional.pad: _pad,
    **dict.fromkeys(("transpose", "reshape", "flatten", "unflatten", "view", "contiguous"), _arrangement),
}  # fmt: skip

#: rules of what autocast casts
_ONE_TYPE: dict[Any, Maker] = {
    torch.group_norm: _group_norm, normed_silu: _group_norm, torch.conv2d: _layer, functional.linear: _layer,
}  # fmt: skip


def rule_of(node: fx.Node, *, mixed: bool) -> Rule | None:
    """The rule of a call; None where there is none, as for most calls on numbers of `mixed` types."""
    make: Maker | None = getattr(node.target, "rule", None) or _ANY.get(node.target)
    if make is None and not mixed:
        make = _ONE_TYPE.get(node.target)
    return None if make is None else make(node)
