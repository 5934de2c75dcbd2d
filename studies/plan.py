"""What an ablation has to run: one cell for each variant and seed, with stable names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archspec import build, fingerprint, to_document
from archspec.graph import ArchGraph
from studies.study import Study


@dataclass(frozen=True)
class Variant:
    """One architecture of an ablation; the base is the variant named ``base``."""

    name: str
    graph: ArchGraph
    fingerprint: str
    edits: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """The architecture in full."""
        return to_document(self.graph)


@dataclass(frozen=True)
class Cell:
    """One training of an ablation."""

    variant: Variant
    seed: int

    @property
    def id(self) -> str:
        """The same for the same variant and seed in every run of the study."""
        return f"{self.variant.name}/{self.seed}"


def variants(study: Study) -> list[Variant]:
    """The base, then the variants in the order of the file; empty without an ablation."""
    if study.file.ablation is None:
        return []
    base = Variant("base", study.base, fingerprint(study.base), ())
    return [base, *_edited(study)]


def _edited(study: Study) -> Iterator[Variant]:
    assert study.file.ablation is not None
    for name, edits in study.file.ablation.variants.items():
        graph = build(study.spec.with_edits(edits))
        yield Variant(name, graph, fingerprint(graph), tuple(edit.describe() for edit in edits))


def cells(study: Study) -> list[Cell]:
    """Every cell, seed by seed, so that a study that is stopped early has whole pairs."""
    planned = variants(study)
    return [Cell(variant, seed) for seed in study.protocol.seed_list() for variant in planned]
