from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from PIL import Image
from ruamel.yaml import YAML
from typer.testing import CliRunner

from archspec import UserError
from studies.driver.launch import start
from studies.frame import load_results
from studies.study.execution import Local
from tests.command import ushape
from tests.studies.here import Here
from tests.tiny_study import ABLATION, SEARCH, TINY
from ushape.cli.app import app
from ushape.cli.checking import problems_of
from ushape.cli.starting import _seen_from

UNET = """\
version: 1
name: mine
unet: {ch: 32, out_ch: 1, ch_mult: [1, 2], num_res_blocks: 1, attn_resolutions: [4], in_channels: 1, resolution: 8}
"""


def test_check_says_that_files_are_sound(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(UNET)
    (tmp_path / "s.yaml").write_text(TINY + ABLATION)
    command = [sys.executable, "-m", "ushape", "check", "a.yaml", "s.yaml", "zoo/ddpm-cifar10"]
    for done in (
        subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False),
        ushape(*command[3:], cwd=tmp_path),
    ):
        assert (done.returncode, done.stdout, done.stderr) == (0, "3 of 3 files sound, 0 errors, 0 warnings.\n", "")


def test_check_lists_every_problem_of_every_file_and_exits_with_2(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(UNET.replace("num_res_blocks", "num_res_block"))
    (tmp_path / "s.yaml").write_text(TINY + ABLATION.replace("attention\n", "atention\n"))
    done = ushape("check", "a.yaml", "s.yaml", "none.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "0 of 3 files sound, 3 errors, 0 warnings.\n"
    assert (
        done.stdout
        == """\
a.yaml:3:44: error U010 `unet.num_res_block` is not a known key. Did you mean `num_res_blocks`?
  3 | unet: {ch: 32, out_ch: 1, ch_mult: [1, 2], num_res_block: 1, attn_resolutions: [4], in_channels: 1, resolution
    |                                            ^~~~~~~~~~~~~
s.yaml:26:9: error U301 `atention` matches no node. Did you mean `attention`?
  26 |       - remove: atention
     |         ^~~~~~
none.yaml: error U001 there is no such file. Did you mean `s.yaml`?
"""
    )
    plain = ushape("check", "a.yaml", "s.yaml", "none.yaml", "--no-source", cwd=tmp_path)
    assert plain.stdout.splitlines() == [line for line in done.stdout.splitlines() if " | " not in line]


def test_check_as_json(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(UNET.replace("[4]", "[4, 3]"))
    done = ushape("check", "a.yaml", "--json", cwd=tmp_path)
    (problem,) = json.loads(done.stdout)["files"]["a.yaml"]
    assert done.returncode == 0
    assert (problem["code"], problem["severity"], problem["line"]) == ("U501", "warning", 3)


def test_show_counts_what_the_reference_counts(tmp_path: Path) -> None:
    done = ushape("show", "zoo/seed-256", cwd=tmp_path)
    assert done.returncode == 0
    assert "75,376,643 parameters, 247.8 GMACs per image" in done.stdout
    data = json.loads(ushape("show", "zoo/seed-256", "--json", cwd=tmp_path).stdout)
    assert (data["parameters"], data["macs"]) == (75_376_643, 247_770_054_656)
    assert [row["resolution"] for row in data["levels"]] == [256, 128, 64, 32, 16]
    assert data["levels"][-1]["attention"] == "6 vanilla, 1 head"
    assert {"node": "mid.attn_1", "op": "attention"}.items() <= next(
        row for row in data["nodes"] if row["node"] == "mid.attn_1"
    ).items()


def test_show_lists_nodes_and_studies(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(TINY + ABLATION + SEARCH)
    assert "up.0.skip.1" in ushape("show", "zoo/ddpm-cifar10", "--nodes", cwd=tmp_path).stdout
    text = ushape("show", "s.yaml", cwd=tmp_path).stdout
    assert "2 variants x 2 seeds = 4 trainings" in text
    assert (
        "search over 3 dimensions: 12 points, 3 trainings by KnownCostSampler, minimising loss and parameters" in text
    )
    data = json.loads(ushape("show", "s.yaml", "--json", cwd=tmp_path).stdout)
    assert data["search"]["points"] == 12
    assert data["variants"][1]["parameters_change"] < 0


def test_export_prints_code_with_the_node_names(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(UNET)
    done = ushape("export", "a.yaml", cwd=tmp_path)
    assert done.returncode == 0
    compile(done.stdout, "exported", "exec")
    assert "mid_attn_1 = " in done.stdout
    assert "def forward(self, x, t=None, context=None)" in done.stdout
    assert ushape("export", "a.yaml", "-o", "net.py", cwd=tmp_path).stdout == ""
    assert (tmp_path / "net.py").read_text() == done.stdout


def test_init_writes_a_sound_study_and_keeps_what_is_there(tmp_path: Path) -> None:
    assert ushape("init", cwd=tmp_path).returncode == 0
    assert ushape("check", "study.yaml", cwd=tmp_path).stdout == "1 of 1 file sound, 0 errors, 0 warnings.\n"
    again = ushape("init", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (
        2, "error U090 study.yaml is there already. Name another file, or say --force.\n",
    )  # fmt: skip
    assert ushape("init", "--force", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("mode", "size", "more", "expected"),
    [
        ("RGB", (40, 50), [], "out_ch: 3|ch_mult: [1, 1, 2]|resolution: 32, channels: 3"),
        ("L", (20, 20), [], "out_ch: 1|ch_mult: [1, 2]|resolution: 16, channels: 1"),
        ("RGB", (40, 40), ["--resolution", "64"], "out_ch: 3|ch_mult: [1, 1, 1, 2]|resolution: 64, channels: 3"),
    ],
)
def test_init_writes_a_sound_study_of_a_folder_of_images(
    tmp_path: Path, mode: str, size: tuple[int, int], more: list[str], expected: str
) -> None:
    (tmp_path / "my images").mkdir()
    for number in range(3):
        Image.new(mode, size, number).save(tmp_path / "my images" / f"{number}.png")
    file = tmp_path / "study.yaml"
    done = CliRunner().invoke(app, ["init", str(file), "--images", str(tmp_path / "my images"), *more])
    assert (done.exit_code, done.exception) == (0, None)
    text = file.read_text()
    assert all(part in text for part in expected.split("|"))
    assert 'data: {images: "my images",' in text
    assert problems_of(file) == ()
    # What it proposes in comments is sound too.
    searching = "".join(line.removeprefix("# ") for line in text.partition("# search:")[2].splitlines(keepends=True))
    file.write_text(text.partition("# Does this part")[0] + "search:" + searching)
    assert problems_of(file) == ()


def test_a_folder_is_named_from_the_study_where_both_can_be_moved_together(tmp_path: Path) -> None:
    file = tmp_path / "studies" / "s.yaml"
    assert _seen_from(file, tmp_path / "studies" / "in" / "it") == "in/it"
    assert _seen_from(file, tmp_path / "beside" / "it") == "../beside/it"
    assert _seen_from(file, tmp_path.parent / "elsewhere") == str(tmp_path.parent / "elsewhere")
    assert _seen_from(Path("/s.yaml"), Path("/data")) == "data"
    assert _seen_from(Path("/home/s.yaml"), Path("/data")) == "/data"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--images", "none"], "there is no folder none. Name one with images in it."),
        (["--images", "one"], "one holds one image. A study needs some to train on and some held out."),
        (["--images", "two", "--resolution", "33"],
         "--resolution is 33, which cannot be halved down to 8. Say 32, or a double."),
        (["--resolution", "32"], "--resolution goes with --images. Name the folder: --images FOLDER."),
    ],
)  # fmt: skip
def test_init_says_why_there_is_no_study_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, number in (("one", 1), ("two", 2)):
        Path(name).mkdir()
        for index in range(number):
            Image.new("RGB", (8, 8)).save(f"{name}/{index}.png")
    error = CliRunner().invoke(app, ["init", *arguments]).exception
    assert isinstance(error, UserError)
    assert str(error) == f"error U090 {message}"
    assert not Path("study.yaml").exists()


def test_the_schemas_accept_good_files_and_refuse_typos(tmp_path: Path) -> None:
    yaml = YAML(typ="safe", pure=True)
    study = Draft202012Validator(json.loads(ushape("schema", cwd=tmp_path).stdout))
    architecture = Draft202012Validator(json.loads(ushape("schema", "architecture", cwd=tmp_path).stdout))
    root = Path(__file__).parents[2]
    examples = list((root / "examples").glob("*.yaml"))
    assert examples
    for path in [*examples, root / "ushape" / "templates" / "study.yaml"]:
        assert list(study.iter_errors(yaml.load(path))) == []
    for path in (root / "archspec" / "zoo").glob("*.yaml"):
        assert list(architecture.iter_errors(yaml.load(path))) == []
    for old, new in (("steps: 2", "step: 2"), ("ch: 32", "chh: 32"), ("remove: attention", "remov: attention")):
        wrong = yaml.load((TINY + ABLATION).replace(old, new))
        assert list(study.iter_errors(wrong)), new


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "none.yaml"], "none.yaml: error U001 there is no such file."),
        (["status", "s.yaml"], "error U001 there are no results in"),
        (["report", "."], "error U001 there are no results in"),
        (["show", "."], "error U001 this is a directory, not a file."),
        (["export", "none.yaml"], "none.yaml: error U001 there is no such file."),
        (["init", "no/such/folder.yaml"], "error U090 there is no folder no/such. Make it first."),
        (
            ["run", "s.yaml", "--out", "s.yaml"],
            "error U090 s.yaml cannot hold the results: it is a file. Name a folder that",
        ),
        (
            ["run", "s.yaml", "--out", "s.yaml/x"],
            "error U090 s.yaml/x cannot hold the results: Not a directory. Name a",
        ),
        (
            ["export", "a.yaml", "--to", "yaml", "-o", "s.yaml/x.yaml"],
            "error s.yaml: cannot be written: it is a file, and a",
        ),
        (
            ["export", "a.yaml", "--to", "yaml", "-o", "/proc/x.yaml"],
            "error /proc: cannot be written: no files can be made there. Name another place.",
        ),
        (
            ["export", "a.yaml", "--to", "yaml", "-o", "/proc/no/x.yaml"],
            "error /proc/no: cannot be written: no files can be made there. Name another place.",
        ),
    ],
)
def test_a_mistake_is_a_message_and_never_a_traceback(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "s.yaml").write_text(TINY + ABLATION)
    (tmp_path / "a.yaml").write_text(UNET)
    done = ushape(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_help_teaches(tmp_path: Path) -> None:
    text = ushape("--help", cwd=tmp_path).stdout
    for command in ("init", "check", "explain", "show", "diff", "zoo", "run", "status", "report", "export", "schema"):
        assert command in text
        assert "Usage" in ushape(command, "--help", cwd=tmp_path).stdout


def test_check_loads_neither_torch_nor_optuna_nor_pandas(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(UNET)
    assert _in_one_process("check", "a.yaml", cwd=tmp_path)[-1] == "[]"


def _in_one_process(*arguments: str, cwd: Path) -> list[str]:
    """What a command prints, and in the last line which heavy packages it has imported."""
    code = (
        f"import sys; from ushape.cli import main; sys.argv = {['ushape', *arguments]}\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'optuna', 'sqlalchemy', 'pandas', 'plotly') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_run_status_and_report_from_start_to_dashboard(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(TINY + ABLATION + SEARCH)
    command = [sys.executable, "-m", "ushape", "run", "s.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "dashboard: runs/tiny/dashboard.html"
    assert "[4/4] no attention, seed 1: loss " in done.stdout
    folder = tmp_path / "runs" / "tiny"
    assert (folder / "results.csv").read_text().startswith("part,trial,variant,seed,status")
    html = (folder / "dashboard.html").read_text(encoding="utf-8")
    assert "Is it small?" in html
    status = json.loads(ushape("status", "s.yaml", "--json", cwd=tmp_path).stdout)
    assert status["parts"]["ablation"]["statuses"] == {"finished": 4}
    assert status["parts"]["ablation"]["planned"] == 4
    assert status["parts"]["search"]["best"]["loss"] > 0
    lines = _in_one_process("status", "s.yaml", cwd=tmp_path)
    assert "ablation, 4 trainings: 4 finished" in lines
    assert lines[-1] == "[]"
    (folder / "dashboard.html").unlink()
    assert ushape("report", "runs/tiny", "-o", "elsewhere.html", cwd=tmp_path).returncode == 0
    assert (tmp_path / "elsewhere.html").stat().st_size > 1_000_000


@pytest.mark.slow
def test_a_search_with_scores_and_a_prefilter_from_start_to_tables(tmp_path: Path) -> None:
    scored = "  scores: [flops, snip]\n  prefilter: {by: synflow, keep: 0.5, sample: 8}\n"
    (tmp_path / "s.yaml").write_text(TINY + SEARCH + scored)
    done = ushape("run", "s.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Pre-filter: synflow has to be at least " in done.stdout
    folder = tmp_path / "runs" / "tiny"
    assert "What zero-cost scores are worth here" in (folder / "dashboard.html").read_text(encoding="utf-8")
    trials = load_results(folder).trials
    finished, refused = (trials[trials["status"] == status] for status in ("finished", "refused"))
    assert finished[["score:flops", "score:snip", "score:synflow"]].notna().all(axis=None)
    assert len(finished) == 3
    assert refused["reason"].str.startswith("pre-filter: synflow is ").all()
    assert ushape("tables", "s.yaml", cwd=tmp_path).returncode == 0
    assert "| synflow" in (folder / "tables" / "scores.md").read_text(encoding="utf-8")


def test_trials_without_result_are_said_and_exit_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(start._LAUNCHERS, Local, Here)
    train = "steps: 2, batch: 4, lr: 1.0e30, warmup: 0, grad_clip: null"
    text = (TINY + ABLATION).replace("steps: 2, batch: 4", train.replace("steps: 2", "steps: 12"))
    (tmp_path / "s.yaml").write_text(text)
    done = ushape("run", "s.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert "4 trial(s) have no result; the dashboard says why." in done.stderr
    assert "diverged: " in ushape("status", "s.yaml", cwd=tmp_path).stdout


def test_check_looks_at_the_data(tmp_path: Path) -> None:
    text = (TINY + ABLATION).replace("data: digits", "data: {images: nowhere, resolution: 8}")
    (tmp_path / "s.yaml").write_text(text)
    done = ushape("check", "s.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout.startswith("s.yaml:17:3: error U090 the images folder ")
    (tmp_path / "s.yaml").write_text((TINY + ABLATION).replace("resolution: 8", "resolution: 16"))
    assert "s.yaml:17:3: error U404 x: the images of digits are 1x8x8" in ushape("check", "s.yaml", cwd=tmp_path).stdout
