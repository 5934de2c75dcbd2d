"""A trained network's samples, judged: distances to the training images, what they are worth, and a grid to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from studies.sections.evaluation import FeatureNetwork, Samples
from studies.sections.protocol import Protocol, Source
from studies.training.batch import derived_seed
from studies.training.data.dataset import load
from studies.training.sampling.distance import distances
from studies.training.sampling.draw import as_bytes, drawn
from studies.training.sampling.features import space
from studies.training.sampling.grid import grid_png

#: Fewer held-out images than this say nothing about what real images would reach.
FEWEST = 20


@dataclass(frozen=True)
class Judged:
    """What comes of samples.

    Attributes:
        metrics: `fd` and `kd`.
        detail: how they were drawn (`sampler`, `steps`, `calls` of the network, `number`), in which `space` (its
            `space_hash`, and `features`, its width), the `reference` images compared with, `fd_inf`, `fd_bias` (fd −
            fd_inf: how much too large fd is for want of samples), `kd_error`, and `real`: the same distances of the
            held-out images, which is about what a perfect network would reach.
        png: a grid of the first images; None where none was asked for.
    """

    metrics: dict[str, float]
    detail: dict[str, Any]
    png: bytes | None


def judge(
    module: nn.Module,
    protocol: Protocol,
    samples: Samples,
    device: torch.device,
    between: Callable[[], None] = lambda: None,
) -> Judged:
    """Draw samples from a trained network and judge them.

    Args:
        module: takes ``(x_t, t)``; on `device`.
        protocol: data and objective.
        samples: how many, how, and in which space.
        device: where it runs.
        between: called before each call of the network, such as to give way to a measurement.

    Raises:
        UserError: the user's feature network cannot be used.
    """
    data = load(protocol.data)
    images, calls = drawn(module, protocol.objective, samples, tuple(data.train.shape[1:]), device, between)
    between()
    where = space(protocol.data, samples.features, device)
    theirs = _reference(protocol.data, samples.features, samples.reference, device)
    found = distances(where.of(images), theirs)
    detail = {
        **{"number": samples.number, "sampler": samples.sampler, "steps": samples.steps, "calls": calls},
        **{"space": where.name, "space_hash": where.hash, "features": theirs.shape[1], **where.detail},
        **{"reference": len(theirs), **found.as_dict(), "fd_bias": found.fd - found.fd_inf},
        "real": _real(protocol.data, samples.features, samples.reference, device),
    }
    png = grid_png(images[: samples.grid].numpy()) if samples.grid else None
    return Judged({"fd": found.fd, "kd": found.kd}, detail, png)


@lru_cache(maxsize=1)
def _reference(source: Source, network: FeatureNetwork | None, most: int, device: torch.device) -> NDArray[np.float64]:
    """Features of the training images, or of so many of them, always the same."""
    images = load(source).train
    if len(images) > most:
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(derived_seed(0, "reference")))
        images = images[order[:most]]
    return space(source, network, device).of(as_bytes(images))


@lru_cache(maxsize=1)
def _real(source: Source, network: FeatureNetwork | None, most: int, device: torch.device) -> dict[str, float] | None:
    """Distances of the held-out images to the training images; None if there are too few of them."""
    images = load(source).held_out[:most]
    if len(images) < FEWEST:
        return None
    found = distances(space(source, network, device).of(as_bytes(images)), _reference(source, network, most, device))
    return {"number": len(images), **found.as_dict()}
