"""Expected hypervolume improvement where part of the objectives is known before training.

A Gaussian process (Matérn 5/2, a length scale for each feature) learns the logarithm of what only a training tells;
what is known beforehand enters exactly, as an objective and as a feature: a loss depends on the number of parameters
and MACs more smoothly than on what they are made of. Among candidates that are sound, within the known budgets and new,
the one with the largest expected improvement of the dominated hypervolume is proposed (Emmerich et al. 2006), weighted
by the probability that it keeps the other budgets (Gardner et al. 2014). What is like a training under way counts less,
so that workers do not ask the same question (a simple local penalisation, after González et al. 2016).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from threadpoolctl import ThreadpoolController

from search.candidate import Candidate
from search.dimension import Categorical, Integer, Primitive, Real, same
from search.hypervolume import Array, front_of, improvement

#: Draws of what is not known, for each candidate.
_DRAWS = 16
#: Boxes of the region that is not dominated; a larger front is thinned, so that a proposal stays cheap.
_MOST_FRONT = {1: 1_000, 2: 200, 3: 40, 4: 14}
#: Hyperparameters are fitted anew each time that so many results have come in.
_REFIT = 4
_MAX_RESULTS = 300


@dataclass
class Surrogate:
    """Proposes among candidates.

    Args:
        primitives: every plain choice of the space.
        objectives: metric -> 1 if it is minimised, -1 if it is maximised.
        limits: metric -> largest value allowed.
        startup: so many points are spread evenly before the model is asked.
        seed: of all chance in it.
    """

    primitives: Mapping[str, Primitive]
    objectives: Mapping[str, float]
    limits: Mapping[str, float]
    startup: int
    seed: int
    _kernels: dict[tuple[str, int], Any] = field(default_factory=dict)

    def pick(self, candidates: Sequence[Candidate], seen: Sequence[Candidate]) -> int:
        """Index of the candidate to train next.

        Args:
            candidates: new points, at least one; all know the same metrics.
            seen: what was trained, in order, and what is under way (neither `found` nor `failed`).
        """
        with _one_thread().limit(limits=1):
            return self._pick(candidates, seen)

    def prepare(self, candidates: Sequence[Candidate], seen: Sequence[Candidate]) -> None:
        """Fit the hyperparameters that the next `pick` will want when one more result is in; arguments as there."""
        done = _done(seen)
        if len(seen) < self.startup or len(done) < 2:
            return
        with _one_thread().limit(limits=1):
            x = self._features([*seen, *candidates])[done]
            for name in self._unknown(candidates):
                self._kernel(name, x, _logarithms(name, [seen[i] for i in done]), max(len(x) // _REFIT * _REFIT, 2))

    def _pick(self, candidates: Sequence[Candidate], seen: Sequence[Candidate]) -> int:
        features = self._features([*seen, *candidates])
        old, new = features[: len(seen)], features[len(seen) :]
        done = _done(seen)
        if len(seen) < self.startup or len(done) < 2:
            return _farthest(old, new)
        results = [seen[i] for i in done]
        models = {name: self._fitted(name, old[done], _logarithms(name, results)) for name in self._unknown(candidates)}
        probability = self._keeps(models, new) * self._succeeds(seen, old, new)
        gain = self._gain(models, results, candidates, new)
        waiting = [old[i] for i, one in enumerate(seen) if one.found is None and not one.failed]
        if gain is None or not (gain * probability).any():
            return int(np.argmax(probability * _distance(np.array([*old[done], *waiting]), new)))
        return int(np.argmax(gain * probability * _apart(np.array(waiting).reshape(-1, new.shape[1]), new)))

    def _features(self, points: Sequence[Candidate]) -> Array:
        """What the model sees of each point: its choices, brought to 0 to 1, and the logarithms of what is known."""
        columns: list[list[float]] = []
        for name, primitive in self.primitives.items():
            columns.extend(_columns(primitive, [point.chosen.get(name, _ABSENT) for point in points]))
        for metric in sorted(set.intersection(*(set(point.known) for point in points))):
            values = np.log(np.maximum([point.known[metric] for point in points], 1e-12))
            columns.append(list((values - values.min()) / (np.ptp(values) or 1.0)))
        matrix = np.array(columns, dtype=float).T
        return matrix[:, np.ptp(matrix, axis=0) > 0] if np.ptp(matrix, axis=0).any() else matrix

    def _unknown(self, candidates: Sequence[Candidate]) -> list[str]:
        return [name for name in {**self.objectives, **self.limits} if name not in candidates[0].known]

    def _fitted(self, name: str, x: Array, y: Array) -> GaussianProcessRegressor:
        # Without the last result, so that they can be fitted before it is in, while it trains.
        kernel = self._kernel(name, x, y, max((len(x) - 1) // _REFIT * _REFIT, 2))
        return GaussianProcessRegressor(kernel, optimizer=None, normalize_y=True).fit(x, y)

    def _kernel(self, name: str, x: Array, y: Array, fitted: int) -> Any:
        """The kernel with the hyperparameters of the first `fitted` results."""
        key = (name, fitted * 1_000 + x.shape[1])
        if key not in self._kernels:
            scale = ConstantKernel(1.0, (1e-2, 1e2))
            kernel = scale * Matern(np.full(x.shape[1], 1.0), (5e-2, 2e1), nu=2.5) + WhiteKernel(1e-2, (1e-5, 0.5))
            first = GaussianProcessRegressor(kernel, normalize_y=True, random_state=self.seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                self._kernels[key] = first.fit(x[:fitted], y[:fitted]).kernel_
        return self._kernels[key]

    def _keeps(self, models: Mapping[str, GaussianProcessRegressor], new: Array) -> Array:
        """Probability that a candidate keeps the budgets that only a training can tell."""
        probability = np.ones(len(new))
        for name, limit in self.limits.items():
            if name in models:
                mean, deviation = models[name].predict(new, return_std=True)
                probability *= ndtr((np.log(limit) - mean) / np.maximum(deviation, 1e-9))
        return probability

    def _succeeds(self, seen: Sequence[Candidate], old: Array, new: Array) -> Array:
        """Probability that a training gives a result, where some did not."""
        if not any(one.failed for one in seen):
            return np.ones(len(new))
        ended = [index for index, one in enumerate(seen) if one.failed or one.found is not None]
        model = self._fitted("failed", old[ended], np.array([float(seen[i].failed) for i in ended]))
        return np.asarray(np.clip(1.0 - model.predict(new), 0.01, 1.0), dtype=float)

    def _gain(
        self,
        models: Mapping[str, GaussianProcessRegressor],
        results: Sequence[Candidate],
        candidates: Sequence[Candidate],
        new: Array,
    ) -> Array | None:
        """Expected improvement of the hypervolume; None as long as nothing keeps the budgets."""
        values = np.array([[self._signed(name, one) for name in self.objectives] for one in results])
        feasible = np.array([self._is_feasible(one) for one in results])
        if not feasible.any():
            return None
        kept = values[feasible]
        best, worst = kept.min(axis=0), kept.max(axis=0)
        spread = np.where(worst > best, worst - best, np.abs(worst) + 1e-12)
        front = kept[front_of(kept)]
        front = _thinned((front - best) / spread, _MOST_FRONT.get(len(best), 10))
        draws = (self._drawn(models, candidates, new) - best) / spread
        shape = draws.shape
        added = improvement(draws.reshape(-1, shape[2]), front, np.full(shape[2], 1.1))
        return np.asarray(added.reshape(shape[:2]).mean(axis=1), dtype=float)

    def _drawn(
        self, models: Mapping[str, GaussianProcessRegressor], candidates: Sequence[Candidate], new: Array
    ) -> Array:
        """Possible objectives of each candidate, shape (candidates, draws, objectives)."""
        rng = np.random.default_rng(self.seed)
        normal = ndtri((np.arange(_DRAWS) + 0.5) / _DRAWS)
        drawn = np.empty((len(candidates), _DRAWS, len(self.objectives)))
        for column, (name, sign) in enumerate(self.objectives.items()):
            if name in models:
                mean, deviation = models[name].predict(new, return_std=True)
                drawn[:, :, column] = sign * np.exp(mean[:, None] + deviation[:, None] * rng.permutation(normal))
            else:
                drawn[:, :, column] = np.array([sign * one.known[name] for one in candidates])[:, None]
        return drawn

    def _signed(self, name: str, one: Candidate) -> float:
        return self.objectives[name] * float({**one.known, **(one.found or {})}[name])

    def _is_feasible(self, one: Candidate) -> bool:
        found = {**one.known, **(one.found or {})}
        return all(found[name] <= limit for name, limit in self.limits.items() if name in found)


@cache
def _one_thread() -> ThreadpoolController:
    """Of the linear algebra: more threads make products this small slower, and take the cores of what trains."""
    return ThreadpoolController()


def _done(seen: Sequence[Candidate]) -> list[int]:
    """The last of those that have a result, by index."""
    return [index for index, one in enumerate(seen) if one.found is not None][-_MAX_RESULTS:]


def _logarithms(metric: str, results: Sequence[Candidate]) -> Array:
    """Of a metric that was found, shape (results,)."""
    return np.asarray(np.log([max(float((one.found or {})[metric]), 1e-12) for one in results]))


_ABSENT = object()


def _columns(primitive: Primitive, values: Sequence[object]) -> list[list[float]]:
    """A plain choice as numbers, and whether it is reached where it is not always."""
    reached = [float(value is not _ABSENT) for value in values]
    more = [] if all(reached) else [reached]
    match primitive:
        case Categorical(choices) if all(isinstance(c, int | float) and not isinstance(c, bool) for c in choices):
            ranks = sorted(float(c) for c in choices)  # type: ignore[arg-type]
            last = max(len(ranks) - 1, 1)
            return [[ranks.index(float(v)) / last if v is not _ABSENT else 0.5 for v in values], *more]  # type: ignore[arg-type]
        case Categorical(choices):
            told = choices[1:] if len(choices) == 2 else choices
            return [*([float(same(v, choice)) for v in values] for choice in told), *more]
        case Integer() | Real():
            return [[_placed(primitive, v) for v in values], *more]


def _placed(primitive: Integer | Real, value: Any) -> float:
    if value is _ABSENT:
        return 0.5
    low, high, at = (float(number) for number in (primitive.low, primitive.high, value))
    return float(np.log(at / low) / np.log(high / low)) if primitive.log else (at - low) / (high - low)


def _distance(old: Array, new: Array) -> Array:
    """Distance of each new point to the nearest old one; 1 where there is none."""
    if not len(old):
        return np.ones(len(new))
    return np.asarray(np.sqrt(((new[:, None, :] - old[None, :, :]) ** 2).sum(axis=2).min(axis=1)))


def _apart(waiting: Array, new: Array) -> Array:
    """Down to 0 for what is like a training under way, so that workers do not ask the same question."""
    if not len(waiting):
        return np.ones(len(new))
    return np.asarray(np.minimum(1.0, _distance(waiting, new)))


def _farthest(old: Array, new: Array) -> int:
    """The point farthest from all so far; the one nearest to the middle if there is none (maximin design)."""
    if not len(old):
        return int(np.argmin(((new - new.mean(axis=0)) ** 2).sum(axis=1)))
    return int(np.argmax(_distance(old, new)))


def _thinned(front: Array, most: int) -> Array:
    """At most so many points of a front, spread along it: each next one is the farthest from those before."""
    if len(front) <= most:
        return front
    kept = [int(np.argmin(front[:, 0]))]
    while len(kept) < most:
        kept.append(int(np.argmax(_distance(front[kept], front))))
    return front[kept]
