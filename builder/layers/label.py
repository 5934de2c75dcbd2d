"""A vector for each class."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class LabelTable(nn.Embedding):
    """A row for each class (Nichol and Dhariwal 2021): integers ``[b] -> [b, out]``. Weight name: ``weight``."""


class LabelLinear(nn.Linear):
    """A linear map of the one-hot vector (Karras et al. 2022): integers ``[b] -> [b, out]``.

    Weight names: ``weight bias``.
    A label that is none of the classes, such as -1, is the zero vector: no class.

    Args:
        classes: number of classes.
        out: width of the result.
        bias: whether there is one.
        scaled: multiply the one-hot vector by the root of the number of classes.
    """

    def __init__(self, classes: int, out: int, *, bias: bool = False, scaled: bool = False) -> None:
        super().__init__(classes, out, bias=bias)
        self.scale = math.sqrt(classes) if scaled else 1.0

    def forward(self, label: Tensor) -> Tensor:
        """The embedding of each image's class."""
        classes = torch.arange(self.in_features, device=label.device)
        one_hot = (label[:, None] == classes[None, :]).to(self.weight.dtype)
        return super().forward(one_hot * self.scale)
