"""Whole networks of EDM2 and NCSN++ against the papers' equations written out, outputs and gradients.

No independent implementation of these can be installed; `equations_edm2` and `equations_song` stand in for one.
"""

import math

import numpy as np
import pytest
import torch
from equations_edm2 import Edm2
from equations_song import Song
from fir import resampled
from network_arguments import network_arguments
from reduced import reduced
from scipy.signal import upfirdn

from archspec import check_data
from archspec.text.positions import Positions
from builder import assemble, initialise
from builder.layers import Resample
from builder.layers.score import FourierFeatures

FIR = (1.0, 3.0, 3.0, 1.0)
SMALL = {"ch": 8, "out_ch": 3, "in_channels": 3, "resolution": 8}
EDM2 = {**SMALL, "ch_mult": [1, 2, 3], "num_res_blocks": 2, "attn_resolutions": [4], "head_dim": 4}
SONG = {**SMALL, "ch_mult": [1, 2, 2], "num_res_blocks": 2, "attn_resolutions": [4]}
IN_EDM2 = {"mult": (1, 2, 3), "blocks": 2, "attention": (4,), "head_dim": 4}
IN_SONG = {"mult": (1, 2, 2), "blocks": 2, "attention": (4,)}
BALANCES = {"label_balance": 0.2, "concat_balance": 0.6, "res_balance": 0.4, "attn_balance": 0.15, "clip": 1.5}


def written(form, **parameters):
    return check_data({"version": 1, "name": "small", form: parameters}, Positions("small")).sound()


#: name -> the architecture; the equations with the same sizes, still without weights
CASES = {
    "edm2": (written("edm2", **EDM2), Edm2, IN_EDM2),
    "edm2, other balances": (
        written("edm2", **EDM2, classes=5, resample_filter=FIR, **BALANCES),
        Edm2,
        {**IN_EDM2, "classes": 5, "taps": FIR, **BALANCES},
    ),
    "ddpmpp": (written("song", **SONG, classes=5, augment_dim=4), Song, {**IN_SONG, "width": 8, "classes": 5}),
    "ncsnpp, residual": (
        written("song", **SONG, features="fourier", resample_filter=FIR, progressive_input="residual"),
        Song,
        {**IN_SONG, "width": 16, "fourier": True, "taps": FIR, "inputs": "residual"},
    ),
    "ncsnpp, skip": (
        written(
            "song", **SONG, features="fourier", resample_filter=FIR, progressive_input="skip", progressive_output="skip"
        ),
        Song,
        {**IN_SONG, "width": 16, "fourier": True, "taps": FIR, "inputs": "skip", "images": True},
    ),
    "the zoo's EDM2": (
        reduced("edm2-xs", num_res_blocks=1),
        Edm2,
        {"mult": (1, 2, 3, 4), "blocks": 1, "attention": (4, 2), "head_dim": 8, "classes": 7},
    ),
    "the zoo's NCSN++": (
        reduced("edm-ncsnpp-cifar10", dropout=0.0, num_res_blocks=1),
        Song,
        {"mult": (2, 2, 2), "blocks": 1, "attention": (4,), "width": 32, "fourier": True, "taps": FIR,
         "inputs": "residual"},
    ),
}  # fmt: skip


def made(graph):
    """A network in training mode whose every part takes part, and its arguments."""
    network = assemble(graph)
    initialise(network, seed=0)
    generator = torch.Generator().manual_seed(1)
    for key, value in network.named_parameters():
        value.data.add_(0.3 * torch.randn(value.shape, generator=generator))
        if key.endswith("gain"):
            value.data.fill_(0.7)
    torch.manual_seed(2)
    given = network_arguments(graph, batch=2, device="cpu")
    return network, {**given, "t": torch.tensor([-0.8, 0.6])}


def relative(found, expected):
    return ((found - expected).abs().max() / expected.abs().max()).item()


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients_are_those_of_the_equations(name):
    graph, equations, sizes = CASES[name]
    network, given = made(graph)
    with torch.no_grad():
        at_rest = network.eval()(**given)
    found = network.train()(**given)  # stores EDM2's weights normalised
    assert relative(at_rest, found) < 1e-3  # by the epsilon of 1e-4 that is added to magnitudes
    wanted = torch.randn(found.shape, generator=torch.Generator().manual_seed(3))
    (found * wanted).sum().backward()

    weights = {key: value.detach().double() for key, value in network.state_dict().items()}
    parameters = dict(network.named_parameters())
    for key in parameters:
        weights[key].requires_grad_()
    exact = {key: value.double() if value.is_floating_point() else value for key, value in given.items()}
    expected = equations(weights, **sizes)(**exact)
    (expected * wanted).sum().backward()
    assert relative(found, expected) < 1e-5
    most = max(weights[key].grad.abs().max() for key in parameters)
    for key, value in parameters.items():
        assert value.grad is not None, key
        assert (value.grad - weights[key].grad).abs().max() < 1e-4 * most, key  # float32 of angles around 100


def test_training_normalises_what_is_stored_and_its_gradient_is_that_at_the_stored_weights():
    """Forced weight normalisation (eq. 66): scaled weights give the same network, once called."""
    network, given = made(CASES["edm2"][0])
    with torch.no_grad():
        once = network.train()(**given)
        before = {key: value.clone() for key, value in network.named_parameters()}
        for key, value in network.named_parameters():
            if key.endswith("weight"):
                value.mul_(5.0)
        again = network(**given)
    assert relative(again, once) < 1e-3  # by the epsilon of 1e-4 that is added to magnitudes
    for key, value in network.named_parameters():
        assert relative(value, before[key]) < 1e-3, key
        if key.endswith("weight"):
            magnitudes = value.flatten(1).square().mean(1).sqrt()
            assert torch.allclose(magnitudes, torch.ones_like(magnitudes), atol=1e-3), key


@pytest.mark.parametrize("taps", [FIR, (1.0, 1.0), (1.0, 2.0, 5.0, 5.0, 2.0, 1.0)])
def test_fir_filters_are_those_of_scipy(taps):
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    line = np.array(taps) / sum(taps)
    middle = len(taps) // 2
    small, large = x.numpy(), x.numpy()
    for axis in (2, 3):
        small = np.take(upfirdn(line, small, axis=axis), range(middle, middle + 8, 2), axis=axis)
        large = np.take(upfirdn(2 * line, large, up=2, axis=axis), range(middle - 1, middle + 15), axis=axis)
    for direction, values in (("down", small), ("up", large)):
        expected = torch.from_numpy(values)
        torch.testing.assert_close(Resample(direction, taps).double()(x), expected, atol=1e-6, rtol=0)
        torch.testing.assert_close(resampled(x, direction, taps), expected, atol=1e-12, rtol=0)


def test_features_of_ncsnpp_are_those_of_the_logarithm_of_sigma():
    """sin and cos of 2π·f·log σ with f ~ N(0, 16²) (Song et al. 2021, appendix C)."""
    torch.manual_seed(0)
    layer = FourierFeatures(4096)
    frequencies = layer.frequencies
    assert frequencies.std().item() == pytest.approx(16, rel=0.05)
    sigma = torch.tensor([0.01, 1.0, 50.0])
    found = layer(sigma.log())
    for row, value in zip(found, sigma.tolist(), strict=True):
        angles = 2 * math.pi * frequencies.double() * math.log(value)
        assert torch.allclose(row.double(), torch.cat([angles.sin(), angles.cos()]), atol=1e-3)
    assert torch.equal(found[1], torch.cat([torch.zeros(2048), torch.ones(2048)]))  # σ = 1
