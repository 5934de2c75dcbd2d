"""What NCSN++ and DDPM++ need beside the common blocks (Song et al. 2021, in the form of Karras et al. 2022)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from archspec.ops.base import (
    HARMLESS,
    WHOLE,
    Flag,
    Misfit,
    Number,
    Op,
    Port,
    Width,
    embedding_dim,
    feature_map,
    halving_misfits,
)
from archspec.ops.resampling import Filter, even_taps, filter_macs, resampled
from archspec.ops.shapes import Embedding, FeatureMap, Shape, Timestep


class FourierFeatures(Op):
    """Sines, then cosines, of 2π·f·t with random and fixed frequencies f (Tancik et al. 2020; Song et al. 2021).

    Buffer name: ``frequencies``.
    """

    op: Literal["fourier_features"] = "fourier_features"
    dim: Width = Field(description="number of features; even")
    scale: Annotated[Number, Field(ge=1e-9, le=1e9), HARMLESS] = Field(
        16.0, description="standard deviation of the frequencies"
    )

    PORTS: ClassVar[tuple[Port, ...]] = (Port("t", Timestep, "emb"),)

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """An embedding of `dim`."""
        del inputs
        return Embedding(self.dim)

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Half of the features are sines."""
        del inputs
        if self.dim % 2:
            message = f"{self.dim} features do not split into sines and cosines."
            yield Misfit("U202", message, f"Use an even number, such as {self.dim + 1}.", "dim")

    def stateless(self, inputs: Mapping[str, Shape]) -> bool:
        """No: two of them have frequencies of their own."""
        del inputs
        return False


class Linear(Op):
    """A linear layer on an embedding. Weight names: ``weight``, ``bias``."""

    op: Literal["linear"] = "linear"
    out: Width = Field(description="width of the result")
    bias: Annotated[Flag, HARMLESS] = Field(default=True, description="whether there is a bias")

    PORTS: ClassVar[tuple[Port, ...]] = (Port("x", Embedding, "emb"),)

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """An embedding of `out`."""
        del inputs
        return Embedding(self.out)

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """Weights and bias."""
        return embedding_dim(inputs) * self.out + self.out * self.bias

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """One product per weight."""
        return embedding_dim(inputs) * self.out


class BlurredConv(Op):
    """A convolution, and then half the size by a FIR filter: the downsampling of NCSN++'s progressive input.

    The convolution reaches over the border as far as the filter will, so that the filter needs no padding of its own;
    it is counted at its full size, as Karras et al. (2022) compute it. Weight names: ``weight``, ``bias``.
    """

    op: Literal["blurred_conv"] = "blurred_conv"
    out: Width = Field(description="output channels")
    kernel: Annotated[Literal[1, 3, 5, 7], WHOLE, HARMLESS] = Field(3, description="kernel size in pixels")
    filter: Filter = Field((1.0, 3.0, 3.0, 1.0), description="taps of the filter in one direction")

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """`out` channels at half the size."""
        return FeatureMap(self.out, resampled(feature_map(inputs).size, "down"))

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Only an even size can be halved."""
        yield from halving_misfits(feature_map(inputs).size)

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """Weights and bias."""
        return feature_map(inputs).channels * self.out * self.kernel**2 + self.out

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """The convolution at full size and beyond the border, and the filter."""
        x = feature_map(inputs)
        wide = x.size + 2 * ((len(self.filter) - 1) // 2)
        filtering = filter_macs(FeatureMap(self.out, x.size), "down", self.filter)
        return wide**2 * x.channels * self.out * self.kernel**2 + filtering

    def canonical(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """The filter as it acts."""
        return {**super().canonical(inputs), "filter": even_taps(self.filter)}
