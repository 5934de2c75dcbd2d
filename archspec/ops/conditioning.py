"""From the timestep to an embedding: features of three kinds, and a small multilayer perceptron."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from archspec.ops.base import HARMLESS, Misfit, Number, Op, Port, Width, embedding_dim
from archspec.ops.score import FourierFeatures
from archspec.ops.shapes import Embedding, Shape, Timestep

# The options of time features: those of the operation, and of `time:` in a short form.
FeatureType = Annotated[
    Literal["sinusoidal", "fourier", "learned"],
    Field(description="sines of fixed or of random frequencies, or a learned table"),
]
FeatureOrder = Annotated[Literal["sin_cos", "cos_sin"], HARMLESS, Field(description="which half comes first")]
FreqShift = Annotated[Number, Field(ge=0.0, le=1.0, description="1 as in DDPM, 0 as in iDDPM, ADM, LDM and later")]
MaxPeriod = Annotated[Number, Field(gt=1.0, le=1e9, description="longest period, in steps"), HARMLESS]
FeatureScale = Annotated[
    Annotated[Number, Field(ge=1e-9, le=1e9), HARMLESS] | None,
    Field(
        description="sinusoidal: factor of the timestep, default 1; fourier: standard deviation of the frequencies, "
        "default 16"
    ),
]
FeatureRows = Annotated[
    Width | None, Field(description="learned: number of timesteps that the table has rows for; default 1000")
]

#: Type of features -> the options that have no meaning with it.
_FOREIGN: dict[str, tuple[str, ...]] = {
    "sinusoidal": ("steps",),
    "fourier": ("freq_shift", "max_period", "steps"),
    "learned": ("order", "freq_shift", "max_period", "scale"),
}


def refuse_foreign(options: BaseModel) -> None:
    """An option of another type of features is an error, not something to be passed over."""
    type_, fields = getattr(options, "type"), type(options).model_fields  # noqa: B009 - of two models
    for name in _FOREIGN[type_]:
        if getattr(options, name) != fields[name].default:
            raise PydanticCustomError("U012", "has no meaning with type: {type}", {"at": name, "type": type_})


class TimeEmbedding(Op):
    """Features of the timestep.

    ``sinusoidal`` (Vaswani et al. 2017, in the form of Ho et al. 2020): frequencies are ``scale * exp(-ln(max_period) *
    k / (half - freq_shift))`` for k = 0 … half-1, half = dim // 2; an odd `dim` gets one zero column at the end.
    ``fourier``: as the operation fourier_features, with random and fixed frequencies (Tancik et al. 2020; buffer name
    ``frequencies``). ``learned``: a table with a row for each of the whole timesteps 0 … steps-1 (weight name
    ``weight``).
    """

    op: Literal["time_embedding"] = "time_embedding"
    dim: Width = Field(description="number of features")
    type: FeatureType = "sinusoidal"
    order: FeatureOrder = "sin_cos"
    freq_shift: FreqShift = 1.0
    max_period: MaxPeriod = 10_000.0
    scale: FeatureScale = None
    steps: FeatureRows = None

    LATER: ClassVar[frozenset[str]] = frozenset({"type", "scale", "steps"})
    PORTS: ClassVar[tuple[Port, ...]] = (Port("t", Timestep, "emb"),)

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """An embedding of `dim`."""
        del inputs
        return Embedding(self.dim)

    @model_validator(mode="after")
    def _options_of_the_type(self) -> Self:
        refuse_foreign(self)
        return self

    @property
    def rows(self) -> int:
        """`steps` with its default resolved."""
        return self.steps or 1000

    @property
    def factor(self) -> float:
        """`scale` with its default resolved."""
        return self.scale or (16.0 if self.type == "fourier" else 1.0)

    def _as_fourier(self) -> FourierFeatures:
        return FourierFeatures(dim=self.dim, scale=self.factor)

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """There must be a frequency, and half - freq_shift, by which the exponent is divided, must be more than 0."""
        if self.type == "fourier":
            yield from self._as_fourier().misfits(inputs)
        elif self.type == "sinusoidal" and self.dim // 2 <= self.freq_shift:
            least = 2 * (int(self.freq_shift) + 1)
            message = f"{self.dim} features are too few for sines and cosines with freq_shift {self.freq_shift:g}."
            yield Misfit("U202", message, f"Use at least {least}.", "dim")

    def canonical(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """What has an effect: with a single frequency, which is 1, its shift and period have none."""
        if self.type == "learned":
            return {"op": self.op, "type": self.type, "dim": self.dim, "steps": self.rows}
        if self.type == "fourier":
            alike = self._as_fourier().canonical(inputs)
            return alike if self.order == "sin_cos" else {**alike, "order": self.order}
        resolved = super().canonical(inputs)
        if self.factor == 1.0:
            resolved.pop("scale", None)
        return resolved if self.dim >= 4 else {**resolved, "freq_shift": None, "max_period": None}

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """The table of learned features."""
        del inputs
        return self.rows * self.dim if self.type == "learned" else 0

    def stateless(self, inputs: Mapping[str, Shape]) -> bool:
        """Only where nothing is learned or drawn."""
        del inputs
        return self.type == "sinusoidal"


class Mlp(Op):
    """Linear, SiLU, linear on an embedding. Weight names: ``dense.0``, ``dense.1``."""

    op: Literal["mlp"] = "mlp"
    hidden: Width = Field(description="width of the hidden layer")
    out: Width = Field(description="width of the result")

    PORTS: ClassVar[tuple[Port, ...]] = (Port("x", Embedding, "emb"),)

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """An embedding of `out`."""
        del inputs
        return Embedding(self.out)

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """Two linear layers with bias."""
        return (embedding_dim(inputs) + 1) * self.hidden + (self.hidden + 1) * self.out

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """Two matrix-vector products."""
        return embedding_dim(inputs) * self.hidden + self.hidden * self.out
