"""From graph to module: shapes, prices, names and gradients are what the architecture says."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from archspec import UserError, build, check_data, from_document, load, loads, to_document, total_price
from archspec.graphs.graph import shape_of
from archspec.ops.shapes import Embedding, FeatureMap
from archspec.text.positions import Positions
from builder import assemble
from tests.builder.shapes import Shapes
from tests.examples import up_to

SMALL = {
    "ch": 32,
    "out_ch": 3,
    "num_res_blocks": 1,
    "attn_resolutions": [8],
    "in_channels": 3,
    "resolution": 16,
    "ch_mult": [1, 2],
}


def architecture(*edits, **changes):
    document = {"version": 1, "name": "test", "unet": {**SMALL, **changes}, "edits": list(edits)}
    return check_data(document, Positions("test")).sound()


def on_meta(graph):
    with torch.device("meta"):
        return assemble(graph)


def arguments(graph, batch=2, device="meta"):
    """Random values for the inputs that a graph has, by the names of forward's arguments."""
    made = {}
    for node, op in graph.nodes(data="op"):
        if op.op == "input" and op.kind == "timestep":
            made["t"] = torch.full((batch,), 17, device=device)
        elif op.op == "input":
            shape = shape_of(graph, node)
            name = "context" if op.kind == "context" else "x"
            made[name] = torch.randn(batch, shape.channels, shape.size, shape.size, device=device)
    return made


def torch_shapes(graph):
    interpreter = Shapes(on_meta(graph))
    made = arguments(graph)
    interpreter.run(made["x"], made.get("t"), made.get("context"))
    return interpreter.seen


def inferred_shape(graph, node, batch=2):
    match shape_of(graph, node):
        case FeatureMap(channels, size):
            return (batch, channels, size, size)
        case Embedding(dim):
            return (batch, dim)
        case _:
            return (batch,)


