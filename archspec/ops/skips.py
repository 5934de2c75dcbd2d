"""Other ways for a skip connection to meet the way up: gated, or rebalanced without any parameter (FreeU)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from archspec.ops.base import HARMLESS, Number, Width, feature_map
from archspec.ops.merge import Joined
from archspec.ops.shapes import Shape

Factor = Annotated[Number, Field(ge=0.0, le=100.0), HARMLESS]


class GatedConcat(Joined):
    """Concatenation with an attention gate on the skip (Oktay et al. 2018, eq. 1 and 2).

    The skip is multiplied, pixel by pixel, by sigmoid(psi(relu(theta(skip) + phi(x)))), where theta, phi and psi are
    1×1 convolutions and psi has one output channel. Weight names: ``theta`` (no bias), ``phi``, ``psi``.
    """

    op: Literal["gated_concat"] = "gated_concat"
    hidden: Width | None = Field(None, description="channels inside the gate; default half of the skip's")

    def inner(self, inputs: Mapping[str, Shape]) -> int:
        """Channels inside the gate."""
        return self.hidden or max(feature_map(inputs, "skip").channels // 2, 1)

    def _weights(self, inputs: Mapping[str, Shape]) -> int:
        both = feature_map(inputs).channels + feature_map(inputs, "skip").channels
        return (both + 1) * self.inner(inputs)

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """Three convolutions, two of them with bias."""
        return self._weights(inputs) + self.inner(inputs) + 1

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """Three convolutions."""
        return feature_map(inputs).size ** 2 * self._weights(inputs)

    def canonical(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """The default spelled out."""
        return {**super().canonical(inputs), "hidden": self.inner(inputs)}


class FreeUConcat(Joined):
    """Concatenation as FreeU has it (Si et al. 2023): nothing is learned, so that it fits a trained network.

    The first half of the channels of x is multiplied by 1 + (backbone − 1)·m, m being the mean over channels brought to
    the range from 0 to 1 over each image's pixels; the frequencies of the skip that are nearer to 0 than `threshold`
    (in periods per image) are multiplied by `skip_scale`. The Fourier transforms are not counted, as torch does not.
    """

    op: Literal["freeu_concat"] = "freeu_concat"
    backbone: Factor = Field(1.2, description="largest factor of the first half of the channels of x")
    skip_scale: Factor = Field(0.9, description="factor of the low frequencies of the skip")
    threshold: Annotated[Number, Field(gt=0.0, le=10_000.0), HARMLESS] = Field(
        1.0, description="distance from frequency 0, in periods per image, below which frequencies are low"
    )
