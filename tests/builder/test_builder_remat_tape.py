"""Tapes: pullbacks of single calls and of chains beside torch's engine, what they hold, and what they leave alone."""

from itertools import accumulate

import pytest
import torch
from torch import fx
from torch.nn import functional

from builder.allocations import allocations
from builder.layers.fused import attend
from builder.remat.calls import added, added_to, normed_silu
from builder.remat.layer import Conv
from builder.remat.tape import Tape
from builder.remat.tied import Recipe, tied
from builder.remat.vjp import is_absorbed

fx.wrap("normed_silu")
fx.wrap("added")
fx.wrap("added_to")
fx.wrap("attend")


def taped(function):
    return Tape(fx.symbolic_trace(function).graph)


def normal(*size, seed=0, dtype=torch.float64):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def both(x, weight, bias):
    return torch.group_norm(x, 4, weight, bias, 1e-5) * x


def parts(x):
    first, second = x.chunk(2, dim=1)
    return first * second.sin()


MAP, OTHER, SCALE, SHIFT = normal(2, 4, 6, 6), normal(2, 4, 6, 6, seed=1), normal(4, seed=2), normal(4, seed=3)
WIDE, WIDER = normal(8, seed=4), normal(8, seed=5)
KERNEL, WEIGHT, BIAS = normal(5, 4, 3, 3, seed=6), normal(5, 6, seed=7), normal(5, seed=8)

CHAINS = {
    "a norm": (lambda x, w, b: torch.group_norm(x, 2, w, b, 1e-5), (MAP, SCALE, SHIFT)),
    "a group norm without weights": (lambda x: torch.group_norm(x, 2, None, None, 1e-5), (MAP,)),
    "a norm of rows": (lambda x, w, b: torch.group_norm(x.flatten(2), 2, w, b, 1e-5), (MAP, SCALE, SHIFT)),
    "a norm and SiLU": (lambda x, w, b: functional.silu(torch.group_norm(x, 2, w, b, 1e-5)), (MAP, SCALE, SHIFT)),
    "a norm and SiLU as one": (lambda x, w, b: normed_silu(x, 2, w, b, 1e-5), (MAP, SCALE, SHIFT)),
    "joined maps under a norm": (
        lambda x, y, w, b: functional.silu(torch.group_norm(torch.cat([x, y], 1), 4, w, b, 1e-5)),
        (MAP, OTHER, WIDE, WIDER),
    ),
    "joined maps under a norm and SiLU as one": (
        lambda x, y, w, b: normed_silu(torch.cat([x, y], dim=1), 4, w, b, 1e-5), (MAP, OTHER, WIDE, WIDER),
    ),
    "joined maps under a norm and beside it": (
        lambda x, y, w, b: both(torch.cat([x, y], dim=1), w, b), (MAP, OTHER, WIDE, WIDER),
    ),
    "one map joined with itself": (lambda x: torch.cat([x, x.sin(), x], 1) * 2.0, (MAP,)),
    "a sum": (lambda x, y: x + y, (MAP, OTHER)),
    "a sum with a vector at every position": (lambda x, y: x.sin() + y[:, None, None], (MAP, SCALE)),
    "a sum of one thing": (lambda x: x.sin() + x.sin(), (MAP,)),
    "a sum with a number": (lambda x: x + 1.5, (MAP,)),
    "a sum written over a side": (lambda x, y: added(x.sin(), y), (MAP, OTHER)),
    "a sum written over the other": (lambda x, y: added_to(x, y.sin()), (MAP, OTHER)),
    "padding": (lambda x: functional.pad(x, (0, 1, 2, 0)), (MAP,)),
    "padding with a mirror": (lambda x: functional.pad(x, (1, 1, 1, 1), mode="reflect"), (MAP,)),
    "positions before channels": (lambda x: x.flatten(2).transpose(1, 2).contiguous().unflatten(-1, (2, 2)), (MAP,)),
    "as sizes say": (lambda x, y: x.flatten(2).reshape(y.shape) * y, (MAP, OTHER)),
    "a convolution": (lambda x, w, b: torch.conv2d(x, w, b, (1, 1), (1, 1), (1, 1), 1), (MAP, KERNEL, BIAS)),
    "a convolution without bias": (lambda x, w: torch.conv2d(x, w, None, (2, 2), (1, 1), (1, 1), 1), (MAP, KERNEL)),
    "a linear layer": (lambda x, w, b: functional.linear(x + 0.0, w, b), (MAP, WEIGHT, BIAS)),
    "parts": (parts, (MAP,)),
    "a part that nothing reads": (lambda x: x.chunk(3, dim=2)[1].sin(), (MAP,)),
    "nearest neighbours": (lambda x: functional.interpolate(x, scale_factor=2.0, mode="nearest"), (MAP,)),
    "attention": (lambda x, y: attend(x, y, x).sin(), (MAP, OTHER)),
}  # fmt: skip


