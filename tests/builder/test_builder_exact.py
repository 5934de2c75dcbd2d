"""What works on a torch module works on a compiled one, for every architecture of the zoo."""

import copy
import os
import pickle

import pytest
import torch
from network_arguments import network_arguments
from reduced import reduced

from archspec import zoo_names
from builder import assemble, initialise

#: One each of the kinds of networks: convolutions, transformers, magnitude-preserving layers, FIR filters.
FAMILIES = ["ddpm-cifar10", "sdxl-base", "edm2-xs", "edm-ncsnpp-cifar10"]
#: One of each family; the others are of the same kinds at other sizes, and tested with `-m slow`.
FAST = {
    *FAMILIES, "adm-64", "bk-sdm-tiny", "edm-adm-64", "edm-ddpmpp-cifar10-cond", "iddpm-cifar10", "ldm-imagenet",
    "sd15", "sdxl-refiner", "seed-256-linear", "seed-256-notime", "seed-256-pool",
}  # fmt: skip
ZOO = [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in zoo_names()]


def ready(name, **changes):
    """A reduced network that starts from seed 0 and lets every part take part, in evaluation mode."""
    graph = reduced(name, **changes)
    network = assemble(graph)
    initialise(network, seed=0)
    for key, parameter in network.named_parameters():
        if not parameter.any():  # what starts from zero stops the gradients of what lies before it
            torch.nn.init.normal_(parameter, std=0.1)
        if key.endswith("gain"):
            parameter.data.fill_(0.5)
    torch.manual_seed(1)
    return network.eval(), network_arguments(graph, batch=2, device="cpu")


@pytest.mark.parametrize("name", ZOO)
def test_gradients_reach_every_parameter_that_takes_part(name):
    network, given = ready(name)
    network.train()(**given).square().mean().backward()
    silent = {key for key, value in network.named_parameters() if value.grad is None or not value.grad.any()}
    unused = {key for key in silent if "temb_proj" in key} if name == "seed-256-notime" else set()
    # softmax does not change when a number is added to all its keys, so a bias of k alone has no part
    shifts = {key for key in silent if key.endswith(".k.bias")}
    assert silent <= unused | shifts
    assert all(value.grad.isfinite().all() for value in network.parameters() if value.grad is not None)


@pytest.mark.parametrize("name", ZOO)
def test_copies_and_calls_agree(name):
    network, given = ready(name)
    expected = network(**given)
    other = assemble(network.architecture).eval()
    other.load_state_dict(network.state_dict(), strict=True)
    assert torch.equal(other(**given), expected)
    assert torch.equal(copy.deepcopy(network)(**given), expected)
    assert torch.equal(pickle.loads(pickle.dumps(network))(**given), expected)
    called = torch.func.functional_call(other, dict(network.named_parameters()), kwargs=given)
    assert torch.equal(called, expected)


@pytest.mark.parametrize("name", ZOO)
def test_channels_last_is_the_same_function(name):
    network, given = ready(name)
    expected = network(**given)
    there = network.to(memory_format=torch.channels_last)
    x = given["x"].contiguous(memory_format=torch.channels_last)
    scale = expected.abs().max().item()
    assert (there(**{**given, "x": x}) - expected).abs().max().item() < 1e-5 * max(scale, 1.0)


@pytest.mark.parametrize("name", FAMILIES)
def test_autocast_to_bfloat16(name):
    network, given = ready(name)
    expected = network(**given)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = network.train(mode=False)(**given)
        result.float().square().mean().backward()
    error = (result.float() - expected).square().mean() / expected.square().mean()
    assert error.sqrt().item() < 0.03
    assert all(value.grad.dtype is torch.float32 for value in network.parameters() if value.grad is not None)


#: The same kinds of parts in fewer copies, which is what takes an export its time.
_TWO_LEVELS = {"num_res_blocks": 1, "ch_mult": [1, 2]}
SHALLOW = {
    "ddpm-cifar10": _TWO_LEVELS,
    "sdxl-base": {**_TWO_LEVELS, "attn_resolutions": [4], "transformer": {"depth": 1, "projection": "linear"}},
    "edm2-xs": {**_TWO_LEVELS, "attn_resolutions": [8]},
    "edm-ncsnpp-cifar10": _TWO_LEVELS,
}


@pytest.mark.parametrize("changes", [SHALLOW, pytest.param({}, marks=pytest.mark.slow)], ids=["shallow", "whole"])
@pytest.mark.parametrize("name", FAMILIES)
def test_export_with_any_batch(name, changes):
    network, given = ready(name, **changes.get(name, {}))
    names = [node.target for node in network.graph.find_nodes(op="placeholder")]
    batch = torch.export.Dim("batch", min=1, max=1024)
    dynamic = tuple({0: batch} if name in given else None for name in names)
    program = torch.export.export(network, tuple(given.get(name) for name in names), dynamic_shapes=dynamic)
    other = network_arguments(network.architecture, batch=3, device="cpu")
    result = program.module()(*(other.get(name) for name in names))
    torch.testing.assert_close(result, network(**other), rtol=1e-4, atol=1e-5)


def test_data_parallel_wraps_it(tmp_path):
    network, given = ready("ddpm-cifar10")
    expected = network(**given)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        wrapped = torch.nn.parallel.DistributedDataParallel(network)
        result = wrapped(**given)
        assert torch.equal(result, expected)
        result.square().mean().backward()
        assert list(wrapped.module.state_dict()) == list(network.state_dict())
    finally:
        torch.distributed.destroy_process_group()
    assert network.conv_in.weight.grad.any()


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo_names())
def test_torch_compile_without_a_break(name):
    network, given = ready(name)
    torch.compiler.reset()
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    expected = network(**given)
    torch.testing.assert_close(compiled(**given), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["ddpm-cifar10", pytest.param("edm2-xs", marks=pytest.mark.slow)])
def test_torch_compile_of_one_of_a_kind(name):
    network, given = ready(name, **SHALLOW[name])
    torch.compiler.reset()
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(**given), network(**given), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning")  # torch's own import
def test_torch_compile_by_inductor():
    network, given = ready("ddpm-cifar10", num_res_blocks=1)
    torch.compiler.reset()
    compiled = torch.compile(network, fullgraph=True)
    torch.testing.assert_close(compiled(**given), network(**given), rtol=1e-4, atol=1e-5)
    compiled(**given).square().mean().backward()
    assert network.conv_in.weight.grad.any()
