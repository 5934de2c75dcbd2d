"""Embeddings of other conditions than the timestep, and their sum."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from archspec.ops.base import HARMLESS, Flag, KeepsShape, Misfit, Op, Port, Width, embedding_dim
from archspec.ops.shapes import Embedding, Label, Shape


class LabelEmbedding(Op):
    """A vector for each class.

    ``table``: a row for each class (Nichol and Dhariwal 2021; weight name ``weight``). ``linear``: a linear map of the
    one-hot vector, which a label outside the classes makes zero: no class (Karras et al. 2022; names ``weight bias``).
    """

    op: Literal["label_embedding"] = "label_embedding"
    classes: Width = Field(description="number of classes")
    out: Width = Field(description="width of the result")
    type: Annotated[Literal["table", "linear"], HARMLESS] = Field("table", description="a table, or a linear map")
    bias: Flag = Field(default=False, description="bias of the linear map")
    scaled: Flag = Field(default=False, description="one-hot vectors times the root of the number of classes")

    PORTS: ClassVar[tuple[Port, ...]] = (Port("label", Label, "emb"),)

    @model_validator(mode="after")
    def _options_of_linear(self) -> Self:
        for name in ("bias", "scaled"):
            if self.type == "table" and getattr(self, name):
                raise PydanticCustomError("U012", "has no meaning with type: table", {"at": name})
        return self

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """An embedding of `out`."""
        del inputs
        return Embedding(self.out)

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """One row a class, and the bias."""
        del inputs
        return self.classes * self.out + (self.out if self.bias else 0)

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """A matrix-vector product, or a look-up, which is free."""
        del inputs
        return self.classes * self.out if self.type == "linear" else 0


class AddEmbeddings(KeepsShape):
    """The sum of two embeddings of one width."""

    op: Literal["add_embeddings"] = "add_embeddings"

    PORTS: ClassVar[tuple[Port, ...]] = (Port("x", Embedding, "emb"), Port("other", Embedding, "emb"))

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Widths must agree."""
        x, other = embedding_dim(inputs), embedding_dim(inputs, "other")
        if x != other:
            yield Misfit("U202", f"embeddings of {x} and {other} cannot be added.", "Give both one width.", "other")

    def commutative(self, inputs: Mapping[str, Shape]) -> bool:
        """A sum does not care which is which."""
        del inputs
        return True

    def canonical(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """Nothing but its name."""
        del inputs
        return {"op": self.op}
