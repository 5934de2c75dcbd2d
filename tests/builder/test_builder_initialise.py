"""Starting values: the same in what two variants share, and nothing else touched."""

import pytest
import torch

from archspec import build, loads
from builder import assemble, initialise
from builder.initialise import seed_of

BASE = """
version: 1
name: base
unet: {ch: 32, out_ch: 3, num_res_blocks: 1, attn_resolutions: [8], in_channels: 3, resolution: 16, ch_mult: [1, 2]}
"""


def model(edits="", **options):
    text = BASE.replace("ch_mult", "".join(f"{key}: {value}, " for key, value in options.items()) + "ch_mult")
    return assemble(build(loads(text + edits)))


def test_the_same_seed_gives_the_same_values():
    torch.manual_seed(1)
    first, second = model(), model()
    assert not torch.equal(first.conv_in.weight, second.conv_in.weight)
    initialise(first, 3)
    initialise(second, 3)
    for key, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[key]), key
    initialise(second, 4)
    assert not torch.equal(first.conv_in.weight, second.conv_in.weight)


def test_variants_start_the_same_in_every_module_that_they_share():
    base, variant = model(), model("edits:\n  - remove: mid.attn_1\n")
    initialise(base, 7)
    initialise(variant, 7)
    ours, theirs = base.state_dict(), variant.state_dict()
    assert {key for key in ours if key not in theirs} == {key for key in ours if key.startswith("mid.attn_1.")}
    assert len(theirs) == len(ours) - 10
    for key, value in theirs.items():
        assert torch.equal(value, ours[key]), key


def test_modules_of_one_shape_start_differently():
    base = model()
    initialise(base, 0)
    assert not torch.equal(base.mid.block_1.conv1.weight, base.mid.block_2.conv1.weight)
    assert not torch.equal(base.mid.block_1.conv1.weight, base.mid.block_1.conv2.weight)


def test_values_are_torchs_own():
    base = model()
    initialise(base, 5)
    torch.manual_seed(seed_of(5, "conv_in"))
    assert torch.equal(base.conv_in.weight, torch.nn.Conv2d(3, 32, 3, padding=1).weight)


def test_seeds_are_stable():
    assert seed_of(0, "conv_in") == 8_273_428_558_333_498_551
    assert seed_of(0, "conv_in") != seed_of(1, "conv_in") != seed_of(1, "conv_out")


def test_the_global_generator_is_left_alone():
    base = model()
    torch.manual_seed(11)
    expected = torch.randn(3)
    torch.manual_seed(11)
    initialise(base, 0)
    assert torch.equal(torch.randn(3), expected)


def test_zero_init_stays_zero():
    base = model(zero_init="true")
    with torch.no_grad():
        for parameter in base.parameters():
            parameter.fill_(1.0)
    initialise(base, 0)
    zero = {key for key, value in base.state_dict().items() if key.endswith("weight") and not value.any()}
    assert zero == {f"{node}.conv2.weight" for node in base.architecture if "block" in node} | {"conv_out.weight"}
    x = torch.randn(1, 3, 16, 16)
    assert torch.equal(base(x, torch.tensor([5])), torch.zeros(1, 3, 16, 16))


def test_trained_values_are_forgotten():
    base, other = model(), model()
    initialise(base, 0)
    initialise(other, 0)
    with torch.no_grad():
        for parameter in base.parameters():
            parameter.mul_(3.0).add_(1.0)
    initialise(base, 0)
    assert all(torch.equal(a, b) for a, b in zip(base.parameters(), other.parameters(), strict=True))


def test_what_is_on_meta_stays_there_and_can_be_filled_afterwards():
    with torch.device("meta"):
        empty = model()
    initialise(empty, 0)
    assert empty.conv_in.weight.is_meta
    filled = empty.to_empty(device="cpu")
    initialise(filled, 0)
    other = model()
    initialise(other, 0)
    assert all(torch.equal(a, b) for a, b in zip(filled.parameters(), other.parameters(), strict=True))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_values_do_not_depend_on_the_device():
    here, there = model(), model().to("cuda")
    state = torch.cuda.get_rng_state()
    initialise(here, 0)
    initialise(there, 0)
    assert all(torch.equal(a, b.cpu()) for a, b in zip(here.parameters(), there.parameters(), strict=True))
    assert torch.equal(state, torch.cuda.get_rng_state())
