"""Weightings of the denoising error over noise levels: the two headline ones, and any other from stored bins.

The error of a noise level is the mean squared error of the image, ``mse_x0(σ) = mean (D(x0 + σ·eps; σ) − x0)²``. It is
the same whatever a network predicts; that of the noise is ``mse_x0/σ²``, that of v ``mse_x0·(1 + 1/σ²)``. A loss is a
weighted mean over levels. Nothing here imports torch, so that records can be weighted anew where there is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise
from statistics import NormalDist

#: The EDM weighting of `loss_edm`, Karras et al. 2022, table 1: ln σ is normal, λ(σ) = (σ² + σ_data²)/(σ·σ_data)².
#: They are constants, not settings, so that the metric means the same in every study.
P_MEAN, P_STD, SIGMA_DATA = -1.2, 1.2, 0.5


@dataclass(frozen=True)
class SnrBin:
    """The error in one interval of log-SNR = −2·ln σ, averaged over evaluations whose timesteps are uniform in it.

    Attributes:
        low: lowest log-SNR.
        high: highest log-SNR.
        share: the bin's share of all timesteps.
        mse_x0: error of the image.
        mse_eps: error of the noise.
        mse_edm: λ·mse_x0, the error that EDM's network would make in its own output; nearly level over log-SNR.
    """

    low: float
    high: float
    share: float
    mse_x0: float
    mse_eps: float
    mse_edm: float

    def row(self) -> list[float]:
        """The numbers in the order of the attributes, as a record keeps them."""
        return list(astuple(self))


def edm_lambda(sigma: float) -> float:
    """λ(σ) = (σ² + σ_data²)/(σ·σ_data)², Karras et al. 2022, table 1."""
    return (sigma**2 + SIGMA_DATA**2) / (sigma * SIGMA_DATA) ** 2


def edm_shares(sigmas: Sequence[float]) -> list[float]:
    """How often EDM's training meets each of the rising noise levels; sums to 1.

    The density of ln σ, normal with mean −1.2 and deviation 1.2, integrated between the middles (of ln σ) to the
    neighbouring levels; what lies beyond the first and the last level belongs to them no further than half a step.
    """
    logs = [math.log(sigma) for sigma in sigmas]
    middles = [(a + b) / 2 for a, b in pairwise(logs)]
    edges = [2 * logs[0] - middles[0], *middles, 2 * logs[-1] - middles[-1]]
    normal = NormalDist(P_MEAN, P_STD)
    masses = [normal.cdf(b) - normal.cdf(a) for a, b in pairwise(edges)]
    whole = sum(masses)
    return [mass / whole for mass in masses]
