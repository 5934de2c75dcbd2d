"""Whole networks with other norms, factors of joins, features of the timestep and relative positions."""

import copy
import pickle

import pytest
import torch
from network_arguments import network_arguments, torch_size
from torch.utils.flop_counter import FlopCounterMode

from archspec import UserError, build, check_data, fingerprint, from_document, loads, to_document, to_yaml, total_price
from archspec.graphs.graph import shape_of
from archspec.text.positions import Positions
from builder import assemble
from builder.initialise import initialise
from builder.weights.unet2d import config
from tests.builder.shapes import Shapes

SMALL = {
    "ch": 32, "out_ch": 3, "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 3, "resolution": 16,
    "ch_mult": [1, 2],
}  # fmt: skip


def network(*edits, **changes):
    document = {"version": 1, "name": "n", "unet": {**SMALL, **changes}, "edits": list(edits)}
    return check_data(document, Positions("n")).sound()


def test_learned_factors_start_where_it_says_and_are_trained():
    graph = network(skip="add", skip_scale=0.25, learn_skip_scale=True)
    compiled = assemble(graph)
    factors = {key: p for key, p in compiled.named_parameters() if "skip_scale" in key}
    assert sorted(factors) == [f"up.{level}.skip.{block}.skip_scale.weight" for level in (0, 1) for block in (0, 1)]
    with torch.no_grad():
        for factor in factors.values():
            factor.fill_(9.0)
    initialise(compiled, seed=0)
    assert [factor.item() for factor in factors.values()] == [0.25] * 4
    compiled(**network_arguments(graph, 2, "cpu")).square().mean().backward()
    assert all(factor.grad for factor in factors.values())


VARIANTS = {
    **{f"{kind} norms": network(norm_type=kind) for kind in ("layer", "rms", "pixel", "none")},
    "post-norm": network(norm_order="post", conditioning="scale_shift", condition_both=True, act="gelu"),
    "both norms": network(conditioning="scale_shift", condition_both=True),
    "nothing for both norms": network(conditioning="scale_shift", condition_both=True, use_timestep=False),
    "post-norm resampling": network(norm_order="post", resblock_updown=True, norm_type="rms"),
    "factors": network(skip_scale=0.5),
    "learned factors": network(skip="add", learn_skip_scale=True),
    "learned factors of concat": network(skip_scale=0.5, learn_skip_scale=True),
    "one skip a level": network(skip_per="level", num_res_blocks=2),
    "fourier": network(time={"type": "fourier"}),
    "scaled time": network(time={"scale": 1000.0}),
    "learned time": network(time={"type": "learned", "steps": 100}),
    "depth by block": network(
        attn_type="transformer", attn_resolutions=[16, 8], transformer={"depth": [1, [2, 1, 3]]}, num_res_blocks=[1, 2]
    ),
    "relative positions": network(
        {
            "replace": {
                "nodes": "attention",
                "with": {"op": "window_attention", "window": 4, "shift": 2, "heads": 2, "relative_position": True},
            }
        }
    ),
    "factor of each": network(
        {"replace": {"nodes": "concat", "with": {"op": "add", "project": True, "x_scale": 0.7, "learn_x_scale": True}}}
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_shapes_prices_gradients_and_copies(name):
    graph = VARIANTS[name]
    with torch.device("meta"):
        meta = assemble(graph)
    made = network_arguments(graph, batch=2)
    shapes = Shapes(meta)
    shapes.run(*(made.get(node.target) for node in meta.graph.find_nodes(op="placeholder")))
    assert shapes.seen == {node: torch_size(shape_of(graph, node), 2) for node in graph}
    with FlopCounterMode(display=False) as counter:
        meta(**network_arguments(graph))
    price = total_price(graph)
    assert price.parameters == sum(parameter.numel() for parameter in meta.parameters())
    assert 2 * price.macs == counter.get_total_flops()
    compiled = assemble(graph)
    initialise(compiled, seed=1)
    inputs = network_arguments(graph, 2, "cpu")
    result = compiled(**inputs)
    result.square().mean().backward()
    unused = {key for key, p in compiled.named_parameters() if p.grad is None}
    expected = {key for key, _ in compiled.named_parameters() if "temb_proj" in key}
    assert unused == (expected if name.startswith("nothing") else set())
    assert all(p.grad.any() for p in compiled.parameters() if p.grad is not None)
    for copied in (copy.deepcopy(compiled), pickle.loads(pickle.dumps(compiled))):
        assert torch.equal(copied(**inputs), result)
    again = build(loads(to_yaml(graph)))
    assert to_document(again) == to_document(graph)
    assert fingerprint(again) == fingerprint(graph) == fingerprint(from_document(to_document(graph)))


def test_what_is_the_same_starts_the_same():
    plain, other = assemble(network()), assemble(network(conditioning="add", norm_type="rms", skip_scale=0.5))
    for compiled in (plain, other):
        initialise(compiled, seed=3)
    theirs = dict(other.named_parameters())
    for key, value in plain.named_parameters():
        if "norm" not in key:
            assert torch.equal(value, theirs[key])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"norm_type": "rms"}, "down.0.block.0: {}a norm of type rms."),
        ({"norm_order": "post", "act": "relu"}, "down.0.block.0: {}a block with norm_order, act."),
        ({"skip_scale": 0.5}, "up.1.skip.0: {}a skip with a factor."),
        ({"time": {"type": "learned"}}, "time: {}time features of type learned instead of sinusoidal."),
        ({"time": {"scale": 2.0}}, "time: {}timesteps times 2."),
    ],
)
def test_what_unet2dmodel_cannot_say_of_it_is_refused(changes, reason):
    with pytest.raises(UserError) as caught:
        config(network(**changes))
    said = [line.split(" (and")[0] + line.partition(" more)")[2] for line in str(caught.value).splitlines()]
    assert f"error U090 {reason.format('UNet2DModel cannot say this: ')}" in said
