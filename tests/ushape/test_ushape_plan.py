from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archspec import UserError
from reports.analysis.statistics import detectable
from studies.driver.forecast import Pilot, paired_spreads, predict_seconds
from studies.records.record import TrialRecord
from studies.study.load import load_study
from tests.tiny_study import ABLATION, SEARCH, TINY
from ushape.cli.app import app
from ushape.cli.plan import plan_data

DESIGN = """ablation:
  leave_one_out: [skips, attention_levels]
  factorial:
    resolution: 3
    factors: {sum: [{unet: {skip: add}}], timeless: [{unet: {use_timestep: false}}], wide: [{unet: {ch: 64}}]}
"""


def write(folder: Path, *parts: str) -> Path:
    path = folder / "study.yaml"
    path.write_text(TINY.replace("seeds: 2", "seeds: 6") + "".join(parts), encoding="utf-8")
    return path


def test_the_plan_says_what_is_trained_and_what_it_can_find(tmp_path: Path) -> None:
    data = plan_data(load_study(write(tmp_path, DESIGN)), spread=0.002)
    assert [row["variant"] for row in data["variants"]] == [
        "base", "without up.1.skip.0", "without up.1.skip.1", "without up.0.skip.0", "without up.0.skip.1",
        "without middle attention", "timeless + wide", "sum + wide", "sum + timeless",
    ]  # fmt: skip
    row = data["variants"][5]
    assert row["nodes"] == {"removed": 1, "added": 0, "changed": 0}
    assert row["edits"] == ["remove mid.attn_1"]
    assert (data["trainings"], data["left"]) == (54, 54)
    power = data["power"]
    assert power["comparisons"] == 5 + 3
    assert power["sds"] == detectable(6, 8)
    assert power["effect"] == pytest.approx(0.002 * detectable(6, 8))
    assert (data["seconds"], data["memory"]) == (None, None)
    assert data["aliases"] == ["sum = timeless x wide", "timeless = sum x wide", "wide = sum x timeless"]
    assert any("can't see interactions" in doubt for doubt in data["doubts"])
    assert any("No margin is stated" in doubt for doubt in data["doubts"])
    assert any("6 seeds find large differences only" in doubt for doubt in data["doubts"])


def test_the_command_prints_it_before_anything_runs(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["plan", str(write(tmp_path, DESIGN))])
    assert done.exit_code == 0
    for line in (
        "trainings: 54 (6 seeds); 54 left",
        "time: unknown, no training is recorded yet; start `ushape run`, stop it after a training and ask again, or "
        "name other results by --pilot",
        "MiB for a training step",
        "in loss unknown without a pilot or --spread",
        "doubt: The fraction cannot tell apart: sum = timeless x wide; timeless = sum x wide; wide = sum x timeless.",
    ):
        assert line in done.output
    assert not (tmp_path / "runs").exists()
    found = json.loads(CliRunner().invoke(app, ["plan", str(tmp_path / "study.yaml"), "--json"]).output)
    assert found["trainings"] == 54


def test_the_largest_variant_says_the_memory_where_somebody_can_predict_it(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, ABLATION))
    data = plan_data(study, predict=lambda graph, protocol, measure: len(graph) * protocol.train.batch)
    assert data["memory"] == len(study.base) * 4


def test_without_training_nothing_is_called_a_training(tmp_path: Path) -> None:
    path = write(tmp_path, ABLATION)
    untrained = "train: {steps: 0, batch: 4}\n  init: {from: net.safetensors}"
    path.write_text(path.read_text().replace("train: {steps: 2, batch: 4}", untrained).replace("seeds: 6", "seeds: 1"))
    (tmp_path / "net.safetensors").touch()
    planned = CliRunner().invoke(app, ["plan", str(path)]).output
    shown = CliRunner().invoke(app, ["show", str(path)]).output
    for line in (
        "evaluations: 2 (1 seed); 2 left",
        "time: unknown, nothing is recorded yet",
        "nothing is trained: each variant is evaluated with the weights it keeps",
    ):
        assert line in planned
    assert "2 variants x 1 seed = 2 evaluations" in shown
    assert "training" not in planned.partition("doubt")[0].replace("nothing is trained", "")
    study = load_study(path)
    records = tuple(record("base", seed, 0.5, 0.0, 1.0) for seed in range(3))
    found = predict_seconds(study, study.folder, Pilot("pilot", records, {"steps": 0, "batch": 4}))
    assert found is not None
    assert (found.total, found.how) == (4.0, "as 3 evaluations of pilot took")


def test_a_search_has_no_plan(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the study has no ablation to plan"):
        plan_data(load_study(write(tmp_path, SEARCH)))


def record(variant: str, seed: int, loss: float, train: float, macs: float) -> TrialRecord:
    return TrialRecord(
        part="ablation", trial=seed, variant=variant, seed=seed, status="finished", protocol_hash="x", started="now",
        metrics={"loss": loss, "macs": macs}, detail={"seconds": {"train": train}}, wall=train + 2.0,
    )  # fmt: skip


def test_time_is_predicted_in_proportion_to_macs_steps_and_batch(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, ABLATION))
    macs = [row["macs"] for row in plan_data(study)["variants"]]
    records = tuple(record("base", seed, 0.5, 10.0, macs[0]) for seed in range(3))
    pilot = Pilot("pilot", records, {"steps": 20, "batch": 4})
    found = predict_seconds(study, study.folder, pilot)
    assert found is not None
    each = [10.0 * macs_of / macs[0] * (2 * 4) / (20 * 4) + 2.0 for macs_of in macs]
    assert found.total == pytest.approx(sum(each) * 6)
    assert found.how == "scaled by MACs, steps and batch from 3 trainings of pilot"
    assert predict_seconds(study, study.folder, Pilot("empty", (), {})) is None


def test_the_spread_is_that_of_the_paired_differences() -> None:
    losses = {"base": [0.5, 0.6, 0.55], "a": [0.52, 0.61, 0.58], "b": [0.5, 0.6]}
    records = [record(v, seed, loss, 1.0, 1.0) for v, own in losses.items() for seed, loss in enumerate(own)]
    assert paired_spreads(records) == {"a": pytest.approx(0.01)}
