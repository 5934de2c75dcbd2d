import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from archspec.text.errors import UserError
from studies.sections.evaluation import FeatureNetwork, Samples
from studies.sections.protocol import Digits, NpzFile, Protocol
from studies.training.sampling import classifier as classifiers
from studies.training.sampling import judge as judges
from studies.training.sampling.distance import distances, extrapolated, frechet_distance, kernel_distance
from studies.training.sampling.features import prepared, space
from studies.training.sampling.grid import grid_png
from studies.training.sampling.judge import judge

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USHAPE_CACHE", str(tmp_path / "cache"))
    for kept in (space, judges._reference, judges._real):
        kept.cache_clear()


# distances


def normal(n: int, d: int, mean: float = 0.0, deviation: float = 1.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, deviation, (n, d))


def test_the_frechet_distance_of_normal_distributions() -> None:
    """Equal up to means and scales: |Δμ|² + d·(σ₁ − σ₂)²."""
    found = frechet_distance(normal(200_000, 3, 1.0, 2.0), normal(200_000, 3, 0.0, 0.5, seed=1))
    assert found == pytest.approx(3 * 1 + 3 * 1.5**2, rel=0.01)


def test_the_frechet_distance_of_covariances_that_do_not_commute() -> None:
    scipy_linalg = pytest.importorskip("scipy.linalg")
    turn = np.array([[1.0, 0.7, 0.0], [0.0, 1.0, -0.4], [0.3, 0.0, 1.0]])
    first, second = normal(500, 3) @ turn, normal(400, 3, 0.3, seed=1) @ turn.T
    c1, c2 = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    gap = first.mean(axis=0) - second.mean(axis=0)
    expected = gap @ gap + np.trace(c1 + c2 - 2 * np.real(scipy_linalg.sqrtm(c1 @ c2)))
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)


def test_the_bias_of_few_samples_is_extrapolated_away() -> None:
    """Both from one distribution: the true distance is 0, the biased one falls as 1/n."""
    reference = normal(200_000, 16)
    biased = [frechet_distance(normal(200, 16, seed=s), reference) for s in range(1, 9)]
    straight = [extrapolated(normal(200, 16, seed=s), reference) for s in range(1, 9)]
    assert np.mean(biased) > 0.3
    assert abs(np.mean(straight)) < 0.2 * np.mean(biased)


def test_the_kernel_distance_has_no_bias() -> None:
    reference = normal(1_000, 4)
    found = np.array([kernel_distance(normal(60, 4, seed=s), reference) for s in range(1, 101)])
    assert abs(found[:, 0].mean()) < 3 * found[:, 0].std(ddof=1) / 10
    assert found[:, 0].min() < 0 < found[:, 0].max()
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(ddof=1), rel=0.35)
    assert kernel_distance(normal(60, 4, 1.0), reference)[0] > 10 * found[:, 0].std()


def test_the_kernel_distance_is_its_definition() -> None:
    first, second = normal(20, 2), normal(25, 2, 0.5, seed=1)

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 2 + 1) ** 3)

    xx = sum(kernel(a, b) for i, a in enumerate(first) for j, b in enumerate(first) if i != j) / (20 * 19)
    yy = sum(kernel(a, b) for i, a in enumerate(second) for j, b in enumerate(second) if i != j) / (25 * 24)
    xy = sum(kernel(a, b) for a in first for b in second) / (20 * 25)
    assert kernel_distance(first, second)[0] == pytest.approx(xx + yy - 2 * xy)
    assert list(distances(first, second).as_dict()) == ["fd", "fd_inf", "kd", "kd_error"]


# spaces


def test_the_space_of_the_digits_tells_their_labels_and_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifiers, "STEPS", 150)
    first = space(Digits(), None, CPU)
    assert first.name == "classifier of the 10 labels of digits"
    assert first.detail["accuracy"] > 0.85
    kept = list((tmp_path / "cache").glob("features-*.safetensors"))
    assert len(kept) == 1
    written = kept[0].stat().st_mtime_ns
    images = torch.zeros(3, 1, 8, 8, dtype=torch.uint8)
    features = first.of(images)
    assert features.shape == (3, 32)
    space.cache_clear()
    again = space(Digits(), None, CPU)
    assert kept[0].stat().st_mtime_ns == written
    assert (again.hash, again.detail) == (first.hash, first.detail)
    assert np.array_equal(again.of(images), features)
    kept[0].write_bytes(b"torn")
    space.cache_clear()
    assert space(Digits(), None, CPU).hash == first.hash


def test_data_without_labels_have_rotations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifiers, "STEPS", 150)
    ramp = np.linspace(0, 255, 8)[None, None, :, None] * np.ones((60, 1, 8, 8))
    images = (ramp * np.random.default_rng(0).uniform(0.5, 1, (60, 1, 1, 1))).astype(np.uint8)
    np.savez(tmp_path / "ramps.npz", images=images)
    found = space(NpzFile(npz=tmp_path / "ramps.npz", holdout=0.2), None, CPU)
    assert found.name == "classifier of four rotations of the images, self-supervised"
    assert found.detail["accuracy"] == 1.0


