from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import archspec
from archspec import UserError
from archspec.ops.shapes import FeatureMap
from studies.sections.protocol import Digits, ImageFolder, NpzFile, Source
from studies.training.data.dataset import load, tensor_hash
from studies.training.data.digits import digits_table
from studies.training.data.sources import check_fits, image_shape, read

SPEC = """
version: 1
name: tiny
unet: {{ch: 32, out_ch: {out}, ch_mult: [1, 2], num_res_blocks: 1, attn_resolutions: [], in_channels: {channels},
  resolution: {size}}}
"""


def message(source: Source) -> str:
    with pytest.raises(UserError) as from_values:
        read(source)
    return said(from_values.value)


def said(error: UserError) -> str:
    assert {problem.code for problem in error.problems} <= {"U090", "U404"}
    return "\n".join(f"{problem.message} {problem.hint or ''}".rstrip() for problem in error.problems)


def spec(channels: int, size: int, out: int) -> archspec.ArchGraph:
    return archspec.build(archspec.loads(SPEC.format(channels=channels, size=size, out=out)))


def save(folder: Path, name: str, array: np.ndarray) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


# digits


def test_digits_are_those_of_scikit_learn_wherever_it_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    read = digits_table()
    monkeypatch.setattr("studies.training.data.digits.find_spec", lambda name: None)
    assert (read == digits_table()).all()
    assert read.shape == (1797, 65)


def test_digits_are_scaled_and_split() -> None:
    data = load(Digits())
    assert data.summary() == {
        "name": "digits",
        "images": 1797,
        "train": 1617,
        "held_out": 180,
        "hash": "654a834d0bb9b922dba5df791b4f04dd715c3f5bd2f853c9f8ab7eb9a491b492",
        "shape": [1, 8, 8],
    }
    everything = torch.cat([data.train, data.held_out])
    assert everything.dtype == torch.float32
    assert (everything.min(), everything.max()) == (-1.0, 1.0)
    assert set((everything * 8 + 8).flatten().tolist()) == set(range(17))


def test_the_split_is_a_partition_that_only_its_own_seed_moves() -> None:
    torch.manual_seed(1)
    first = load(Digits())
    torch.manual_seed(2)
    load.cache_clear()
    again, other = load(Digits()), load(Digits(split_seed=1))
    assert torch.equal(first.held_out, again.held_out)
    assert torch.equal(first.train, again.train)
    assert not torch.equal(first.held_out, other.held_out)
    assert first.hash == other.hash
    rows = sorted(map(tuple, torch.cat([first.train, first.held_out]).flatten(1).tolist()))
    assert rows == sorted(map(tuple, read(Digits()).reshape(1797, 64).tolist()))


