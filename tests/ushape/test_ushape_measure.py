from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from archspec import UserError
from studies.measure import compare as compares
from studies.measure.apart import Apart
from studies.measure.latency import Taken
from studies.training.failures import MeasuringFailed
from ushape.cli.app import app

SPEC = """
version: 1
name: tiny
unet: {ch: 32, out_ch: 1, ch_mult: [1, 1], num_res_blocks: 1, attn_resolutions: [], mid_attn: true, in_channels: 1,
  resolution: 8}
"""


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["measure", *map(str, arguments)])


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def taken(job: Apart, disturbed: tuple[str, ...] = ()) -> Taken:
    """Rounds in which the second takes twice as long and the third as long as the first, a little noise apart."""
    block = tuple((0.010 + i * 1e-4, 2 * (0.010 + i * 1e-4), 0.010 + (i % 3) * 1e-4) for i in range(5))
    number = len(job.documents)
    blocks = tuple(tuple(row[:number] for row in block) for _ in range(4))
    return Taken.model_validate(
        {
            "sample": {
                "blocks": blocks, "cpu": blocks, "repeats": (1,) * number, "warmup": (4,) * number,
                "stable": (True,) * number, "narrow": True,
            },
            "conditions": {"before": {}, "after": {"load": 0.5}, "disturbed": disturbed, "unknown": ()},
            "attempts": 1,
        }
    )  # fmt: skip


def test_a_table_says_ratios_and_verdicts(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[Apart] = []

    def told(job: Apart) -> Taken:
        jobs.append(job)
        return taken(job, ("other processes used 1.8 of 2 cores",))

    monkeypatch.setattr(compares, "taken_apart", told)
    done = run("zoo/seed-256", spec, "--against", spec, "--processes", 2, "--training", "--batch", 4)
    assert done.exit_code == 0, done.output
    assert [job.training for job in jobs] == [True, True]
    assert [job.seed for job in jobs] == [0, 1]
    assert (jobs[0].measure.batch, jobs[0].measure.threads) == (4, 1)
    lines = done.output.splitlines()
    assert lines[0] == "a training step of 4 images, 1 thread(s), 2 fresh processes, 40 rounds"
    assert "2.0000" in lines[3]
    assert "slower" in lines[3]
    assert "no difference shown" in lines[4]
    assert "disturbed: other processes used 1.8 of 2 cores" in done.output


def test_json_says_the_same(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compares, "taken_apart", taken)
    done = run("zoo/seed-256", "--against", spec, "--json")
    found = json.loads(done.stdout)
    assert found["names"] == [str(spec), "zoo/seed-256"]
    assert found["verdicts"] == ["slower"]
    assert found["latencies"][1]["ratio"] == pytest.approx(2.0)
    assert found["measure"]["processes"] == 3


def test_mistakes_are_answered_before_anything_is_measured(spec: Path, tmp_path: Path) -> None:
    for arguments, words in (
        ((tmp_path / "none.yaml", "--against", spec), "there is no such file"),
        ((spec, "--against", spec, "--device", "gpu"), "--device gpu: String should match pattern"),
        ((spec, "--against", spec, "--precision", "3"), "--precision 3.0: Input should be less than 1."),
        ((spec, "--against", spec, "--device", "cpu", "--history", tmp_path), "allocator keeps no memory history"),
        ((spec, "--against", spec, "--device", "cuda:77"), "measure.device is cuda:77, but this machine has"),
    ):
        done = run(*arguments)
        assert isinstance(done.exception, UserError), done.output
        assert words in str(done.exception)
    assert run(spec).exit_code == 2  # --against is missing


def test_a_measurement_that_fails_is_a_sentence(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(job: Apart) -> Taken:
        raise MeasuringFailed("oom", "out of memory while measuring")

    monkeypatch.setattr(compares, "taken_apart", short)
    done = run(spec, "--against", spec)
    assert done.exit_code == 1
    assert "error: nothing was measured: out of memory while measuring" in done.output
