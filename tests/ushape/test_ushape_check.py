"""`ushape check`: carets, silences, SARIF, corrections, and doubts about the fairness of studies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studies.study.load import check_study
from tests.command import ushape
from tests.tiny_study import ABLATION, SEARCH, TINY
from ushape.cli.checking import problems_of

UNET = """\
version: 1
name: mine
unet: {ch: 32, out_ch: 1, ch_mult: [1, 2], num_res_blocks: 1, attn_resolutions: [4], in_channels: 1, resolution: 8}
"""


def test_fix_corrects_the_file_and_says_what_it_did(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + UNET.replace("num_res_blocks", "num_res_block").encode())
    done = ushape("check", "--fix", "a.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "1 of 1 file sound, 0 errors, 0 warnings.\n")
    assert done.stderr == (
        "fixed: a.yaml:3:44: error U010 `unet.num_res_block` is not a known key. Did you mean `num_res_blocks`?\n"
    )
    assert path.read_bytes() == b"\xef\xbb\xbf" + UNET.encode()
    before = path.stat().st_mtime_ns
    assert ushape("check", "--fix", "a.yaml", cwd=tmp_path).stderr == ""
    assert path.stat().st_mtime_ns == before


def test_fix_corrects_studies_too(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(TINY + ABLATION.replace("attention\n", "atention\n"))
    assert ushape("check", "--fix", "s.yaml", "zoo/none", cwd=tmp_path).returncode == 2
    assert (tmp_path / "s.yaml").read_text() == TINY + ABLATION


def test_sarif_names_rules_and_places(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(UNET.replace("[4]", "[4, 3]").replace("ch: 32", "ch: 48"))
    done = ushape("check", "a.yaml", "none.yaml", "--sarif", cwd=tmp_path)
    assert done.returncode == 2
    log = json.loads(done.stdout)
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["U001", "U204", "U501"]
    results = {result["ruleId"]: result for result in run["results"]}
    assert results["U204"]["message"]["text"] == (
        "down.0.block.0 (and 2 more): 48 channels do not split into 32 groups. Use a width divisible by 32, such as "
        "32 or 64; or groups out of 1, 2, 3, 4, 6, 8, 12, 16, 24, 48."
    )
    assert results["U501"]["level"] == "warning"
    assert results["U501"]["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": "a.yaml"}, "region": {"startLine": 3, "startColumn": 85}}}
    ]
    assert results["U001"]["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "none.yaml"}}}]


def test_sarif_locations_are_uris(tmp_path: Path) -> None:
    log = json.loads(ushape("check", "no file, 50%.yaml", "--sarif", cwd=tmp_path).stdout)
    (result,) = log["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "no%20file%2C%2050%25.yaml"}


def test_a_long_line_is_shown_around_the_place(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(UNET.replace("resolution: 8}", "resolution: 8, dropout: 0.1, dropouts: 0.1}"))
    lines = ushape("check", "a.yaml", cwd=tmp_path).stdout.splitlines()
    at = lines[2].index("^")
    assert lines[2][at:] == "^~~~~~~~"
    assert lines[1][at : at + 8] == "dropouts"
    assert len(lines[1]) <= 6 + 110


@pytest.mark.parametrize(
    ("edit", "where"),
    [
        ("resize: {nodes: down.0.block.0, factor: 2}", "down.0.block.0 and 3 more"),
        ("set: {nodes: mid.block_1, to: {hidden: 64}}", "mid.block_1"),
        ("unet: {skip: none}", None),  # another join is what is asked about
        ("unet: {ch: 64, norm_type: rms}", None),
    ],
)
def test_norms_that_see_other_widths_are_doubtful_wherever_they_are(
    tmp_path: Path, edit: str, where: str | None
) -> None:
    (tmp_path / "s.yaml").write_text(TINY + f"ablation:\n  variants:\n    other:\n      - {edit}\n")
    lines = ushape("check", "s.yaml", "--no-source", cwd=tmp_path).stdout.splitlines()
    said = [line.partition("norm groups in ")[2].partition(". Channels")[0] for line in lines if "U406" in line]
    assert said == ([where] if where else []), lines


def test_variants_of_another_size_and_with_wider_groups_are_doubtful(tmp_path: Path) -> None:
    wider = "    wide:  # ushape: ignore[U406]\n      - unet: {ch: 64}\n    wider:\n      - unet: {ch: 128}\n"
    text = TINY + ABLATION.replace("ablation:\n", "ablation:\n  same_parameters: 0.01\n") + wider
    (tmp_path / "s.yaml").write_text(text)
    done = ushape("check", "s.yaml", "--no-source", cwd=tmp_path)
    assert done.returncode == 0
    assert [line.partition(" parameters than")[0] for line in done.stdout.splitlines()] == [
        "s.yaml:26:5: warning U405 the variant `no attention` has 1.6% fewer",
        "s.yaml:28:5: warning U405 the variant `wide` has 297.5% more",
        "s.yaml:30:5: warning U405 the variant `wider` has 1485.2% more",
        "s.yaml:30:5: warning U406 the variant `wider` changes the channels but not the norm groups in down.0.block.0 "
        "and 9 more. Channels for each of its 32 groups: 1 in the base, 4 here. Set the groups too (num_groups), or "
        "silence this if that is the question.",
        "1 of 1 file sound, 0 errors, 4 warnings.",
    ]


DATABASE = "run: {storage: {env: USHAPE_NO_SUCH_VARIABLE}}\n"


def test_a_variable_that_is_not_set_here_is_a_warning_with_its_place(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    (tmp_path / "s.yaml").write_text(TINY + ABLATION + DATABASE)
    found = problems_of(tmp_path / "s.yaml")
    assert [str(problem).replace(f"{tmp_path}/", "") for problem in found] == [
        "s.yaml:27:7: warning U408 run.storage names the environment variable USHAPE_NO_SUCH_VARIABLE, which is not "
        "set. Set it: export USHAPE_NO_SUCH_VARIABLE=postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
    ]
    # Where it is run is where it has to be set: what only looks at the study does not ask.
    assert check_study(tmp_path / "s.yaml")[1] == ()


@pytest.mark.parametrize(("launch", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_a_launcher_that_is_not_installed_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, launch: str, package: str
) -> None:
    monkeypatch.setattr("studies.study.here.find_spec", lambda name: None if name == package else object())
    (tmp_path / "s.yaml").write_text(f"{TINY}{ABLATION}run: {{launch: {launch}}}\n")
    assert [str(problem).replace(f"{tmp_path}/", "") for problem in problems_of(tmp_path / "s.yaml")] == [
        f"s.yaml:27:7: warning U408 launch: {launch} needs the package {package}, which is not installed here. "
        f"Run `pip install 'ushape[{launch}]'`."
    ]
    monkeypatch.setattr("studies.study.here.find_spec", lambda name: object())
    assert problems_of(tmp_path / "s.yaml") == ()


def test_a_search_that_cannot_train_what_it_asks_for_is_doubted(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(TINY + SEARCH.replace("trials: 3", "trials: 13"))
    assert [str(problem).replace(f"{tmp_path}/", "") for problem in problems_of(tmp_path / "s.yaml")] == [
        "s.yaml:30:3: warning U409 13 trainings are asked of a space of 12 points, and none is trained twice. "
        "Say 12 or fewer, or let more vary."
    ]
    (tmp_path / "s.yaml").write_text(TINY + SEARCH.replace("400k", "0.1 * base"))
    assert [str(problem).replace(f"{tmp_path}/", "") for problem in problems_of(tmp_path / "s.yaml")] == [
        "s.yaml:29:3: warning U409 of 50 random points none is within parameters; the nearest is 717% over. "
        "`ushape show STUDY` counts why. Raise the budget, or let the space reach smaller networks."
    ]
    assert ushape("check", "s.yaml", cwd=tmp_path).returncode == 0
    for kept in (SEARCH.replace("trials: 3", "trials: 12"), SEARCH.replace("parameters: 400k", "memory: 1 MB")):
        (tmp_path / "s.yaml").write_text(TINY + kept)
        assert problems_of(tmp_path / "s.yaml") == ()


def test_data_that_do_not_fit_are_told_beside_everything_else(tmp_path: Path) -> None:
    text = TINY.replace("in_channels: 1", "in_channels: 3").replace("out_ch: 1", "out_ch: 3")
    text = text.replace("seeds: 2", "seed: 2")
    (tmp_path / "s.yaml").write_text(text + ABLATION.replace("attention\n", "atention\n") + "name: !tag again\n")
    assert [problem.code for problem in problems_of(tmp_path / "s.yaml")] == ["U404", "U404", "U010", "U301", "U003"]
