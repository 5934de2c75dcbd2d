"""From the timestep to an embedding: sinusoidal features and a small multilayer perceptron."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from archspec.ops.base import HARMLESS, Misfit, Number, Op, Port, Width
from archspec.shapes import Embedding, Shape, Timestep


class TimeEmbedding(Op):
    """Sinusoidal features of the timestep (Vaswani et al. 2017, in the form of Ho et al. 2020).

    Frequencies are ``exp(-ln(max_period) * k / (half - freq_shift))`` for k = 0 … half-1, half = dim // 2; an odd
    `dim` gets one zero column at the end.
    """

    op: Literal["time_embedding"] = "time_embedding"
    dim: Width = Field(description="number of features")
    order: Annotated[Literal["sin_cos", "cos_sin"], HARMLESS] = Field("sin_cos", description="which half comes first")
    freq_shift: Number = Field(1.0, ge=0.0, le=1.0, description="1 as in DDPM, 0 as in later code bases")
    max_period: Annotated[Number, Field(gt=1.0, le=1e9), HARMLESS] = Field(
        10_000.0, description="longest period, in steps"
    )

    PORTS: ClassVar[tuple[Port, ...]] = (Port("t", Timestep, "emb"),)

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """An embedding of `dim`."""
        del inputs
        return Embedding(self.dim)

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """There must be a frequency, and half - freq_shift, by which the exponent is divided, must be more than 0."""
        del inputs
        if self.dim // 2 <= self.freq_shift:
            least = 2 * (int(self.freq_shift) + 1)
            message = f"{self.dim} features are too few for sines and cosines with freq_shift {self.freq_shift:g}."
            yield Misfit("U202", message, f"Use at least {least}.", "dim")

    def canonical(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """With a single frequency, which is 1, its shift and period have no effect."""
        resolved = super().canonical(inputs)
        return resolved if self.dim >= 4 else {**resolved, "freq_shift": None, "max_period": None}


class Mlp(Op):
    """Linear, SiLU, linear on an embedding. Weight names: ``dense.0``, ``dense.1``."""

    op: Literal["mlp"] = "mlp"
    hidden: Width = Field(description="width of the hidden layer")
    out: Width = Field(description="width of the result")

    PORTS: ClassVar[tuple[Port, ...]] = (Port("x", Embedding, "emb"),)

    def _dim(self, inputs: Mapping[str, Shape]) -> int:
        shape = inputs["x"]
        assert isinstance(shape, Embedding)
        return shape.dim

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """An embedding of `out`."""
        del inputs
        return Embedding(self.out)

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """Two linear layers with bias."""
        return (self._dim(inputs) + 1) * self.hidden + (self.hidden + 1) * self.out

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """Two matrix-vector products."""
        return self._dim(inputs) * self.hidden + self.hidden * self.out
