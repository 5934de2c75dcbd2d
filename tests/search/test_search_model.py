"""The arithmetic of the own sampler, beside the formulas it is named after."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from search import surrogate as module
from search.candidate import Candidate
from search.dimension import Categorical, Integer, Primitive, Real
from search.hypervolume import Array
from search.surrogate import Surrogate

PRIMITIVES: dict[str, Primitive] = {
    "ch": Categorical((64, 16, 32)),
    "kind": Categorical(("a", "b", "c")),
    "skip": Categorical(("add", "concat")),
    "on": Categorical((False, True)),
    "blocks": Integer(1, 5),
    "groups": Integer(2, 32, log=True),
    "rate": Real(0.0, 0.4),
}
KERNEL = ConstantKernel(1.3) * Matern([0.7, 1.9], nu=2.5) + WhiteKernel(0.05)


def made(**more: Any) -> Surrogate:
    given: dict[str, Any] = {"objectives": {"loss": 1.0}, "limits": {}, "startup": 3, "seed": 0, **more}
    return Surrogate({"a": Real(0.0, 1.0), "b": Real(0.0, 1.0)}, **given)


def candidate(a: float, b: float, known: Mapping[str, float] | None = None, **found: float) -> Candidate:
    return Candidate({"a": a, "b": b}, known or {}, found or None)


# features


@pytest.mark.parametrize(
    ("name", "values", "columns"),
    [
        ("ch", [16, 32, 64], [[0.0, 0.5, 1.0]]),
        ("kind", ["a", "c", "b"], [[1, 0, 0], [0, 0, 1], [0, 1, 0]]),
        ("skip", ["add", "concat"], [[0, 1]]),
        ("on", [True, False], [[1, 0]]),
        ("blocks", [1, 2, 5], [[0.0, 0.25, 1.0]]),
        ("groups", [2, 8, 32], [[0.0, 0.5, 1.0]]),
        ("rate", [0.0, 0.1, 0.4], [[0.0, 0.25, 1.0]]),
    ],
)
def test_a_plain_choice_becomes_numbers_from_0_to_1(name: str, values: list[Any], columns: list[list[float]]) -> None:
    assert module._columns(PRIMITIVES[name], values) == [pytest.approx(column) for column in columns]


@pytest.mark.parametrize(("name", "value", "middle"), [("ch", 64, 0.5), ("blocks", 5, 0.5), ("groups", 32, 0.5)])
def test_what_a_point_does_not_reach_stands_in_the_middle_and_is_marked(name: str, value: int, middle: float) -> None:
    values = [value, module._ABSENT]
    assert module._columns(PRIMITIVES[name], values) == [pytest.approx([1.0, middle]), [1.0, 0.0]]


def test_a_label_that_is_not_reached_is_none_of_them() -> None:
    assert module._columns(PRIMITIVES["kind"], ["b", module._ABSENT]) == [[0, 0], [1, 0], [0, 0], [1, 0]]


def test_one_value_alone_is_a_number_too() -> None:
    assert module._columns(Categorical((8,)), [8, 8]) == [[0.0, 0.0]]


def test_what_is_known_enters_by_its_logarithm_and_what_is_always_alike_not_at_all() -> None:
    points = [
        Candidate({"a": 0.0, "b": 0.3}, {"macs": 10.0, "parameters": 5.0}),
        Candidate({"a": 0.5, "b": 0.3}, {"macs": 100.0, "parameters": 5.0, "more": 1.0}),
        Candidate({"a": 1.0, "b": 0.3}, {"macs": 1000.0, "parameters": 5.0}),
    ]
    assert made()._features(points) == pytest.approx(np.array([[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]]))
    assert made()._features(points[:1]).shape == (1, 4)  # nothing tells one point apart


# the model


def kernel(first: Array, second: Array) -> Array:
    """1.3 · Matérn 5/2 with length scales 0.7 and 1.9 (Rasmussen & Williams 2006, eq. 4.17)."""
    scaled = (first[:, None, :] - second[None, :, :]) / np.array([0.7, 1.9])
    r = math.sqrt(5) * np.sqrt((scaled**2).sum(axis=2))
    covariance: Array = 1.3 * (1 + r + r**2 / 3) * np.exp(-r)
    return covariance


def posterior(x: Array, y: Array, new: Array) -> tuple[Array, Array]:
    """Mean and deviation of new results, noise of 0.05 included (eqs. 2.23 and 2.24), of standardised y."""
    centre, spread = y.mean(), y.std()
    weights = kernel(new, x) @ np.linalg.inv(kernel(x, x) + 0.05 * np.eye(len(x)))
    mean = centre + spread * (weights @ ((y - centre) / spread))
    variance = 1.3 + 0.05 - (weights * kernel(new, x)).sum(axis=1)
    return mean, spread * np.sqrt(variance)


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hyperparameters that are not fitted but given."""
    monkeypatch.setattr(Surrogate, "_kernel", lambda *_: KERNEL)


