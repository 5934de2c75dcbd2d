"""The torch modules that operations become: plain PyTorch, no knowledge of specs or graphs.

Feature maps are ``[batch, channels, height, width]``, embeddings ``[batch, dim]``, timesteps ``[batch]``.
"""

from builder.layers.attention import AttentionBlock, LinearAttention, LinearAttentionBlock
from builder.layers.conv import ZeroConv2d, conv2d
from builder.layers.embedding import Mlp, get_timestep_embedding, sinusoidal
from builder.layers.fir import FirResample, fir_resample
from builder.layers.merge import AddProjected
from builder.layers.mp_block import MpAttention, MpBlock
from builder.layers.norm import Normalize, NormOptions
from builder.layers.resample import Downsample, Upsample
from builder.layers.residual import ResnetBlock

__all__ = [
    "AddProjected", "AttentionBlock", "Downsample", "FirResample", "LinearAttention", "LinearAttentionBlock", "Mlp",
    "MpAttention", "MpBlock", "NormOptions", "Normalize", "ResnetBlock", "Upsample", "ZeroConv2d", "conv2d",
    "fir_resample", "get_timestep_embedding", "sinusoidal",
]  # fmt: skip
