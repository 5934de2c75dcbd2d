"""The reference U-Net (Ho et al. 2020; Rombach et al. 2022) by its parameters, and its blocks by their names.

`Model` is a thin face over the path that every architecture takes: parameters, graph, `builder.assemble`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import fx, nn

from archspec import ArchGraph, check_data
from archspec.text.positions import Positions
from builder.assemble import traced
from builder.inputs import with_context
from builder.layers import (
    AttentionBlock,
    Downsample,
    LinearAttentionBlock,
    Normalize,
    ResnetBlock,
    Upsample,
    get_timestep_embedding,
)
from builder.network import Network

__all__ = [
    "AttentionBlock", "Downsample", "LinearAttentionBlock", "Model", "Normalize", "ResnetBlock", "Upsample",
    "get_timestep_embedding",
]  # fmt: skip


class Model(Network):
    """The reference U-Net.

    Args:
        ch: base channel count.
        out_ch: output channels.
        ch_mult: width of each level as a multiple of `ch`.
        num_res_blocks: residual blocks per level on the way down; one more on the way up.
        attn_resolutions: image sizes, in pixels, at which every block is followed by attention. The middle has
            attention in any case, unless `attn_type` is none.
        dropout: dropout in the residual blocks.
        resamp_with_conv: whether down- and upsampling have convolutions.
        in_channels: input channels, those of a context included.
        resolution: height and width of the input in pixels.
        use_timestep: whether there is a timestep embedding. Without it the blocks keep its projections, unused.
        use_linear_attn: the same as ``attn_type="linear"``.
        attn_type: vanilla, linear (without norm and residual) or none.

    Raises:
        UserError: the parameters do not fit together, with every problem.
    """

    def __init__(  # noqa: PLR0913 - the constructor of the published model
        self,
        *,
        ch: int,
        out_ch: int,
        ch_mult: Sequence[float] = (1, 2, 4, 8),
        num_res_blocks: int,
        attn_resolutions: Sequence[int],
        dropout: float = 0.0,
        resamp_with_conv: bool = True,
        in_channels: int,
        resolution: int,
        use_timestep: bool = True,
        use_linear_attn: bool = False,
        attn_type: Literal["vanilla", "linear", "none"] = "vanilla",
    ) -> None:
        parameters = {
            "ch": ch,
            "out_ch": out_ch,
            "ch_mult": ch_mult,
            "num_res_blocks": num_res_blocks,
            "attn_resolutions": attn_resolutions,
            "dropout": dropout,
            "resamp_with_conv": resamp_with_conv,
            "in_channels": in_channels,
            "resolution": resolution,
            "use_timestep": use_timestep,
            "use_linear_attn": use_linear_attn,
            "attn_type": attn_type,
        }
        architecture = _architecture(parameters)
        modules, graph = traced(architecture)
        _join_context(graph)
        super().__init__(architecture, modules, graph)

    def get_last_layer(self) -> nn.Parameter:
        """The weight of the last convolution: ``[out_ch, ch, 3, 3]``."""
        return self.get_parameter("conv_out.weight")


def _architecture(parameters: dict[str, object]) -> ArchGraph:
    document = {"version": 1, "name": "Model", "unet": parameters}
    return check_data(document, Positions("Model")).sound()


def _join_context(graph: fx.Graph) -> None:
    """Let the argument `context` be concatenated to the argument `x` where it is given."""
    x, _, context = graph.find_nodes(op="placeholder")
    with graph.inserting_after(context):
        joined = graph.create_node("call_function", with_context, (x, context), {}, "x_with_context")
    x.replace_all_uses_with(joined, delete_user_cb=lambda user: user is not joined)
