"""The vocabulary: one frozen description per operation, and the one table that names them."""

from archspec.ops import plugins
from archspec.ops.attention import Attention
from archspec.ops.base import Misfit, Op, Port, Price, Role
from archspec.ops.conditioning import Mlp, TimeEmbedding
from archspec.ops.conv import Act, Conv, Norm
from archspec.ops.embeddings import AddEmbeddings, LabelEmbedding
from archspec.ops.io import Input, Output
from archspec.ops.magnitude import (
    Clip,
    MpConcat,
    MpConv,
    MpFourier,
    MpLinear,
    MpSilu,
    MpSum,
    OneHot,
    OnesChannel,
    PixelNorm,
)
from archspec.ops.merge import Add, Concat
from archspec.ops.mp_block import MpAttention, MpBlock
from archspec.ops.resample import Downsample, Upsample
from archspec.ops.resampling import FirResample
from archspec.ops.residual import ResnetBlock
from archspec.ops.score import BlurredConv, FourierFeatures, Linear
from archspec.ops.skips import FreeUConcat, GatedConcat
from archspec.ops.transformer import Transformer
from archspec.ops.unread import Unread
from archspec.ops.window import WindowAttention

#: Operation name -> its description. The only place where a name becomes a class.
OPS: dict[str, type[Op]] = {
    cls.model_fields["op"].default: cls
    for cls in (
        Input, Output, TimeEmbedding, Mlp, Conv, Norm, Act, ResnetBlock, Attention, Downsample, Upsample, Concat, Add,
        Transformer, LabelEmbedding, AddEmbeddings,
        MpConv, MpLinear, MpFourier, MpSilu, MpSum, MpConcat, PixelNorm, OnesChannel, Clip, OneHot, MpBlock,
        MpAttention, FirResample, FourierFeatures, Linear, BlurredConv, GatedConcat, FreeUConcat, WindowAttention,
    )
}  # fmt: skip

#: What stands for what in tables and pictures: residual blocks, attention, and joins of a skip with the way up.
BLOCKS = (ResnetBlock, MpBlock)
ATTENTION = (Attention, Transformer, MpAttention, WindowAttention)
MERGES = (Concat, Add, MpConcat, GatedConcat, FreeUConcat)


def register(operation: type[Op]) -> type[Op]:
    """Add an operation from outside, so that files can name it; works as a decorator of its class.

    Raises:
        UserError: it has no name, or another operation has it.
    """
    return plugins.register(OPS, operation)


__all__ = [
    "ATTENTION", "BLOCKS", "MERGES", "OPS",
    "Act", "Add", "AddEmbeddings", "Attention", "BlurredConv", "Clip", "Concat", "Conv", "Downsample",
    "FirResample", "FourierFeatures", "FreeUConcat", "GatedConcat", "Input", "LabelEmbedding", "Linear", "Misfit",
    "Mlp", "MpAttention", "MpBlock", "MpConcat", "MpConv", "MpFourier", "MpLinear", "MpSilu", "MpSum", "Norm",
    "OneHot", "OnesChannel", "Op", "Output", "PixelNorm", "Port", "Price", "ResnetBlock", "Role", "TimeEmbedding",
    "Transformer", "Unread", "Upsample", "WindowAttention", "register",
]  # fmt: skip
