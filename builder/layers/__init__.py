"""The torch modules that operations become: plain PyTorch, no knowledge of specs or graphs.

Feature maps are ``[batch, channels, height, width]``, embeddings ``[batch, dim]``, timesteps and labels ``[batch]``,
tokens ``[batch, length, dim]``.
"""

from builder.layers.attention import AttentionBlock, LinearAttention, LinearAttentionBlock, ProjectionOptions
from builder.layers.conv import ZeroConv2d, conv2d
from builder.layers.embedding import Mlp, get_timestep_embedding, sinusoidal
from builder.layers.filters import Resample
from builder.layers.label import LabelLinear, LabelTable
from builder.layers.merge import AddProjected
from builder.layers.mp_block import MpAttention, MpBlock
from builder.layers.norm import Normalize, NormOptions
from builder.layers.resample import Downsample, SpaceToDepth, Upsample
from builder.layers.residual import BlockOptions, ResnetBlock
from builder.layers.transformer import Transformer, TransformerOptions

__all__ = [
    "AddProjected", "AttentionBlock", "BlockOptions", "Downsample", "LabelLinear", "LabelTable", "LinearAttention",
    "LinearAttentionBlock", "Mlp", "MpAttention", "MpBlock", "NormOptions", "Normalize", "ProjectionOptions",
    "Resample", "ResnetBlock", "SpaceToDepth", "Transformer", "TransformerOptions", "Upsample", "ZeroConv2d",
    "conv2d", "get_timestep_embedding", "sinusoidal",
]  # fmt: skip
