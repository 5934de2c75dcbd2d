"""`ushape export STUDY --trial`: a search's winner, by the best or by its number."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from archspec import build, fingerprint, from_document, load
from builder import assemble, initialise
from studies.frame import load_results
from studies.study.load import load_study
from tests import command
from tests.studies.fake_run import run_fake
from tests.tiny_study import SEARCH, TINY


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that was run with workers whose trials are nearly free, and kept the best one's weights."""
    path = tmp_path_factory.mktemp("chosen") / "study.yaml"
    path.write_text(TINY + SEARCH + "run: {keep_weights: 1}\n")
    run_fake(path)
    return path


@pytest.fixture
def ushape(monkeypatch, tmp_path):
    """The command, inside of this process: its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        done = command.ushape(*arguments, cwd=Path())
        return done.returncode, done.stdout, done.stderr

    return call


def test_the_best_trial_as_a_file_that_every_command_takes(study, ushape):
    results = load_results(load_study(study).folder)
    trials = results.trials[results.trials["feasible"].astype(bool)]
    best = trials.sort_values(["loss", "trial"]).iloc[0]
    code, said, error = ushape("export", str(study), "--trial", "best", "--to", "yaml", "-o", "winner.yaml")
    assert (code, said, error) == (0, "", f"tiny/search/{best['trial']}: loss {best['loss']:.4f}\n")
    assert fingerprint(build(load("winner.yaml"))) == best["fingerprint"]
    code, said, _ = ushape("export", str(results.folder), "--trial", str(best["trial"]))
    assert (code, "def forward(" in said) == (0, True)


def test_the_best_trial_as_plain_pytorch_with_its_weights_or_plainly_without(study, ushape):
    results = load_results(load_study(study).folder)
    [kept] = results.folder.glob("artifacts/*/weights.safetensors")
    number = kept.parent.name.removeprefix("search-")
    row = results.trials.set_index("trial").loc[int(number)]
    network = assemble(from_document(results.architectures[row["fingerprint"]]))
    initialise(network, 5)
    save_file(network.state_dict(), kept)
    code, said, error = ushape("export", str(study), "--trial", "best", "--to", "python", "-o", "net.py")
    assert (code, error) == (0, f"tiny/search/{number}: loss {row['loss']:.4f}; with the weights of {kept}\n")
    assert "net.safetensors: its weights" in said
    found = load_file("net.safetensors")
    assert all(torch.equal(found[key], value) for key, value in network.state_dict().items())
    other = next(str(n) for n in results.trials["trial"] if str(n) != number and results.trials["loss"][n] > 0)
    code, said, error = ushape("export", str(study), "--trial", other, "--to", "python", "-o", "other.py")
    assert (code, "its weights" in said, Path("other.safetensors").exists()) == (0, False, False)
    assert error.endswith(
        "; its weights are not there (run: {keep_weights: 1} keeps those of the best), so it is untrained\n"
    )


@pytest.mark.parametrize(
    ("trial", "message"),
    [
        (None, "study.yaml is a study, not an architecture. Say which of its trials: --trial best, or a number that "
         "`ushape status` shows."),
        ("worst", "`worst` names no trial. Write best, a number such as 7, or PART/NUMBER: ablation/0."),
        ("99", "tiny has no trial search/99. search has 0 to "),
        ("ablation/0", "tiny has no trial ablation/0. search has 0 to "),
    ],
)  # fmt: skip
def test_what_names_no_trial(study, ushape, trial, message):
    code, _, error = ushape("export", str(study), *(("--trial", trial) if trial else ()))
    assert code == 2
    assert message in error
