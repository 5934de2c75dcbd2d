"""Where the networks of a study start from."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from studies.sections.section import Place, Section


class Init(Section):
    """Where networks start from: the weights of a pretrained one, as far as an edited architecture still has them."""

    model_config: ClassVar[ConfigDict] = ConfigDict(populate_by_name=True)

    source: Place = Field(
        alias="from",
        description="Checkpoint (safetensors, torch's, a folder of diffusers'); relative to the study file.",
    )
    architecture: str | dict[str, Any] | None = Field(
        None, description="What the checkpoint is of: a file, zoo/NAME, or unet: or graph: in place; null: the base."
    )
    layout: str | None = Field(
        None, description="Its layout: compvis, ldm, adm, adm-new-order, diffusers; null: found out."
    )
    ema: bool = Field(
        default=False, description="Take the averaged weights that the checkpoint has beside the weights."
    )
    policy: Literal["exact", "crop", "zero"] = Field(
        "crop",
        description="Weights of another shape: exact starts them anew; crop takes over what both have; zero does too, "
        "and new inputs have no effect at first.",
    )
