"""Do the verdicts keep their promises? Simulated studies through the analysis that reports use.

    python benchmarks/statistics/calibration.py                # the table of README.md, about ten minutes
    python benchmarks/statistics/calibration.py --studies 200  # a quick look

Every simulated study is a frame as `studies.frame` makes them: a base and variants, one row a training, with a part of
the noise shared by all variants of a seed (as common data order and noise share it); `compare` gives the verdicts.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from scipy import stats

from reports.analysis.ablation import Rules, Verdict, compare
from reports.analysis.effects import Effect
from reports.analysis.factorial import terms_of
from reports.analysis.statistics import ALPHA, detectable, holm
from search.sequential import MIN_LOOK, decided

Noise = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]

BASE_LOSS, SPREAD = 0.1, 0.001
DIFFERENT = (Verdict.BETTER, Verdict.WORSE)


def normal(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return random.normal(size=shape)


def skewed(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Log-normal with sigma 1, mean 0 and variance 1: skewness 6.2."""
    drawn = random.lognormal(sigma=1.0, size=shape)
    return (drawn - math.exp(0.5)) / math.sqrt((math.e - 1) * math.e)


def outliers(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal, and every tenth training five times as far off."""
    return random.normal(size=shape) * np.where(random.random(shape) < 0.1, 5.0, 1.0) / math.sqrt(0.9 + 0.1 * 25)


def study(losses: np.ndarray) -> pd.DataFrame:
    """A frame from losses ``[variants, seeds]``, the base first; NaN: not trained."""
    rows = [
        {"part": "ablation", "variant": f"v{v}" if v else "base", "seed": seed, "status": "finished", "loss": loss}
        for seed in range(losses.shape[1])
        for v, loss in enumerate(losses[:, seed])
        if not math.isnan(loss)
    ]
    return pd.DataFrame(rows)


def simulated(
    random: np.random.Generator, seeds: int, effects: np.ndarray, noise: Noise = normal, shared: float = 3.0
) -> np.ndarray:
    """Losses ``[1 + variants, seeds]``: noise of each training, `shared` times as much of each seed.

    `effects` are in standard deviations of the paired difference of two trainings.
    """
    own = noise(random, (len(effects) + 1, seeds))
    common = shared * random.normal(size=(1, seeds))
    shifts = np.concatenate([[0.0], effects])[:, None] * math.sqrt(2)
    return BASE_LOSS + SPREAD * (own + common + shifts)


def share(hits: int, of: int) -> str:
    """A share with its exact 95 % binomial interval."""
    low, high = stats.binomtest(hits, of).proportion_ci(0.95)
    return f"{hits / of:.3f} [{low:.3f}, {high:.3f}]"


def any_different(effects: tuple[Effect, ...]) -> bool:
    return any(effect.verdict in DIFFERENT for effect in effects)


def false_positives(random: np.random.Generator, studies: int, seeds: int, variants: int, noise: Noise = normal) -> int:
    """Studies of identical variants in which any is called different."""
    none = np.zeros(variants)
    return sum(any_different(compare(study(simulated(random, seeds, none, noise)), "loss")) for _ in range(studies))


def found(random: np.random.Generator, studies: int, seeds: int, variants: int) -> int:
    """Studies that find one planted effect of the size for which 80 % power is promised."""
    effects = np.zeros(variants)
    effects[0] = detectable(seeds, variants)
    verdicts = (compare(study(simulated(random, seeds, effects)), "loss")[0].verdict for _ in range(studies))
    return sum(verdict is Verdict.WORSE for verdict in verdicts)


def covered(random: np.random.Generator, studies: int, seeds: int, noise: Noise) -> int:
    """Studies whose 95 % interval holds the true difference, 0, of a variant that is noisier than the base.

    The base has no noise of its own here, so that the paired difference has the shape of the noise and not the
    symmetric one of a difference of two alike.
    """
    hits = 0
    for _ in range(studies):
        losses = np.full((2, seeds), BASE_LOSS)
        losses[1] += SPREAD * noise(random, (seeds,))
        (effect,) = compare(study(losses), "loss")
        hits += effect.low <= 0.0 <= effect.high
    return hits


def false_equivalences(random: np.random.Generator, studies: int, seeds: int, variants: int) -> int:
    """Studies in which any of the variants, whose true differences all are the margin, is called equivalent."""
    margin = 2.0
    rules = Rules(margin=margin * SPREAD * math.sqrt(2))
    effects = np.full(variants, margin)
    results = (compare(study(simulated(random, seeds, effects)), "loss", rules) for _ in range(studies))
    return sum(any(effect.within_margin for effect in one) for one in results)


def sequential(
    random: np.random.Generator, studies: int, variants: int, effect: float, most: int = 20
) -> Iterator[tuple[tuple[Effect, ...], float]]:
    """Studies that stop each variant as soon as it is decided: their effects, and the mean number of seeds used."""
    margin = SPREAD * math.sqrt(2)
    rules = Rules(margin=margin, max_seeds=most)
    for _ in range(studies):
        losses = simulated(random, most, np.full(variants, effect))
        for v in range(1, variants + 1):
            differences = (losses[v] - losses[0]).tolist()
            stop = next((n for n in range(MIN_LOOK, most + 1) if decided(differences[:n], margin, variants)), most)
            losses[v, stop:] = math.nan
        yield compare(study(losses), "loss", rules), float(np.mean((~np.isnan(losses[1:])).sum(axis=1)))


def factorial_false_positives(random: np.random.Generator, studies: int, seeds: int) -> int:
    """2^3 factorials without any effect in which an effect is found."""
    hits = 0
    levels = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    for _ in range(studies):
        frame = study(simulated(random, seeds, np.zeros(7)))
        frame["design"] = np.where(frame["variant"] == "base", "variants", "factorial")
        index = frame["variant"].map(lambda name: 0 if name == "base" else int(name[1:]))
        for k, factor in enumerate("abc"):
            frame[f"factor:{factor}"] = ["on" if levels[i][k] else "base" for i in index]
        hits += any(p < ALPHA for p in holm([term.p for term in terms_of(frame, "loss")]))
    return hits


def table(studies: int, seed: int, groups: list[str]) -> Iterator[str]:
    yield "| promise | setting | promised | measured |"
    yield "|---|---|---|---|"
    for number, (name, rows) in enumerate(GROUPS.items()):
        if name in groups:
            for row in rows(np.random.default_rng((seed, number)), studies):
                yield f"| {' | '.join(row)} |"


Rows = Iterator[tuple[str, str, str, str]]


def _differences(random: np.random.Generator, studies: int) -> Rows:
    for variants, promised in ((8, "at most 0.05"), (1, "0.05")):
        for seeds in (5, 8, 12):
            hits = false_positives(random, studies, seeds, variants)
            yield (
                f"any of {variants} identical variants called different",
                f"{seeds} seeds",
                promised,
                share(hits, studies),
            )
    for noise in (skewed, outliers):
        hits = false_positives(random, studies, 8, 8, noise)
        what = f"any of 8 identical variants called different, noise {noise.__name__}"
        yield what, "8 seeds", "at most 0.05", share(hits, studies)


def _power(random: np.random.Generator, studies: int) -> Rows:
    for seeds, variants in ((5, 1), (8, 1), (12, 1), (8, 8)):
        hits = found(random, studies, seeds, variants)
        what = f"a planted effect of {detectable(seeds, variants):.2f} SD found"
        yield what, f"{seeds} seeds, {variants} in the family", "at least 0.80", share(hits, studies)


def _coverage(random: np.random.Generator, studies: int) -> Rows:
    for noise in (normal, skewed, outliers):
        for seeds in (5, 8, 12):
            hits = covered(random, studies, seeds, noise)
            yield f"95 % interval covers, noise {noise.__name__}", f"{seeds} seeds", "0.95", share(hits, studies)


def _designs(random: np.random.Generator, studies: int) -> Rows:
    for seeds in (8, 12):
        hits = false_equivalences(random, studies, seeds, 4)
        yield (
            "any of 4 variants at the margin called equivalent",
            f"{seeds} seeds",
            "at most 0.05",
            share(hits, studies),
        )
    for seeds in (5, 8):
        hits = factorial_false_positives(random, studies, seeds)
        yield "any effect found in a 2^3 factorial without any", f"{seeds} seeds", "0.05", share(hits, studies)


def _sequential(random: np.random.Generator, studies: int) -> Rows:
    few, setting = max(1, studies // 4), "`until`, a look after each of 5 to 20 seeds"
    for variants, effect in ((1, 0.0), (4, 0.0), (1, 2.0)):
        runs = list(sequential(random, few, variants, effect))
        hits = sum(any_different(effects) for effects, _ in runs)
        what = f"any of {variants} identical variants called different" if not effect else "an effect of 2 SD found"
        used = f"{np.mean([n for _, n in runs]):.1f} seeds on average"
        yield what, setting, "at most 0.05" if not effect else "-", f"{share(hits, few)}, {used}"


GROUPS: dict[str, Callable[[np.random.Generator, int], Rows]] = {
    "differences": _differences, "power": _power, "coverage": _coverage, "designs": _designs,
    "sequential": _sequential,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--studies", type=int, default=2000, help="simulated studies a row")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--groups", nargs="*", choices=GROUPS, default=list(GROUPS), help="rows to make; default all")
    given = parser.parse_args()
    for line in table(given.studies, given.seed, given.groups):
        print(line, flush=True)


if __name__ == "__main__":
    main()
