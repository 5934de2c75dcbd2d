from dataclasses import replace

import numpy as np
import pandas as pd

from reports.analysis.answer import answer
from reports.analysis.rankings import ablation_disagreements, search_disagreement
from studies.frame import StudyResults
from tests.reports.synthetic_study import make_study


def with_edm(results: StudyResults, **shifts: float) -> StudyResults:
    """The EDM-weighted loss as six times the loss, with shifts of some variants."""
    trials = results.trials.copy()
    shift = trials["variant"].map(lambda name: shifts.get(str(name).replace("-", "_"), 0.0)).astype(float)
    trials["loss_edm"] = 6 * trials["loss"] + shift
    return replace(results, trials=trials)


def test_losses_that_agree_are_not_spoken_of() -> None:
    results = with_edm(make_study())
    assert ablation_disagreements(results) == []
    assert search_disagreement(results.trials) == []
    assert not any("disagree" in str(s) or "choose different" in str(s) for s in answer(results).ablation)


def test_a_variant_that_the_losses_see_differently_is_named_with_both_numbers() -> None:
    results = with_edm(make_study(), no_attention=-0.2)
    (head, text), *others = ablation_disagreements(results)
    assert others == []
    assert head == "The losses disagree on no-attention:"
    assert text.startswith("held-out loss +0.006")
    assert ", but EDM-weighted loss −0.16" in text
    assert text.endswith("(better).")
    assert f"{head} {text}" in [str(sentence) for sentence in answer(results).ablation]


def test_opposite_signs_within_the_noise_are_no_disagreement() -> None:
    noise = np.random.default_rng(0)
    results = with_edm(make_study(trials=0))
    trials = results.trials.copy()
    trials["loss"] = 0.12 + noise.normal(0, 0.01, len(trials))
    trials["loss_edm"] = 0.7 + noise.normal(0, 0.01, len(trials))
    assert ablation_disagreements(replace(results, trials=trials)) == []


def test_losses_that_choose_different_winners() -> None:
    trials = make_study(seeds=0).trials.copy()
    trials["loss_edm"] = 1 - trials["loss"]
    [(head, text)] = search_disagreement(trials)
    assert head == "The losses choose different architectures:"
    kept = trials[trials["feasible"]]
    assert f"trial {kept.loc[kept['loss'].idxmin(), 'trial']} by held-out loss, " in text
    assert f"trial {kept.loc[kept['loss'].idxmax(), 'trial']} by EDM-weighted loss. " in text
    number = trials[trials["loss"].notna()].drop_duplicates("fingerprint").shape[0]
    assert text.endswith(f"Kendall's τ of the two rankings of {number} is −1.0.")


def test_studies_without_the_second_loss_say_nothing() -> None:
    trials = make_study().trials
    assert ablation_disagreements(make_study()) == []
    assert search_disagreement(trials) == []
    assert search_disagreement(pd.DataFrame(trials.assign(loss_edm=trials["loss"]).iloc[:2])) == []
