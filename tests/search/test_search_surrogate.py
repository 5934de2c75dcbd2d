from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from search import samplers
from search.candidate import Candidate
from search.dimension import Dimension
from search.feasible import Assessment
from search.hypervolume import boxes, front_of, hypervolume, improvement
from search.objectives import budgets
from search.pool import Pool
from search.space import at_random, fill, primitives
from search.surrogate import Surrogate

SPACE = {
    "ch": Dimension(choice=(8, 16, 24, 32, 48)),
    "blocks": Dimension.model_validate({"int": [1, 4]}),
    "skip": Dimension(choice=("add", "concat", "none")),
    "kind": Dimension(choice=("a", "b", "c", "d", "e")),
    "heads": Dimension.model_validate({"choice": [1, 2, 4], "when": {"skip": "add"}}),
}


def judge(chosen: dict[str, object]) -> Assessment:
    cost = float(chosen["ch"]) * float(chosen["blocks"])  # type: ignore[arg-type]
    return Assessment((), object(), repr(sorted(chosen.items())), {"macs": cost, "parameters": cost**1.5})  # type: ignore[arg-type]


def train(chosen: dict[str, object]) -> dict[str, float]:
    known = judge(chosen).metrics
    loss = 1.0 / known["macs"] ** 0.5 + {"add": 0.0, "concat": 0.02, "none": 0.3}[str(chosen["skip"])]
    loss += {"d": 0.0, "b": 0.1}.get(str(chosen["kind"]), 0.2)
    return {**known, "loss": loss, "latency": 0.01 * known["macs"]}


def test_hypervolume_of_points_that_can_be_counted_by_hand() -> None:
    assert hypervolume([[1.0, 2.0], [2.0, 1.0]], [3.0, 3.0]) == 3.0
    assert hypervolume([[1.0, 2.0], [1.5, 2.5], [4.0, 0.0]], [3.0, 3.0]) == 2.0
    assert hypervolume([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]], [1.0, 1.0, 1.0]) == 1.0
    assert hypervolume([], [1.0, 1.0]) == 0.0


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_hypervolume_and_improvement_agree_with_counting_random_points(objectives: int) -> None:
    rng = np.random.default_rng(objectives)
    points, reference = rng.random((6, objectives)), np.ones(objectives)
    sample = rng.random((40_000, objectives))
    beaten = (points[None] <= sample[:, None]).all(axis=2).any(axis=1)
    assert hypervolume(points, reference) == pytest.approx(beaten.mean(), abs=0.01)
    new = rng.random((1, objectives))
    more = (new <= sample).all(axis=1) & ~beaten
    assert improvement(new, points, reference)[0] == pytest.approx(more.mean(), abs=0.01)


def test_boxes_are_disjoint_and_hold_nothing_that_is_dominated() -> None:
    front = np.array([[0.2, 0.8, 0.5], [0.5, 0.5, 0.2], [0.8, 0.1, 0.9]])
    lower, upper = boxes(front, np.ones(3))
    for one, other in itertools.combinations(range(len(lower)), 2):
        apart = (upper[one] <= lower[other]) | (upper[other] <= lower[one])
        assert apart.any()
    middle = np.maximum(lower, -1.0) * 0.5 + upper * 0.5
    assert not (front[None] < middle[:, None]).all(axis=2).any()


def test_the_front_keeps_equal_points() -> None:
    assert front_of([[1.0, 1.0], [1.0, 1.0], [0.0, 2.0], [2.0, 2.0]]).tolist() == [True, True, True, False]


def search(trainings: int, limits: dict[str, float], seed: int) -> list[dict[str, float]]:
    pool = Pool(SPACE, 1, judge, seed)
    surrogate = Surrogate(primitives(SPACE, 1), {"loss": 1.0, "macs": 1.0}, limits, 5, seed)
    seen: dict[str, Candidate] = {}
    for _ in range(trainings):
        pool.grow(80)
        candidates = pool.new(seen)
        one = candidates[surrogate.pick(candidates, list(seen.values()))]
        chosen = dict(one.chosen)
        seen[repr(sorted(chosen.items()))] = Candidate(chosen, one.known, train(chosen))
    return [dict(one.found or {}) for one in seen.values()]


def volume(found: list[dict[str, float]]) -> float:
    kept = [[one["loss"], one["macs"] / 192] for one in found if one["latency"] <= 1.0]
    return hypervolume(np.array(kept), [0.8, 1.0])


def test_what_is_known_beforehand_leads_to_the_front_far_faster_than_chance() -> None:
    everything = [train(fill(SPACE, 1, at_random(random.Random(seed)))) for seed in range(3_000)]
    true = volume(everything)
    for seed in range(3):
        ours = volume(search(24, {"latency": 1.0}, seed)) / true
        chance = np.mean([volume(random.Random(100 * seed + k).sample(everything, 24)) for k in range(30)]) / true
        assert ours > 0.97
        assert ours > chance + 0.05


