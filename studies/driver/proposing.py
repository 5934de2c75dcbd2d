"""Where a search's points come from: from Optuna's sampler, or from our own, which proposes among new points alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from optuna.trial import Trial

from search import optuna_bridge as bridge
from search import samplers
from search.candidate import Candidate
from search.hypervolume import front_of
from search.objectives import KNOWN_BEFOREHAND, TIMED, Metric, signs
from search.pool import Judge, Pool
from search.space import Scalar, fill, size
from studies.driver.ledger import Ledger
from studies.records.judged import is_open_again
from studies.records.record import WITH_RESULT, TrialRecord
from studies.study.document import Search
from studies.study.study import Study

if TYPE_CHECKING:
    from search.surrogate import Surrogate

#: Draws in a row that bring no new point before the space counts as exhausted.
_DRAWS = 2_000


class Proposals:
    """Points one after another, from whatever was found so far.

    Args:
        study: what to run.
        search: its search section.
        ledger: where it is written down.
        judge: what can be known of a point beforehand.
        records: what was proposed before.
    """

    def __init__(self, study: Study, search: Search, ledger: Ledger, judge: Judge, records: list[TrialRecord]) -> None:
        self._study, self._search, self._ledger = study, search, ledger
        primitives = study.primitives()
        named = search.sampler
        self.sampler = samplers.choose(
            named.name, named.options, len(search.objectives), len(primitives), search.trials
        )
        # A resumed search must not propose again what the first run drew from the same seed.
        self._seed = named.seed + len(records)
        self._own = self.sampler.name == samplers.KNOWN_COST
        optuna_name, options = ("RandomSampler", {}) if self._own else (self.sampler.name, self.sampler.options)
        self.optuna_study = ledger.open(
            "search", search.objectives, bridge.make_sampler(optuna_name, options, self._seed)
        )
        self._judge = judge
        self._seen: dict[int, TrialRecord] = {record.trial: record for record in records}
        self._open_again = {record.trial for record in records if is_open_again(record)}
        self._pool = Pool(search.space, study.levels, judge, self._seed)
        self._points = size(search.space, study.levels)
        self._signs = dict(zip(map(_modelled, search.objectives), signs(search.objectives), strict=True))
        self._surrogate = self._made() if self._own else None

    def _made(self) -> Surrogate:
        # Only who asks the model pays for scikit-learn: a second, and 80 MiB.
        from search.surrogate import Surrogate

        startup = int(self.sampler.options.get("startup") or 1)
        return Surrogate(self._study.primitives(), self._signs, self._limits(), startup, self._seed)

    def _limits(self) -> dict[str, float]:
        return {str(name): limit for name, limit in self._ledger.limits.items()}

    def learn(self, record: TrialRecord) -> None:
        """Take in a trial: begun, ended, refused or replayed."""
        self._seen[record.trial] = record

    def ask(self) -> tuple[Trial, dict[str, Scalar]]:
        """The next point: one that was enqueued, or a new one."""
        space, levels = self._search.space, self._study.levels
        chosen = self._best() if self._own and not bridge.waiting(self.optuna_study) else None
        if chosen is not None:
            return bridge.begin(self.optuna_study, chosen, lambda choose: fill(space, levels, choose))
        return bridge.ask(self.optuna_study, lambda choose: fill(space, levels, choose))

    def ahead(self) -> None:
        """Draw what the next proposal is chosen from: the candidates to begin with, then some near the best points."""
        if not self._own:
            return
        self._new()
        self._pool.grow(int(self.sampler.options["grow"]), self._good())
        candidates = self._asked()
        if self._surrogate is not None and candidates:
            self._surrogate.prepare(candidates, self._known())

    def any_left(self) -> bool:
        """Whether there may be a point that nobody has trained; Optuna's samplers cannot tell."""
        return not self._own or bool(self._new())

    @property
    def refused(self) -> Counter[str]:
        """Why points were refused before they were proposed: reason -> how many."""
        return self._pool.refused

    def _new(self) -> list[Candidate]:
        """New candidates, drawing until there are some or the space seems to be exhausted."""
        options = self.sampler.options
        seen = (record for record in self._seen.values() if record.trial not in self._open_again)
        marks = {record.fingerprint for record in seen if record.fingerprint is not None}
        wanted = int(options["candidates"])
        while True:
            found = self._pool.new(marks)
            if found and self._pool.drawn >= wanted:
                return found
            if self._pool.tried >= self._points or self._pool.drawn >= wanted + _DRAWS:
                return found
            self._pool.grow(64)

    def _best(self) -> dict[str, Scalar] | None:
        assert self._surrogate is not None
        self._surrogate.limits = self._limits()
        candidates = self._asked()
        return dict(candidates[self._surrogate.pick(candidates, self._known())].chosen) if candidates else None

    def _asked(self) -> list[Candidate]:
        """The new candidates as they are asked for: after a whole training."""
        return [self._after(one, self._study.protocol.train.steps) for one in self._new()]

    def _known(self) -> list[Candidate]:
        """The trials that the model learns from."""
        return [one for record in self._seen.values() if (one := self._candidate(record)) is not None]

    def _after(self, one: Candidate, steps: int) -> Candidate:
        """The same after so many steps of training, which the model has to know where not all are trained equally."""
        if self._search.pruning is None:
            return one
        return replace(one, known={**one.known, "steps": float(steps)})

    def _candidate(self, record: TrialRecord) -> Candidate | None:
        """A trial as the model sees it; None for one that was refused or never ended."""
        if record.status in ("refused", "interrupted") or record.fingerprint is None:
            return None
        predicted: dict[str, float] = record.detail.get("predicted", {})
        known = predicted | {name: value for name, value in record.metrics.items() if name in KNOWN_BEFOREHAND}
        asked = {*self._search.objectives, *self._ledger.limits}
        ended = record.status in WITH_RESULT or record.status == "pruned"
        told = ended and all(name in record.metrics or name in known for name in asked)
        failed = not told and record.status != "running"
        one = Candidate(record.detail["chosen"], known, self._found(record) if told else None, failed)
        return self._after(one, record.detail.get("steps") or self._study.protocol.train.steps)

    def _found(self, record: TrialRecord) -> dict[str, float]:
        """A trial's results: budgets are held against what was measured, objectives are what Optuna is told too."""
        compared = {_modelled(name): record.compared(name) for name in self._search.objectives}
        return record.metrics | {name: value for name, value in compared.items() if value is not None}

    def _good(self) -> list[dict[str, Scalar]]:
        """The points that no other feasible one beats."""
        told = [
            (record, [sign * self._found(record)[name] for name, sign in self._signs.items()])
            for record in self._seen.values()
            if record.status in WITH_RESULT
            and record.feasible
            and all(name in record.metrics for name in self._search.objectives)
        ]
        if not told:
            return []
        front = front_of(np.array([values for _, values in told]))
        return [record.detail["chosen"] for (record, _), best in zip(told, front, strict=True) if best]


def _modelled(name: Metric) -> str:
    """What the model calls an objective: a latency's is its ratio to the reference, its budget is in seconds."""
    return f"compared {name}" if name in TIMED else name
