"""What the short forms of published families have in common."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from archspec.forms.short_form import MAX_WIDTH, Levels
from archspec.forms.unet import Multiplier
from archspec.ops.resampling import Filter
from archspec.text.fields import Count, Form, Rate, Width

#: What a family says of its levels; each has defaults of its own.
Multipliers = Annotated[
    tuple[Multiplier, ...],
    Field(min_length=1, max_length=12, description="width of each level as a multiple of ch"),
]
BlocksPerLevel = Annotated[Count, Field(le=64, description="residual blocks per level on the way down")]
ResampleFilter = Annotated[Filter, Field(description="taps of the resampling filter in one direction")]


class Family(Levels, Form):
    """A U-Net of a published family by its parameters; `ch` and its kin mean what they mean in `unet`."""

    ch: Annotated[Width, Field(le=MAX_WIDTH // 4)] = Field(description="base channel count")
    out_ch: Width = Field(description="output channels")
    ch_mult: Multipliers
    num_res_blocks: BlocksPerLevel
    attn_resolutions: tuple[Width, ...] = Field(max_length=64, description="image sizes, in pixels, with attention")
    dropout: Rate = Field(0.0, description="dropout in the residual blocks")
    in_channels: Width = Field(description="input channels")
    resolution: Width = Field(description="height and width of the input in pixels")
    classes: Annotated[int, Field(strict=True, ge=0, le=MAX_WIDTH)] = Field(
        0, description="number of classes that the input `label` counts; 0 for none"
    )

    OTHER_NAMES: ClassVar[dict[str, str]] = {
        "model_channels": "Here it is `ch`.",
        "channels": "Here it is `ch`.",
        "dim": "Here it is `ch`.",
        "channel_mult": "Here it is `ch_mult`.",
        "dim_mults": "Here it is `ch_mult`.",
        "num_blocks": "Here it is `num_res_blocks`.",
        "out_channels": "Here it is `out_ch`.",
        "img_channels": "Here it is `in_channels` and `out_ch`.",
        "img_resolution": "Here it is `resolution`.",
        "label_dim": "Here it is `classes`.",
        "num_classes": "Here it is `classes`.",
    }
