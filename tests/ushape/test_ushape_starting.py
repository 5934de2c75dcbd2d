"""The study that `ushape init --images` proposes: sizes, channels, levels and names by the folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from ruamel.yaml import YAML

from archspec import UserError
from ushape.cli.checking import problems_of
from ushape.cli.starting import _name, study_of_digits, study_of_images


def images(folder: Path, *sizes: tuple[int, int], mode: str = "RGB", count: int = 2) -> Path:
    folder.mkdir(parents=True)
    for number in range(max(count, len(sizes))):
        Image.new(mode, sizes[number % len(sizes)]).save(folder / f"{number:03}.png")
    return folder


@pytest.mark.parametrize(
    ("sizes", "asked", "resolution", "mult", "inner"),
    [
        ([(8, 8)], None, 8, [1, 2], [4]),
        ([(15, 40)], None, 8, [1, 2], [4]),
        ([(16, 16)], None, 16, [1, 2], [8]),
        ([(31, 31)], None, 16, [1, 2], [8]),
        ([(32, 40), (100, 33)], None, 32, [1, 1, 2], [16, 8]),
        ([(500, 400)], None, 32, [1, 1, 2], [16, 8]),
        ([(500, 400), (400, 9)], None, 8, [1, 2], [4]),  # the smallest side of all
        ([(4, 4)], None, 8, [1, 2], [4]),
        ([(8, 8)], 64, 64, [1, 1, 1, 2], [32, 16, 8]),
        ([(8, 8)], 256, 256, [1, 1, 1, 2], [128, 64, 32]),
        ([(8, 8)], 24, 24, [1, 2], [12]),
        ([(8, 8)], 40, 40, [1, 1, 2], [20, 10]),
    ],
)
def test_the_size_and_the_levels_follow_from_the_files(
    sizes: list[tuple[int, int]], asked: int | None, resolution: int, mult: list[int], inner: list[int], tmp_path: Path
) -> None:
    folder = images(tmp_path / "in", *sizes)
    text = study_of_images(tmp_path / "s.yaml", folder, asked)
    found = YAML(typ="safe", pure=True).load(text)
    unet = found["base"]["unet"]
    assert (unet["resolution"], unet["ch_mult"]) == (resolution, mult)
    assert found["protocol"]["data"]["resolution"] == resolution
    assert [resolution // 2**level for level in range(1, len(mult))] == inner
    assert str(inner) in text  # where attention is proposed to vary


@pytest.mark.parametrize(
    ("modes", "channels"), [(["L", "L"], 1), (["1", "L"], 1), (["L", "RGB"], 3), (["RGBA", "RGBA"], 3), (["P", "L"], 3)]
)
def test_the_channels_are_those_of_all_the_files(modes: list[str], channels: int, tmp_path: Path) -> None:
    for number, mode in enumerate(modes):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.new(mode, (16, 16)).save(tmp_path / "in" / f"{number}.png")
    found = YAML(typ="safe", pure=True).load(study_of_images(tmp_path / "s.yaml", tmp_path / "in", None))
    unet = found["base"]["unet"]
    assert (unet["in_channels"], unet["out_ch"], found["protocol"]["data"]["channels"]) == (channels,) * 3


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("cats", "cats"),
        ("my cats & dogs", "my-cats-dogs"),
        ("a.b_c-1", "a.b_c-1"),
        ("  x  ", "x"),
        ("日本", "images"),
        ("größe", "gr-e"),
        (".hidden", "hidden"),
        ("x" * 80, "x" * 60),
        ("---", "images"),
    ],
)
def test_a_study_is_named_after_the_folder(folder: str, name: str) -> None:
    assert _name(Path("/data") / folder) == name


@pytest.mark.parametrize(
    "name", ["with spaces", 'quoted "so"', "größe 日本", "a: b # c", "[x]", "2024", "1.5", "2024-01-01", "null", "true"]
)
def test_a_folder_of_any_name_is_found_again(name: str, tmp_path: Path) -> None:
    folder = images(tmp_path / name, (16, 16))
    (tmp_path / "s.yaml").write_text(study_of_images(tmp_path / "s.yaml", folder, None), encoding="utf-8")
    assert problems_of(tmp_path / "s.yaml") == ()


def test_the_folder_can_be_named_from_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images(tmp_path / "in", (16, 16))
    monkeypatch.chdir(tmp_path / "in")
    found = YAML(typ="safe", pure=True).load(study_of_images(Path("../s.yaml"), Path(), None))
    assert (found["name"], found["protocol"]["data"]["images"]) == ("in", "in")


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    folder = images(tmp_path / "in", (16, 16))
    (folder / "001.png").write_bytes(b"no image")
    with pytest.raises(UserError) as caught:
        study_of_images(tmp_path / "s.yaml", folder, None)
    assert str(caught.value).startswith(f"error U090 {folder / '001.png'} cannot be read as an image: ")
    assert str(caught.value).endswith(" Take it out, or mend it.")


@pytest.mark.parametrize(("asked", "near"), [(12, 8), (33, 32), (9, 8), (100, 96)])
def test_a_size_that_cannot_be_halved_to_eight_gets_one_that_can(asked: int, near: int, tmp_path: Path) -> None:
    folder = images(tmp_path / "in", (16, 16))
    with pytest.raises(UserError) as caught:
        study_of_images(tmp_path / "s.yaml", folder, asked)
    assert str(caught.value) == (
        f"error U090 --resolution is {asked}, which cannot be halved down to 8. Say {near}, or a double."
    )


def test_the_study_of_digits_is_sound_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(study_of_digits(), encoding="utf-8")
    assert problems_of(tmp_path / "s.yaml") == ()
    assert "$" not in study_of_digits()
