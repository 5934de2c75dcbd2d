"""The regression from an architecture's work to its latency, with its error on architectures that were held out.

Latency is a sum of shares: the table's time of each kind of operation, the number of operations (what Python and
launches cost), the numbers that the optimizer updates, and a constant. The coefficients are not negative and are
fitted to relative errors by least squares, each kind's drawn towards the one factor that fits all kinds together, so
that few architectures give a sane model. They are found by `scipy.optimize.nnls`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import kendalltau

from builder.profile.durations import KINDS, Work

Floats = NDArray[np.float64]

#: The share of architectures whose error the bound is to hold.
LEVEL = 0.9
#: An error bound is known from so many held-out architectures on: of n errors the ⌈0.9·(n+1)⌉-th largest is the bound
#: (as in split conformal prediction), and it exists from 9 on.
FEWEST = 9
#: The error is known where architectures were; a prediction beyond their work by more than this factor has none.
REACH = 1.5
#: How strongly a coefficient is drawn to what the others say, in squared relative errors of one architecture.
RIDGE = 0.5
#: Relative errors beyond this count as their size, not as its square.
ORDINARY = 0.1
_REWEIGHTINGS = 6


@dataclass(frozen=True)
class HeldOut:
    """How far predictions were off for architectures that took no part in the fit, each left out in turn.

    Attributes:
        architectures: how many.
        mean: mean absolute relative error.
        bound: the relative error that 90 % stay within; see `FEWEST`.
        tau: Kendall's rank correlation of predicted and measured; NaN where all are equal.
        errors: predicted by measured, less 1, for each of them.
    """

    architectures: int
    mean: float
    bound: float
    tau: float
    errors: tuple[float, ...]

    def text(self) -> str:
        """In words, for reports and reasons."""
        return (
            f"of {self.architectures} architectures, each held out in turn, 90 % were predicted within "
            f"{100 * self.bound:.1f} %; the mean error is {100 * self.mean:.1f} %, Kendall's tau {self.tau:.2f}"
        )


@dataclass(frozen=True)
class Regression:
    """A fitted model of one latency.

    Attributes:
        coefficients: of the columns of `_columns`, in the latency's unit.
        reach: least and largest total work of the architectures that it was fitted on.
        held_out: its error; None: too few architectures to know it.
    """

    coefficients: tuple[float, ...]
    reach: tuple[float, float]
    held_out: HeldOut | None

    def predict(self, work: Work) -> float:
        """The latency, in the unit of what was fitted."""
        return float(_columns([work])[0] @ np.array(self.coefficients))

    def error_of(self, work: Work) -> HeldOut | None:
        """The error as far as it is known for an architecture; None beyond the reach of what was measured."""
        low, high = self.reach
        return self.held_out if low / REACH <= work.total <= high * REACH else None


def fit(works: Sequence[Work], measured: Sequence[float]) -> Regression:
    """Fit a model to measured latencies of distinct architectures, and find its error on those held out.

    Args:
        works: what each does; at least one.
        measured: seconds, or ratios to the reference network; all above 0.
    """
    columns, latency = _columns(works), np.array(measured, dtype=np.float64)
    totals = [work.total for work in works]
    coefficients = _coefficients(columns, latency)
    held_out = _held_out(columns, latency) if len(works) >= FEWEST else None
    return Regression(tuple(map(float, coefficients)), (min(totals), max(totals)), held_out)


def _columns(works: Sequence[Work]) -> Floats:
    """``[n, kinds + 3]``: times of the kinds, then the counts, whose coefficients are drawn to 0."""
    return np.array([[*(w.times[kind] for kind in KINDS), w.operations, w.updated, 1.0] for w in works], dtype=float)


def _coefficients(columns: Floats, latency: Floats) -> Floats:
    """Non-negative least squares of the relative errors, each unknown scaled so that 1 is what is expected of it.

    Rounds of reweighting (Huber's weights) keep a single disturbed measurement from bending all of them.
    """
    relative = columns / latency[:, None]
    kinds = len(KINDS)
    scale = np.empty(columns.shape[1])
    scale[:kinds] = 1.0 / np.median(relative[:, :kinds].sum(axis=1))
    means = relative[:, kinds:].mean(axis=0)
    scale[kinds:] = np.divide(1.0, means, out=np.zeros_like(means), where=means > 0)
    expected = np.concatenate([np.ones(kinds), np.zeros(len(means))])
    pull, unknowns = math.sqrt(RIDGE), relative * scale
    weights, solution = np.ones(len(latency)), expected
    for _ in range(_REWEIGHTINGS):
        rows = np.concatenate([unknowns * weights[:, None], pull * np.eye(len(scale))])
        solution, _ = nnls(rows, np.concatenate([weights, pull * expected]))
        off = np.maximum(np.abs(unknowns @ solution - 1.0), 1e-9)
        weights = np.sqrt(np.minimum(1.0, ORDINARY / off))
    found: Floats = solution * scale
    return found


def _held_out(columns: Floats, latency: Floats) -> HeldOut:
    number = len(latency)
    rest = ~np.eye(number, dtype=bool)
    predicted = np.array([columns[i] @ _coefficients(columns[rest[i]], latency[rest[i]]) for i in range(number)])
    signed = predicted / latency - 1.0
    errors = np.sort(np.abs(signed))
    return HeldOut(
        architectures=number,
        mean=float(errors.mean()),
        bound=float(errors[min(number, math.ceil(LEVEL * (number + 1))) - 1]),
        tau=float(kendalltau(predicted, latency).statistic),
        errors=tuple(map(float, signed)),
    )
