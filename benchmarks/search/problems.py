"""Two problems whose true front is known: a table of real trainings, and a function."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from search.dimension import Categorical, Dimension, Primitive, Real, Scalar
from search.feasible import Assessment
from search.hypervolume import front_of, hypervolume
from search.space import Choose, Space, fill, point, primitives

HERE = Path(__file__).parent
Chosen = dict[str, Scalar]


class Problem(Protocol):
    """What a method may ask, and what it is judged by."""

    space: Space
    levels: int
    primitives: dict[str, Primitive]
    objectives: tuple[str, ...]
    limits: dict[str, float]
    reference: tuple[float, ...]

    def mark(self, chosen: Chosen) -> str | None:
        """The architecture's name; None if the point breaks a rule."""

    def beforehand(self, chosen: Chosen) -> dict[str, float]:
        """Metrics that are known without training."""

    def refuses(self, chosen: Chosen) -> bool:
        """Whether what is known beforehand breaks a rule or a budget."""

    def judge(self, chosen: Chosen) -> Assessment:
        """The same, as a search asks for it."""

    def train(self, chosen: Chosen, seed: int) -> dict[str, float]:
        """Every metric."""

    def is_feasible(self, found: dict[str, float]) -> bool:
        """Whether it was trained and keeps every budget."""

    def violations(self, found: dict[str, float]) -> dict[str, float]:
        """Budget -> used / budget - 1."""

    def values(self, found: dict[str, float]) -> list[float]:
        """Objectives, brought to about 0 to 1."""

    def true_hypervolume(self) -> float:
        """Of the true front."""


class _Common:
    """What follows from `mark`, `beforehand`, `train`, `limits`, `scale`."""

    space: Space
    levels: int
    objectives: tuple[str, ...]
    limits: dict[str, float]
    scale: dict[str, tuple[float, float]]

    def mark(self, chosen: Chosen) -> str | None:
        raise NotImplementedError

    def beforehand(self, chosen: Chosen) -> dict[str, float]:
        raise NotImplementedError

    def refuses(self, chosen: Chosen) -> bool:
        known = self.beforehand(chosen)
        return self.mark(chosen) is None or any(excess > 0 for excess in self.violations(known).values())

    def judge(self, chosen: Chosen) -> Assessment:
        known = self.beforehand(chosen)
        broken = {name: excess for name, excess in self.violations(known).items() if excess > 0}
        graph: Any = object() if self.mark(chosen) is not None else None
        return Assessment((), graph, self.mark(chosen), known, violations=broken)

    def is_feasible(self, found: dict[str, float]) -> bool:
        return bool(found) and all(excess <= 0 for excess in self.violations(found).values())

    def violations(self, found: dict[str, float]) -> dict[str, float]:
        return {name: found[name] / limit - 1 for name, limit in self.limits.items() if name in found}

    def values(self, found: dict[str, float]) -> list[float]:
        return [(found[n] - self.scale[n][0]) / (self.scale[n][1] - self.scale[n][0]) for n in self.objectives]