X = np.random.default_rng(0).random((7, 2))
Y = np.log(1 + X @ [0.5, -0.3] + 0.1 * np.sin(9 * X[:, 0]))
NEW = np.random.default_rng(1).random((5, 2))


@pytest.mark.usefixtures("fixed")
def test_the_model_is_the_posterior_of_a_gaussian_process() -> None:
    mean, deviation = made()._fitted("loss", X, Y).predict(NEW, return_std=True)
    expected = posterior(X, Y, NEW)
    assert mean == pytest.approx(expected[0])
    assert deviation == pytest.approx(expected[1])


def test_the_kernel_that_is_fitted_has_a_length_scale_for_each_feature() -> None:
    found = made()._kernel("loss", X, Y, 7)
    assert found.get_params()["k1__k2__nu"] == 2.5
    assert found.get_params()["k1__k2__length_scale"].shape == (2,)
    assert 0.99e-5 < found.get_params()["k2__noise_level"] < 0.51


@pytest.mark.usefixtures("fixed")
def test_the_chance_to_keep_budgets_is_a_product_of_normal_distributions() -> None:
    surrogate = made(limits={"latency": 1.1, "memory": 0.9, "macs": 1.0})
    models = {"latency": surrogate._fitted("latency", X, Y), "memory": surrogate._fitted("memory", X, -Y)}
    (mean, deviation), (other, spread) = posterior(X, Y, NEW), posterior(X, -Y, NEW)
    expected = stats.norm.cdf(math.log(1.1), mean, deviation) * stats.norm.cdf(math.log(0.9), other, spread)
    assert surrogate._keeps(models, NEW) == pytest.approx(expected)


@pytest.mark.usefixtures("fixed")
def test_the_chance_to_come_to_a_result_is_one_less_what_failed_nearby() -> None:
    seen = [
        Candidate({}, {}, None, failed=k in (1, 4)) if k in (1, 4, 6) else candidate(*x, loss=1.0)
        for k, x in enumerate(X)
    ]
    ended = [0, 1, 2, 3, 4, 5]  # the last one is under way
    failed = np.array([0.0, 1.0, 0.0, 0.0, 1.0, 0.0])
    expected = np.clip(1 - posterior(X[ended], failed, NEW)[0], 0.01, 1.0)
    assert made()._succeeds(seen, X, NEW) == pytest.approx(expected)
    assert made()._succeeds([candidate(*x, loss=1.0) for x in X], X, NEW).tolist() == [1.0] * 5


class Foretelling:
    """A model whose mean and deviation are given."""

    def __init__(self, mean: list[float], deviation: float) -> None:
        self.mean, self.deviation = np.array(mean), np.full(len(mean), deviation)

    def predict(self, new: Array, return_std: bool) -> tuple[Array, Array]:
        return self.mean, self.deviation


