"""The torch modules that operations become: plain PyTorch, no knowledge of specs or graphs.

Feature maps are ``[batch, channels, height, width]``, embeddings ``[batch, dim]``, timesteps and labels ``[batch]``,
tokens ``[batch, length, dim]``.
"""

from builder.layers.attention import AttentionBlock, LinearAttention, LinearAttentionBlock, ProjectionOptions
from builder.layers.conv import ZeroConv2d, conv2d
from builder.layers.embedding import LearnedTimesteps, Mlp, get_timestep_embedding, sinusoidal
from builder.layers.filters import Resample
from builder.layers.label import LabelLinear, LabelTable
from builder.layers.merge import ScaledConcat, Sum, factor, scaled_add, scaled_concat
from builder.layers.mp_block import MpAttention, MpBlock
from builder.layers.norm import Normalize, NormOptions
from builder.layers.resample import Downsample, SpaceToDepth, Upsample
from builder.layers.residual import BlockOptions, ResnetBlock
from builder.layers.transformer import Transformer, TransformerOptions

__all__ = [
    "AttentionBlock", "BlockOptions", "Downsample", "LabelLinear", "LabelTable", "LearnedTimesteps",
    "LinearAttention", "LinearAttentionBlock", "Mlp", "MpAttention", "MpBlock", "NormOptions", "Normalize",
    "ProjectionOptions", "Resample", "ResnetBlock", "ScaledConcat", "SpaceToDepth", "Sum", "Transformer",
    "TransformerOptions", "Upsample", "ZeroConv2d", "conv2d", "factor", "get_timestep_embedding", "scaled_add",
    "scaled_concat", "sinusoidal",
]  # fmt: skip
