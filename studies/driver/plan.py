"""What an ablation has to run: one cell for each variant and seed, with stable names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from archspec import build, fingerprint
from archspec.graphs.graph import ArchGraph
from studies.study.designs.forms import Losses, Proposal
from studies.study.study import Study


@dataclass(frozen=True)
class Variant:
    """One architecture of an ablation; the base is the variant named ``base``.

    `design` is the key below ``ablation:`` that asks for it, `reference` the variant that it is compared to, and
    `factors` its level of each factor, where the design has factors.
    """

    name: str
    graph: ArchGraph
    fingerprint: str
    edits: tuple[str, ...]
    design: str = "variants"
    reference: str = "base"
    factors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """One training of an ablation."""

    variant: Variant
    seed: int

    @property
    def id(self) -> str:
        """The same for the same variant and seed in every run of the study."""
        return f"{self.variant.name}/{self.seed}"


def variants(study: Study, losses: Losses | None = None) -> list[Variant]:
    """The base, then the variants in the order of the file and of the designs; empty without an ablation.

    Args:
        study: the study.
        losses: what is known of the variants, for designs that go on by results (`path`).
    """
    if study.file.ablation is None:
        return []
    found = study.expansion(losses)
    base = Variant("base", study.base, fingerprint(study.base), (), factors=found.base_factors)
    return [base, *(_variant(study, one) for one in found.variants)]


def _variant(study: Study, one: Proposal) -> Variant:
    graph = build(study.spec.with_edits(one.edits))
    words = tuple(edit.describe() for edit in one.edits)
    return Variant(one.name, graph, fingerprint(graph), words, one.design, one.reference, one.factors)


def cells(study: Study, losses: Losses | None = None) -> list[Cell]:
    """Every cell, seed by seed, so that a study that is stopped early has whole pairs."""
    planned = variants(study, losses)
    return [Cell(variant, seed) for seed in study.seeds for variant in planned]


def most_cells(study: Study) -> int:
    """How many cells the ablation has at most: all steps of a path, all seeds that `until` allows."""
    if study.file.ablation is None:
        return 0
    steps = sum(variant.design == "path" for variant in variants(study))
    # A path of n steps trains n candidates, then n - 1, and so on; those of the first step are among the variants.
    return (len(variants(study)) + steps * (steps - 1) // 2) * len(study.seeds)
