"""No images at all: what comes last of a set, or is left of one after a filter, is a batch of zero."""

import pytest
import torch
from network_arguments import network_arguments
from reduced import reduced
from small import architecture

from builder import assemble
from builder.inference import InferenceOptions, for_inference
from builder.layers import AttentionBlock, LinearAttention, NormOptions, ProjectionOptions
from builder.layers.fused import query_blocks
from builder.layers.transformer import TokenAttention, Transformer, TransformerOptions
from builder.layers.window import WindowAttention, WindowShape
from builder.remat import recomputing

#: Together they have every operation of the zoo.
FAMILIES = [
    "adm-64", "ddpm-cifar10", "edm-ddpmpp-cifar10-cond", "edm-ncsnpp-cifar10", "edm2-xs", "ldm-imagenet", "sd21-base",
    "sdxl-base", "seed-256-linear", "seed-256-notime", "seed-256-pool",
]  # fmt: skip

#: What the zoo does not have.
EDITS = {
    "gated skips": {"replace": {"nodes": "concat", "with": {"op": "gated_concat"}}},
    "windows": {
        "replace": {"nodes": "attention", "with": {"op": "window_attention", "window": 4, "shift": 2, "groups": 4}}
    },
    "pooling": {"set": {"nodes": "downsample", "to": {"method": "avg_pool"}}},
    "bilinear": {"set": {"nodes": "upsample", "to": {"mode": "bilinear"}}},
    "norms over channels": {"set": {"nodes": "resnet_block", "to": {"norm_type": "rms"}}},
}


def without_images(graph):
    return {name: value[:0] for name, value in network_arguments(graph, batch=1, device="cpu").items()}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_gives_no_images_for_none(name):
    graph = reduced(name)
    given = without_images(graph)
    with torch.no_grad():
        assert assemble(graph).eval()(**given).shape == given["x"].shape[:1] + size_of(graph)


def size_of(graph):
    with torch.device("meta"):
        return assemble(graph)(**network_arguments(graph)).shape[1:]


# Not with FreeU or space_to_depth: torch's Fourier transforms and pixel_unshuffle do not take an empty batch.
@pytest.mark.parametrize("name", EDITS)
def test_every_edit_gives_no_images_for_none(name):
    graph = architecture(EDITS[name])
    with torch.no_grad():
        assert assemble(graph).eval()(**without_images(graph)).shape == (0, 3, 16, 16)


LAYERS = {
    "softmax": AttentionBlock(8, heads=2, norm=NormOptions(4)),
    "fused": AttentionBlock(8, heads=2, head_dim=3, norm=None, options=ProjectionOptions(fused=True)),
    "linear": LinearAttention(8, 2, 4),
    "window": WindowAttention(8, WindowShape(2), (2, 4), NormOptions(4)),
    "shifted window": WindowAttention(8, WindowShape(2, 1, relative_position=True), (2, 3), NormOptions(4)),
    "transformer": Transformer(8, 1, TransformerOptions(2, 3), norm=NormOptions(4)),
    "linear transformer": Transformer(8, 1, TransformerOptions(2, 3), norm=NormOptions(4), projection="linear"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_attention_over_no_images_has_gradients_of_zero(name):
    layer = LAYERS[name]
    out = layer(torch.empty(0, 8, 4, 6))
    assert out.shape == (0, 8, 4, 6)
    out.sum().backward()
    assert all(value.grad is None or not value.grad.any() for value in layer.parameters())
    layer.zero_grad(set_to_none=True)


def test_cross_attention_of_no_images_over_no_sets_of_tokens():
    layer = TokenAttention(6, 5, heads=2)
    assert layer(torch.empty(0, 9, 6), torch.empty(0, 4, 5)).shape == (0, 9, 6)


def test_the_queries_of_no_image_are_not_divided(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    q = torch.empty(0, 1, 1024, 4, requires_grad=True)
    assert query_blocks(q, q, q) == 1
    assert query_blocks(q.new_empty(1, 1, 1024, 4, requires_grad=True), q, q) == 4


@pytest.mark.parametrize("last", [False, True])
def test_a_prepared_network_gives_no_images_for_none(last):
    graph = architecture()
    fast = for_inference(assemble(graph), InferenceOptions(channels_last=last))
    assert fast(**without_images(graph)).shape == (0, 3, 16, 16)


def test_training_on_no_images_leaves_gradients_of_zero_with_and_without_recomputing():
    graph = architecture()
    for again in (False, True):
        network = assemble(graph).train()
        with recomputing(network, ["mid.block_1"], cheap=again):
            network(**without_images(graph)).sum().backward()
        assert not any(value.grad.any() for value in network.parameters() if value.grad is not None)
