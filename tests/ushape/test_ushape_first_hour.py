"""What somebody in their first hour mistakes, and is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archspec import UserError, check_text
from studies.records.record import Glance
from studies.study.load import check_study
from tests.tiny_study import ABLATION, SEARCH, TINY
from ushape.cli.app import app
from ushape.cli.status import _part_data, _told
from ushape.glossary import meaning

NET = """\
version: 1
name: net
unet: {ch: 32, out_ch: 1, ch_mult: [1, 2], num_res_blocks: 1, attn_resolutions: [4], in_channels: 1, resolution: 8}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yaml").write_text(NET)
    (tmp_path / "s.yaml").write_text(TINY + ABLATION)
    return tmp_path


def said(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    if isinstance(done.exception, UserError):
        return "\n".join(str(problem) for problem in done.exception.problems)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("command", ["run", "plan", "status", "report"])
def test_an_architecture_where_a_study_belongs_is_named_as_one(place: Path, command: str) -> None:
    assert said(command, "net.yaml") == (
        "net.yaml:1:1: error U401 this is an architecture, not a study. Name it in a study, `base: net.yaml`, beside "
        "what is asked; `ushape init` writes a study."
    )


def test_of_a_study_the_base_is_profiled_with_the_batch_of_its_protocol(place: Path) -> None:
    assert "\nbatch 4, cpu" in said("profile", "s.yaml")
    assert "\nbatch 2, cpu" in said("profile", "s.yaml", "--batch", "2")
    assert "\nbatch 1, cpu" in said("profile", "net.yaml")


def test_the_text_of_a_network_of_the_zoo_is_printed_to_be_changed(place: Path) -> None:
    text = said("zoo", "ddpm-cifar10")
    assert "unet:\n  ch: 128\n" in text
    assert check_text(text.replace("ch: 128", "ch: 32")).problems == ()
    assert said("zoo", "zoo/ddpm-cifar10") == text
    assert said("zoo", "ddpm-cifar1") == (
        "error U090 there is no `ddpm-cifar1` in the zoo. Did you mean `ddpm-cifar10`?"
    )


@pytest.mark.parametrize(
    ("base", "hint"),
    [
        ("base: ddpm-cifar10", "Did you mean `zoo/ddpm-cifar10`?"),
        ("base: {from: zoo/ddpm-cifar10}", "A file is named alone: `base: FILE`, or `base: zoo/NAME`;"),
        ("base: net.yaml\nedits: [{remove: attention}]", "Edits of the base stand in its own file ("),
        ("model: net.yaml", "Here it is `base`."),
    ],
)
def test_how_to_name_a_base_and_change_it(place: Path, base: str, hint: str) -> None:
    (place / "wrong.yaml").write_text(f"version: 1\nname: wrong\n{base}\nablation: {{leave_one_out: [middle]}}\n")
    assert any(hint in str(problem) for problem in check_study(place / "wrong.yaml")[1])


@pytest.mark.parametrize(
    ("typed", "key"), [("learning_rate", "`lr`"), ("batch_size", "`batch`"), ("epochs", "counted in `steps`")]
)
def test_what_training_is_called_elsewhere(place: Path, typed: str, key: str) -> None:
    (place / "wrong.yaml").write_text((TINY + ABLATION).replace("train: {", f"train: {{{typed}: 1, "))
    (problem,) = [one for one in check_study(place / "wrong.yaml")[1] if one.code == "U010"]
    assert key in (problem.hint or "")


@pytest.mark.parametrize("typed", ["channels", "dim"])
def test_what_a_width_is_called_elsewhere(typed: str) -> None:
    (problem,) = check_text(NET.replace("{ch:", f"{{{typed}:")).problems
    assert str(problem).endswith(f"`unet.{typed}` is not a known key. Here it is `ch`.")


@pytest.mark.parametrize("term", ["A/A", "knee", "MAC", "strata", "log-SNR", "eps", "Pareto front"])
def test_terms_that_were_looked_up_in_vain(term: str) -> None:
    assert meaning(term)[0] == term


def glance(variant: str, seed: int, loss: float) -> Glance:
    return Glance("ablation", seed, variant, seed, "finished", None, "f", (), {"loss": loss}, {}, "now", True)


def test_variants_are_told_by_pairs_and_not_by_the_luckiest_seed() -> None:
    records = [glance("base", 0, 1.0), glance("base", 1, 0.5), glance("less", 1, 0.75), glance("less", 2, 0.25)]
    rows = _part_data(records, {}, "ablation", running=False)["variants"]
    assert [_told(row) for row in rows] == [
        "base: mean loss 0.7500 of 2 seeds",
        "less: mean loss 0.5000 of 2 seeds, +0.25 against the base in 1 pair",
    ]
    assert _part_data(records, {}, "search", running=False)["variants"] == []


def test_budgets_that_show_did_not_look_at_are_named(place: Path) -> None:
    more = SEARCH.replace("{parameters: 400k}", "{parameters: 400k, train_memory: 1 GiB}")
    (place / "s.yaml").write_text(TINY + more)
    assert "of the budgets beforehand; train_memory is not looked at here" in said("show", "s.yaml")
    assert json.loads(said("show", "s.yaml", "--json"))["search"]["judged_later"] == ["train_memory"]
    (place / "s.yaml").write_text(TINY + SEARCH)
    assert "looked at here" not in said("show", "s.yaml")


def test_what_runs_is_counted_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is to do still, and "1 finished, 2 running, 5 to do" of six came to eight."""
    records = [replace(glance("base", seed, 1.0), status="running" if seed else "finished") for seed in range(3)]
    part = _part_data(records, {"search": {"trials": 6}}, "search", running=True)
    data = {
        "name": "s",
        "folder": "runs/s",
        "running": True,
        "runs": "trainings",
        "parts": {"search": part},
        "screening": None,
    }
    monkeypatch.setattr("ushape.cli.status.status_data", lambda _: data)
    (place / "runs").mkdir()
    assert "\nsearch, 6 trainings: 1 finished, 5 to do (2 of them running)\n" in said("status", "runs")


@pytest.mark.parametrize("command", ["status", "report", "tables"])
def test_a_study_whose_records_lie_on_a_server_and_whose_folder_is_elsewhere(place: Path, command: str) -> None:
    (place / "s.yaml").write_text(TINY + ABLATION + "run: {storage: {env: NOWHERE}}\n")
    assert said(command, "s.yaml").startswith(
        "error U001 runs/tiny is not here, the folder of the study's files, whose records lie in"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "name: tiny",
            "name: a/b",
            "`name` cannot be 'a/b'. That is: names the study's folder: letters, digits, . _ -.",
        ),
        ("skip: [concat, add]", "wire: {rewire: skip}", "mapping of keys to values, not 'skip'. Its keys: to, port."),
        (
            "skip: [concat, add]",
            "join: {nodes: conv_in, operations: [conv]}",
            "not a list. That is: label -> operation put in the place of `nodes`; null leaves them as they are.",
        ),
    ],
)
def test_a_value_of_a_wrong_form_is_told_what_it_is(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "s.yaml").write_text((TINY + SEARCH).replace(old, new))
    assert any(str(problem).endswith(message) for problem in check_study(tmp_path / "s.yaml")[1])
