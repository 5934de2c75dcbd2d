"""The layers of later families against those of diffusers, with the same weights."""

import pytest
import torch

pytest.importorskip("diffusers")

from diffusers.models.downsampling import downsample_2d
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.upsampling import upsample_2d

from builder import layers
from builder.layers.filters import Resample

_NAMES = {"temb_proj": "time_emb_proj", "nin_shortcut": "conv_shortcut"}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("scale_shift", [False, True])
@pytest.mark.parametrize("resample", ["none", "down", "up"])
@pytest.mark.parametrize("out", [32, 64])
def test_resnet_block(scale_shift, resample, out):
    options = layers.BlockOptions(scale_shift=scale_shift, resample=resample, residual_scale=0.5)
    ours = layers.ResnetBlock(
        in_channels=32,
        out_channels=out,
        dropout=0.0,
        temb_channels=16,
        norm=layers.NormOptions(8, 1e-5),
        options=options,
    )
    theirs = ResnetBlock2D(
        in_channels=32,
        out_channels=out,
        temb_channels=16,
        groups=8,
        eps=1e-5,
        time_embedding_norm="scale_shift" if scale_shift else "default",
        output_scale_factor=2.0,
        up=resample == "up",
        down=resample == "down",
    )
    state = {}
    for key, value in ours.state_dict().items():
        first, _, rest = key.partition(".")
        state[f"{_NAMES.get(first, first)}.{rest}"] = value
    theirs.load_state_dict(state, strict=True)
    x, temb = torch.randn(2, 32, 8, 8), torch.randn(2, 16)
    torch.testing.assert_close(ours(x, temb), theirs(x, temb))


@pytest.mark.parametrize("projection", ["conv", "linear"])
@pytest.mark.parametrize("tokens_dim", [None, 12])
def test_transformer(projection, tokens_dim):
    options = layers.TransformerOptions(heads=4, head_dim=6, tokens_dim=tokens_dim)
    ours = layers.Transformer(32, 2, options, norm=layers.NormOptions(8, 1e-6), projection=projection).eval()
    theirs = Transformer2DModel(
        num_attention_heads=4,
        attention_head_dim=6,
        in_channels=32,
        num_layers=2,
        norm_num_groups=8,
        cross_attention_dim=tokens_dim,
        use_linear_projection=projection == "linear",
    ).eval()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    x = torch.randn(2, 32, 4, 4)
    tokens = None if tokens_dim is None else torch.randn(2, 5, tokens_dim)
    expected = theirs(x, encoder_hidden_states=tokens, return_dict=False)[0]
    torch.testing.assert_close(ours(x, tokens), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("taps", [(1.0, 3.0, 3.0, 1.0), (1.0, 1.0)])
def test_fir_filters(taps):
    x = torch.randn(2, 3, 8, 8)
    kernel = list(taps)
    torch.testing.assert_close(Resample("down", taps)(x), downsample_2d(x, kernel))
    torch.testing.assert_close(Resample("up", taps)(x), upsample_2d(x, kernel))
