"""The paired measurements that comparisons are made of: the training run is the unit, the seed is the pair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from reports.analysis.trials import USABLE, has_values, part, status_of, usable
from reports.metrics import METRICS

BASE = "base"
"""Name of the base among the variants of an ablation."""

JUDGED_BY = "loss"
"""What variants are judged by: every training that ends has it. Other metrics are told beside it."""


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
    table = _Table.of(ablation, column)
    return [_sample(table, variant, relative=column != metric, sequential=sequential) for variant in variants]


@dataclass(frozen=True)
class _Table:
    """What there is of a column, by variant and seed."""

    column: str
    statuses: dict[str, dict[int, str]]
    """Variant -> seed -> status of its last trial."""
    values: dict[str, dict[int, float]]
    designs: dict[str, tuple[str, str]]
    """Variant -> design and reference; records of older studies do not say them."""

    @classmethod
    def of(cls, ablation: pd.DataFrame, column: str) -> _Table:
        """Read a frame once."""
        found = cls(column, {}, {}, {})
        rows = len(ablation)
        values = ablation[column] if column in ablation.columns else [math.nan] * rows
        designs = ablation["design"] if "design" in ablation.columns else [None] * rows
        references = ablation["reference"] if "reference" in ablation.columns else [None] * rows
        told = zip(ablation["variant"], ablation["seed"], ablation["status"], values, designs, references, strict=True)
        for variant, seed, status, value, design, reference in told:
            found.statuses.setdefault(variant, {})[int(seed)] = str(status)
            if status in USABLE and not pd.isna(value):
                found.values.setdefault(variant, {})[int(seed)] = float(value)
            found.designs[variant] = (
                design if isinstance(design, str) else "variants", reference if isinstance(reference, str) else BASE
            )  # fmt: skip
        return found


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


def _sample(table: _Table, variant: str, *, relative: bool, sequential: bool) -> Sample:
    design, reference = table.designs[variant]
    ours, base = table.values.get(variant, {}), table.values.get(reference, {})
    wanted = set(table.statuses[variant]) | (set() if sequential else set(table.statuses.get(reference, {})))
    seeds = tuple(sorted(ours.keys() & base.keys()))
    dropped = [
        Dropped(seed, _why(table, variant, variant if seed not in ours else reference, seed), seed not in ours)
        for seed in sorted(wanted - set(seeds))
    ]
    return Sample(
        variant, seeds, tuple(ours[s] for s in seeds), tuple(base[s] for s in seeds), tuple(dropped),
        design=design, reference=reference, relative=relative,
    )  # fmt: skip


def _why(table: _Table, variant: str, lacking: str, seed: int) -> str:
    who = "the variant" if lacking == variant else "the base" if lacking == BASE else f"`{lacking}`"
    status = table.statuses.get(lacking, {}).get(seed)
    if status is None:
        return f"{who} has no trial yet"
    return f"{who} has no {table.column}" if status in USABLE else f"{who}: {status_of(status).label}"


def comparable(sample: Sample) -> list[float]:
    """Return the paired differences, or the logarithms of the ratios of a relative sample."""
    pairs = zip(sample.values, sample.base_values, strict=True)
    return [math.log(v / b) for v, b in pairs] if sample.relative else [v - b for v, b in pairs]
