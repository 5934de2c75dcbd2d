"""Studies with samples and other objectives, from the file to the frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from archspec import to_document
from studies.driver.run import run_study
from studies.frame import load_results
from studies.measure.calls import sample_batch
from studies.sections.protocol import Edm, Objective, Protocol, Train
from studies.study.load import check_study, load_study
from studies.training.batch import batches
from studies.training.diffusion import process
from studies.training.sampling import classifier as classifiers
from studies.training.sampling.features import space
from studies.training.train import TrainingStep
from studies.trial.job import Job
from studies.trial.run import run_trial
from tests.studies.here import Here
from tests.studies.test_studies_run import Listener
from tests.tiny_study import ABLATION, TINY

Write = Callable[..., Path]
CPU = torch.device("cpu")
SAMPLES = "samples: {number: 20, steps: 2, sampler: ddim, grid: 4}"


def messages(path: Path) -> list[str]:
    return [str(problem).replace(str(path), "study.yaml") for problem in check_study(path)[1]]


def test_samples_are_drawn_judged_and_kept(study_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USHAPE_CACHE", str(tmp_path / "cache"))
    space.cache_clear()  # of another test's classifier, kept elsewhere
    path = study_file(ABLATION, **{"images: 4}": f"images: 4, {SAMPLES}}}", "seeds: 2": "seeds: 1"})
    study, listener = load_study(path), Listener()
    run_study(study, study.folder, listener, start=Here)
    assert [record.reason for record in listener.records] == [None, None]
    results = load_results(study.folder)
    assert results.warnings == ()
    row = results.trials.iloc[0]
    detail = results.samples["ablation", 0]
    assert row["fd"] > 0
    assert (row["fd_inf"], row["kd_error"]) == (detail["fd_inf"], detail["kd_error"])
    assert detail["space"] == "classifier of the 10 labels of digits"
    assert (detail["number"], detail["calls"], detail["reference"]) == (20, 2, 1617)
    assert results.trials["evaluation"].nunique() == 1
    assert len(results.snr_bins["ablation", 1]) == 2
    grids = [results.files["ablation", trial]["samples.png"] for trial in (0, 1)]
    assert grids[0] == study.folder / "artifacts" / "ablation-0" / "samples.png"
    for grid in grids:
        with Image.open(grid) as image:
            assert image.size == (66, 66)
    assert grids[0].read_bytes() != grids[1].read_bytes()
    assert len(list((tmp_path / "cache").glob("*.safetensors"))) == 1


SEARCH = """
search:
  space: {num_res_blocks: [1, 2]}
  objectives: [OBJECTIVE, parameters]
  trials: 2
