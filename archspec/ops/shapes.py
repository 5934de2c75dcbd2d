"""What travels along an edge: feature maps, embeddings, timesteps, labels, tokens; without the batch dimension."""

from __future__ import annotations

from dataclasses import dataclass
from types import UnionType


@dataclass(frozen=True)
class FeatureMap:
    """A square feature map: a tensor ``[batch, channels, size, size]``; `size` in pixels."""

    channels: int
    size: int

    def __str__(self) -> str:
        return f"{self.channels}x{self.size}x{self.size}"


@dataclass(frozen=True)
class Embedding:
    """One vector per image: a tensor ``[batch, dim]``."""

    dim: int

    def __str__(self) -> str:
        return f"embedding of {self.dim}"


@dataclass(frozen=True)
class Timestep:
    """One number per image: a tensor ``[batch]``."""

    def __str__(self) -> str:
        return "timesteps"


@dataclass(frozen=True)
class Label:
    """One class per image, as its number: a tensor of integers ``[batch]``."""

    def __str__(self) -> str:
        return "labels"


@dataclass(frozen=True)
class Tokens:
    """A sequence of vectors per image, such as an encoded text: a tensor ``[batch, length, dim]``.

    Networks take any length; the one given here is what costs are counted for.
    """

    dim: int
    length: int

    def __str__(self) -> str:
        return f"{self.length} tokens of {self.dim}"


Shape = FeatureMap | Embedding | Timestep | Label | Tokens

#: What operations take that do the same to every number of a map or of an embedding.
MAP_OR_EMBEDDING = FeatureMap | Embedding

NAMES: dict[type[Shape] | UnionType, str] = {
    FeatureMap: "a feature map",
    Embedding: "an embedding",
    Timestep: "timesteps",
    Label: "labels",
    Tokens: "tokens",
    MAP_OR_EMBEDDING: "a feature map or an embedding",
}

#: Bounds of what travels along an edge. No real network comes near, and arithmetic stays quick.
MAX_CHANNELS = 1_048_576
MAX_SIZE = 65_536
