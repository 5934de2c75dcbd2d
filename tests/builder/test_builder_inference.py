"""for_inference: the same numbers, the same state_dict, and no training."""

import copy
import pickle

import pytest
import torch
from network_arguments import network_arguments
from reduced import reduced
from torch.nn import functional

from archspec import UserError, check_data
from archspec.text.positions import Positions
from builder import assemble, initialise
from builder.inference import InferenceNetwork, InferenceOptions, for_inference
from builder.inference.calls import doubled_kernel, group_norm

UNET = {
    "ch": 32, "out_ch": 3, "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 3, "resolution": 32,
    "ch_mult": [1, 2, 2],
}  # fmt: skip
GRAPH = check_data({"version": 1, "name": "test", "unet": UNET}, Positions("test")).sound()


def compiled(graph, seed=0):
    network = assemble(graph).eval()
    initialise(network, seed)
    with torch.no_grad():  # what starts from zero would hide what comes before it
        for value in network.parameters():
            value.add_(0.02 * torch.randn(value.shape, generator=torch.Generator().manual_seed(seed)))
    return network


def difference(found, expected):
    return float((found - expected).abs().max()) / max(1.0, float(expected.abs().max()))


#: Architectures that together have most kinds of blocks.
FAMILIES = ["bk-sdm-tiny", "ddpm-cifar10", "edm-ncsnpp-cifar10", "edm2-xs", "iddpm-cifar10", "seed-256-linear"]


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_gives_the_same_in_both_layouts(name):
    graph = reduced(name)
    network = compiled(graph)
    given = {batch: network_arguments(graph, batch=batch, device="cpu") for batch in (1, 3)}
    for last in (False, True):
        fast = for_inference(network, InferenceOptions(channels_last=last))
        for arguments in given.values():
            kept = {key: value.clone() for key, value in arguments.items()}
            with torch.no_grad():
                expected = network(**arguments)
                for _ in range(2):  # nothing of a call may be left in the next
                    found = fast(**arguments)
                    assert difference(found, expected) < 1e-5
            assert found.is_contiguous()
            assert all(torch.equal(arguments[key], value) for key, value in kept.items())


def test_other_sizes_and_positions_of_arguments():
    network = compiled(GRAPH)
    fast = for_inference(network)
    x, t = torch.randn(2, 3, 48, 32), torch.tensor([3, 700])
    with torch.no_grad():
        assert difference(fast(x, t), network(x, t)) < 1e-5
        last = x.contiguous(memory_format=torch.channels_last)
        assert fast(last, t).is_contiguous(memory_format=torch.channels_last)


def test_the_graph_is_what_was_asked_for():
    code = for_inference(compiled(GRAPH)).code
    assert code.count("conv_transpose2d(") == 2
    assert "interpolate" not in code
    assert "silu(" not in code  # all overwrite
    attentions = sum(".attn" in node for node in GRAPH)
    assert code.count("linear(") == 3 + 4 * attentions  # two of the embedding, one of all blocks; q, k, v, proj_out
    plain = InferenceOptions(channels_last=False, in_place=False, shared_embedding=False, fused_upsampling=False)
    code = for_inference(compiled(GRAPH), plain).code
    assert not any(word in code for word in ("transpose2d", "_into(", "entered"))


def test_what_a_skip_needs_is_not_overwritten():
    """A sum whose operand is read again later must leave it as it is."""
    graph = check_data(
        {"version": 1, "name": "test", "unet": {**UNET, "skip": "add", "ch_mult": [1, 1]}}, Positions("test")
    ).sound()
    network = compiled(graph)
    given = network_arguments(graph, batch=2, device="cpu")
    with torch.no_grad():
        assert difference(for_inference(network)(**given), network(**given)) < 1e-5


def test_state_goes_both_ways_and_the_model_is_left_alone():
    network = compiled(GRAPH)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    fast = for_inference(network)
    assert {key: value.shape for key, value in fast.state_dict().items()} == {k: v.shape for k, v in before.items()}
    assert list(fast.state_dict()) == list(before)
    other = compiled(GRAPH, seed=1)
    given = network_arguments(GRAPH, batch=2, device="cpu")
    for assign in (False, True):
        fast = for_inference(network)
        fast.load_state_dict(other.state_dict(), assign=assign)
        with torch.no_grad():
            assert difference(fast(**given), other(**given)) < 1e-5  # what was derived from the weights followed
    back = assemble(GRAPH).eval()
    back.load_state_dict(fast.state_dict())
    with torch.no_grad():
        assert torch.equal(back(**given), other(**given))
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(value.requires_grad for value in network.parameters())


