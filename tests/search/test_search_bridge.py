from __future__ import annotations

import subprocess
import sys

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from search import optuna_bridge as bridge
from search.samplers import choose
from search.space import Categorical, Dimension, Integer, Primitive, Real, fill

PRIMITIVES: dict[str, Primitive] = {"ch": Categorical((32, 64)), "blocks": Integer(1, 4, step=2), "p": Real(0.1, 1.0)}
FILL = bridge.flat(PRIMITIVES)


def study(objectives: int = 1, seed: int = 0) -> optuna.Study:
    with bridge.quiet():
        sampler = bridge.make_sampler("TPESampler", choose("TPESampler", {}, objectives, 3, 10).options, seed)
        return optuna.create_study(directions=["minimize"] * objectives, sampler=sampler)


def test_primitives_become_distributions_that_end_on_a_step() -> None:
    assert bridge.distribution(Categorical((1, "a"))) == CategoricalDistribution((1, "a"))
    assert bridge.distribution(Integer(1, 4, step=2)) == IntDistribution(1, 3, step=2)
    assert bridge.distribution(Real(1e-4, 1e-2, log=True)) == FloatDistribution(1e-4, 1e-2, log=True)


def test_asked_values_are_points_of_the_space() -> None:
    made = study()
    for _ in range(20):
        trial, chosen = bridge.ask(made, FILL)
        assert chosen["ch"] in (32, 64)
        assert chosen["blocks"] in (1, 3)
        assert 0.1 <= chosen["p"] <= 1.0
        bridge.tell(trial, [float(chosen["p"])], {})
    assert len(made.trials) == 20


def test_an_enqueued_point_comes_next() -> None:
    made = study()
    bridge.enqueue(made, {"ch": 64, "blocks": 3, "p": 0.5})
    assert bridge.waiting(made) == [{"ch": 64, "blocks": 3, "p": 0.5}]
    assert bridge.ask(made, FILL)[1] == {"ch": 64, "blocks": 3, "p": 0.5}
    assert bridge.waiting(made) == []
    assert len(made.trials) == 1


def test_a_point_that_is_chosen_begins_as_one_that_was_enqueued() -> None:
    space = {
        "kind": Dimension(choice=("a", "b")),
        "heads": Dimension.model_validate({"choice": [1, 2, 4], "when": {"kind": "b"}}),
        "p": Dimension.model_validate({"float": [0.1, 1.0]}),
    }
    made, chosen = study(), {"kind": "a", "heads": 4, "p": 0.5}
    bridge.enqueue(made, chosen)
    asked, of_asked = bridge.ask(made, lambda choose: fill(space, 1, choose))
    begun, of_begun = bridge.begin(made, chosen, lambda choose: fill(space, 1, choose))
    assert of_asked == of_begun == {"kind": "a", "p": 0.5}
    assert (asked.number, begun.number) == (0, 1)
    first, second = made.trials
    assert first.state == second.state == TrialState.RUNNING
    assert first.params == second.params == of_begun
    assert first.distributions == second.distributions
    bridge.tell(begun, [1.0], {})
    assert made.trials[1].values == [1.0]


def test_a_point_that_waits_already_is_not_enqueued_twice() -> None:
    made = study()
    for _ in range(2):
        bridge.enqueue(made, {"ch": 64, "blocks": 3, "p": 0.5})
    assert [trial.state for trial in made.trials] == [TrialState.WAITING]


def test_what_a_condition_rules_out_is_not_asked_for() -> None:
    made = study(seed=2)
    space = {
        "kind": Dimension(choice=("a", "b")),
        "heads": Dimension.model_validate({"choice": [1, 2], "when": {"kind": "a"}}),
    }
    for _ in range(20):
        trial, chosen = bridge.ask(made, lambda choose: fill(space, 1, choose))
        assert set(trial.params) == set(chosen) == ({"kind", "heads"} if chosen["kind"] == "a" else {"kind"})
        bridge.tell(trial, [0.0], {})


def test_what_is_not_known_is_infinitely_bad_in_either_direction() -> None:
    with bridge.quiet():
        made = optuna.create_study(
            directions=["minimize", "maximize"], sampler=bridge.make_sampler("TPESampler", {}, 0)
        )
    trial, _ = bridge.ask(made, FILL)
    bridge.tell(trial, [None, None], {"rules": 1.0})
    assert made.trials[0].values == [float("inf"), float("-inf")]


def test_a_pruned_trial_carries_its_constraints() -> None:
    made = study(objectives=2)
    trial, _ = bridge.ask(made, FILL)
    bridge.tell_pruned(trial, {"rules": 0.0, "parameters": -0.5})
    assert (made.trials[0].state, made.trials[0].constraints) == (TrialState.PRUNED, {"rules": 0.0, "parameters": -0.5})


def test_a_refused_point_is_told_as_infeasible_and_never_counts_as_a_result() -> None:
    made = study(objectives=2)
    good, _ = bridge.ask(made, FILL)
    bridge.tell(good, [0.3, 0.01], {"rules": 0.0, "trained": 0.0})
    refused, _ = bridge.ask(made, FILL)
    bridge.tell(refused, [None, None], {"rules": 2.0, "trained": 0.0})
    states = [trial.state for trial in made.trials]
    assert states == [TrialState.COMPLETE, TrialState.COMPLETE]
    assert made.trials[1].constraints == {"rules": 2.0, "trained": 0.0}
    assert [trial.number for trial in made.best_trials] == [0]