def by_torch(function, leaves, wanted, grad):
    # contiguous, as torch 2.13 dies in the backward of a group norm whose map wants no gradient with channels last
    given = [
        leaf.clone(memory_format=torch.contiguous_format).requires_grad_(own)
        for leaf, own in zip(leaves, wanted, strict=True)
    ]
    out = function(*given)
    found = iter(torch.autograd.grad(out, [leaf for leaf in given if leaf.requires_grad], grad))
    return out.detach(), [next(found) if own else None for own in wanted]


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_gradients_are_those_of_torch_whichever_are_wanted(name, mixed, layout):
    function, leaves = CHAINS[name]
    leaves = [leaf.contiguous(memory_format=layout) if leaf.dim() == 4 else leaf for leaf in leaves]
    tape, before = taped(function), [leaf.clone() for leaf in leaves]
    everything = [True] * len(leaves)
    for wanted in [everything, *([one == other for other in range(len(leaves))] for one in range(len(leaves)))]:
        if mixed and "a norm" in name and layout is torch.channels_last and not any(wanted[:-2]):
            continue  # torch's own, and it dies there
        shape = function(*leaves).shape
        grad = normal(*shape, seed=11)
        for mine in (False, True):
            expected, gradients = by_torch(function, leaves, wanted, grad)
            value, back = tape(leaves, wanted, mixed=mixed)
            torch.testing.assert_close(value, expected)
            given = grad.clone()
            found = back([given], mine)
            assert mine or torch.equal(given, grad)  # what others may hold is not written over
            for one, other in zip(found, gradients, strict=True):
                assert (one is None) is (other is None)
                if other is not None:
                    torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-11)
    assert all(torch.equal(leaf, was) for leaf, was in zip(leaves, before, strict=True))


def test_there_is_no_pullback_where_no_leaf_wants_a_gradient():
    value, back = taped(lambda x, y: x.sin() * y)((MAP, OTHER), (False, False), mixed=False)
    assert back is None
    assert torch.equal(value, MAP.sin() * OTHER)
    value, back = taped(lambda x, y: (y.sin(), x.cos())[1])((MAP, OTHER), (False, True), mixed=False)
    assert back is None


def test_types_are_kept_where_several_meet():
    half = normal(2, 4, 6, 6, dtype=torch.float32)
    for function in (lambda x, y: x + y, lambda x, y: torch.cat([x, y], 1)):
        value, back = taped(function)((half, OTHER), (True, True), mixed=True)
        assert value.dtype == torch.float64
        found = back([torch.ones_like(value)], False)
        assert [one.dtype for one in found] == [torch.float32, torch.float64]


def test_what_is_quiet_or_asks_for_sizes_leads_to_no_gradient():
    graph = fx.Graph()
    x = graph.placeholder("x")
    size = graph.call_function(getattr, (x, "shape"))
    graph.output(graph.call_method("reshape", (graph.call_method("sin", (x,)), size)))
    _, back = Tape(graph)((MAP,), (True,), mixed=False)
    torch.testing.assert_close(back([torch.ones_like(MAP)], False)[0], MAP.cos())


