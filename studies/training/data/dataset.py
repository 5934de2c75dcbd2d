"""The images of a study as tensors, with a content hash and a split that is the same for every trial."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from studies.sections.protocol import Source
from studies.training.data.sources import read


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images on the CPU, split into training and held-out ones.

    Attributes:
        name: what reports call it.
        train: float32 ``[n, c, h, w]`` in [-1, 1].
        held_out: float32 ``[m, c, h, w]`` in [-1, 1], in random order, never trained on.
        hash: SHA-256 of shape and values of all images in their source's order, as hex.
    """

    name: str
    train: Tensor
    held_out: Tensor
    hash: str

    def summary(self) -> dict[str, str | int | list[int]]:
        """Name, counts, hash and shape ``[c, h, w]``, as a record keeps them."""
        return {
            "name": self.name,
            "images": len(self.train) + len(self.held_out),
            "train": len(self.train),
            "held_out": len(self.held_out),
            "hash": self.hash,
            "shape": list(self.train.shape[1:]),
        }


def tensor_hash(tensors: Sequence[Tensor]) -> str:
    """SHA-256 over dtypes, shapes and values of tensors, as hex; the same on every device."""
    digest = hashlib.sha256()
    for tensor in tensors:
        array = tensor.detach().cpu().contiguous().numpy()
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{array.dtype.name}{array.shape}".encode())
        digest.update(little.tobytes())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def load(source: Source) -> Dataset:
    """Read a source, hash it and split it; the last one is kept, since a process runs many trials on it.

    The held-out images are the first of a permutation drawn with `split_seed`: at least one, and at least one is
    left to train on.

    Raises:
        UserError: the source cannot be read.
    """
    images = torch.from_numpy(read(source))
    train, held_out = split(source, len(images))
    return Dataset(name=source.name, train=images[train], held_out=images[held_out], hash=tensor_hash([images]))


def split(source: Source, images: int) -> tuple[Tensor, Tensor]:
    """Which of so many images of a source are trained on, and which are held out, by their place in its order."""
    count = min(max(round(images * source.holdout), 1), images - 1)
    order = torch.randperm(images, generator=torch.Generator().manual_seed(source.split_seed))
    return order[count:].sort().values, order[:count]