def test_tpe_learns_from_infeasible_points_told_as_infinite() -> None:
    made = study(seed=1)
    for _ in range(60):
        trial, chosen = bridge.ask(made, FILL)
        refused = chosen["ch"] == 64
        bridge.tell(trial, [None if refused else float(chosen["p"])], {"rules": 1.0 if refused else 0.0})
    late = [trial.params["ch"] for trial in made.trials[30:]]
    assert late.count(32) > 22


def test_the_same_seed_proposes_the_same() -> None:
    def draw(seed: int) -> list[dict[str, object]]:
        made, points = study(seed=seed), []
        for _ in range(12):
            trial, chosen = bridge.ask(made, FILL)
            bridge.tell(trial, [float(chosen["p"])], {})
            points.append(chosen)
        return points

    assert draw(3) == draw(3)
    assert draw(3) != draw(4)


@pytest.mark.parametrize("name", bridge.sampler_names())
def test_every_named_sampler_runs_a_small_mixed_space(name: str) -> None:
    if package := bridge.missing_package(name):
        pytest.skip(f"{package} is not installed")
    with bridge.quiet():
        made = optuna.create_study(direction="minimize", sampler=bridge.make_sampler(name, {}, seed=0))
    for _ in range(3):
        trial, chosen = bridge.ask(made, FILL)
        bridge.tell(trial, [float(chosen["p"])], {"rules": 0.0})
    assert len(made.trials) == 3


def test_an_unknown_option_is_found_with_the_known_ones() -> None:
    fault = bridge.option_fault("NSGAIISampler", {"population": 10})
    assert fault is not None
    assert fault[0] == "population"
    assert "population_size" in fault[1]
    assert bridge.option_fault("NSGAIISampler", {"population_size": 10}) is None


def test_samplers_and_pruners_that_a_study_can_name() -> None:
    samplers, pruners = bridge.sampler_names(), bridge.pruner_names()
    assert {"TPESampler", "NSGAIISampler", "RandomSampler"} <= set(samplers)
    assert not {"GridSampler", "BruteForceSampler", "BaseSampler"} & set(samplers)
    assert {"MedianPruner", "HyperbandPruner"} <= set(pruners)
    assert not {"NopPruner", "BasePruner", "WilcoxonPruner"} & set(pruners)
    assert all(issubclass(getattr(optuna.pruners, name), optuna.pruners.BasePruner) for name in pruners)


def test_a_package_that_a_sampler_needs_is_named_where_it_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "find_spec", lambda name: None)
    assert bridge.missing_package("CmaEsSampler") == "cmaes"
    assert bridge.missing_package("TPESampler") is None
    monkeypatch.setattr(bridge, "find_spec", lambda name: name)
    assert bridge.missing_package("CmaEsSampler") is None


def test_what_optuna_finds_wrong_is_found_by_proposing_twice() -> None:
    with pytest.raises(ValueError, match="population_size"):
        bridge.make_sampler("NSGAIISampler", {"population_size": 1}, 0)
    with pytest.raises(TypeError):
        bridge.make_pruner("MedianPruner", {"no_such": 1})
    bridge.rehearse(bridge.make_sampler("TPESampler", {}, 0), PRIMITIVES, 2)

    class Fussy(optuna.samplers.RandomSampler):
        def after_trial(self, *_: object) -> None:
            raise AssertionError("nothing is told")

        def sample_independent(self, study: optuna.Study, trial: object, name: str, among: object) -> object:
            raise ValueError(f"not {name}")

    with pytest.raises(ValueError, match="not ch"):
        bridge.rehearse(Fussy(), PRIMITIVES, 1)


def test_a_pruner_hears_of_values_and_ends_what_is_worse_than_the_median() -> None:
    pruner = bridge.make_pruner("MedianPruner", {"n_startup_trials": 2, "n_warmup_steps": 0})
    with bridge.quiet():
        made = optuna.create_study(direction="minimize", pruner=pruner)
    for value in (1.0, 2.0, 3.0):
        trial, _ = bridge.ask(made, FILL)
        assert bridge.is_worth_going_on(trial, value, 10) is (value < 3)
        bridge.tell(trial, [value], {})
    trial, _ = bridge.ask(made, FILL)
    assert bridge.is_worth_going_on(trial, 2.5, 10) is False


def test_a_trial_that_was_stopped_between_two_steps_is_told_once_more() -> None:
    made = study()
    trial, _ = bridge.ask(made, FILL)
    with bridge.quiet():
        trial.set_constraint("rules", 0.5)
    bridge.tell(trial, [float("nan")], {"rules": 9.0, "trained": 1.0})
    assert made.trials[0].constraints == {"rules": 0.5, "trained": 1.0}
    assert made.trials[0].values == [float("inf")]
    other, _ = bridge.ask(made, FILL)
    bridge.tell_failed(other)
    assert made.trials[1].state == TrialState.FAIL


def test_only_the_bridge_imports_optuna_and_nothing_imports_torch() -> None:
    code = (
        "import sys, search.space, search.decode, search.feasible, search.objectives, search.check, search.survey;"
        "print([m for m in ('optuna', 'torch', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