def test_holdout_leaves_something_on_both_sides(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", noise(4, 6, 6))
    for share, held_out in [(0.001, 1), (0.5, 2), (0.999, 3)]:
        assert len(load(NpzFile(npz=tmp_path / "a.npz", holdout=share)).held_out) == held_out
    np.savez(tmp_path / "one.npz", noise(1, 6, 6))
    assert message(NpzFile(npz=tmp_path / "one.npz")) == (
        "one.npz holds 1 image; a study needs one to train on and one held out."
    )


def test_the_hash_knows_values_shape_and_type() -> None:
    x = torch.arange(6.0)
    hashes = {tensor_hash([t]) for t in (x, x.view(2, 3), x.double(), x + 1)} | {tensor_hash([x, x])}
    assert len(hashes) == 5
    assert tensor_hash([x.view(2, 3).t().contiguous().t()]) == tensor_hash([x.view(2, 3)])


# images


def test_images_are_read_recursively_cropped_and_scaled(tmp_path: Path) -> None:
    wide = np.zeros((4, 8, 3), np.uint8)
    wide[:, 2:6] = [255, 0, 51]
    save(tmp_path, "b/wide.PNG", wide)
    save(tmp_path, "a.png", np.full((4, 4), 255, np.uint8))
    save(tmp_path, "._hidden.png", wide)
    (tmp_path / "notes.txt").write_text("not an image", encoding="utf-8")
    images = read(ImageFolder(images=tmp_path))
    assert images.shape == (2, 3, 4, 4)
    assert images.dtype == np.float32
    assert np.array_equal(images[0], np.ones((3, 4, 4)))
    assert np.allclose(images[1, :, 0, 0], [1, -1, 51 / 127.5 - 1])
    assert np.ptp(images[1], axis=(1, 2)).max() == 0
    assert image_shape(ImageFolder(images=tmp_path)) == FeatureMap(channels=3, size=4)


def test_images_are_resized_and_turned_grey(tmp_path: Path) -> None:
    for i, size in enumerate([(9, 12), (16, 16), (30, 7)]):
        save(tmp_path, f"{i}.jpg", noise(*size, 3))
    source = ImageFolder(images=tmp_path, resolution=8, channels=1)
    assert read(source).shape == (3, 1, 8, 8)
    assert image_shape(source) == FeatureMap(channels=1, size=8)


def test_transparent_pixels_are_white(tmp_path: Path) -> None:
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[0, 0, 3] = 255
    save(tmp_path, "a.png", rgba)
    save(tmp_path, "b.png", rgba)
    images = read(ImageFolder(images=tmp_path))
    assert images[0, 0].sum() == 14.0
    assert images[0, 0, 0, 0] == -1.0


def test_folders_that_are_not_there_or_hold_nothing(tmp_path: Path) -> None:
    assert message(ImageFolder(images=tmp_path / "no")) == (
        f"the images folder {tmp_path}/no does not exist. Paths are relative to the study file."
    )
    assert message(ImageFolder(images=tmp_path)) == (
        f"the images folder {tmp_path} holds no image files. "
        "Known are .bmp, .gif, .jpeg, .jpg, .pgm, .png, .ppm, .tif, .tiff, .webp."
    )
    (tmp_path / "file").touch()
    assert message(ImageFolder(images=tmp_path / "file")) == (
        f"the images folder {tmp_path}/file is a file, not a folder. Paths are relative to the study file."
    )


def test_images_of_several_sizes_need_a_resolution(tmp_path: Path) -> None:
    save(tmp_path, "a.png", noise(4, 9))
    save(tmp_path, "b.png", noise(6, 6))
    assert message(ImageFolder(images=tmp_path)) == (
        f"the images in {tmp_path} have different sizes: squares of 4 to 6 pixels fit in them. "
        "Set resolution to bring them to one size."
    )


def test_every_unreadable_file_is_named(tmp_path: Path) -> None:
    save(tmp_path, "good.png", noise(4, 4))
    whole = save(tmp_path, "z.png", noise(64, 64)).read_bytes()
    (tmp_path / "z.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "bad.png").write_bytes(b"not an image")
    save(tmp_path, "deep.png", np.zeros((4, 4), np.uint16))
    lines = message(ImageFolder(images=tmp_path)).splitlines()
    assert lines[0].startswith("bad.png cannot be read as an image: cannot identify image file")
    assert lines[1] == (
        "deep.png cannot be read as an image: mode I;16 has more than 8 bits a channel; "
        "store deep images in a .npz file"
    )
    assert lines[2].startswith("z.png cannot be read as an image: ")
    assert len(lines) == 3
    for i in range(20):
        (tmp_path / f"bad{i:02}.png").touch()
    lines = message(ImageFolder(images=tmp_path)).splitlines()
    assert len(lines) == 11
    assert lines[-1] == f"… and 13 more files of {tmp_path}."


# npz


@pytest.mark.parametrize(
    ("array", "layout", "shape"),
    [
        (noise(5, 6, 6), "auto", (5, 1, 6, 6)),
        (noise(5, 6, 6, 3), "auto", (5, 3, 6, 6)),
        (noise(5, 3, 6, 6), "auto", (5, 3, 6, 6)),
        (noise(5, 3, 3, 3), "auto", (5, 3, 3, 3)),
        (noise(5, 6, 6, 2), "NHWC", (5, 2, 6, 6)),
        (noise(5, 2, 6, 6), "NCHW", (5, 2, 6, 6)),
    ],
)
def test_npz_layouts(tmp_path: Path, array: np.ndarray, layout: str, shape: tuple[int, ...]) -> None:
    np.savez(tmp_path / "a.npz", images=array)
    source = NpzFile.model_validate({"npz": tmp_path / "a.npz", "layout": layout})
    images = read(source)
    assert images.shape == shape
    assert image_shape(source) == FeatureMap(channels=shape[1], size=shape[2])
    axis = {(5, 6, 6, 3): 3, (5, 6, 6, 2): 3}.get(array.shape, 1)
    expected = array[:, None] if array.ndim == 3 else np.moveaxis(array, axis, 1)
    assert np.allclose(images, expected / 127.5 - 1, atol=1e-6)


def test_npz_floats_are_in_either_range(tmp_path: Path) -> None:
    unit = np.linspace(0, 1, 32, dtype=np.float64).reshape(2, 4, 4)
    np.savez(tmp_path / "a.npz", unit=unit, signed=unit * 2 - 1, half=(unit * 2 - 1).astype(np.float16))
    unit_read, signed, half = (read(NpzFile(npz=tmp_path / "a.npz", key=key)) for key in ("unit", "signed", "half"))
    assert np.allclose(unit_read, (unit * 2 - 1)[:, None])
    assert np.allclose(signed, unit_read)
    assert np.allclose(half, unit_read, atol=1e-3)


def test_npz_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    both = NpzFile(npz=path)

    def both_messages(source: NpzFile) -> str:
        with pytest.raises(UserError) as from_header:
            image_shape(source)
        assert said(from_header.value) == message(source)
        return message(source)

    np.savez(path, a=noise(4, 6, 6), b=noise(4, 6, 5), c=noise(4, 6, 6).astype(np.float32), d=noise(4, 6, 6) > 99)
    assert both_messages(both) == f"{path} holds several arrays. Set key to one of: a, b, c, d."
    assert both_messages(NpzFile(npz=path, key="z")) == (f"{path} has no array 'z'. Set key to one of: a, b, c, d.")
    assert both_messages(NpzFile(npz=path, key="b")) == (
        f"the array in {path} has the shape [4, 6, 5], which is no stack of square images. "
        "Shapes are [n, c, h, w], [n, h, w, c] or [n, h, w], with h equal to w."
    )
    assert message(NpzFile(npz=path, key="c")) == (
        f"the array in {path} has float32 values from 0 to 249. Give uint8, or floats in 0…1 or in −1…1."
    )
    assert message(NpzFile(npz=path, key="d")) == (
        f"the array in {path} has bool values. Give uint8, or floats in 0…1 or in −1…1."
    )
    np.savez(path)
    assert both_messages(both) == f"{path} holds no array."
    np.savez(path, np.array([{}, {}], dtype=object))
    assert message(both).startswith(f"{path} cannot be read as a .npz file: Object arrays cannot be loaded")
    for content in (b"", b"nothing of the kind"):
        path.write_bytes(content)
        assert message(both).startswith(f"{path} cannot be read as a .npz file: ")
        with pytest.raises(UserError, match=r"cannot be read as a \.npz file"):
            image_shape(both)
    np.save(tmp_path / "plain.npy", noise(4, 6, 6))
    assert "cannot be read as a .npz file" in message(NpzFile(npz=tmp_path / "plain.npy"))
    assert message(NpzFile(npz=tmp_path / "no.npz")).endswith("does not exist. Paths are relative to the study file.")


def test_nan_in_an_array_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", np.full((2, 4, 4), np.nan))
    assert "has float64 values from nan to nan." in message(NpzFile(npz=tmp_path / "a.npz"))


# data and architecture


def test_an_architecture_that_fits_is_accepted() -> None:
    check_fits(spec(channels=1, size=8, out=1), Digits())


def test_an_architecture_that_does_not_fit_is_refused_with_all_that_is_wrong() -> None:
    with pytest.raises(UserError) as caught:
        check_fits(spec(channels=3, size=16, out=3), Digits())
    assert said(caught.value).splitlines() == [
        "the images of digits are 1x8x8, but the architecture takes 3x16x16. "
        "Set in_channels: 1 and resolution: 8, or choose other data.",
        "the architecture gives 3x16x16, but the noise of digits has the shape 1x8x8. Set out_ch: 1.",
    ]
