"""Small networks of the short forms `edm2` and `song`: what every compiled architecture promises."""

import copy
import pickle

import pytest
import torch
from network_arguments import network_arguments, torch_size

from archspec import build, check_data, fingerprint, loads, to_yaml, total_price
from archspec.graphs.graph import shape_of
from archspec.text.positions import Positions
from builder import assemble
from builder.export import source
from builder.initialise import initialise
from tests.builder.shapes import Shapes

SIZES = {"ch": 8, "out_ch": 3, "in_channels": 3, "resolution": 8, "ch_mult": [1, 2, 3], "num_res_blocks": 1}
EDM2 = {**SIZES, "attn_resolutions": [4], "head_dim": 4}
SONG = {**SIZES, "attn_resolutions": [4]}


def network(form, **parameters):
    return check_data({"version": 1, "name": "small", form: parameters}, Positions("small")).sound()


GRAPHS = {
    "edm2": network("edm2", **EDM2),
    "edm2 labels": network("edm2", **EDM2, classes=5, dropout=0.1, label_balance=0.2),
    "edm2 fir": network("edm2", **EDM2, resample_filter=[1, 3, 3, 1], clip=None, noise_dim=6, emb_dim=10),
    "ddpmpp": network("song", **SONG),
    "ddpmpp conditions": network("song", **SONG, classes=5, augment_dim=4, dropout=0.1),
    "ncsnpp residual": network(
        "song", **SONG, features="fourier", resample_filter=[1, 3, 3, 1], progressive_input="residual"
    ),
    "ncsnpp skip": network(
        "song", **{**SONG, "out_ch": 6}, noise_mult=4, progressive_input="skip", progressive_output="skip"
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_inferred_shapes_and_prices_are_torchs(name):
    graph = GRAPHS[name]
    with torch.device("meta"):
        compiled = assemble(graph)
        interpreter = Shapes(compiled)
        given = network_arguments(graph, batch=2)
        names = [node.target for node in compiled.graph.nodes if node.op == "placeholder"]
        interpreter.run(*(given.get(argument) for argument in names))
    assert interpreter.seen == {node: torch_size(shape_of(graph, node), 2) for node in graph}
    assert total_price(graph).parameters == sum(parameter.numel() for parameter in compiled.parameters())


@pytest.mark.parametrize("name", GRAPHS)
def test_gradients_reach_every_parameter(name):
    torch.manual_seed(0)
    compiled = assemble(GRAPHS[name])
    for key, parameter in compiled.named_parameters():
        if key.endswith("gain"):
            parameter.data.fill_(0.5)  # they start at 0, and stop what lies before them
    compiled(**network_arguments(GRAPHS[name], batch=2, device="cpu")).square().mean().backward()
    silent = [key for key, value in compiled.named_parameters() if value.grad is None or not value.grad.any()]
    assert silent == []


@pytest.mark.parametrize("name", GRAPHS)
def test_it_survives_copies_and_yaml(name):
    graph = GRAPHS[name]
    compiled = assemble(graph).eval()
    initialise(compiled, seed=1)
    given = network_arguments(graph, batch=2, device="cpu")
    for other in (copy.deepcopy(compiled), pickle.loads(pickle.dumps(compiled))):
        assert torch.equal(other(**given), compiled(**given))
    again = build(loads(to_yaml(graph)))
    assert fingerprint(again) == fingerprint(graph)
    same = assemble(again).eval()
    initialise(same, seed=1)
    assert torch.equal(same(**given), compiled(**given))


@pytest.mark.parametrize("name", GRAPHS)
def test_the_generated_code_can_be_read(name):
    text = source(GRAPHS[name])
    compile(text, name, "exec")
    if "ncsnpp" not in name and "ddpmpp" not in name:
        assert "up_0_skip_0 = mp_concat(up_1_" in text


def test_steps_of_training_keep_the_weights_of_edm2_at_unit_magnitude():
    torch.manual_seed(0)
    compiled = assemble(GRAPHS["edm2 labels"])
    optimiser = torch.optim.Adam(compiled.parameters(), lr=0.05)
    given = network_arguments(GRAPHS["edm2 labels"], batch=2, device="cpu")
    losses = []
    for _ in range(8):
        loss = (compiled(**given) - given["x"]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    compiled(**given)
    for key, weight in compiled.named_parameters():
        if key.endswith("weight"):
            magnitudes = weight.detach().flatten(1).square().mean(1).sqrt()
            assert torch.allclose(magnitudes, torch.ones_like(magnitudes), atol=1e-3), key


def test_activations_of_edm2_keep_magnitude_one():
    torch.manual_seed(0)
    sizes = {**EDM2, "ch": 32, "resolution": 32, "attn_resolutions": [8], "num_res_blocks": 2}
    compiled = assemble(network("edm2", **sizes)).eval()
    compiled.get_submodule("conv_out").gain.data.fill_(1.0)
    given = network_arguments(compiled.architecture, batch=4, device="cpu")
    result = compiled(**given)
    assert result.square().mean().sqrt().item() == pytest.approx(1, abs=0.15)


def test_labels_change_the_result_and_none_is_a_label_too():
    for name in ("edm2 labels", "ddpmpp conditions"):
        compiled = assemble(GRAPHS[name]).eval()
        for key, parameter in compiled.named_parameters():
            if key.endswith("gain"):
                parameter.data.fill_(1.0)
        given = network_arguments(GRAPHS[name], batch=2, device="cpu")
        results = [compiled(**{**given, "label": torch.tensor(labels)}) for labels in ([0, 1], [2, 1], [-1, 1])]
        assert torch.equal(results[0][1], results[1][1])
        assert not torch.allclose(results[0][0], results[1][0])
        assert not torch.allclose(results[0][0], results[2][0])
        assert results[2].isfinite().all()
