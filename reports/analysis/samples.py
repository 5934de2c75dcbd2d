"""The paired measurements that comparisons are made of: the training run is the unit, the seed is the pair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from reports.analysis.trials import has_values, part, status_of, usable
from reports.metrics import METRICS

BASE = "base"
"""Name of the base among the variants of an ablation."""


@dataclass(frozen=True)
class Dropped:
    """A seed that could not be paired, and why."""

    seed: int
    reason: str
    by_variant: bool
    """Whether the variant lost it (the survivors may then be a biased choice), not the base."""


@dataclass(frozen=True)
class Sample:
    """The paired measurements of one variant and the base."""

    variant: str
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    base_values: tuple[float, ...]
    dropped: tuple[Dropped, ...] = ()
    design: str = "variants"
    """The design that asked for the variant."""
    reference: str = BASE
    """What the variant is compared to: the base, or the stripped base of `add_one_in`."""
    relative: bool = False
    """Values are ratios to the reference network, compared on a log scale."""


def samples_of(ablation: pd.DataFrame, metric: str, *, sequential: bool = False) -> list[Sample]:
    """Pair every variant with what it is compared to, in the order of the study.

    Args:
        ablation: the rows of the ablation.
        metric: a column.
        sequential: whether variants stop at different numbers of seeds, so that a seed not begun is not a lost one.
    """
    variants = [str(v) for v in ablation["variant"].dropna().unique() if v != BASE]
    column = _column(ablation, metric, variants)
    found = []
    for variant in variants:
        rows = ablation[ablation["variant"] == variant]
        design, reference = _said(rows, "design", "variants"), _said(rows, "reference", BASE)
        seen = rows if sequential else ablation[ablation["variant"].isin([reference, variant])]
        pairing = _Pairing(ablation, variant, reference, column, {int(seed) for seed in seen["seed"]})
        found.append(_sample(pairing, design, relative=column != metric))
    return found


def _said(rows: pd.DataFrame, column: str, default: str) -> str:
    """What the last row of a variant says of it; records of older studies do not say it."""
    if column not in rows.columns or not isinstance(rows[column].iloc[-1], str):
        return default
    return str(rows[column].iloc[-1]) or default


@dataclass(frozen=True)
class _Pairing:
    """Which two variants are paired on which column, and the seeds that should be there."""

    ablation: pd.DataFrame
    variant: str
    reference: str
    column: str
    wanted: set[int]


def compared_metrics(trials: pd.DataFrame) -> tuple[str, ...]:
    """Return the metrics on which variants can be compared at all: those with a value in any usable trial."""
    rows = usable(part(trials, "ablation"))
    return tuple(name for name in METRICS if has_values(rows, name))


def base_values(trials: pd.DataFrame, metric: str) -> dict[int, float]:
    """Return the base's value by seed."""
    return by_seed(part(trials, "ablation"), BASE, metric)


def _column(ablation: pd.DataFrame, metric: str, variants: Sequence[str]) -> str:
    """Prefer the ratio to the reference network where every usable trial has it."""
    ratio = METRICS[metric].ratio if metric in METRICS else None
    if ratio is None or ratio not in ablation.columns:
        return metric
    rows = usable(ablation)
    rows = rows[rows["variant"].isin([BASE, *variants])]
    return ratio if len(rows) and bool(rows[ratio].notna().all()) else metric


def by_seed(ablation: pd.DataFrame, variant: str, column: str) -> dict[int, float]:
    """Return a variant's value by seed."""
    rows = usable(ablation[ablation["variant"] == variant])
    if column not in rows.columns:
        return {}
    rows = rows[rows[column].notna()]
    return {int(seed): float(value) for seed, value in zip(rows["seed"], rows[column], strict=True)}


def _sample(pairing: _Pairing, design: str, *, relative: bool) -> Sample:
    ours = by_seed(pairing.ablation, pairing.variant, pairing.column)
    base = by_seed(pairing.ablation, pairing.reference, pairing.column)
    seeds = tuple(sorted(ours.keys() & base.keys()))
    dropped = [
        Dropped(seed, _why(pairing, pairing.variant if seed not in ours else pairing.reference, seed), seed not in ours)
        for seed in sorted(pairing.wanted - set(seeds))
    ]
    return Sample(
        pairing.variant, seeds, tuple(ours[s] for s in seeds), tuple(base[s] for s in seeds), tuple(dropped),
        design=design, reference=pairing.reference, relative=relative,
    )  # fmt: skip


def _why(pairing: _Pairing, variant: str, seed: int) -> str:
    rows = pairing.ablation
    rows = rows[(rows["variant"] == variant) & (rows["seed"] == seed)]
    who = "the variant" if variant == pairing.variant else "the base" if variant == BASE else f"`{variant}`"
    if rows.empty:
        return f"{who} has no trial yet"
    status = str(rows["status"].iloc[-1])
    known = status in ("finished", "replayed")
    return f"{who} has no {pairing.column}" if known else f"{who}: {status_of(status).label}"


def comparable(sample: Sample) -> list[float]:
    """Return the paired differences, or the logarithms of the ratios of a relative sample."""
    pairs = zip(sample.values, sample.base_values, strict=True)
    return [math.log(v / b) for v, b in pairs] if sample.relative else [v - b for v, b in pairs]