class Means(nn.Module):
    """Two features: the mean and the largest value of an image."""

    def forward(self, x: Tensor, scaled: bool = False) -> Tensor:
        flat = x.float().flatten(1)
        out = torch.stack([flat.mean(dim=1), flat.max(dim=1).values], dim=1)
        return out / 255 if scaled else out


def scripted(module: nn.Module, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(module).save(str(path))
    return path


def test_a_network_of_the_user(tmp_path: Path) -> None:
    file = scripted(Means(), tmp_path / "means.pt")
    network = FeatureNetwork(torchscript=file, name="means", size=16, values="uint8", arguments={"scaled": True})
    found = space(Digits(), network, CPU)
    assert found.name == "means"
    assert len(found.hash) == 64
    images = torch.full((2, 1, 8, 8), 51, dtype=torch.uint8)
    assert found.of(images).tolist() == [[pytest.approx(0.2), pytest.approx(0.2)]] * 2


def test_images_for_a_network() -> None:
    grey = torch.full((1, 1, 4, 4), 255, dtype=torch.uint8)
    shown = prepared(grey, FeatureNetwork(torchscript=Path("x"), name="x", size=8, values="imagenet"))
    assert shown.shape == (1, 3, 8, 8)
    expected = [(1 - m) / s for m, s in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))]
    assert shown[0, :, 0, 0].tolist() == pytest.approx(expected, rel=1e-5)
    unit = prepared(grey, FeatureNetwork(torchscript=Path("x"), name="x", values="unit"))
    assert (unit.dtype, unit.max().item(), unit.shape) == (torch.float32, 1.0, (1, 3, 4, 4))


class Map(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.float()


def test_networks_that_cannot_be_used(tmp_path: Path) -> None:
    def message(file: Path, **more: object) -> str:
        with pytest.raises(UserError) as caught:
            network = FeatureNetwork.model_validate({"torchscript": file, "name": "n", **more})
            space(Digits(), network, CPU).of(torch.zeros(2, 1, 8, 8, dtype=torch.uint8))
        return str(caught.value)

    assert f"the feature network {tmp_path}/no.pt does not exist." in message(tmp_path / "no.pt")
    (tmp_path / "text.pt").write_text("no network")
    assert "the feature network text.pt cannot be opened as TorchScript: " in message(tmp_path / "text.pt")
    file = scripted(Map(), tmp_path / "map.pt")
    assert "the feature network map.pt gives [2, 3, 8, 8], but features are [n, d]." in message(file)
    unknown = message(scripted(Map(), tmp_path / "map2.pt"), arguments={"features": True})
    assert "the feature network map2.pt cannot be called with these images: " in unknown


# grids


@pytest.mark.parametrize(("channels", "size", "mode"), [(1, 8, "L"), (3, 40, "RGB"), (4, 8, "RGB")])
def test_a_grid_shows_every_image(channels: int, size: int, mode: str) -> None:
    images = np.stack([np.full((channels, size, size), 10 * k, dtype=np.uint8) for k in range(5)])
    shown = Image.open(io.BytesIO(grid_png(images)))
    side = 32 if size == 8 else size
    assert shown.mode == mode
    assert shown.size == (3 * (side + 2) - 2, 2 * (side + 2) - 2)
    array = np.asarray(shown).reshape(shown.height, shown.width, -1)[:, :, 0]
    assert [int(array[5, k * (side + 2) + 5]) for k in range(3)] == [0, 10, 20]
    assert [int(array[side + 2 + 5, k * (side + 2) + 5]) for k in range(3)] == [30, 40, 255]


# all together


class Fixed(nn.Module):
    """Sees one image in whatever it is shown; predicts x0."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.register_buffer("image", image)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.image.expand(x.shape)  # type: ignore[operator]


def test_one_image_again_and_again_is_far_from_the_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifiers, "STEPS", 150)
    protocol = Protocol.model_validate({"objective": {"prediction": "x0"}})
    samples = Samples(number=64, steps=3, grid=4)
    found = judge(Fixed(torch.zeros(1, 8, 8)), protocol, samples, CPU)
    real = found.detail["real"]
    assert real["number"] == 180
    assert found.metrics["fd"] > 20 * real["fd_inf"]
    assert found.metrics["kd"] > 20 * abs(real["kd"])
    assert found.detail["calls"] == 5
    assert found.detail["fd_bias"] == pytest.approx(found.metrics["fd"] - found.detail["fd_inf"])
    assert (found.detail["reference"], found.detail["features"], found.detail["number"]) == (1617, 32, 64)
    assert found.png is not None
    assert Image.open(io.BytesIO(found.png)).size == (66, 66)
    assert judge(Fixed(torch.zeros(1, 8, 8)), protocol, Samples(number=20, steps=1, grid=0), CPU).png is None
