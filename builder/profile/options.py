"""What a prediction is made for: device, arithmetic, batch, optimizer and what else takes memory."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator

DTYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}

Dtype = Literal["float32", "bfloat16", "float16"]


class ProfileOptions(BaseModel):
    """What a prediction is made for. The defaults are those of a study's protocol on the CPU."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    device: Literal["cpu", "cuda"] = Field("cpu", description="whose kernels and allocator; none need be there")
    batch: Annotated[int, Field(strict=True, ge=1)] = Field(1, description="images per call")
    micro_batch: Annotated[int, Field(strict=True, ge=1)] | None = Field(
        None, description="images per forward pass of a training step, gradients accumulated; null: all at once"
    )
    dtype: Dtype = Field("float32", description="of weights and inputs")
    autocast: Dtype | None = Field(None, description="arithmetic of the forward under torch.autocast; null: as dtype")
    optimizer: Literal["adamw", "adam", "sgd", "sgd-momentum"] = Field("adamw", description="what updates the weights")
    variant: Literal["fused", "foreach", "loop"] = Field(
        "fused", description="torch's implementation of the optimizer; foreach holds one more copy of the parameters"
    )
    ema: bool = Field(default=True, description="an averaged copy of the weights is kept")
    grad_clip: bool = Field(default=True, description="gradients are clipped by their global norm")
    checkpointing: bool = Field(
        default=False, description="residual blocks and attention are computed again in the backward, not kept"
    )
    memory_budget: Annotated[float, Field(gt=0)] | None = Field(
        None,
        description="bytes that a training step may take; what is computed again for that is planned as in training",
    )
    channels_last: bool = Field(default=False, description="weights and images in torch.channels_last")

    @model_validator(mode="after")
    def _exists(self) -> ProfileOptions:
        if self.variant == "fused" and self.optimizer.startswith("sgd"):
            raise ValueError("the fused SGD is not predicted; use the variant foreach or loop")
        return self