"""


def test_a_search_for_samples_needs_samples(study_file: Write) -> None:
    path = study_file(SEARCH.replace("OBJECTIVE", "fd"))
    assert messages(path) == [
        "study.yaml:25:16: error U403 `fd` is a distance of samples, and this study draws none. "
        "Add `samples: {}` to `protocol.evaluate`."
    ]
    assert messages(study_file(SEARCH.replace("OBJECTIVE", "fd"), **{"images: 4}": "images: 4, samples: {}}"})) == []
    assert messages(study_file(SEARCH.replace("OBJECTIVE", "loss_edm"))) == []
    bounded = SEARCH.replace("OBJECTIVE", "loss") + "  budgets: {kd: 0.1}\n"
    assert [message.split(": ", 1)[1][:35] for message in messages(study_file(bounded))] == [
        "error U403 `kd` is a distance of sa",
    ]


def test_a_feature_network_that_is_not_there(study_file: Write, tmp_path: Path) -> None:
    given = "images: 4, samples: {features: {torchscript: inception.pt, name: Inception}}}"
    assert messages(study_file(ABLATION, **{"images: 4}": given})) == [
        f"study.yaml:19:57: error U001 the feature network {tmp_path}/inception.pt does not exist. "
        "Paths are relative to the study file."
    ]


def test_an_unknown_objective(study_file: Write) -> None:
    def with_objective(text: str) -> list[str]:
        return messages(study_file(ABLATION, **{"  data: digits": f"  data: digits\n  objective: {text}"}))

    assert with_objective("{kind: flow}") == [
        "study.yaml:18:3: error U012 `protocol.objective` must have the kind ddpm or edm."
    ]
    assert with_objective("{kind: edm, prediction: v}") == [
        "study.yaml:18:26: error U010 `protocol.objective.prediction` is not a known key. "
        "Known keys: kind, p_mean, p_std, sigma_data."
    ]
    assert with_objective("{kind: edm}") == []
    assert with_objective("{prediction: x0}") == []


# objectives


class Recorder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.seen: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.seen.append((x, t))
        return x * self.weight


def test_edm_trains_at_continuous_levels_and_shows_their_logarithm() -> None:
    protocol = Protocol(objective=Edm(kind="edm"), train=Train(batch=64, grad_clip=None))
    module = Recorder()
    images = 0.5 * torch.randn(200, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    batch = next(batches(images, protocol, 0))
    loss = TrainingStep(module, protocol, CPU)(batch)
    x, t = module.seen[0]
    assert torch.allclose(t, batch.timesteps.log() / 4)
    assert batch.timesteps.dtype == torch.float32
    sigma = batch.timesteps.view(-1, 1, 1, 1)
    assert torch.allclose(x, (batch.images + sigma * batch.noise) / (sigma**2 + 0.25).sqrt(), atol=1e-5)
    assert loss.item() == pytest.approx(1, abs=0.1)  # F = 0: the target has unit variance at every level


def test_a_step_of_edm_can_be_measured_with_timesteps_for_levels() -> None:
    protocol = Protocol(objective=Edm(kind="edm"))
    batch = sample_batch((1, 8, 8), 4, protocol.objective.timesteps, CPU)
    module = Recorder()
    assert TrainingStep(module, protocol, CPU)(batch).isfinite()
    sigma = process(protocol.objective, CPU).levels[batch.timesteps].float()
    assert torch.allclose(module.seen[0][1], sigma.log() / 4)


def test_objectives_share_the_order_of_images() -> None:
    images = torch.arange(40.0).view(40, 1, 1, 1)
    found = [
        next(batches(images, Protocol(objective=objective), 3)).images
        for objective in (Objective(), Objective(prediction="x0"), Edm(kind="edm"))
    ]
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


EDM2 = """
base:
  name: tiny
  edm2:
    ch: 16
    out_ch: 1
    ch_mult: [1, 2]
    num_res_blocks: 1
    attn_resolutions: []
    head_dim: 16
    in_channels: 1
    resolution: 8
"""
SONG = EDM2.replace("edm2", "song").replace("    head_dim: 16\n", "")


@pytest.mark.parametrize("base", [EDM2, SONG])
def test_the_families_of_edm_learn_under_their_own_objective(base: str, study_file: Write) -> None:
    text = TINY[: TINY.index("base:")] + base.lstrip() + TINY[TINY.index("protocol:") :]
    path = study_file()
    text = text.replace("steps: 2, batch: 4", "steps: 60, batch: 16, lr: 5.0e-3, warmup: 5")
    text = text.replace("data: digits", "data: digits\n  objective: {kind: edm}").replace("seeds: 2", "seeds: 1")
    path.write_text(text + "ablation:\n  variants:\n    no skips:\n      - set: {nodes: conv_in, to: {kernel: 1}}\n")
    study = load_study(path)
    job = Job(document=to_document(study.base), protocol=study.protocol, measure=study.file.measure, seed=0)
    outcome = run_trial(job, lambda progress: None)
    assert outcome.reason is None
    # F = 0 would have a weighted error of 1.6 on the digits (deviation 0.75), and noise itself an error of 1.
    assert outcome.metrics["loss_edm"] < 1.2
    assert outcome.metrics["loss"] < 0.3


def test_steps_of_the_classifier_are_as_published() -> None:
    assert (classifiers.STEPS, classifiers.WIDTH, classifiers.VERSION) == (400, 32, 1)
