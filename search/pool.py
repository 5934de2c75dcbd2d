"""New points that are worth training: sound, within what is known of the budgets, and trained by nobody yet."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from search.candidate import Candidate
from search.dimension import Scalar
from search.feasible import Assessment
from search.space import Space, at_random, fill, mutate

#: Judges a point beforehand.
Judge = Callable[[dict[str, Scalar]], Assessment]


@dataclass
class Pool:
    """Candidates, drawn from all of the space and around the best points so far; each is judged once.

    Args:
        space: what varies.
        levels: number of levels of the base.
        judge: what can be known of a point beforehand.
        seed: of the draws.
    """

    space: Space
    levels: int
    judge: Judge
    seed: int
    _candidates: dict[str, Candidate] = field(default_factory=dict)
    _tried: set[str] = field(default_factory=set)
    _rng: random.Random = field(init=False)
    #: how many points were drawn, and reason -> how many different ones were refused
    drawn: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Begin the draws."""
        self._rng = random.Random(self.seed)

    def grow(self, number: int, near: Sequence[dict[str, Scalar]] = ()) -> None:
        """Draw so many points more, half of them near good ones where there are any."""
        draw = at_random(self._rng)
        for index in range(number):
            if near and index % 2:
                around = self._rng.choice(list(near))
                chosen = mutate(self.space, self.levels, around, self._rng, changes=1 + index // 2 % 2)
            else:
                chosen = fill(self.space, self.levels, draw)
            self.add(chosen)

    def add(self, chosen: dict[str, Scalar]) -> None:
        """Judge a point, and keep it if it may be trained."""
        self.drawn += 1
        key = repr(sorted(chosen.items()))
        if key in self._tried:
            return
        self._tried.add(key)
        assessed = self.judge(chosen)
        if assessed.refusal is not None or assessed.fingerprint is None:
            self.refused[assessed.refusal or "no architecture"] += 1
            return
        known = {**assessed.predicted, **assessed.metrics}
        self._candidates.setdefault(assessed.fingerprint, Candidate(chosen, known))

    @property
    def tried(self) -> int:
        """How many different points were judged."""
        return len(self._tried)

    def known(self, fingerprint: str) -> Candidate | None:
        """The candidate of an architecture, if it was drawn."""
        return self._candidates.get(fingerprint)

    def new(self, seen: Collection[str]) -> list[Candidate]:
        """The candidates whose architecture is not among those seen."""
        return [candidate for mark, candidate in self._candidates.items() if mark not in seen]