def gain_of(surrogate: Surrogate, models: dict[str, Any], results: list[Candidate], new: list[Candidate]) -> Array:
    found = surrogate._gain(models, results, new, np.zeros((len(new), 2)))
    assert found is not None
    return found


def test_of_one_objective_it_is_the_expected_improvement_of_a_lognormal_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """E[max(0, best − L)] = best·Φ(z) − exp(μ + σ²/2)·Φ(z − σ) with z = (ln best − μ)/σ, by the spread of results."""
    monkeypatch.setattr(module, "_DRAWS", 4_000)
    results = [candidate(0, 0, loss=2.0), candidate(0, 0, loss=1.0), candidate(0, 0, loss=4.0)]
    means, deviation, best, spread = [-0.4, 0.0, 0.3], 0.3, 1.0, 3.0
    z = (math.log(best) - np.array(means)) / deviation
    expected = best * stats.norm.cdf(z) - np.exp(np.array(means) + deviation**2 / 2) * stats.norm.cdf(z - deviation)
    new = [candidate(0, 0)] * 3
    found = gain_of(made(), {"loss": Foretelling(means, deviation)}, results, new)
    assert found == pytest.approx(expected / spread, rel=0.01)


def test_a_cost_that_is_known_enters_exactly() -> None:
    """Two objectives, both known: the improvement itself, of values brought to 0 to 1 and the reference 1.1."""
    surrogate = made(objectives={"loss": 1.0, "macs": 1.0})
    results = [candidate(0, 0, {"macs": 10.0}, loss=3.0), candidate(0, 0, {"macs": 20.0}, loss=1.0)]
    new = [candidate(0, 0, {"macs": 15.0}), candidate(0, 0, {"macs": 25.0})]
    found = gain_of(surrogate, {"loss": Foretelling([math.log(2.0), math.log(2.0)], 0.0)}, results, new)
    # (0, 1) and (1, 0) are the front; (0.5, 0.5) adds a square of side 0.5, less nothing; (0.5, 1.5) is behind.
    assert found == pytest.approx([0.25, 0.0])


def test_what_is_maximised_counts_the_other_way_round() -> None:
    surrogate = made(objectives={"parameters": -1.0})
    results = [candidate(0, 0, {"parameters": 10.0}, loss=1.0), candidate(0, 0, {"parameters": 20.0}, loss=1.0)]
    new = [candidate(0, 0, {"parameters": value}) for value in (5.0, 20.0, 25.0)]
    assert gain_of(surrogate, {}, results, new) == pytest.approx([0.0, 0.0, 0.5])


def test_only_results_within_the_budgets_make_the_front() -> None:
    surrogate = made(limits={"latency": 1.0})
    over, within = candidate(0, 0, loss=1.0, latency=2.0), candidate(0, 0, loss=3.0, latency=1.0)
    model = {"loss": Foretelling([math.log(2.0)], 0.0)}
    assert surrogate._gain(model, [over], [candidate(0, 0)], np.zeros((1, 2))) is None
    # Of one result the spread is its own size.
    assert gain_of(surrogate, model, [over, within], [candidate(0, 0)]) == pytest.approx([1 / 3])


def test_equal_results_neither_divide_by_zero_nor_hide_an_improvement() -> None:
    results = [candidate(0, 0, loss=2.0), candidate(0, 0, loss=2.0)]
    found = gain_of(made(), {"loss": Foretelling([math.log(1.0), math.log(3.0)], 0.0)}, results, [candidate(0, 0)] * 2)
    assert found == pytest.approx([0.5, 0.0])


# where to look


def test_the_distance_is_that_to_the_nearest() -> None:
    old, new = np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[0.0, 1.0], [3.0, 3.5], [-3.0, -4.0]])
    assert module._distance(old, new).tolist() == [1.0, 0.5, 5.0]
    assert module._distance(np.empty((0, 2)), new).tolist() == [1.0] * 3
    assert module._apart(old, new).tolist() == [1.0, 0.5, 1.0]
    assert module._apart(np.empty((0, 2)), new).tolist() == [1.0] * 3


