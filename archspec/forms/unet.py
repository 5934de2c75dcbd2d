"""The short form: the parameters of the reference U-Net.

The U-Net is that of DDPM (Ho et al. 2020) in the form that latent diffusion published (Rombach et al. 2022); the
parameters keep the names they have there.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from archspec.forms.short_form import MAX_WIDTH, Levels
from archspec.forms.unet_parts import (
    BlocksPerLevel,
    LabelOptions,
    TimeOptions,
    TokensOptions,
    TransformerOptions,
    VectorOptions,
)
from archspec.ops.conv import ActFn
from archspec.ops.merge import Scale, refuse_constant_zero
from archspec.ops.norms import NormType
from archspec.ops.residual import refuse_unconditioned
from archspec.text.fields import HARMLESS, Count, Epsilon, Flag, Form, Groups, Number, Rate, Taps, Width

Multiplier = Annotated[Number, Field(gt=0, le=1024)]
AttnType = Literal["vanilla", "linear", "none", "transformer"]


class AttentionOptions(Form):
    """Options of the attention blocks; what is not given keeps the default of its type."""

    heads: Count | None = Field(None, description="number of heads")
    head_dim: Width | None = Field(None, description="channels per head")
    norm: Flag | None = Field(None, description="group norm before the attention")
    residual: Annotated[Flag | None, HARMLESS] = Field(None, description="add the attention to its input")
    qkv_bias: Annotated[Flag | None, HARMLESS] = Field(None, description="bias of the projections to q, k and v")
    fused_qkv: Annotated[Flag | None, HARMLESS] = Field(None, description="one projection to q, k and v")
    zero_init: Annotated[Flag | None, HARMLESS] = Field(None, description="start the last projection from zero")

    OTHER_NAMES: ClassVar[dict[str, str]] = {
        "num_heads": "Here it is `heads`.",
        "num_head_channels": "Here it is `head_dim`.",
        "dim_head": "Here it is `head_dim`.",
    }


class AttentionChoice(AttentionOptions):
    """Options for the attention at one place, which may also have a type of its own."""

    type: AttnType | None = Field(None, description="type at this place; default attn_type")
    depth: Annotated[Count | None, Field(le=256)] = Field(None, description="depth of the transformers at this place")


MidAttn = Annotated[
    Annotated[Flag, Tag("<flag>")] | Annotated[AttentionChoice, Tag("<options>")],
    Discriminator(lambda value: "<options>" if isinstance(value, dict | AttentionChoice) else "<flag>"),
]


class UNet(Levels, Form):
    """The reference U-Net by its parameters; names and defaults as in its constructor, extensions after them."""

    ch: Annotated[Width, Field(le=MAX_WIDTH // 4)] = Field(description="base channel count")
    out_ch: Width = Field(description="output channels")
    ch_mult: tuple[Multiplier, ...] = Field(
        (1, 2, 4, 8), min_length=1, max_length=12, description="width of each level as a multiple of ch"
    )
    num_res_blocks: BlocksPerLevel = Field(
        description="residual blocks per level on the way down, one more on the way up; a list: by level"
    )
    attn_resolutions: tuple[Width, ...] = Field(
        max_length=64, description="image sizes, in pixels, at which every block is followed by attention"
    )
    dropout: Rate = Field(0.0, description="dropout in the residual blocks")
    resamp_with_conv: Annotated[Flag, HARMLESS] = Field(
        default=True, description="convolutions in down- and upsampling"
    )
    in_channels: Width = Field(description="input channels, those of a context image included")
    resolution: Width = Field(description="height and width of the input in pixels")
    use_timestep: Flag = Field(default=True, description="whether there is a timestep embedding")
    use_linear_attn: Flag = Field(default=False, description="the same as attn_type: linear")
    attn_type: AttnType = Field("vanilla", description="type of every attention block")

    attn: AttentionOptions = Field(AttentionOptions(), description="options of every attention block")
    attn_at: dict[Width, AttentionChoice] = Field(
        default_factory=dict, description="type and options of the levels' attention at a resolution"
    )
    mid_attn: MidAttn = Field(default=True, description="attention in the middle: true, false, or its options")
    skip: Literal["concat", "add", "none"] = Field("concat", description="how skip connections join the way up")
    skip_per: Literal["block", "level"] = Field(
        "block", description="a skip for every block, or one a level: from its last block down to its first block up"
    )
    skip_scale: Scale = Field(1.0, description="factor of every skip, such as 1/sqrt(2)")
    learn_skip_scale: Annotated[Flag, HARMLESS] = Field(
        default=False, description="whether each skip's factor is a trained number, which starts at skip_scale"
    )
    norm_type: NormType = Field("group", description="kind of every norm, as the type of the operation norm")
    norm_order: Annotated[Literal["pre", "post"], HARMLESS] = Field(
        "pre", description="norm and activation before each convolution of the residual blocks, or after it"
    )
    num_groups: Groups = Field(32, description="groups of every group norm; auto: min(32, channels / 4)")
    norm_eps: Epsilon = Field(
        1e-6, description="added to the variance in every norm but those of transformers, which have 1e-6"
    )
    act: Annotated[ActFn, HARMLESS] = Field(
        "silu", description="activation of the residual blocks and before the output"
    )
    zero_init: Annotated[Flag, HARMLESS] = Field(
        default=False, description="start the last convolution of each block and of the network from zero"
    )
    context_channels: Annotated[int, Field(strict=True, ge=0, le=MAX_WIDTH)] = Field(
        0, description="channels of in_channels that arrive as the separate input `context`"
    )

    conditioning: Literal["add", "scale_shift"] = Field(
        "add", description="how the embedding enters the residual blocks: added, or as scale and shift"
    )
    condition_both: Flag = Field(
        default=False, description="with scale_shift: scale and shift both norms of a block, not only the second"
    )
    residual_scale: Annotated[Number, Field(gt=0.0, le=100.0), HARMLESS] = Field(
        1.0, description="factor of the sum of residual block and shortcut, such as 1/sqrt(2)"
    )
    resblock_updown: Flag = Field(default=False, description="down- and upsample by residual blocks (as ADM)")
    resample_filter: Annotated[Taps | None, HARMLESS] = Field(
        None, description="taps of the FIR filter that these blocks resample with"
    )
    downsample_padding: Annotated[Literal["asymmetric", "symmetric"], HARMLESS] = Field(
        "asymmetric", description="of the strided convolution: one pixel right and bottom, or all around"
    )
    stem: Literal["ch", "first_level"] = Field(
        "ch", description="width of the first convolution: ch, or that of the first level (as ADM)"
    )
    mid_block: Flag = Field(default=True, description="whether there is a middle")
    time: TimeOptions = Field(TimeOptions(), description="how the timestep becomes features")
    label: LabelOptions | None = Field(None, description="conditioning on classes")
    vector: VectorOptions | None = Field(None, description="conditioning on one vector")
    tokens: TokensOptions | None = Field(None, description="conditioning on a sequence, by transformers")
    transformer: TransformerOptions = Field(
        TransformerOptions(), description="options of attention blocks of type transformer"
    )

    #: from LDM's UNetModel, ADM, and diffusers' UNet2DModel
    OTHER_NAMES: ClassVar[dict[str, str]] = {
        "model_channels": "Here it is `ch`.",
        "num_channels": "Here it is `ch`.",
        "base_channels": "Here it is `ch`.",
        "channels": "Here it is `ch`.",
        "dim": "Here it is `ch`.",
        "dim_mults": "Here it is `ch_mult`.",
        "channel_mult": "Here it is `ch_mult`.",
        "channel_mults": "Here it is `ch_mult`.",
        "block_out_channels": "Here it is `ch` times `ch_mult`.",
        "layers_per_block": "Here it is `num_res_blocks`.",
        "attention_resolutions": "Here it is `attn_resolutions`, in pixels and not in downsampling factors.",
        "out_channels": "Here it is `out_ch`.",
        "image_size": "Here it is `resolution`.",
        "sample_size": "Here it is `resolution`.",
        "norm_num_groups": "Here it is `num_groups`.",
        "num_heads": "Here it is `attn: {heads: …}`.",
        "heads": "Here it is `attn: {heads: …}`.",
        "num_head_channels": "Here it is `attn: {head_dim: …}`.",
        "attention_head_dim": "Here it is `attn: {head_dim: …}` (in some code bases it means the number of heads).",
        "use_scale_shift_norm": "Here it is `conditioning: scale_shift`.",
        "act_fn": "Here it is `act`.",
        "time_embedding_type": "Here it is `time: {type: …}`.",
        "resnet_time_scale_shift": "Here it is `conditioning: scale_shift`.",
        "num_classes": "Here it is `label: {classes: …}`.",
        "label_dim": "Here it is `label: {classes: …}`.",
        "context_dim": "Here it is `tokens: {dim: …}`.",
        "cross_attention_dim": "Here it is `tokens: {dim: …}`.",
        "use_spatial_transformer": "Here it is `attn_type: transformer`.",
        "transformer_depth": "Here it is `transformer: {depth: …}`.",
        "transformer_layers_per_block": "Here it is `transformer: {depth: …}`.",
        "use_linear_projection": "Here it is `transformer: {projection: linear}`.",
        "flip_sin_to_cos": "Here it is `time: {order: cos_sin}`.",
        "freq_shift": "Here it is `time: {freq_shift: …}`.",
    }

    @model_validator(mode="after")
    def _context_fits(self) -> Self:
        if self.context_channels >= self.in_channels:
            context = {"at": "context_channels", "all": self.in_channels}
            raise PydanticCustomError("U012", "must be less than in_channels, {all}, which includes it", context)
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        refuse_constant_zero(self.skip_scale, learned=self.learn_skip_scale, at="skip_scale")
        refuse_unconditioned(self.conditioning, both=self.condition_both)
        return self

    @property
    def default_attn_type(self) -> AttnType:
        """`attn_type`, or linear where `use_linear_attn` says so."""
        return "linear" if self.use_linear_attn else self.attn_type

    @property
    def crosses(self) -> bool:
        """Whether transformers attend to tokens: as said, or where there are any."""
        crosses = self.transformer.cross_attention
        return self.tokens is not None if crosses is None else crosses

    def attn_types(self) -> set[AttnType]:
        """The types of attention that there are."""
        reached = set(self.resolutions()) & set(self.attn_resolutions)
        choices = {size: self.attn_at.get(size) for size in reached}
        found = {choice.type if choice and choice.type else self.default_attn_type for choice in choices.values()}
        if self.mid_block and self.mid_attn is not False:
            own = self.mid_attn.type if isinstance(self.mid_attn, AttentionChoice) else None
            found.add(own or self.default_attn_type)
        return found

    @property
    def takes_tokens(self) -> bool:
        """Whether there is a transformer that attends to tokens."""
        return self.crosses and "transformer" in self.attn_types()