CONVOLUTIONS = {
    "plain": (Conv((1, 1), (1, 1), (1, 1), 1), (6, 4, 3, 3), (9, 9)),
    "1×1": (Conv((1, 1), (0, 0), (1, 1), 1), (6, 4, 1, 1), (9, 9)),
    "with a stride": (Conv((2, 2), (0, 0), (1, 1), 1), (6, 4, 3, 3), (9, 9)),
    "with a stride that leaves a column": (Conv((2, 2), (1, 1), (1, 1), 1), (6, 4, 3, 3), (10, 9)),
    "with two strides": (Conv((3, 2), (1, 0), (1, 1), 1), (6, 4, 3, 2), (11, 10)),
    "wide": (Conv((1, 1), (2, 2), (2, 2), 1), (6, 4, 3, 3), (9, 9)),
    "in groups": (Conv((1, 1), (1, 1), (1, 1), 2), (6, 2, 3, 3), (9, 9)),
    "each channel alone": (Conv((2, 2), (1, 1), (1, 1), 4), (4, 1, 3, 3), (9, 9)),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("images", [1, 2, 3])
def test_the_gradient_of_the_input_needs_its_size_alone(name, images):
    layer, size, area = CONVOLUTIONS[name]
    x, weight = normal(images, 4, *area).requires_grad_(), normal(*size, seed=1)
    out = layer(x, weight, None)
    grad = normal(*out.shape, seed=2)
    (expected,) = torch.autograd.grad(out, x, grad)
    torch.testing.assert_close(layer.of_input(grad, x.shape, weight), expected, rtol=1e-10, atol=1e-11)
    whole, of_weight, of_bias = layer.backward(grad, x.detach(), weight, [True, False, True])
    assert of_weight is None
    torch.testing.assert_close(whole, expected, rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(of_bias, grad.sum((0, 2, 3)))


def peak_of_backward(out, leaves):
    def call():
        torch.autograd.grad(out, leaves, grad, retain_graph=True)

    grad = torch.ones_like(out)
    call()
    return max(accumulate(allocations(call), initial=0))


def recipe_of(function, leaves, layer):
    return tied(Recipe(taped(function), leaves, (layer,), shown=False))


def test_maps_go_one_by_one_in_the_backward_pass():
    """Beside the gradients: joined maps, norm, value and a copy of it at most; the engine holds one map more."""
    parts = [normal(8, 32, 32, 32, dtype=torch.float32, seed=at).requires_grad_() for at in range(2)]
    scale, shift = (normal(64, dtype=torch.float32, seed=at).requires_grad_() for at in (3, 4))
    weight = normal(16, 64, 1, 1, dtype=torch.float32, seed=5).requires_grad_()
    layer = Conv((1, 1), (0, 0), (1, 1), 1)

    def chain(x, y, w, b):
        return functional.silu(torch.group_norm(torch.cat([x, y], 1), 8, w, b, 1e-6))

    def lean(x, y, w, b):
        return normed_silu(torch.cat([x, y], 1), 8, w, b, 1e-6)

    leaves = (*parts, scale, shift)
    value, peaks = chain(*leaves).detach(), {}
    for name, function in (("chain", chain), ("lean", lean)):
        (out,) = recipe_of(function, 4, layer)(value, *leaves, weight, None)
        peaks[name] = peak_of_backward(out, (*leaves, weight))
    whole = 8 * 64 * 32 * 32 * 4
    plain = layer(chain(*leaves), weight, None)
    engine = peak_of_backward(plain, (*leaves, weight))
    assert peaks["chain"] < 3.4 * whole
    assert peaks["lean"] < 3.1 * whole
    assert engine + 3 * whole > peaks["chain"] + 1.5 * whole  # it kept three maps since the forward pass


def test_only_maps_that_are_joined_for_one_norm_are_part_of_its_rule():
    graph = fx.symbolic_trace(CHAINS["joined maps under a norm"][0]).graph
    (joined,) = graph.find_nodes(op="call_function", target=torch.cat)
    assert is_absorbed(joined)
    graph = fx.symbolic_trace(CHAINS["joined maps under a norm and beside it"][0]).graph
    (joined,) = graph.find_nodes(op="call_function", target=torch.cat)
    assert not is_absorbed(joined)
    graph = fx.symbolic_trace(lambda x, y: torch.cat([x, y], 1).sin()).graph
    (joined,) = graph.find_nodes(op="call_function", target=torch.cat)
    assert not is_absorbed(joined)


def test_the_layout_of_a_norm_is_the_one_that_torch_would_take():
    for x in (
        normal(8, 8, 4).permute(2, 0, 1)[None],
        normal(1, 8, 8, 4).permute(0, 3, 1, 2),
        normal(2, 8, 8, 4).permute(0, 3, 1, 2),
        normal(2, 4, 16, 16)[:, :, ::2, ::2],
        normal(3, 4, 8, 8)[1:2],
        normal(4, 2, 8, 8).transpose(0, 1),
        normal(2, 4, 1, 1).contiguous(memory_format=torch.channels_last),
    ):
        tape = taped(CHAINS["a norm"][0])
        for wanted in [(True, True, True), (True, False, False)]:
            grad = normal(*x.shape, seed=11)
            expected, gradients = by_torch(CHAINS["a norm"][0], (x, SCALE, SHIFT), wanted, grad)
            value, back = tape((x, SCALE, SHIFT), wanted, mixed=False)
            torch.testing.assert_close(value, expected)
            for one, other in zip(back([grad], False), gradients, strict=True):
                assert (one is None) is (other is None)
                if other is not None:
                    torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-11)
