"""The parts of recomputing: what is written over what, dropout drawn twice, layers tied to a recipe."""

import pytest
import torch
from network_arguments import network_arguments
from torch import fx
from torch.nn import functional

from archspec import check_data
from archspec.text.positions import Positions
from builder import assemble, initialise
from builder.remat.calls import added, added_to, drawn_from, dropped, dropped_again, quietly, silu_into
from builder.remat.layer import Conv, Linear
from builder.remat.tape import Tape
from builder.remat.tied import Recipe, tied

UNET = {
    "ch": 8, "out_ch": 3, "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 3, "resolution": 16,
    "ch_mult": [1, 2], "num_groups": 4,
}  # fmt: skip


def architecture(*edits, **changes):
    document = {"version": 1, "name": "test", "unet": {**UNET, **changes}, "edits": list(edits)}
    return check_data(document, Positions("test")).sound()


def ready(*edits, **changes):
    network = assemble(architecture(*edits, **changes)).train()
    initialise(network, seed=0)
    torch.manual_seed(1)
    return network, network_arguments(network.architecture, batch=2, device="cpu")


def test_what_is_computed_quietly_is_unknown_to_autograd_and_leaves_it_switched_as_it_was():
    x = torch.ones(3, requires_grad=True)
    quiet = quietly(torch.exp)
    assert quiet.__name__ == "quiet_exp"
    assert quietly(torch.exp) is quiet
    for enabled in (True, False):
        with torch.set_grad_enabled(enabled):
            assert not quiet(x).requires_grad
            assert torch.is_grad_enabled() is enabled
    with pytest.raises(TypeError):
        quiet("no tensor")
    assert torch.is_grad_enabled()


def test_silu_over_its_argument():
    x = torch.tensor([-2.0, 0.0, 3.0])
    expected = x / (1 + (-x).exp())
    assert silu_into(x) is x
    torch.testing.assert_close(x, expected)


MAP = torch.arange(24.0).reshape(1, 2, 3, 4)
OTHERS = {
    "alike": (MAP.clone(), True),
    "a vector at every position": (torch.tensor([[[[1.0]], [[2.0]]]]), True),
    "another layout": (MAP.clone().contiguous(memory_format=torch.channels_last), False),
    "another type": (MAP.double(), False),
    "more images": (MAP.expand(3, -1, -1, -1), False),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_sum_is_written_over_a_map_that_can_hold_it(name):
    other, holds = OTHERS[name]
    for sums, order in ((added, "first"), (added_to, "second")):
        over = MAP.clone()
        found = sums(over, other) if order == "first" else sums(other, over)
        assert torch.equal(found, MAP + other)
        assert found.dtype == (MAP + other).dtype
        assert (found is over) is holds
        assert holds or torch.equal(over, MAP)


def test_dropout_is_drawn_twice_alike_and_the_generator_goes_on_as_after_the_first():
    x = torch.ones(1000)
    torch.manual_seed(3)
    expected = functional.dropout(x, 0.3)
    after = torch.rand(1)
    torch.manual_seed(3)
    state = drawn_from(x)
    assert torch.equal(dropped(x, 0.3, state), expected)
    assert torch.equal(torch.rand(1), after)
    before = torch.get_rng_state()
    assert torch.equal(dropped_again(x, 0.3, state), expected)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(dropped(x, 0.3, state), expected)


def leaf(*size, seed):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def taped(function):
    return Tape(fx.symbolic_trace(function).graph)


def tanh(x):
    return x.tanh()


def exp(x):
    return x.exp()


def gradients_of(results, leaves, seed=9):
    weights = [torch.randn(one.shape, generator=torch.Generator().manual_seed(seed)).double() for one in results]
    total = sum((one * weight).sum() for one, weight in zip(results, weights, strict=True))
    return torch.autograd.grad(total, leaves, allow_unused=True)


LAYERS = {
    "convolution": (Conv((1, 1), (1, 1), (1, 1), 1), (6, 4, 3, 3), 6),
    "with a stride": (Conv((2, 2), (0, 0), (1, 1), 1), (6, 4, 3, 3), 6),
    "in groups": (Conv((1, 1), (2, 2), (2, 2), 2), (6, 2, 3, 3), 6),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shown", [True, False])
def test_a_tied_convolution_has_the_gradients_of_a_plain_one(name, bias, shown):
    layer, size, width = LAYERS[name]
    x, scale, weight = leaf(2, 4, 6, 6, seed=0), leaf(4, 1, 1, seed=1), leaf(*size, seed=2)
    given = leaf(width, seed=3) if bias else None
    leaves = [x, scale, weight, *([given] if bias else [])]

    def program(x, scale):
        return functional.silu(x) * scale

    plain = program(x, scale)
    expected = (layer(plain, weight, given), plain) if shown else (layer(plain, weight, given),)
    recipe = Recipe(taped(program), 2, (layer,), shown)
    found = tied(recipe)(program(x, scale).detach(), x, scale, weight, given)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)
    for one, other in zip(gradients_of(found, leaves), gradients_of(expected, leaves), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_several_layers_of_one_value_add_up_their_gradients_and_an_unused_one_has_none():
    x, first, second, third = leaf(3, 5, 4, seed=0), leaf(6, 4, seed=1), leaf(7, 4, seed=2), leaf(2, 4, seed=3)
    recipe = Recipe(taped(tanh), 1, (Linear(), Linear(), Linear()), shown=False)
    one, two, _ = tied(recipe)(x.tanh().detach(), x, first, None, second, None, third, None)
    expected = (functional.linear(x.tanh(), first), functional.linear(x.tanh(), second))
    leaves = [x, first, second, third]
    for found, wanted in zip(gradients_of((one, two), leaves), gradients_of(expected, leaves), strict=True):
        if wanted is None:
            assert found is None
        else:
            torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


def test_frozen_weights_get_no_gradient_and_what_leads_to_the_value_does():
    x, weight, bias = leaf(3, 4, seed=0), leaf(6, 4, seed=1), leaf(6, seed=2)
    weight.requires_grad_(False)
    (found,) = tied(Recipe(taped(tanh), 1, (Linear(),), shown=False))(x.tanh().detach(), x, weight, bias)
    found.sum().backward()
    assert weight.grad is None
    assert torch.equal(bias.grad, torch.full((6,), 3.0, dtype=torch.float64))
    torch.testing.assert_close(x.grad, (weight.sum(0) * (1 - x.tanh() ** 2)).detach())


def test_the_value_is_not_kept_for_the_backward_pass():
    """What is saved are the leaf and the weight: not the numbers of the value."""
    x, weight = leaf(2, 3, seed=0), leaf(5, 3, seed=1)
    value, kept = x.exp().detach(), []
    with torch.autograd.graph.saved_tensors_hooks(lambda one: kept.append(one) or one, lambda one: one):
        tied(Recipe(taped(exp), 1, (Linear(),), shown=False))(value, x, weight, None)
    assert [tuple(one.shape) for one in kept] == [(2, 3), (5, 3)]
    assert not any(torch.equal(one, value) for one in kept if one.shape == value.shape)