@lru_cache
def _rows() -> list[dict[str, str]]:
    with (HERE / "table.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@lru_cache
def _study() -> Any:
    from studies.study.load import load_study

    return load_study(HERE / "table.yaml")


@lru_cache(maxsize=100_000)
def _mark(key: tuple[tuple[str, Scalar], ...]) -> str | None:
    """The fingerprint of a point of the table's space, by the harness itself."""
    from archspec import check_spec, fingerprint
    from search.decode import decode

    study = _study()
    values = point(study.file.search.space, dict(key), study.levels)
    graph = check_spec(study.spec.with_edits(decode(study.spec, study.file.search.space, values))).graph
    return None if graph is None else fingerprint(graph)


class Table(_Common):
    """Loss and MACs of U-Nets on the digits; the memory of a training step has a budget that only a training tells.

    Every second run sees the losses of the other training seed.
    """

    reference = (1.0, 1.0)
    objectives = ("loss", "macs")

    def __init__(self, seed: int) -> None:
        study = _study()
        self.space, self.levels = study.file.search.space, study.levels
        self.primitives = primitives(self.space, self.levels)
        rows = [row for row in _rows() if int(row["seed"]) == seed % 2]
        self._rows = {row["fingerprint"]: row for row in rows}
        self.found = {mark: self.at(mark, 96) for mark in self._rows}
        self.limits = {"train_memory": float(np.quantile([one["train_memory"] for one in self.found.values()], 0.6))}
        feasible = [one for one in self.found.values() if self.is_feasible(one)]
        self.scale = {n: (min(o[n] for o in feasible), max(o[n] for o in feasible)) for n in self.objectives}
        self.feasible = feasible

    def at(self, mark: str, steps: int) -> dict[str, float]:
        """Every metric of an architecture after so many training steps: 12, 24, 48 or 96."""
        row = self._rows[mark]
        costs = {name: float(row[name]) for name in ("parameters", "macs", "train_memory")}
        return {"loss": float(row[f"loss_{steps}"]), **costs}

    def mark(self, chosen: Chosen) -> str | None:
        mark = _mark(tuple(sorted(chosen.items())))
        return mark if mark in self.found else None

    def beforehand(self, chosen: Chosen) -> dict[str, float]:
        mark = self.mark(chosen)
        return {} if mark is None else {n: self.found[mark][n] for n in ("parameters", "macs")}

    def train(self, chosen: Chosen, seed: int) -> dict[str, float]:
        del seed
        mark = self.mark(chosen)
        assert mark is not None
        return self.found[mark]

    def true_hypervolume(self) -> float:
        return hypervolume(np.array([self.values(one) for one in self.feasible]), self.reference)


def _dimension(**given: object) -> Dimension:
    return Dimension.model_validate(given)


class Synthetic(_Common):
    """A U-Net-like function of 11 conditional plain choices, 142,155 points, whose front is found by enumeration.

    Loss falls with width, depth and attention where they help; cost (known beforehand) and latency (only measured) grow
    with them. Heads and groups must divide the width, and both costs have budgets.
    """

    reference = (1.0, 1.0)
    objectives = ("loss", "macs")

    def __init__(self, seed: int) -> None:
        del seed
        self.levels = 3
        self.space = {
            "ch": _dimension(choice=[16, 24, 32, 48, 64]),
            "num_levels": _dimension(int=[2, 4]),
            "ch_mult": _dimension(choice=[1, 2, 3], per_level="num_levels"),
            "num_res_blocks": _dimension(int=[1, 3]),
            "attn_type": _dimension(choice=["none", "linear", "vanilla"]),
            "heads": _dimension(choice=[1, 2, 4, 5], when={"attn_type": ["linear", "vanilla"]}),
            "skip": _dimension(choice=["concat", "add", "none"]),
            "num_groups": _dimension(choice=[4, 8, 16]),
        }
        self.primitives = primitives(self.space, self.levels)
        self.limits = {"macs": 6.0e6, "latency": 2.2}
        self.scale = {"loss": (0.1, 0.55), "macs": (0.0, 6.0e6)}

    def _values(self, chosen: Chosen) -> dict[str, Any]:
        return point(self.space, chosen, self.levels)

    def mark(self, chosen: Chosen) -> str | None:
        values = self._values(chosen)
        if values["ch"] % values["num_groups"] or values["ch"] % values.get("heads", 1):
            return None
        return repr(sorted(chosen.items()))

    def beforehand(self, chosen: Chosen) -> dict[str, float]:
        values = self._values(chosen)
        widths = [values["ch"] * mult for mult in values["ch_mult"]]
        join = {"concat": 1.5, "add": 1.0, "none": 0.95}[values["skip"]]
        blocks = sum(w * w / 4**level for level, w in enumerate(widths)) * values["num_res_blocks"] * join
        parameters = sum(w * w for w in widths) * values["num_res_blocks"] * join * 18
        attention = {"none": 0.0, "linear": 0.2, "vanilla": 0.6}[values["attn_type"]] * widths[-1] ** 2
        return {"macs": 800.0 * (blocks + attention), "parameters": parameters}

    def train(self, chosen: Chosen, seed: int) -> dict[str, float]:
        del seed
        values, known = self._values(chosen), self.beforehand(chosen)
        mults = values["ch_mult"]
        rise = sum(later >= earlier for earlier, later in pairwise(mults)) / (len(mults) - 1)
        capacity = math.log(known["parameters"] / 1e4)
        loss = 0.5 * math.exp(-0.22 * capacity) + 0.03 * (1 - rise) + 0.02 * abs(len(mults) - 3)
        loss += {"concat": 0.0, "add": 0.015, "none": 0.08}[values["skip"]]
        loss += {"none": 0.03, "linear": 0.012, "vanilla": 0.0}[values["attn_type"]]
        loss += 0.004 * abs(math.log2(values.get("heads", 4) / 4)) + 0.01 * abs(math.log2(values["num_groups"] / 8))
        wait = {"none": 0.0, "linear": 0.15, "vanilla": 0.4}[values["attn_type"]] * values.get("heads", 1) ** 0.3
        latency = 0.12 * len(mults) * values["num_res_blocks"] + 0.6 * known["macs"] / 6e6 + wait
        return {**known, "loss": loss, "latency": latency}

    def true_hypervolume(self) -> float:
        return _true_synthetic()


@lru_cache
def _true_synthetic() -> float:
    problem = Synthetic(0)
    front = np.zeros((0, 2))
    for values in _every_point(problem):
        front = np.concatenate([front, values])
        front = front[front_of(front)]
    return hypervolume(front, problem.reference)


def _every_point(problem: Synthetic) -> Any:
    """The objectives of every feasible point, in parts."""
    for part in _all_chosen(problem):
        found = [problem.train(chosen, 0) for chosen in part if problem.mark(chosen) is not None]
        kept = [problem.values(one) for one in found if problem.is_feasible(one)]
        yield np.array(kept).reshape(-1, 2)


def _all_chosen(problem: Synthetic) -> Iterator[list[Chosen]]:
    """Every point, in parts, by walking the space: a prefix of values leads to the next plain choice or to a point."""
    stack: list[list[Scalar]] = [[]]
    part: list[Chosen] = []
    while stack:
        prefix = stack.pop()
        following: list[Scalar] = []
        chosen = fill(problem.space, problem.levels, _walker(prefix, following))
        stack.extend([*prefix, value] for value in following)
        if not following:
            part.append(chosen)
        if len(part) >= 5_000:
            yield part
            part = []
    yield part


def _walker(prefix: list[Scalar], following: list[Scalar]) -> Choose:
    """Takes the values of a prefix, and notes in `following` what the plain choice after them can be."""
    asked = [0]

    def choose(_: str, primitive: Primitive) -> Scalar:
        index = asked[0]
        asked[0] += 1
        if index < len(prefix):
            return prefix[index]
        assert not isinstance(primitive, Real)
        values = primitive.choices if isinstance(primitive, Categorical) else range(primitive.low, primitive.high + 1)
        if index == len(prefix):
            following.extend(values)
        return next(iter(values))

    return choose


PROBLEMS: dict[str, Callable[[int], Any]] = {"table": Table, "synthetic": Synthetic}
