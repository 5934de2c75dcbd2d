from dataclasses import replace

import pandas as pd
import pytest

from reports.analysis.answer import answer, best_trial, counts_text
from tests.reports.synthetic_study import full_page, full_study, make_study, with_status, without


def plain(text: object) -> str:
    return str(text).replace("\u202f", " ").replace("\xa0", " ")


def test_verdicts_come_worst_first_with_their_numbers() -> None:
    said = answer(full_study())
    kinds = [s.kind for s in said.ablation]
    assert kinds == ["worse", "worse", "worse", "better", "inconclusive", "note"]
    assert plain(said.ablation[0]) == (
        "no-skips is worse than the base: held-out loss +0.1593 [+0.1576, +0.1611], +130 % of the base; p < 0.001 "
        "(Holm), worse in 7 of 7 seeds. Worse, but cheaper: a trade (latency −5.2 %, peak memory −12 %, parameters "
        "−15 %). It lost 1 more seed without a result: this is the mean of the survivors."
    )
    assert plain(said.ablation[3]).startswith("attention-at-8 is better than the base: held-out loss −0.0058 ")


def test_a_command_in_a_sentence_is_set_as_one() -> None:
    assert "so no winner is claimed; <code>ushape confirm</code> trains the best with fresh seeds." in full_page()


def test_few_seeds_are_said_once() -> None:
    said = answer(make_study(seeds=2, trials=0))
    assert [plain(s) for s in said.ablation] == [
        "Too few seeds for a verdict: no-skips (n=1), skip-add (n=2), no-attention (n=2), linear-attention (n=2) and "
        "attention-at-8 (n=2); 5 are needed.",
        "Diverged, too seldom to be told from chance: no-skips in 1 of 2 seeds. Other comparisons of these rest on the "
        "seeds that survived.",
    ]
    study = make_study(seeds=3, trials=0)
    frame = study.trials[study.trials["variant"] != "no-skips"]
    assert [plain(s) for s in answer(replace(study, trials=frame)).ablation] == [
        "Too few seeds for a verdict (n=3; 5 needed). Differences are shown without one."
    ]


def test_inconclusive_is_not_called_no_effect() -> None:
    sentence = answer(full_study()).ablation[-2]
    assert sentence.kind == "inconclusive"
    assert plain(sentence) == (
        "Inconclusive: skip-add; the differences of held-out loss are not told apart from chance. True ones smaller "
        "than about 0.0032 would often be missed by so few seeds. A difference as large as the one seen would "
        "need, for 80 % power, skip-add 480 seeds."
    )


def test_the_search_names_best_and_cheapest() -> None:
    study = make_study(seeds=0)
    best = best_trial(study)
    assert best is not None
    feasible = study.trials[study.trials["feasible"]]
    assert best["loss"] == feasible["loss"].min()
    near = feasible[feasible["loss"] <= best["loss"] * 1.01]
    cheapest = near.sort_values("latency_ratio").iloc[0]
    sentences = [plain(s) for s in answer(study).search]
    assert sentences[0].startswith(f"Best held-out loss within budget: trial {best['trial']}, {best['loss']:.4f} (")
    assert sentences[1].startswith(f"Cheapest within 1 % of it by latency: trial {cheapest['trial']} (")
    assert sentences[3].startswith("Every architecture of the search ran with one seed.")


def test_the_cheapest_is_the_one_that_the_front_calls_so_while_the_machine_drifts() -> None:
    study = make_study(seeds=0, trials=2, budgets={})
    two = pd.concat([study.trials.iloc[[0]]] * 3).assign(
        trial=range(3), status="finished", replay_of=None, feasible=True
    )
    # Trial 1 ran while the machine was quick: less time, though it costs twice the reference that was timed beside it.
    two = two.assign(loss=[0.1, 0.1005, 0.1006], latency=[8e-3, 4e-3, 9e-3], latency_ratio=[4.0, 8.0, 3.0])
    sentences = [plain(s) for s in answer(replace(study, trials=two)).search]
    assert sentences[1] == (
        "Cheapest within 1 % of it by latency: trial 2 (9.00 ms, −25 % by its ratio to the reference network; held-out "
        "loss 0.1006)."
    )


def test_when_the_best_is_also_the_cheapest() -> None:
    study = make_study(seeds=0)
    frame = study.trials.assign(latency_ratio=study.trials["loss"])
    sentences = [plain(s) for s in answer(replace(study, trials=frame)).search]
    assert sentences[1] == "None within 1 % of it is cheaper by latency."


