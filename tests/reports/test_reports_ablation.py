import math
from typing import Any

import pandas as pd
import pytest
from scipy import stats

from reports.analysis.ablation import Verdict, base_values, compare, compared_metrics

BASE = [0.100, 0.110, 0.095, 0.105, 0.102, 0.098]
WORSE = [0.120, 0.131, 0.114, 0.126, 0.121, 0.119]


def frame(**variants: list[float | str | None]) -> pd.DataFrame:
    """One row per variant and seed; a text instead of a loss is the status of a lost trial."""
    rows: list[dict[str, Any]] = []
    for variant, values in variants.items():
        for seed, value in enumerate(values):
            if value is None:
                continue
            lost = isinstance(value, str)
            rows.append(
                {
                    "part": "ablation",
                    "trial": len(rows),
                    "variant": variant.replace("_", "-"),
                    "seed": seed,
                    "status": value if lost else "finished",
                    "loss": math.nan if lost else value,
                    "parameters": math.nan if lost else 1000.0 if variant == "base" else 900.0,
                }
            )
    return pd.DataFrame(rows)


def test_a_clear_difference_has_the_numbers_of_a_paired_t_test() -> None:
    (effect,) = compare(frame(base=BASE, no_skips=WORSE), "loss")
    reference = stats.ttest_rel(WORSE, BASE)
    interval = reference.confidence_interval(0.95)
    assert effect.variant == "no-skips"
    assert effect.n == 6
    assert effect.differences == pytest.approx([w - b for w, b in zip(WORSE, BASE, strict=True)])
    assert effect.mean == pytest.approx(0.0201666667)
    assert (effect.low, effect.high) == pytest.approx((float(interval.low), float(interval.high)))
    assert effect.p_holm == pytest.approx(float(reference.pvalue))
    assert effect.percent == pytest.approx(0.0201666667 / (sum(BASE) / 6) * 100)
    assert effect.seeds_better == 0
    assert effect.verdict is Verdict.WORSE
    assert effect.verdict_text == "worse"


def test_a_smaller_loss_is_better() -> None:
    (effect,) = compare(frame(base=WORSE, wider=BASE), "loss")
    assert effect.verdict is Verdict.BETTER
    assert effect.seeds_better == 6
    assert effect.high_adjusted < 0


def test_no_verdict_below_five_seeds() -> None:
    (effect,) = compare(frame(base=BASE[:3], no_skips=WORSE[:3]), "loss")
    assert effect.p_holm < 0.05
    assert effect.verdict is Verdict.TOO_FEW
    assert effect.verdict_text == "too few seeds for a verdict (n=3; 5 needed)"


def test_one_seed_is_shown_without_an_interval() -> None:
    (effect,) = compare(frame(base=BASE[:1], no_skips=WORSE[:1]), "loss")
    assert effect.mean == pytest.approx(0.02)
    assert math.isnan(effect.low)
    assert math.isnan(effect.p_holm)
    assert effect.verdict is Verdict.TOO_FEW


def test_a_difference_within_the_noise_is_inconclusive_and_says_what_could_be_missed() -> None:
    wobble = [b + d for b, d in zip(BASE, [0.01, -0.012, 0.004, -0.006, 0.011, -0.003], strict=True)]
    (effect,) = compare(frame(base=BASE, other=wobble), "loss")
    assert effect.verdict is Verdict.INCONCLUSIVE
    spread = pd.Series(effect.differences).std()
    assert effect.smallest_detectable == pytest.approx(1.43 * spread, rel=0.01)


def test_holm_over_all_variants_can_take_a_verdict_away() -> None:
    differences = [0.002, 0.016, 0.004, 0.013, 0.001, 0.007]
    slight = [b + d for b, d in zip(BASE, differences, strict=True)]
    (alone,) = compare(frame(base=BASE, slight=slight), "loss")
    assert alone.p < 0.05
    assert alone.verdict is Verdict.WORSE
    among = compare(frame(base=BASE, slight=slight, a=BASE, b=slight, c=slight), "loss")
    assert among[0].p == pytest.approx(alone.p)
    assert among[0].p_holm == pytest.approx(4 * alone.p)
    assert among[0].comparisons == 4
    assert among[0].verdict is Verdict.INCONCLUSIVE
    assert among[0].low_adjusted < 0 < among[0].low


def test_seeds_missing_on_one_side_are_dropped_pairwise_and_said() -> None:
    lossy = [*WORSE[:4], "diverged", None]
    base = [BASE[0], "oom", *BASE[2:]]
    (effect,) = compare(frame(base=base, lossy=lossy), "loss")
    assert effect.seeds == (0, 2, 3)
    assert [(d.seed, d.reason, d.by_variant) for d in effect.dropped] == [
        (1, "the base: out of memory", False),
        (4, "the variant: diverged", True),
        (5, "the variant has no trial yet", True),
    ]
    assert effect.survivors_only
    assert effect.verdict is Verdict.TOO_FEW


def test_no_common_seed_is_no_data() -> None:
    (effect,) = compare(frame(base=[None, 0.1], gone=["failed", "failed"]), "loss")
    assert effect.verdict is Verdict.NO_DATA
    assert effect.n == 0
    assert math.isnan(effect.mean)


def test_counts_are_differences_without_statistics() -> None:
    (effect,) = compare(frame(base=BASE, thin=WORSE), "parameters")
    assert effect.verdict is Verdict.EXACT
    assert effect.mean == -100
    assert effect.percent == pytest.approx(-10)
    assert math.isnan(effect.p_holm)


def test_identical_measurements_are_never_called_no_effect() -> None:
    (effect,) = compare(frame(base=BASE, same=BASE), "loss")
    assert (effect.mean, effect.p_holm) == (0.0, 1.0)
    assert effect.verdict is Verdict.INCONCLUSIVE


def test_latency_is_compared_by_its_ratio_to_the_reference_network() -> None:
    trials = frame(base=BASE, slow=WORSE)
    # The machine is twice as slow for odd seeds; the ratio does not see it.
    machine = [2.0 if seed % 2 else 1.0 for seed in trials["seed"]]
    relative = [1.25 if variant == "slow" else 1.0 for variant in trials["variant"]]
    trials["latency"] = [0.001 * m * r for m, r in zip(machine, relative, strict=True)]
    trials["latency_ratio"] = relative
    (effect,) = compare(trials, "latency")
    assert effect.relative
    assert effect.mean == pytest.approx(25.0)
    assert effect.percent == pytest.approx(25.0)
    assert effect.verdict is Verdict.WORSE
    trials.loc[3, "latency_ratio"] = math.nan
    (absolute,) = compare(trials, "latency")
    assert not absolute.relative
    assert absolute.mean == pytest.approx(0.001 * 0.25 * 1.5)


def test_only_metrics_with_values_are_compared() -> None:
    trials = frame(base=BASE, slow=WORSE).assign(memory=math.nan)
    assert compared_metrics(trials) == ("loss", "parameters")
    assert base_values(trials, "loss") == dict(enumerate(BASE))
    assert base_values(trials, "memory") == {}