VARIANTS = {
    "as it is": architecture(),
    "linear": architecture(attn_type="linear"),
    "none": architecture(attn_type="none", resamp_with_conv=False),
    "heads": architecture(attn={"heads": 4, "norm": True, "residual": True}, attn_type="linear"),
    "wide heads": architecture(attn={"heads": 3, "head_dim": 5}),
    "bare vanilla": architecture(attn={"norm": False, "residual": False}),
    "no middle": architecture(mid_attn=False),
    "add": architecture(skip="add", ch_mult=[1, 2, 1]),
    "no skips": architecture(skip="none"),
    "context": architecture(in_channels=5, context_channels=2),
    "no time": architecture(use_timestep=False),
    "odd width": architecture(ch=33, num_groups=3),
    "zero": architecture(zero_init=True, dropout=0.1),
    "edited": architecture(
        {"replace": {"nodes": "down.0.block.0", "with": {"op": "conv", "out": 32, "groups": 4, "bias": False}}},
        {"set": {"nodes": "resnet_block[out=64]", "to": {"conv_shortcut": True}}},
        {"set": {"nodes": "downsample", "to": {"padding": "symmetric"}}},
        {"set": {"nodes": "time", "to": {"order": "cos_sin", "freq_shift": 0.0, "max_period": 500.0, "dim": 20}}},
        {"set": {"nodes": "act_out", "to": {"fn": "gelu"}}},
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_inferred_shapes_and_prices_are_torchs(name):
    graph = VARIANTS[name]
    assert torch_shapes(graph) == {node: inferred_shape(graph, node) for node in graph}
    assert total_price(graph).parameters == sum(p.numel() for p in on_meta(graph).parameters())


@pytest.mark.parametrize("name", VARIANTS)
def test_gradients_reach_every_parameter_that_takes_part(name):
    torch.manual_seed(0)
    graph = VARIANTS[name]
    network = assemble(graph)
    output = network(**arguments(graph, device="cpu"))
    output.square().mean().backward()
    without = {key for key, parameter in network.named_parameters() if parameter.grad is None}
    unused = "temb_proj" if "temb" not in graph else "nothing"
    assert without == {key for key, _ in network.named_parameters() if unused in key}
    if name != "zero":
        silent = {k for k, p in network.named_parameters() if p.grad is not None and not p.grad.any()}
        assert silent == set()


@st.composite
def unets(draw):
    groups = draw(st.sampled_from([1, 2, 3, 4]))
    levels = draw(st.integers(1, 4))
    resolution = 2 ** (levels - 1) * draw(st.integers(1, 3))
    sizes = [resolution // 2**level for level in range(levels)]
    heads = draw(st.sampled_from([None, 1, 2]))
    context = draw(st.integers(0, 2))
    return {
        "ch": 4 * groups * draw(st.integers(1, 2)),
        "out_ch": draw(st.integers(1, 4)),
        "ch_mult": draw(st.lists(st.sampled_from([1, 2, 3]), min_size=levels, max_size=levels)),
        "num_res_blocks": draw(st.integers(1, 3)),
        "attn_resolutions": draw(st.lists(st.sampled_from(sizes), unique=True)),
        "in_channels": context + draw(st.integers(1, 3)),
        "context_channels": context,
        "resolution": resolution,
        "use_timestep": draw(st.booleans()),
        "resamp_with_conv": draw(st.booleans()),
        "attn_type": draw(st.sampled_from(["vanilla", "linear", "none"])),
        "attn": {
            "heads": heads,
            "head_dim": draw(st.sampled_from([None, 3])) if heads else None,
            "norm": draw(st.sampled_from([None, True, False])),
            "residual": draw(st.sampled_from([None, True, False])),
        },
        "mid_attn": draw(st.booleans()),
        "skip": draw(st.sampled_from(["concat", "add", "none"])),
        "num_groups": groups,
    }


@up_to(40, derandomize=True)
@given(unets())
def test_inferred_shapes_are_torchs_for_any_parameters(parameters):
    graph = check_data({"version": 1, "name": "any", "unet": parameters}, Positions("any")).sound()
    assert torch_shapes(graph) == {node: inferred_shape(graph, node) for node in graph}
    assert total_price(graph).parameters == sum(p.numel() for p in on_meta(graph).parameters())


def test_nodes_are_named_by_their_ids():
    network = assemble(architecture(in_channels=4, context_channels=1))
    names = [node.name for node in network.graph.nodes]
    assert names[:9] == [
        "x", "t", "context", "t_given", "time", "temb", "context_given", "with_context", "conv_in",
    ]  # fmt: skip
    assert {"down_0_block_0", "down_0_downsample", "mid_attn_1", "up_1_skip_0", "up_0_block_1", "act_out"} <= set(names)
    assert "up_1_skip_0 = torch.cat([mid_block_2, down_1_attn_0], dim = 1)" in network.code
    assert isinstance(network.down[1].attn[0], nn.Module)


def test_inputs_that_the_graph_lacks_are_ignored_and_missing_ones_said():
    plain = assemble(architecture(use_timestep=False)).eval()
    x = torch.randn(1, 3, 16, 16)
    assert torch.equal(plain(x), plain(x, torch.tensor([3]), torch.randn(1, 9, 16, 16)))
    full = assemble(architecture(in_channels=5, context_channels=2))
    with pytest.raises(UserError, match=r"^error U090 this network needs timesteps\. Call it as model\(x, t\), t"):
        full(x, context=torch.randn(1, 2, 16, 16))
    with pytest.raises(UserError, match=r"^error U090 this network needs a context image\. Call it as model\(x, t, co"):
        full(x, torch.tensor([3]))


def test_a_document_compiles_to_the_same():
    graph = architecture(skip="add")
    again = from_document(to_document(graph))
    assert assemble(again).code == assemble(graph).code
    assert list(assemble(again).state_dict()) == list(assemble(graph).state_dict())


def test_a_graph_with_an_unused_optional_port():
    text = """
version: 1
name: mixed
graph:
  nodes:
    x: {op: input, kind: image, channels: 4, resolution: 8}
    t: {op: input, kind: timestep}
    features: {op: time_embedding, dim: 8}
    with_t: {op: resnet_block, out: 4, groups: 2}
    without_t: {op: resnet_block, out: 4, groups: 2, emb_dim: 8}
    y: {op: output}
  edges:
    - [x, with_t]
    - [t, features]
    - [features, with_t, emb]
    - [with_t, without_t]
    - [without_t, y]
"""
    network = assemble(build(loads(text)))
    assert network(torch.randn(1, 4, 8, 8), torch.tensor([1])).shape == (1, 4, 8, 8)
    assert network.without_t.temb_proj.weight.shape == (4, 8)
    assert "self.without_t(with_t)" in network.code


@pytest.mark.parametrize("wrong", ["zoo/ddpm-cifar10", load("zoo/ddpm-cifar10")])
def test_what_is_no_graph_is_told_what_to_call(wrong: object) -> None:
    with pytest.raises(UserError, match=r"assemble takes a built architecture, not a \w+\. Give the graph"):
        assemble(wrong)  # type: ignore[arg-type]
