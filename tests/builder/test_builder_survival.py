"""What a compiled model must survive: copies, files, functional calls, the meta device."""

import copy
import pickle

import pytest
import torch

from archspec import check_data, to_document, total_price
from archspec.text.positions import Positions
from builder import assemble
from builder.network import Network


def architecture(**changes):
    unet = {"ch": 32, "out_ch": 3, "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 3, "resolution": 16}
    document = {"version": 1, "name": "test", "unet": {**unet, "ch_mult": [1, 2], **changes}}
    return check_data(document, Positions("test")).sound()


VARIANTS = {
    "as it is": architecture(),
    "linear": architecture(attn_type="linear"),
    "add": architecture(skip="add", ch_mult=[1, 2, 1]),
    "context": architecture(in_channels=5, context_channels=2),
}


def arguments(graph):
    torch.manual_seed(1)
    made = {"x": torch.randn(2, 3, 16, 16), "t": torch.tensor([17, 800])}
    return made | ({"context": torch.randn(2, 2, 16, 16)} if "context" in graph else {})


@pytest.mark.parametrize("name", VARIANTS)
def test_copy_pickle_and_state_survive(name, tmp_path):
    torch.manual_seed(0)
    graph = VARIANTS[name]
    network = assemble(graph).eval()
    inputs = arguments(graph)
    expected = network(**inputs)
    torch.save(network, tmp_path / "network.pt")
    other = assemble(graph).eval()
    other.load_state_dict(network.state_dict(), strict=True)
    copies = {
        "deepcopy": copy.deepcopy(network),
        "copy of a copy": copy.deepcopy(copy.deepcopy(network)),
        "pickle": pickle.loads(pickle.dumps(network)),
        "file": torch.load(tmp_path / "network.pt", weights_only=False),
        "state_dict": other,
    }
    for how, copied in copies.items():
        assert torch.equal(copied(**inputs), expected), how
        assert isinstance(copied, Network), how
        assert copied.code == network.code, how
        assert not copied.training, how
        assert list(copied.state_dict()) == list(network.state_dict()), how
        assert [n.meta for n in copied.graph.nodes] == [n.meta for n in network.graph.nodes], how
        assert to_document(copied.architecture) == to_document(graph), how
        assert not {p.data_ptr() for p in copied.parameters()} & {p.data_ptr() for p in network.parameters()}, how


def test_a_changed_graph_is_kept_by_copies():
    torch.manual_seed(0)
    network = assemble(architecture()).eval()
    act = next(node for node in network.graph.nodes if node.name == "act_out")
    act.target = torch.nn.functional.relu
    network.recompile()
    inputs = arguments(network.architecture)
    for copied in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert "torch.nn.functional.relu" in copied.code
        assert torch.equal(copied(**inputs), network(**inputs))


def test_hooks_and_training_mode_survive_a_copy():
    network = assemble(architecture())
    network.mid.eval()
    network.conv_out.requires_grad_(False)
    network.register_forward_hook(_double)
    copied = copy.deepcopy(network)
    assert (copied.training, copied.mid.training, copied.mid.block_1.training) == (True, False, False)
    assert not copied.conv_out.weight.requires_grad
    inputs = arguments(network.architecture)
    assert torch.equal(copied(**inputs), network(**inputs))


def _double(module, inputs, output):
    return 2 * output


def test_functional_call_and_gradients_of_it():
    torch.manual_seed(0)
    network = assemble(architecture())
    inputs = arguments(network.architecture)
    halved = {key: value.detach() / 2 for key, value in network.named_parameters()}
    called = torch.func.functional_call(network, halved, kwargs=inputs)
    network.load_state_dict(halved)
    assert torch.equal(called, network(**inputs))
    gradients = torch.func.grad(lambda p: torch.func.functional_call(network, p, kwargs=inputs).square().mean())(halved)
    assert gradients.keys() == halved.keys()


def test_meta_holds_nothing():
    with torch.device("meta"):
        network = assemble(architecture(ch=1024, ch_mult=[1, 2, 4, 8]))
    assert all(parameter.is_meta for parameter in network.parameters())
    assert sum(p.numel() for p in network.parameters()) == total_price(network.architecture).parameters > 2e9
