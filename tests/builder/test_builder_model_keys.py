"""The names and shapes of the reference U-Net's weights, written down from the published implementation's structure."""

import pytest
from test_builder_model import SEED, SMALL, on_meta


def layer(name, *weight, bias=True):
    return {f"{name}.weight": weight} | ({f"{name}.bias": weight[:1]} if bias else {})


def block(name, cin, cout, temb):
    keys = layer(f"{name}.norm1", cin) | layer(f"{name}.conv1", cout, cin, 3, 3) | layer(f"{name}.norm2", cout)
    keys |= layer(f"{name}.temb_proj", cout, temb) | layer(f"{name}.conv2", cout, cout, 3, 3)
    return keys | (layer(f"{name}.nin_shortcut", cout, cin, 1, 1) if cin != cout else {})


def attention(name, width, attn_type):
    if attn_type == "linear":
        to_qkv = layer(f"{name}.to_qkv", 3 * width, width, 1, 1, bias=False)
        return to_qkv | layer(f"{name}.to_out", width, width, 1, 1)
    keys = {}
    for part in ("q", "k", "v", "proj_out") if attn_type == "vanilla" else ():
        keys |= layer(f"{name}.{part}", width, width, 1, 1)
    return keys | (layer(f"{name}.norm", width) if keys else {})


def level(names, widths, size, parameters):
    """Blocks, and attention where this size has it; `names` as in ``("down.0.block", "down.0.attn")``."""
    keys = {}
    for j, (cin, cout) in enumerate(widths):
        keys |= block(f"{names[0]}.{j}", cin, cout, 4 * parameters["ch"])
        if size in parameters["attn_resolutions"]:
            keys |= attention(f"{names[1]}.{j}", cout, parameters.get("attn_type", "vanilla"))
    return keys


def expected_keys(parameters):
    """Name -> shape of every weight, written down from the published implementation's structure."""
    ch, blocks, conv = parameters["ch"], parameters["num_res_blocks"], parameters.get("resamp_with_conv", True)
    channels = [ch * factor for factor in parameters["ch_mult"]]
    sizes = [parameters["resolution"] // 2**i for i in range(len(channels))]
    keys = layer("conv_in", ch, parameters["in_channels"], 3, 3)
    if parameters.get("use_timestep", True):
        keys |= layer("temb.dense.0", 4 * ch, ch) | layer("temb.dense.1", 4 * ch, 4 * ch)
    skips = [ch]
    for i, width in enumerate(channels):
        before = skips[-1]
        widths = [(before if j == 0 else width, width) for j in range(blocks)]
        keys |= level((f"down.{i}.block", f"down.{i}.attn"), widths, sizes[i], parameters)
        last = i + 1 == len(channels)
        keys |= layer(f"down.{i}.downsample.conv", width, width, 3, 3) if conv and not last else {}
        skips += [width] * (blocks if last else blocks + 1)
    wide = channels[-1]
    keys |= block("mid.block_1", wide, wide, 4 * ch) | block("mid.block_2", wide, wide, 4 * ch)
    keys |= attention("mid.attn_1", wide, parameters.get("attn_type", "vanilla"))
    for i, width in reversed(list(enumerate(channels))):
        widths = [((wide if j == 0 else width) + skips.pop(), width) for j in range(blocks + 1)]
        keys |= level((f"up.{i}.block", f"up.{i}.attn"), widths, sizes[i], parameters)
        keys |= layer(f"up.{i}.upsample.conv", width, width, 3, 3) if conv and i else {}
        wide = width
    return keys | layer("norm_out", wide) | layer("conv_out", parameters["out_ch"], wide, 3, 3)


@pytest.mark.parametrize(
    "parameters",
    [
        SEED,
        {**SEED, "attn_type": "linear", "attn_resolutions": [64, 16]},
        {**SMALL, "attn_type": "none", "resamp_with_conv": False},
        {**SMALL, "use_timestep": False, "num_res_blocks": 3, "in_channels": 5, "out_ch": 6},
        {**SMALL, "ch_mult": (2, 1, 4), "attn_resolutions": [16, 4]},
    ],
)
def test_state_dict_has_the_published_keys_and_shapes(parameters):
    state = on_meta(**parameters).state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == expected_keys(parameters)
