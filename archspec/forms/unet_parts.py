"""Parts of the short form that later families brought: time features, other conditions, transformers."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self, TypeVar

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from archspec.ops.conditioning import (
    FeatureOrder,
    FeatureRows,
    FeatureScale,
    FeatureType,
    FreqShift,
    MaxPeriod,
    refuse_foreign,
)
from archspec.text.fields import Count, Flag, Form, Width

T = TypeVar("T")
Blocks = Annotated[Count, Field(le=64)]
Depth = Annotated[Count, Field(le=256)]


def _one_or_many(value: object) -> str:
    return "<per level>" if isinstance(value, list | tuple) else "<number>"


#: One number for all levels, or one for each.
BlocksPerLevel = Annotated[
    Annotated[Blocks, Tag("<number>")]
    | Annotated[tuple[Blocks, ...], Field(min_length=1, max_length=12), Tag("<per level>")],
    Discriminator(_one_or_many),
]
#: One number for all blocks of a level, or one for each.
DepthPerBlock = Annotated[
    Annotated[Depth, Tag("<number>")]
    | Annotated[tuple[Depth, ...], Field(min_length=1, max_length=65), Tag("<per block>")],
    Discriminator(lambda value: "<per block>" if isinstance(value, list | tuple) else "<number>"),
]
#: One number for all levels, or for each level one, or one for each of its blocks.
DepthPerLevel = Annotated[
    Annotated[Depth, Tag("<number>")]
    | Annotated[tuple[DepthPerBlock, ...], Field(min_length=1, max_length=12), Tag("<per level>")],
    Discriminator(_one_or_many),
]


def at_level(value: int | tuple[T, ...], level: int) -> int | T:
    """What holds for a level; for one that is not listed (which is refused) the last."""
    return value if isinstance(value, int) else value[min(level, len(value) - 1)]


def at_block(value: int | tuple[int | tuple[int, ...], ...], level: int, block: int | None) -> int:
    """The number for a block of a level; for None, the middle, that of the last block."""
    here = at_level(value, level)
    return here if isinstance(here, int) else here[-1 if block is None else min(block, len(here) - 1)]


class TimeOptions(Form):
    """How the timestep becomes features."""

    type: FeatureType = "sinusoidal"
    order: FeatureOrder = "sin_cos"
    freq_shift: FreqShift = 1.0
    max_period: MaxPeriod = 10_000.0
    scale: FeatureScale = None
    steps: FeatureRows = None

    OTHER_NAMES: ClassVar[dict[str, str]] = {
        "flip_sin_to_cos": "Here it is `order: cos_sin`.",
        "num_train_timesteps": "Here it is `steps`.",
    }

    @model_validator(mode="after")
    def _options_of_the_type(self) -> Self:
        refuse_foreign(self)
        return self


class LabelOptions(Form):
    """Conditioning on classes: an embedding summed with that of the timestep."""

    classes: Width = Field(description="number of classes")
    type: Literal["table", "linear"] = Field("table", description="a table, or a linear map of the one-hot vector")
    bias: Flag = Field(default=False, description="bias of the linear map")
    scaled: Flag = Field(default=False, description="one-hot vectors times the root of the number of classes")
    before_mlp: Flag = Field(default=False, description="sum it with the time features, before the MLP, not after it")

    OTHER_NAMES: ClassVar[dict[str, str]] = {"num_classes": "Here it is `classes`."}

    @model_validator(mode="after")
    def _options_of_linear(self) -> Self:
        for name in ("bias", "scaled"):
            if self.type == "table" and getattr(self, name):
                raise PydanticCustomError("U012", "has no meaning with type: table", {"at": name})
        return self


class VectorOptions(Form):
    """Conditioning on one vector, such as a pooled text embedding: an MLP whose result is summed with the embedding."""

    dim: Width = Field(description="width of the vector")
    before_mlp: Flag = Field(default=False, description="sum it with the time features, before the MLP, not after it")


class TokensOptions(Form):
    """Conditioning on a sequence, such as an encoded text: what transformers attend to."""

    dim: Width = Field(description="width of each token")
    length: Width = Field(77, description="number of tokens that costs are counted for; any number is taken")


class TransformerOptions(Form):
    """Options of attention blocks of type transformer; what is not given keeps the operation's default."""

    depth: DepthPerLevel = Field(
        1,
        description="transformer blocks in each; a list: by level, the middle as the last; a list for a level: by "
        "block of its way up, the way down taking all but the last",
    )
    self_attention: Flag = Field(default=True, description="attention over the positions in every block")
    cross_attention: Flag | None = Field(None, description="attention over the tokens; default: where there are any")
    feed_forward: Flag = Field(default=True, description="a feed-forward on each position in every block")
    ff_mult: Annotated[Count, Field(le=64)] = Field(4, description="inner width of the feed-forward as a multiple")
    ff_act: Literal["geglu", "gelu"] = Field("geglu", description="activation of the feed-forward")
    projection: Literal["conv", "linear"] = Field("conv", description="in and out by 1×1 convolutions or linear layers")

    OTHER_NAMES: ClassVar[dict[str, str]] = {
        "transformer_depth": "Here it is `depth`.",
        "use_linear": "Here it is `projection: linear`.",
        "context_dim": "Here it is `tokens: {dim: …}`, beside `transformer`.",
    }
