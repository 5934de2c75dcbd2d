"""The top of the page: question, verdicts, and the trials counted honestly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.analysis.answer import Sentence, answer, counts_text
from reports.analysis.trials import status_of
from reports.pages.charts import Charts

if TYPE_CHECKING:
    from studies.frame import StudyResults

SIGNS: dict[str, str] = {
    "better": "◀",
    "worse": "▶",
    "equivalent": "＝",
    "inconclusive": "○",
    "few": "◇",
    "best": "★",
    "cheapest": "◆",
    "knee": "∟",
    "note": "i",
}

TITLES = {"ablation": "Ablation", "search": "Search"}


def context(results: StudyResults, charts: Charts) -> dict[str, Any] | None:
    """Gather the answer; it exists for every study, also for an empty one."""
    del charts
    said = answer(results)
    groups = [(TITLES[name], getattr(said, name)) for name in TITLES if getattr(said, name)]
    if not groups:
        groups = [("", (Sentence("note", "No trial has run yet.", "Start the study; this page fills as trials end."),))]
    counts = [(TITLES[name], counts_text(number), _statuses(number)) for name, number in said.counts.items()]
    return {"groups": groups, "signs": SIGNS, "counts": counts, "warnings": results.warnings}


def _statuses(counts: dict[str, int]) -> list[dict[str, Any]]:
    return [{"status": status_of(name), "number": number} for name, number in counts.items()]