def test_copies_files_and_moves():
    fast = for_inference(compiled(GRAPH))
    given = network_arguments(GRAPH, batch=2, device="cpu")
    with torch.no_grad():
        expected = fast(**given)
        for copied in (copy.deepcopy(fast), pickle.loads(pickle.dumps(fast))):
            assert isinstance(copied, InferenceNetwork)
            assert torch.equal(copied(**given), expected)
            assert not {p.data_ptr() for p in copied.parameters()} & {p.data_ptr() for p in fast.parameters()}
        double = copy.deepcopy(fast).double()
        found = double(**{key: value.double() if key == "x" else value for key, value in given.items()})
    assert found.dtype == torch.float64
    assert difference(found.float(), expected) < 1e-5


def test_training_is_refused():
    fast = for_inference(compiled(GRAPH))
    for refused in (fast.train, fast.requires_grad_):
        with pytest.raises(UserError, match="prepared for inference cannot be trained"):
            refused()
    assert fast.eval() is fast
    assert not any(value.requires_grad for value in fast.parameters())
    given = network_arguments(GRAPH, batch=1, device="cpu")
    with pytest.raises(UserError, match="gives no gradients"):
        fast(given["x"].requires_grad_(), given["t"])
    with torch.no_grad(), pytest.raises(UserError, match="not by autocast"), torch.autocast("cpu"):
        fast(given["x"], given["t"])
    with pytest.raises(UserError, match="takes a compiled model, not a Linear"):
        for_inference(torch.nn.Linear(1, 1))
    with pytest.raises(UserError, match="this network needs timesteps"):
        fast(given["x"].detach())


def test_a_transposed_convolution_is_nearest_and_convolution():
    torch.manual_seed(0)
    x, weight = torch.randn(2, 3, 5, 4, dtype=torch.float64), torch.randn(6, 3, 3, 3, dtype=torch.float64)
    expected = functional.conv2d(functional.interpolate(x, scale_factor=2.0), weight, padding=1)
    found = functional.conv_transpose2d(x, doubled_kernel(weight), stride=2, padding=1)
    assert torch.allclose(found, expected, atol=1e-12)


def test_group_norm_of_large_maps_is_nearer_than_torchs():
    torch.manual_seed(0)
    x = (torch.randn(2, 8, 128, 128) + 3).contiguous(memory_format=torch.channels_last)
    weight, bias = torch.randn(8), torch.randn(8)
    exact = functional.group_norm(x.double(), 4, weight.double(), bias.double(), 1e-6)
    found = group_norm(x, 4, weight, bias, 1e-6)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert float((found - exact).abs().max()) < 1e-5


def test_group_norm_of_large_maps_is_left_to_the_compiler():
    torch.manual_seed(0)
    x = torch.randn(1, 8, 256, 256).contiguous(memory_format=torch.channels_last)
    given = (x, 4, torch.rand(8), torch.rand(8), 1e-6)
    compiled = torch.compile(group_norm, backend="eager", fullgraph=True)
    assert torch.equal(compiled(*given), torch.group_norm(*given))
    assert not torch.equal(group_norm(*given), torch.group_norm(*given))


@pytest.mark.parametrize("mean", [10.0, 100.0])
def test_group_norm_of_a_large_map_far_from_zero(mean):
    torch.manual_seed(0)
    x = (torch.randn(1, 8, 128, 128) + mean).contiguous(memory_format=torch.channels_last)
    weight, bias = torch.randn(8), torch.randn(8)
    exact = functional.group_norm(x.double(), 4, weight.double(), bias.double(), 1e-6)
    assert float((group_norm(x, 4, weight, bias, 1e-6) - exact).abs().max()) < 1e-5


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_group_norm_of_a_large_map_in_half_precision(kind):
    torch.manual_seed(0)
    x = (4 * torch.randn(1, 8, 128, 128)).to(kind).contiguous(memory_format=torch.channels_last)
    weight, bias = torch.ones(8, dtype=kind), torch.zeros(8, dtype=kind)
    exact = functional.group_norm(x.double(), 4, weight.double(), bias.double(), 1e-6)
    assert float((group_norm(x, 4, weight, bias, 1e-6) - exact).abs().max()) < 0.02  # values of up to 4, rounded
