"""Layers that preserve magnitudes: the vocabulary of EDM2.

Equation numbers are those of Karras et al. 2024, "Analyzing and improving the training dynamics of diffusion models".
"Magnitude" is the root mean square over all numbers; where all inputs have magnitude 1, so has the output in
expectation. Nothing here has a bias.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archspec.ops.base import (
    HARMLESS,
    WHOLE,
    Flag,
    KeepsShape,
    Misfit,
    Number,
    Op,
    Port,
    Width,
    embedding_dim,
    feature_map,
)
from archspec.ops.merge import Joined, size_misfits
from archspec.ops.shapes import MAP_OR_EMBEDDING, Embedding, FeatureMap, Label, Shape, Timestep

#: The weight of the second of two things that are joined.
Balance = Annotated[Number, Field(ge=0.0, le=1.0)]
#: A positive number that is neither absurdly small nor absurdly large.
Positive = Annotated[Number, Field(ge=1e-9, le=1e9), HARMLESS]


class MpConv(Op):
    """A convolution with forced weight normalisation (eq. 47, 66): stride 1, zero padding, no bias.

    The weights of each output channel have unit length in every forward, and are stored normalised in training.
    Weight names: ``weight``, and ``gain`` with a learned gain.
    """

    op: Literal["mp_conv"] = "mp_conv"
    out: Width = Field(description="output channels")
    kernel: Annotated[Literal[1, 3], WHOLE, HARMLESS] = Field(3, description="kernel size in pixels")
    gain: Annotated[Flag, HARMLESS] = Field(
        default=False, description="whether the result is multiplied by one learned number that starts at 0"
    )

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """The same size with `out` channels."""
        return FeatureMap(self.out, feature_map(inputs).size)

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """Weights and gain."""
        return feature_map(inputs).channels * self.out * self.kernel**2 + self.gain

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """One product per weight and position."""
        x = feature_map(inputs)
        return x.size**2 * x.channels * self.out * self.kernel**2


class MpLinear(Op):
    """A linear layer on an embedding with forced weight normalisation (eq. 47, 66): no bias. Weight ``weight``."""

    op: Literal["mp_linear"] = "mp_linear"
    out: Width = Field(description="width of the result")

    PORTS: ClassVar[tuple[Port, ...]] = (Port("x", Embedding, "emb"),)

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """An embedding of `out`."""
        del inputs
        return Embedding(self.out)

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """The weights."""
        return embedding_dim(inputs) * self.out

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """One product per weight."""
        return embedding_dim(inputs) * self.out


class MpFourier(Op):
    """Fourier features √2·cos(2π(f·t + φ)) with f normal and φ uniform, both random and fixed (eq. 75).

    Buffer names: ``frequencies``, ``phases``.
    """

    op: Literal["mp_fourier"] = "mp_fourier"
    dim: Width = Field(description="number of features")
    bandwidth: Positive = Field(1.0, description="standard deviation of the frequencies")

    PORTS: ClassVar[tuple[Port, ...]] = (Port("t", Timestep, "emb"),)

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """An embedding of `dim`."""
        del inputs
        return Embedding(self.dim)

    def stateless(self, inputs: Mapping[str, Shape]) -> bool:
        """No: two of them have frequencies of their own."""
        del inputs
        return False


class MpSilu(KeepsShape):
    """SiLU divided by 0.596, the magnitude that it leaves of unit normal inputs (eq. 81)."""

    op: Literal["mp_silu"] = "mp_silu"

    PORTS: ClassVar[tuple[Port, ...]] = (Port("x", MAP_OR_EMBEDDING),)


class MpSum(KeepsShape):
    """The sum ((1 − t)·x + t·skip) / √((1 − t)² + t²) (eq. 88), of maps or of embeddings."""

    op: Literal["mp_sum"] = "mp_sum"
    t: Balance = Field(0.5, description="weight of the skip; x has 1 - t")

    PORTS: ClassVar[tuple[Port, ...]] = (Port("x", MAP_OR_EMBEDDING), Port("skip", MAP_OR_EMBEDDING, "skip"))

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Both have one shape."""
        x, skip = inputs["x"], inputs["skip"]
        if isinstance(x, FeatureMap) and isinstance(skip, FeatureMap):
            yield from size_misfits(inputs)
            if x.channels != skip.channels:
                message = f"{x.channels} and {skip.channels} channels cannot be summed."
                yield Misfit("U202", message, "Bring one to the channels of the other by mp_conv.", about="channels")
        elif x != skip:
            yield Misfit("U202", f"{x} and {skip} cannot be summed.", "Bring both to one shape by mp_linear.")

    def commutative(self, inputs: Mapping[str, Shape]) -> bool:
        """With equal weights it does not matter which is which."""
        del inputs
        return self.t == 0.5


class MpConcat(Joined):
    """The channels of x and of the skip, weighted so that both contribute as `t` says (eq. 103).

    √((Nx + Ns) / ((1 − t)² + t²)) times (1 − t)/√Nx for x and t/√Ns for the skip, N being numbers of channels.
    """

    op: Literal["mp_concat"] = "mp_concat"
    t: Balance = Field(0.5, description="weight of the skip; x has 1 - t")


class PixelNorm(KeepsShape):
    """Each pixel's vector of channels brought to magnitude 1 (Karras et al. 2018); nothing is learned."""

    op: Literal["pixel_norm"] = "pixel_norm"
    eps: Positive = Field(1e-4, description="added to the magnitude")


class OnesChannel(Op):
    """One more channel, which is 1 everywhere, after those of x: what biases are for, without any."""

    op: Literal["ones_channel"] = "ones_channel"

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """One channel more."""
        x = feature_map(inputs)
        return FeatureMap(x.channels + 1, x.size)


class Clip(KeepsShape):
    """Every number brought into the interval from -limit to limit."""

    op: Literal["clip"] = "clip"
    limit: Positive = Field(256.0, description="largest magnitude that is let through")


class OneHot(Op):
    """The class of each image as a one-hot vector, times √classes so that it has magnitude 1 unless switched off.

    A label that is none of the classes, such as -1, gives zeros: no class.
    """

    op: Literal["one_hot"] = "one_hot"
    classes: Width = Field(description="number of classes")
    scaled: Annotated[Flag, HARMLESS] = Field(default=True, description="times the root of the number of classes")

    PORTS: ClassVar[tuple[Port, ...]] = (Port("label", Label, "emb"),)

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """An embedding of `classes`."""
        del inputs
        return Embedding(self.classes)
