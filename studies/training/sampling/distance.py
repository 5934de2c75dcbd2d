"""How far two sets of features are apart: Fréchet distance, its bias, and the unbiased kernel distance. numpy only."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float64]

#: Subset sizes of the extrapolation, and of the jackknife's groups.
POINTS, GROUPS = 8, 10


@dataclass(frozen=True)
class Distances:
    """Distances of samples to a reference, in the square of the features' unit where Fréchet.

    Attributes:
        fd: Fréchet distance of normal distributions with the sets' means and covariances (Heusel et al. 2017, eq. 6);
            too large by a bias that falls as 1/n.
        fd_inf: its extrapolation to endlessly many samples (Chong & Forsyth 2020): the line in 1/n through the
            distances of subsets of a quarter to all of the samples, at 1/n = 0.
        kd: squared maximum mean discrepancy with the kernel (x·y/d + 1)³, without bias (Bińkowski et al. 2018); it can
            be below zero.
        kd_error: its standard error over samples, by a jackknife of ten groups.
    """

    fd: float
    fd_inf: float
    kd: float
    kd_error: float

    def as_dict(self) -> dict[str, float]:
        """The numbers by name, as a record keeps them."""
        return asdict(self)


def distances(samples: Features, reference: Features) -> Distances:
    """All distances between two sets of features, ``[n, d]`` and ``[m, d]``, with n and m at least 20."""
    kd, error = kernel_distance(samples, reference)
    return Distances(frechet_distance(samples, reference), extrapolated(samples, reference), kd, error)


def frechet_distance(samples: Features, reference: Features) -> float:
    """|μ₁ − μ₂|² + tr(C₁ + C₂ − 2(C₁C₂)^½) (Heusel et al. 2017, eq. 6), C with n − 1 in the denominator."""
    return _frechet(_moments(samples), _moments(reference))


def _moments(features: Features) -> tuple[Features, Features]:
    return features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False))


def _frechet(first: tuple[Features, Features], second: tuple[Features, Features]) -> float:
    # tr (C₁C₂)^½ = tr (C₁^½ C₂ C₁^½)^½, whose eigenvalues are real; rounding may bring some below 0.
    values, vectors = np.linalg.eigh(first[1])
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ second[1] @ root).clip(min=0)).sum()
    gap = first[0] - second[0]
    return float(gap @ gap + np.trace(first[1]) + np.trace(second[1]) - 2 * cross)


def extrapolated(samples: Features, reference: Features) -> float:
    """The Fréchet distance at endlessly many samples (Chong & Forsyth 2020, section 3); subsets are always the same."""
    draw, fixed = np.random.default_rng(0), _moments(reference)
    sizes = np.linspace(len(samples) / 4, len(samples), POINTS).round().astype(int)
    found = [_frechet(_moments(samples[draw.permutation(len(samples))[:size]]), fixed) for size in sizes]
    return float(np.polyfit(1 / sizes, found, 1)[1])


def kernel_distance(samples: Features, reference: Features) -> tuple[float, float]:
    """The unbiased squared discrepancy (Bińkowski et al. 2018, section 4) and its standard error over samples."""
    among, across = _kernel(samples, samples), _kernel(samples, reference).mean(axis=1)
    np.fill_diagonal(among, 0.0)
    theirs = _kernel(reference, reference)
    m = len(reference)
    fixed = float((theirs.sum() - np.trace(theirs)) / (m * (m - 1)))

    def without(dropped: NDArray[np.intp]) -> float:
        kept = np.setdiff1d(np.arange(len(samples)), dropped)
        n = len(kept)
        return float(among[np.ix_(kept, kept)].sum() / (n * (n - 1)) + fixed - 2 * across[kept].mean())

    whole = without(np.array([], dtype=np.intp))
    parts = [without(group) for group in np.array_split(np.arange(len(samples)), GROUPS)]
    return whole, math.sqrt((GROUPS - 1) / GROUPS * float(np.square(np.array(parts) - np.mean(parts)).sum()))


def _kernel(first: Features, second: Features) -> Features:
    kernel: Features = (first @ second.T / first.shape[1] + 1) ** 3
    return kernel