def test_the_first_points_are_spread_evenly() -> None:
    corners = [candidate(a, b) for a, b in ((0, 0), (1, 1), (0.5, 0.45), (1, 0), (0, 1))]
    surrogate, seen, order = made(startup=5), [], []
    for _ in range(3):
        index = surrogate.pick(corners, seen)
        order.append(index)
        seen.append(corners[index])
    assert order == [2, 1, 4]


def test_a_front_that_is_too_large_is_thinned_to_its_ends_first() -> None:
    front = np.array([[k / 10, 1 - k / 10] for k in range(11)])
    kept = module._thinned(front, 3)
    assert kept.tolist() == [[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]]
    assert module._thinned(front, 11) is front


def test_of_many_results_the_last_count() -> None:
    seen = [candidate(0, 0, loss=1.0), candidate(0, 0), *[candidate(0, 0, loss=1.0)] * 300]
    done = module._done(seen)
    assert (len(done), done[0], done[-1]) == (300, 2, 301)


def test_a_metric_that_is_known_or_measured_already_is_not_modelled() -> None:
    surrogate = made(objectives={"loss": 1.0, "macs": 1.0}, limits={"latency": 1.0, "loss": 2.0, "parameters": 3.0})
    assert surrogate._unknown([candidate(0, 0, {"macs": 1.0, "parameters": 2.0})]) == ["loss", "latency"]


def test_without_a_result_within_the_budgets_it_looks_where_they_are_likely_kept() -> None:
    surrogate = made(limits={"latency": 0.4}, startup=2)
    seen = [candidate(a, b, loss=1.0, latency=1.0 + a) for a in (0.5, 1.0) for b in (0.0, 0.5, 1.0)]
    new = [candidate(0.9, 0.4), candidate(0.0, 0.4), candidate(0.75, 0.6)]
    assert surrogate.pick(new, seen) == 1


def test_only_what_is_under_way_is_kept_away_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two candidates where something is already, the first a little better; gains are given."""
    monkeypatch.setattr(Surrogate, "_gain", lambda *_: np.array([1.0, 0.9]))
    monkeypatch.setattr(Surrogate, "_succeeds", lambda self, seen, old, new: np.ones(len(new)))
    results = [candidate(0.3, 0.3, loss=1.0), candidate(0.8, 0.2, loss=2.0), candidate(0.1, 0.9, loss=3.0)]
    new = [candidate(0.3, 0.3), candidate(0.6, 0.6)]
    at_the_first, at_the_second = candidate(0.3, 0.3), candidate(0.6, 0.6)
    assert made().pick(new, results) == 0
    assert made().pick(new, [*results, Candidate(new[0].chosen, {}, None, failed=True)]) == 0
    assert made().pick(new, [*results, at_the_first]) == 1
    assert made().pick(new, [*results, at_the_second]) == 0


def test_the_model_is_asked_from_two_results_and_the_last_random_point_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(Surrogate, "_gain", lambda self, models, results, *_: asked.append(len(results)))
    results = [candidate(0.1, 0.3, loss=1.0), candidate(0.8, 0.2, loss=2.0), candidate(0.4, 0.4, loss=2.0)]
    new = [candidate(0.5, 0.5), candidate(0.6, 0.6)]
    for number in (1, 2, 3):
        made(startup=2).pick(new, results[:number])
    made(startup=3).pick(new, results[:2])
    assert asked == [2, 3]


@pytest.mark.parametrize("results", [0, 1])
def test_nothing_is_fitted_before_two_results_are_in(results: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(GaussianProcessRegressor, "fit", never)
    seen = [candidate(0.1 * k, 0.5, **({"loss": 1.0} if k < results else {})) for k in range(6)]
    surrogate = made(startup=3)
    surrogate.prepare([candidate(0.9, 0.9)], seen)
    assert surrogate.pick([candidate(0.55, 0.5), candidate(0.9, 0.9)], seen) == 1
