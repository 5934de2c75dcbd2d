"""How far a study is: what counts as done, what is planned, the best, and what is said of each part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studies.records.record import Glance
from tests.command import ushape
from ushape.cli.status import _part_data, _told

Data = dict[str, Any]


def one(trial: int, **changes: Any) -> Glance:
    nothing: Data = {
        "part": "search", "variant": None, "seed": 0, "status": "finished", "reason": None, "fingerprint": f"f{trial}",
        "edits": (), "metrics": {"loss": 0.5}, "tuned": {}, "started": "10:00", "feasible": True,
    }  # fmt: skip
    return Glance(**{**nothing, "trial": trial, **changes})


def part(*records: Glance, name: str = "search", document: Data | None = None, running: bool = False) -> Data:
    return _part_data(list(records), document or {}, name, running=running)


def test_nothing_is_nothing() -> None:
    assert part() == {
        "statuses": {}, "planned": 0, "left": 0, "exhausted": False, "best": None, "variants": [], "running": [],
        "failures": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "document", "planned"),
    [
        ("search", {"search": {"trials": 40}}, 40),
        ("search", {"search": {}}, 0),
        ("search", {"search": None}, 0),
        ("ablation", {"ablation": {"variants": {"a": 1, "b": 2}}, "protocol": {"seeds": 3}}, 9),
        ("ablation", {"ablation": {"variants": {"a": 1}}, "protocol": {"seeds": [5, 6, 9]}}, 6),
        ("ablation", {"ablation": {"planned": {"a": 1, "b": 1, "c": 1}, "variants": {"a": 1}},
                      "protocol": {"seeds": 2}}, 8),
        ("ablation", {"ablation": {"variants": {"a": 1}, "until": {"max_seeds": 12}}, "protocol": {"seeds": 3}}, 24),
        ("ablation", {"protocol": {"seeds": 3}}, 0),
    ],
)  # fmt: skip
def test_what_is_planned_is_what_the_study_says(name: str, document: Data, planned: int) -> None:
    found = part(name=name, document=document)
    assert (found["planned"], found["left"]) == (planned, planned)


@pytest.mark.parametrize(
    ("status", "of_a_search", "of_an_ablation"),
    [
        ("finished", 1, 1), ("failed", 1, 1), ("oom", 1, 1), ("diverged", 1, 1), ("pruned", 1, 1),
        ("replayed", 0, 1), ("refused", 0, 1), ("interrupted", 0, 0), ("running", 0, 0),
    ],
)  # fmt: skip
def test_what_is_done_leaves_less_to_do(status: Any, of_a_search: int, of_an_ablation: int) -> None:
    search = {"search": {"trials": 4}}
    ablation = {"ablation": {"variants": {"a": 1}}, "protocol": {"seeds": 2}}
    assert part(one(0, status=status), document=search, running=True)["left"] == 4 - of_a_search
    assert part(one(0, status=status), name="ablation", document=ablation)["left"] == 4 - of_an_ablation


def test_never_less_than_nothing_is_left() -> None:
    assert part(*(one(trial) for trial in range(3)), document={"search": {"trials": 2}})["left"] == 0


def test_what_a_killed_run_left_is_interrupted_and_does_not_run() -> None:
    records = [one(0), one(1, status="running"), one(2, status="running", edits=("remove a", "remove b"))]
    dead, alive = part(*records), part(*records, running=True)
    assert (dead["statuses"], dead["running"]) == ({"finished": 1, "interrupted": 2}, [])
    assert alive["statuses"] == {"finished": 1, "running": 2}
    assert alive["running"] == [
        {"trial": 1, "started": "10:00", "what": "the base"},
        {"trial": 2, "started": "10:00", "what": "remove a; remove b"},
    ]


def test_the_best_has_a_result_within_the_budgets() -> None:
    found = part(
        one(0, metrics={"loss": 0.5}),
        one(1, metrics={"loss": 0.1}, feasible=False),
        one(2, metrics={"loss": 0.2}, status="failed", reason="r"),
        one(3, metrics={"loss": 0.4}, edits=("remove a",)),
        one(4, metrics={"loss": 0.3}, status="replayed", variant="v", seed=2),
        one(5, metrics={}),
    )
    assert found["best"] == {"trial": 4, "loss": 0.3, "what": "v, seed 2", "fingerprint": "f4"}
    assert part(one(0, metrics={}))["best"] is None


def test_what_failed_is_named_with_its_reason_and_what_was_refused_is_not() -> None:
    statuses = ("failed", "oom", "diverged", "refused", "pruned", "interrupted")
    found = part(*(one(trial, status=status, reason=f"why {trial}") for trial, status in enumerate(statuses)))
    assert found["failures"] == [
        {"trial": 0, "status": "failed", "reason": "why 0"},
        {"trial": 1, "status": "oom", "reason": "why 1"},
        {"trial": 2, "status": "diverged", "reason": "why 2"},
    ]


def test_a_variant_is_told_by_its_mean_and_by_pairs_with_the_base() -> None:
    losses = [("base", 0, 1.0), ("base", 1, 2.0), ("a", 1, 2.5), ("a", 2, 9.0), ("b", 7, 4.0)]
    records = [one(n, variant=v, seed=seed, metrics={"loss": loss}) for n, (v, seed, loss) in enumerate(losses)]
    rows = part(*records, name="confirmation")["variants"]
    assert rows == [
        {"variant": "base", "seeds": 2, "loss": 1.5, "pairs": 0, "difference": None},
        {"variant": "a", "seeds": 2, "loss": 5.75, "pairs": 1, "difference": 0.5},
        {"variant": "b", "seeds": 1, "loss": 4.0, "pairs": 0, "difference": None},
    ]
    assert [_told(row) for row in rows] == [
        "base: mean loss 1.5000 of 2 seeds",
        "a: mean loss 5.7500 of 2 seeds, +0.5 against the base in 1 pair",
        "b: mean loss 4.0000 of 1 seed",
    ]


def printed(monkeypatch: pytest.MonkeyPatch, folder: Path, *, running: bool = False, **parts: Data) -> list[str]:
    """What the command prints of these parts."""
    data = {"name": "s", "folder": "runs/it's", "running": running, "runs": "trainings", "screening": None}
    monkeypatch.setattr("ushape.cli.status.status_data", lambda _: {**data, "parts": parts})
    done = ushape("status", ".", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_each_part_is_told_in_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failed = one(1, status="failed", reason="RuntimeError: [bold]", metrics={})
    search = part(one(0, edits=("remove a",)), failed, one(2, status="running"), document={"search": {"trials": 6}},
                  running=True)  # fmt: skip
    ablation = part(one(0, variant="base"), one(1, variant="a"), name="ablation")
    assert printed(monkeypatch, tmp_path, running=True, search=search, ablation=ablation, tuning=part()) == [
        "s  runs/it's  (running)",
        "search, 6 trainings: 1 finished, 1 failed, 4 to do (1 of them running)",
        "  best loss 0.5000: trial 0, remove a",
        "  its architecture: runs/it's/architectures/f0.json (`ushape export 'runs/it'\"'\"'s' --trial 0`)",
        "  trial 2 running since 10:00: the base",
        "  trial 1 failed: RuntimeError: [bold]",
        "ablation: 2 finished",
        "  base: mean loss 0.5000 of 1 seed",
        "  a: mean loss 0.5000 of 1 seed, +0 against the base in 1 pair",
        "tuning: nothing yet",
    ]


def test_a_space_without_points_left_has_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    search = {**part(one(0), document={"search": {"trials": 6}}), "left": 0, "exhausted": True}
    assert printed(monkeypatch, tmp_path, search=search)[:2] == [
        "s  runs/it's  (not running)",
        "search, 6 trainings: 1 finished, ended, since no point of its space is left",
    ]
