"""The search's pre-filter: proposed points whose score is poor are refused before anything is trained.

Scores that need torch are computed in a process apart, started when the first is asked for, on the CPU, with the
memory limit of trials and a limit of time. A point that has no score is not refused.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from archspec import to_document
from archspec.graphs.graph import ArchGraph
from search.feasible import Assessment
from search.scores import OF_THE_GRAPH, Score, Threshold, graph_scores, threshold
from search.space import Scalar, at_random, fill
from studies.driver.ledger import Ledger
from studies.records.record import TrialRecord
from studies.sections.scores import Prefilter
from studies.study.document import Search
from studies.study.starting import first_points
from studies.study.study import Study
from studies.trial.job import Job, Outcome
from studies.trial.worker import Conditions, Worker

#: Draws for each point of the sample, at most.
_DRAWS = 20

Judge = Callable[[dict[str, Scalar]], Assessment]


class Scorer(Protocol):
    """Who scores networks."""

    def __call__(self, job: Job) -> Outcome:
        """The outcome of a job that does not train."""

    def close(self) -> None:
        """End what was started."""


class ScorerApart:
    """A `Scorer` in a process of its own: started when needed, replaced when it dies or takes too long.

    Args:
        log: file for what libraries print.
        timeout: seconds of one point.
        memory: bytes of the process; None: no limit.
    """

    def __init__(self, log: Path, timeout: float, memory: float | None) -> None:
        self._worker = Worker(log, Conditions(timeout=timeout, memory=memory))

    def __call__(self, job: Job) -> Outcome:
        """The outcome; a process that dies is one too."""
        return self._worker.run(job, lambda _: None)

    def close(self) -> None:
        """End the process."""
        self._worker.close(kill=True)


class Filter:
    """Refuses points by a score; the base and what was picked by hand it lets pass.

    Args:
        study: whose data, loss and space they are.
        search: its search section.
        rule: what is refused.
        judge: what can be known of a point beforehand.
        scorer: computes scores that need the network.
        said: told once how the threshold was found.
    """

    def __init__(
        self, study: Study, search: Search, rule: Prefilter, judge: Judge, scorer: Scorer, said: Callable[[str], None]
    ) -> None:
        self._study, self._search, self._rule = study, search, rule
        self._judge, self._scorer, self._said = judge, scorer, said
        self._picked = list(first_points(study, search))
        self._known: dict[str, dict[Score, float]] = {}

    @classmethod
    def of(cls, study: Study, ledger: Ledger, judge: Judge, scorer: Scorer | None = None) -> Filter | None:
        """The pre-filter of a study, whose messages go to the ledger's observer; None if it has none."""
        search = study.file.search
        rule = search.prefilter if search is not None else None
        if search is None or rule is None:
            return None
        log = ledger.store.folder / "scores.log"
        scorer = scorer or ScorerApart(log, rule.timeout, study.run.memory)
        return cls(study, search, rule, judge, scorer, ledger.observer.said)

    def judged(self, begun: TrialRecord, chosen: dict[str, Scalar], graph: ArchGraph) -> TrialRecord:
        """The record of a proposed point, with its score; its status is `refused` if the score is too poor."""
        assert begun.fingerprint is not None
        if chosen in self._picked:
            return begun
        scores = self.scores(begun.fingerprint, graph)
        reason = self.refusal(scores)
        detail = {**begun.detail, "scores": dict(scores)}
        if reason is None:
            return begun.model_copy(update={"detail": detail})
        refused = {"status": "refused", "reason": reason, "detail": {**detail, "prefiltered": self._rule.by}}
        return begun.model_copy(update=refused)

    def scores(self, mark: str, graph: ArchGraph) -> dict[Score, float]:
        """The score that decides, of an architecture by its fingerprint; empty where it has none."""
        if mark not in self._known:
            self._known[mark] = self._scored(graph)
        return self._known[mark]

    def refusal(self, scores: Mapping[Score, float]) -> str | None:
        """Why a point is not trained; None if it is good enough, or nothing is known of it."""
        return None if self._threshold is None else self._threshold.refusal(scores)

    def close(self) -> None:
        """End the process that scores."""
        self._scorer.close()

    @cached_property
    def _threshold(self) -> Threshold | None:
        """From a random sample of sound points; the same whenever the search goes on."""
        rule, found = self._rule, list[float]()
        tried: set[str] = set()
        draw = at_random(random.Random(self._search.sampler.seed))
        for _ in range(rule.sample * _DRAWS):
            if len(tried) >= rule.sample:
                break
            assessed = self._judge(fill(self._search.space, self._study.levels, draw))
            mark, graph = assessed.fingerprint, assessed.graph
            if assessed.refusal is not None or mark is None or graph is None or mark in tried:
                continue
            tried.add(mark)
            found.extend(self.scores(mark, graph).values())
        made = threshold(rule.by, rule.better, rule.keep, found)
        self._said(self._told(made, len(tried)))
        return made

    def _told(self, made: Threshold | None, tried: int) -> str:
        if made is None:
            return f"Pre-filter: none of {tried} random points has the score {self._rule.by}, so nothing is refused."
        side = "at least" if made.better == "high" else "at most"
        return (
            f"Pre-filter: {made.score} has to be {side} {made.value:.4g}, as it is for the better {made.keep:.0%} of "
            f"{made.known} random points."
        )

    def _scored(self, graph: ArchGraph) -> dict[Score, float]:
        by = self._rule.by
        if by in OF_THE_GRAPH:
            return graph_scores(graph, [by])
        measure = self._study.file.measure.model_copy(update={"device": "cpu", "threads": 1})
        job = Job(
            document=to_document(graph), protocol=self._study.protocol, measure=measure, seed=self._study.search_seed,
            scores=(by,), trains=False,
        )  # fmt: skip
        found: dict[str, Any] = self._scorer(job).detail.get("scores", {})
        return {by: float(found[by])} if by in found else {}