def test_the_same_seed_proposes_the_same_and_nothing_twice() -> None:
    first = search(12, {}, 4)
    assert first == search(12, {}, 4)
    assert len({tuple(one.items()) for one in first}) > 8


def test_failed_and_waiting_trainings_are_avoided() -> None:
    rng = random.Random(0)
    points = [fill(SPACE, 1, at_random(rng)) for _ in range(60)]
    seen = [
        Candidate(one, judge(one).metrics, None if one["skip"] == "none" else train(one), failed=one["skip"] == "none")
        for one in points[:30]
    ]
    candidates = [Candidate(one, judge(one).metrics) for one in points[30:]]
    surrogate = Surrogate(primitives(SPACE, 1), {"loss": 1.0, "macs": 1.0}, {}, 3, 0)
    first = surrogate.pick(candidates, seen)
    assert candidates[first].chosen["skip"] != "none"
    again = surrogate.pick(candidates, [*seen, candidates[first]])
    assert candidates[again].chosen != candidates[first].chosen


def test_the_sampler_is_chosen_by_size_and_said() -> None:
    small = samplers.choose("auto", {}, 2, 8, 40)
    assert (small.name, small.options["startup"]) == ("KnownCostSampler", 6)
    assert small.why == (
        "Sampler: KnownCostSampler (startup=6, candidates=256, grow=48), for 2 objectives, 8 dimensions, 40 trainings."
    )
    large = samplers.choose("auto", {}, 1, 8, 1_000)
    assert large.name == "TPESampler"
    assert large.options["multivariate"]
    assert large.why.endswith("for 1 objective, 8 dimensions, 1000 trainings.")
    named = samplers.choose("NSGAIISampler", {"population_size": 10}, 2, 8, 40)
    assert named.why == "Sampler: NSGAIISampler (population_size=10), as the study says."
    assert samplers.own_option_fault({"startup": 0}) == (
        "startup",
        "KnownCostSampler's startup is a whole number above 0, not 0",
        ["startup", "candidates", "grow"],
    )


def test_budgets_as_sentences_and_relative_to_the_base() -> None:
    given = budgets(["latency <= 0.9 * base", "parameters <= 1.5M", "macs <= base"])
    assert given == {"latency": "0.9 * base", "parameters": 1.5e6, "macs": "1 * base"}
    with pytest.raises(ValueError, match="`latency < 3` is no budget; write `latency <= 20 ms`"):
        budgets(["latency < 3"])
    with pytest.raises(ValueError, match="latency has two budgets"):
        budgets(["latency <= 1 ms", "latency <= 2 ms"])
    with pytest.raises(
        ValueError, match=r"`macs < 3` is no budget; .*; parameters: `x` is no budget; .* no metric `los`"
    ):
        budgets(["macs < 3", "parameters <= x", "los <= 1"])
    with pytest.raises(ValueError, match=r"write a factor above 0, such as `0.9 \* base`"):
        budgets({"latency": "0 * base"})
    for mistyped in ("0.5 * bse", "base * 0.5", "half * base"):
        with pytest.raises(ValueError, match=r"`0\.9 \* base`"):
            budgets({"latency": mistyped})


def test_what_is_prepared_is_not_fitted_again_when_the_next_result_is_in() -> None:
    rng = random.Random(0)
    points = [fill(SPACE, 1, at_random(rng)) for _ in range(40)]
    results = [Candidate(one, judge(one).metrics, train(one)) for one in points[:9]]
    candidates = [Candidate(one, judge(one).metrics) for one in points[9:]]
    for number in range(4, 9):
        surrogate = Surrogate(primitives(SPACE, 1), {"loss": 1.0, "macs": 1.0}, {}, 3, 0)
        under_way = Candidate(results[number].chosen, results[number].known)
        surrogate.prepare(candidates, [*results[:number], under_way])
        fitted = dict(surrogate._kernels)
        assert len(fitted) == 1
        surrogate.pick(candidates, results[: number + 1])
        assert surrogate._kernels == fitted


def test_its_linear_algebra_has_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def watched(self: Surrogate, candidates: object, results: object) -> int:
        seen.extend(one["num_threads"] for one in threadpool_info())
        return 0

    monkeypatch.setattr(Surrogate, "_pick", watched)
    with threadpool_limits(2):
        Surrogate(primitives(SPACE, 1), {"loss": 1.0}, {}, 3, 0).pick([], [])
    assert seen
    assert set(seen) == {1}
