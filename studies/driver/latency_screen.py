"""Budgets on latency, held before anything is trained, by what the study's own trials have taught so far.

What came of it is kept in the study's folder (`account`), for status and reports.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archspec import fingerprint
from archspec.graphs.graph import ArchGraph
from search.objectives import Limits, Metric
from search.screening import LEARNED, Predicted, Predictor
from studies.driver.ledger import Ledger
from studies.latency.account import Account, account_of, keep_account

if TYPE_CHECKING:
    from studies.latency.learned import Foretold, LatencyPredictor


class LatencyScreen:
    """A `Predictor` for budgets on latency that learns from the trials of a ledger; others' metrics pass through it.

    Args:
        ledger: the trials, and the budgets as numbers.
        others: predicts everything else.
        predictor: predicts latencies; default the study's own, made when a latency is asked for, since it needs torch.
    """

    def __init__(self, ledger: Ledger, others: Predictor, predictor: LatencyPredictor | None = None) -> None:
        self._ledger, self._others = ledger, others
        self._predictor = predictor
        self._documents: dict[str, dict[str, Any]] = {}
        self._folder = ledger.store.folder
        self._account = account_of(self._folder) or Account()
        keep_account(self._folder, self._account)

    def __call__(self, graph: ArchGraph, metrics: frozenset[Metric]) -> Mapping[Metric, Predicted]:
        """Predictions of those metrics; a latency's margin is its held-out error, infinite where that is not known."""
        found = dict(self._others(graph, metrics - LEARNED))
        for metric in sorted(metrics & LEARNED):
            foretold = self._foretold(graph, metric)
            if foretold is not None:
                found[metric] = as_predicted(foretold)
        self._note(graph, {name: one for name, one in found.items() if name in LEARNED}, self._ledger.limits)
        return found

    def _foretold(self, graph: ArchGraph, metric: Metric) -> Foretold | None:
        from studies.latency.learned import LatencyPredictor, foreign, measured_latencies

        study = self._ledger.study
        records = [one for one in self._ledger.known.by_key.values() if one.protocol_hash == self._ledger.protocol_hash]
        self._account.why_not = foreign(records, study.file.measure) or ""
        if self._account.why_not:
            return None
        self._read({record.fingerprint for record in records if record.fingerprint})
        measured = measured_latencies(records, self._documents)
        if not measured:
            self._account.why_not = "no trial has measured a latency yet"
            return None
        self._predictor = self._predictor or LatencyPredictor(study.protocol, study.file.measure)
        self._predictor.learn(measured)
        foretold = self._predictor.predict(graph, metric)
        if foretold is not None and foretold.held_out is not None:
            self._account.errors[metric] = foretold.held_out.text()
        self._account.why_not = foretold.why_not if foretold is not None else "no trial has measured it"
        return foretold

    def _read(self, marks: set[str]) -> None:
        """Architectures of trials that came since; those taken over from other studies may not lie here."""
        if not marks <= self._documents.keys():
            self._documents = {mark: {} for mark in marks} | self._ledger.store.architectures()

    def _note(self, graph: ArchGraph, found: Mapping[Metric, Predicted], limits: Limits) -> None:
        if not found:
            return
        mark, account = fingerprint(graph), self._account
        for marks, says in (
            (account.predicted, True),
            (account.refused, any(one.exceeds(limits[name]) for name, one in found.items())),
        ):
            if says and mark not in marks:
                marks.append(mark)
        keep_account(self._folder, self._account)


def as_predicted(foretold: Foretold) -> Predicted:
    """A latency for `search.screening`: measured, it may well be as small as the prediction divided by 1 + error."""
    if foretold.held_out is None:
        return Predicted(foretold.value, math.inf, foretold.why_not)
    margin = foretold.value * (1.0 - 1.0 / (1.0 + foretold.held_out.bound))
    return Predicted(foretold.value, margin, foretold.held_out.text())
