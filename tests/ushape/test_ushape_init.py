"""What `ushape init` writes, and where it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from archspec import UserError
from tests.command import ushape
from ushape.cli.app import app
from ushape.cli.checking import problems_of
from ushape.cli.starting import _seen_from


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
