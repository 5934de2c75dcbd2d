import math
from dataclasses import replace

import pytest

from reports.analysis.curves import loss_by_level, smoothed, trial_curves, variant_curves
from reports.analysis.search import best_so_far, natural, objective_pairs, search_points
from reports.dashboard import render
from tests.reports.synthetic_study import full_study, make_study
from tests.reports.test_reports_dashboard import words


def test_points_leave_out_replays_of_points_but_keep_those_of_the_ablation() -> None:
    study = full_study()
    replayed = study.trials["status"] == "replayed"
    points = search_points(study)
    assert replayed.sum() == 2
    assert len(points) == 18
    assert {p.kind for p in points} == {"front", "dominated", "infeasible", "no result"}
    assert [p.trial for p in points if p.base] == [0]
    frame = study.trials.copy()
    frame.loc[replayed, "replay_of"] = "ablation/0"
    kept = search_points(replace(study, trials=frame))
    assert len(kept) == 19
    assert [point.replay_of for point in kept if point.replay_of] == [("ablation", 0)]


def test_a_ratio_as_an_objective_is_shown_like_any_other() -> None:
    study = make_study(seeds=0, trials=12, objectives=("loss", "latency_ratio"), budgets={"train_latency_ratio": 9.0})
    points = search_points(study)
    by_trial = study.trials.set_index("trial")["latency_ratio"]
    assert [p.values["latency_ratio"] for p in points] == pytest.approx(
        [by_trial[p.trial] for p in points], nan_ok=True
    )
    page = words(render(study))
    assert "Objectives: held-out loss and latency ratio. Budgets: training step ratio at most 9.00." in page
    assert "Held-out loss against latency ratio" in page
    assert "latency_ratio" not in page
    table = page[page.index("All trials", page.index("How it was measured")) :]
    assert "latency ratio" in table
    assert "training step ratio" in table


def test_best_so_far_looks_at_feasible_trials_only() -> None:
    points = search_points(make_study(objectives=("loss",)))
    best = best_so_far(points, "loss")
    known = [b for b in best if not math.isnan(b)]
    assert known == sorted(known, reverse=True)
    assert known[-1] == min(p.values["loss"] for p in points if p.kind in ("front", "dominated"))


def test_best_so_far_rises_where_more_is_better() -> None:
    points = search_points(make_study(objectives=("loss",)))
    known = [b for b in best_so_far(points, "macs", more_is_better=True) if not math.isnan(b)]
    assert known == sorted(known)
    assert known[-1] == max(p.values["macs"] for p in points if p.kind in ("front", "dominated"))


def test_pairs_of_objectives() -> None:
    assert objective_pairs(replace(full_study(), objectives=("latency", "loss", "memory"))) == [
        ("latency", "loss"),
        ("memory", "loss"),
    ]
    assert objective_pairs(replace(full_study(), objectives=("loss",))) == []
    assert objective_pairs(replace(full_study(), objectives=("latency", "macs"))) == [("macs", "latency")]


def test_natural_order() -> None:
    assert sorted(["10,2", "2,10", "2,9", "none"], key=natural) == ["2,9", "2,10", "10,2", "none"]


def test_smoothing_keeps_the_level_the_end_and_at_most_160_points() -> None:
    noisy = [(step, 1.0 + (0.5 if step % 2 else -0.5)) for step in range(1000)]
    curve = smoothed(noisy)
    assert len(curve) <= 160
    assert curve[-1][0] == 999.0
    assert abs(curve[-1][1] - 1.0) < 0.02
    assert smoothed([(0, math.nan), (1, math.inf)]) == []
    assert smoothed([]) == []


def test_curves_are_means_over_the_finished_seeds() -> None:
    study = make_study(seeds=2, trials=0)
    curves = {c.name: c for c in variant_curves(study)}
    assert list(curves) == ["base", "no-skips", "skip-add", "no-attention", "linear-attention", "attention-at-8"]
    rows = study.trials[(study.trials["variant"] == "base")]
    last = [study.curves[("ablation", t)][-1][1] for t in rows["trial"]]
    assert curves["base"].losses[-1] == sum(last) / 2
    assert curves["base"].emphasis


def test_replays_show_the_curve_of_the_trial_they_took_over() -> None:
    study = full_study()
    frame = study.trials.copy()
    frame.loc[frame["status"] == "replayed", "replay_of"] = "ablation/0"
    borrowed = replace(study, trials=frame)
    found = {p.trial: c for p, c in trial_curves(borrowed, search_points(borrowed))}
    replayed = int(frame.loc[frame["status"] == "replayed", "trial"].iloc[0])
    assert found[replayed].losses[-1] == smoothed(study.curves[("ablation", 0)])[-1][1]


def test_loss_by_level_is_against_the_base_of_the_same_seeds() -> None:
    study = make_study(trials=0)
    (skip_add,) = [c for c in loss_by_level(study) if c.name == "skip-add"]
    rows = study.trials[study.trials["part"] == "ablation"]
    losses = rows.pivot_table(index="seed", columns="variant", values="loss")
    expected = (losses["skip-add"].sum() / losses["base"].sum() - 1) * 100
    assert len(skip_add.steps) == 10
    assert math.isclose(skip_add.losses[3], expected, rel_tol=1e-9)
