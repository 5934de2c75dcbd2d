"""`ushape profile`: what it prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archspec import UserError
from studies.latency.learned import Foretold
from studies.latency.regression import HeldOut
from studies.sections.protocol import Measure
from ushape.cli.app import app

SMALL = """version: 1
name: small
unet:
  ch: 32
  out_ch: 1
  ch_mult: [1, 2]
  num_res_blocks: 1
  attn_resolutions: [4]
  in_channels: 1
  resolution: 8
"""


def ran(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["profile", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL, encoding="utf-8")
    return str(path)


def test_the_table(small: str) -> None:
    printed = ran(small, "--batch", "2")
    assert "batch 2, cpu, float32, adamw fused, averaged weights, clipping" in printed
    assert "resident at the peak of a training step" in printed
    assert "Static: workspaces by rule. --calibrated measures them on this machine." in printed
    assert "CUDA" not in printed
    (line,) = [line for line in printed.splitlines() if line.startswith("training step")]
    data = json.loads(ran(small, "--batch", "2", "--json"))
    assert f"{data['training']['memory'] / 2**20:.2f} MiB" in line


def test_json_adds_up(small: str) -> None:
    data = json.loads(ran(small, "--json", "--no-ema", "--no-grad-clip", "--optimizer", "sgd-momentum"))
    assert data["options"]["variant"] == "foreach"
    assert data["options"]["ema"] is False
    for call in ("inference", "training"):
        peak = data[call]["peak"]
        assert sum(part["nbytes"] for part in peak["resident"]) == peak["nbytes"] == data[call]["memory"]
        assert data[call]["reserved"] is None
    assert data["inference"]["macs"] == data["macs"]
    assert data["training"]["cost"]["backward_flops"] > data["training"]["cost"]["forward_flops"]


def test_predictions_for_cuda_say_that_they_are_not_validated(small: str) -> None:
    printed = ran(small, "--device", "cuda", "--autocast", "bfloat16", "--checkpointing")
    assert "Not validated on CUDA; workspaces of cuDNN and cuBLAS" in printed
    assert "autocast bfloat16, adamw fused, averaged weights, clipping, checkpointing" in printed


def test_calibrated_is_remembered(small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = ran(small, "--calibrated", "--json")
    assert json.loads(first)["training"]["tier"] == "calibrated"
    (kept,) = (tmp_path / "ushape" / "workspaces").glob("cpu-*.json")
    before = kept.stat().st_mtime_ns
    assert ran(small, "--calibrated", "--json") == first
    assert kept.stat().st_mtime_ns == before


def test_the_fused_sgd_is_refused(small: str) -> None:
    with pytest.raises(UserError) as caught:
        ran(small, "--optimizer", "sgd", "--variant", "fused")
    (problem,) = caught.value.problems
    assert (problem.message, problem.hint) == (
        "the fused SGD is not predicted.",
        "Use --variant foreach or --variant loop.",
    )


def test_latency_is_told_with_its_error_or_why_there_is_none(small: str, monkeypatch: pytest.MonkeyPatch) -> None:
    held_out = HeldOut(12, 0.051, 0.25, 0.9, ())
    told = {
        "latency": Foretold(0.0123, held_out, "", 12),
        "latency_ratio": Foretold(3.0, None, "only 5 architectures were measured", 5),
    }

    class Taught:
        architectures = 12

        def predict(self, graph: object, metric: str) -> Foretold | None:
            del graph
            return told.get(metric)

    monkeypatch.setattr("studies.latency.studies.learned_from", lambda folders: (Taught(), Measure(batch=4)))
    monkeypatch.setattr("ushape.cli.report.folder_of", lambda study: study)
    printed = " ".join(ran(small, "--latency", "runs/one", "--latency", "runs/two").split())
    assert "batch 4, learned from 12 architectures of runs/one, runs/two" in printed
    assert (
        "inference: 12.3 ms (of 12 architectures, each held out in turn, 90 % were predicted within 25.0 %" in printed
    )
    assert "inference: 3 × the reference network (error unknown: only 5 architectures were measured)" in printed
    data = json.loads(ran(small, "--latency", "runs/one", "--json"))["latency"]
    assert data["predicted"]["latency"]["value"] == 0.0123
    assert data["predicted"]["latency_ratio"]["held_out"] is None


def test_latency_needs_results(small: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are no results"):
        ran(small, "--latency", str(tmp_path))