def test_when_nothing_keeps_the_budgets_the_closest_is_named() -> None:
    study = make_study(seeds=0, budgets={"latency": 1.0e-3})
    (sentence,) = answer(study).search
    assert not study.trials["feasible"].any()
    closest = study.trials.sort_values("latency").iloc[0]
    assert plain(sentence) == (
        f"None of {study.trials['loss'].notna().sum()} trained trials keeps the budgets. Closest: trial "
        f"{closest['trial']}, latency {closest['latency'] * 1e3:.2f} ms of 1.00 ms allowed."
    )


def test_without_results_the_endings_are_counted() -> None:
    lost = with_status(make_study(seeds=2, trials=3), "oom", "out of memory")
    said = answer(lost)
    assert [plain(s) for s in said.ablation] == ["No ablation trial has finished. There is nothing to compare yet."]
    assert [plain(s) for s in said.search] == ["No search trial has a result. 3 trials: 3 out of memory."]
    assert said.counts == {"ablation": {"oom": 12}, "search": {"oom": 3}}


def test_parts_that_do_not_exist_are_not_spoken_of() -> None:
    study = full_study()
    assert answer(without(study, "search")).search == ()
    assert answer(without(study, "ablation")).ablation == ()
    assert answer(without(without(study, "ablation"), "search")).counts == {}


def test_only_the_base_has_run() -> None:
    study = make_study(seeds=3, trials=0)
    only_base = replace(study, trials=study.trials[study.trials["variant"] == "base"])
    assert plain(answer(only_base).ablation[0]).startswith("Only the base has run.")
    no_base = replace(study, trials=study.trials[study.trials["variant"] != "base"])
    assert plain(answer(no_base).ablation[0]).startswith("The base has no finished trial.")


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({}, "no trial yet"),
        ({"finished": 1}, "1 trial: 1 finished"),
        ({"finished": 9, "refused": 2, "oom": 1}, "12 trials: 9 finished, 2 refused, 1 out of memory"),
        ({"running": 2, "novel": 1}, "3 trials: 2 running, 1 novel"),
    ],
)
def test_counts_in_words(counts: dict[str, int], text: str) -> None:
    assert counts_text(counts) == text


def test_a_cost_that_the_judgement_rests_on_is_named_beside_the_usual_ones() -> None:
    results = full_study()
    trials = results.trials.copy()
    ours = trials["variant"] == "no-attention"
    base = trials[trials["variant"] == "base"].set_index("seed")
    for name in ("latency_ratio", "memory", "train_memory", "parameters"):
        trials.loc[ours, name] = trials.loc[ours, "seed"].map(base[name])
    trials.loc[ours, "train_latency_ratio"] = trials.loc[ours, "seed"].map(base["train_latency_ratio"]) * 1.1
    trials.loc[ours, "macs"] = trials.loc[ours, "seed"].map(base["macs"])
    said = next(str(s) for s in answer(replace(results, trials=trials)).ablation if "no-attention is worse" in str(s))
    assert "Worse and dearer: keep the base (" in said
    assert "training step +10" in said


def test_a_maximised_first_objective_is_best_where_it_is_largest() -> None:
    study = replace(
        make_study(seeds=0, objectives=("parameters", "latency"), budgets={}), maximised=frozenset({"parameters"})
    )
    trained = study.trials[study.trials["status"] == "finished"]
    best = best_trial(study)
    assert best is not None
    assert best["parameters"] == trained["parameters"].max()
    near = trained[trained["parameters"] >= best["parameters"] * 0.99]
    cheapest = near.sort_values("latency_ratio").iloc[0]
    sentences = [plain(s) for s in answer(study).search]
    assert sentences[0].startswith(f"Best parameters: trial {best['trial']}, ")
    if cheapest["latency"] < best["latency"]:
        assert sentences[1].startswith(f"Cheapest within 1 % of it by latency: trial {cheapest['trial']} (")
    else:
        assert sentences[1] == "None within 1 % of it is cheaper by latency."


def test_a_maximised_second_objective_is_looked_for_where_it_is_largest() -> None:
    study = replace(make_study(seeds=0, objectives=("loss", "macs"), budgets={}), maximised=frozenset({"macs"}))
    trials = study.trials.copy()
    trials["loss"] = 0.1 + trials["trial"] * 1e-5
    trials["macs"] = 1e6 + trials["trial"].astype(float)
    study = replace(study, trials=trials)
    last = trials.loc[trials["status"].isin(["finished", "replayed"]), "trial"].max()
    assert plain(answer(study).search[1]).startswith(f"Most within 1 % of it by MACs: trial {last} (")
    least = replace(study, trials=trials.assign(macs=-trials["trial"].astype(float) + 1e6))
    assert plain(answer(least).search[1]) == "None within 1 % of it has more MACs."
