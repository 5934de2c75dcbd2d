import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from studies.sections.protocol import Edm, Evaluate, Objective
from studies.sections.weighting import SnrBin, edm_lambda, edm_shares
from studies.training.data.dataset import Dataset
from studies.training.diffusion import Diffusion, noise_levels
from studies.training.quality import EvaluationSet, denoising_loss, evaluation_set, strata

CPU = torch.device("cpu")
EVALUATE = Evaluate(strata=5, images=6)


def dataset() -> Dataset:
    images = torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return Dataset("rand", train=images[:12], held_out=images[12:], hash="-")


class Constant(nn.Module):
    """Always the same value, whatever it is shown; NaN at timesteps from `poison` on."""

    def __init__(self, value: float, poison: int = 10**9) -> None:
        super().__init__()
        self.value, self.poison = value, poison
        self.modes: list[bool] = []

    def forward(self, x: Tensor, t: Tensor, context: Tensor | None = None) -> Tensor:
        self.modes.append(self.training)
        out = torch.full_like(x, self.value)
        out[t >= self.poison] = torch.nan
        return out


class Oracle(nn.Module):
    """Knows the evaluation set and gives the target plus an error."""

    def __init__(self, chosen: EvaluationSet, objective: Objective, error: float) -> None:
        super().__init__()
        self.chosen, self.diffusion, self.error, self.at = chosen, Diffusion(objective, CPU), error, 0

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        part = slice(self.at, self.at + len(x))
        self.at += len(x)
        return self.diffusion.target(self.chosen.images[part], t, self.chosen.noise[part]) + self.error


def test_every_image_meets_every_stratum_once_with_noise_of_its_own() -> None:
    chosen = evaluation_set(dataset(), EVALUATE, Objective())
    assert chosen.bounds == ((0, 54), (54, 142), (142, 311), (311, 606), (606, 1000))
    assert chosen.summary() == {"hash": chosen.hash, "evaluations": 30, "images": 6, "strata": 5}
    for k, (low, high) in enumerate(chosen.bounds):
        part = slice(6 * k, 6 * k + 6)
        assert torch.equal(chosen.images[part], dataset().held_out[:6])
        assert ((chosen.timesteps[part] >= low) & (chosen.timesteps[part] < high)).all()
    noise = chosen.noise.flatten(1)
    alike = torch.corrcoef(noise) - torch.eye(30)
    assert alike.abs().max() < 0.9  # neither repeated (+1) nor antithetic (−1)


def test_the_set_depends_on_its_own_seed_only() -> None:
    first = evaluation_set(dataset(), EVALUATE, Objective())
    torch.manual_seed(123)
    again = evaluation_set(dataset(), EVALUATE, Objective())
    assert again is not first
    assert first.hash == again.hash
    assert torch.equal(first.noise, again.noise)
    hashes = {
        evaluation_set(dataset(), Evaluate(strata=5, images=6, seed=1), Objective()).hash,
        evaluation_set(dataset(), Evaluate(strata=5, images=7), Objective()).hash,
        evaluation_set(dataset(), Evaluate(strata=6, images=6), Objective()).hash,
        evaluation_set(dataset(), EVALUATE, Objective(timesteps=999)).hash,
        first.hash,
    }
    assert len(hashes) == 5


def test_fewer_held_out_images_than_asked_for_are_all_used() -> None:
    chosen = evaluation_set(dataset(), Evaluate(strata=2, images=100), Objective())
    assert chosen.summary()["images"] == 8


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
def test_a_perfect_network_has_no_loss(prediction: str) -> None:
    objective = Objective.model_validate({"prediction": prediction})
    chosen = evaluation_set(dataset(), EVALUATE, Objective())
    quality = denoising_loss(Oracle(chosen, objective, 0.0), chosen, objective, 7, CPU)
    assert quality.loss < 1e-10
    assert len(quality.bins) == 5


def test_the_loss_of_an_error_is_that_of_the_noise_for_both_predictions() -> None:
    chosen = evaluation_set(dataset(), EVALUATE, Objective())
    eps = denoising_loss(Oracle(chosen, Objective(), 0.5), chosen, Objective(), 64, CPU)
    assert eps.loss == pytest.approx(0.25, rel=1e-5)
    assert [mse for _, _, mse in eps.bins] == pytest.approx([0.25] * 5, rel=1e-5)
    v_objective = Objective(prediction="v")
    v = denoising_loss(Oracle(chosen, v_objective, 0.5), chosen, v_objective, 64, CPU)
    a = Diffusion(v_objective, CPU).a[chosen.timesteps].view(5, 6)
    assert [mse for _, _, mse in v.bins] == pytest.approx(((0.5 * a) ** 2).mean(dim=1).tolist(), rel=1e-4)


def test_predicting_nothing_costs_the_variance_of_the_noise() -> None:
    chosen = evaluation_set(dataset(), EVALUATE, Objective())
    quality = denoising_loss(Constant(0.0), chosen, Objective(), 64, CPU)
    per_stratum = chosen.noise.square().view(5, -1).mean(dim=1).tolist()
    shares = [(high - low) / 1000 for low, high in chosen.bounds]
    assert quality.loss == pytest.approx(sum(a * b for a, b in zip(shares, per_stratum, strict=True)), rel=1e-6)


def test_unequal_strata_are_weighted_by_their_timesteps() -> None:
    chosen = evaluation_set(dataset(), Evaluate(strata=3, images=8), Objective(timesteps=10))
    assert chosen.bounds == ((0, 1), (1, 4), (4, 10))
    quality = denoising_loss(Constant(0.0), chosen, Objective(timesteps=10), 64, CPU)
    assert quality.loss == pytest.approx(sum((high - low) * mse for low, high, mse in quality.bins) / 10)


def test_it_is_taken_in_eval_mode_and_leaves_the_mode_as_it_was() -> None:
    chosen = evaluation_set(dataset(), EVALUATE, Objective())
    for training in (True, False):
        module = Constant(0.0).train(training)
        denoising_loss(module, chosen, Objective(), 16, CPU)
        assert module.modes == [False, False]
        assert module.training is training


def test_a_nan_anywhere_is_seen() -> None:
    chosen = evaluation_set(dataset(), EVALUATE, Objective())
    assert denoising_loss(Constant(0.0), chosen, Objective(), 64, CPU).is_finite()
    assert not denoising_loss(Constant(0.0, poison=900), chosen, Objective(), 64, CPU).is_finite()


# what the network predicts does not matter


class GaussianDenoiser(nn.Module):
    """The best denoiser of pixels that are normal with a mean and a deviation, in any parametrisation."""

    def __init__(self, objective: Objective | Edm, mean: float = 0.2, deviation: float = 0.6) -> None:
        super().__init__()
        self.objective, self.mean, self.variance = objective, mean, deviation**2
        self.sigmas = noise_levels(objective)

    def denoised(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        return (self.variance * noisy + sigma**2 * self.mean) / (self.variance + sigma**2)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        if isinstance(self.objective, Edm):
            sigma, data = (4 * t.double()).exp().view(-1, 1, 1, 1), self.objective.sigma_data
            root = (sigma**2 + data**2).sqrt()
            d = self.denoised(x.double() * root, sigma)
            return ((d - data**2 / root**2 * (x.double() * root)) * root / (sigma * data)).float()
        sigma = self.sigmas[t].view(-1, 1, 1, 1)
        a, s = 1 / (1 + sigma**2).sqrt(), sigma / (1 + sigma**2).sqrt()
        d = self.denoised(x.double() / a, sigma)
        eps = (x.double() - a * d) / s
        return {"x0": d, "eps": eps, "v": a * eps - s * d}[self.objective.prediction].float()


OBJECTIVES = [Objective(), Objective(prediction="v"), Objective(prediction="x0"), Edm(kind="edm")]


def test_one_denoiser_has_one_loss_in_every_parametrisation() -> None:
    sets = [evaluation_set(dataset(), EVALUATE, objective) for objective in OBJECTIVES]
    assert len({chosen.hash for chosen in sets}) == 1
    found = [
        denoising_loss(GaussianDenoiser(objective), chosen, objective, 7, CPU)
        for objective, chosen in zip(OBJECTIVES, sets, strict=True)
    ]
    assert 0.01 < found[0].loss < 0.5
    assert 0.01 < found[0].loss_edm < 2
    for other in found[1:]:
        assert other.loss == pytest.approx(found[0].loss, rel=1e-4)
        assert other.loss_edm == pytest.approx(found[0].loss_edm, rel=1e-4)
        for ours, theirs in zip(other.levels, found[0].levels, strict=True):
            assert ours.row() == pytest.approx(theirs.row(), rel=2e-3)


def test_the_numbers_are_those_of_the_formulas() -> None:
    """Normal pixels: mse_x0 = s²σ²/(s² + σ²) at every level, whatever the weighting makes of it."""
    draw = torch.Generator().manual_seed(0)
    images = torch.randn((400, 1, 8, 8), generator=draw) * 0.6 + 0.2
    data = Dataset("normal", images[:2], images, "-")
    chosen = evaluation_set(data, Evaluate(strata=20, images=400), Objective())
    found = denoising_loss(GaussianDenoiser(Objective()), chosen, Objective(), 500, CPU)
    sigma = chosen.sigmas
    error = 0.36 * sigma**2 / (0.36 + sigma**2)
    assert found.loss == pytest.approx(float((error / sigma**2).mean()), rel=0.01)
    shares = torch.tensor(edm_shares(sigma.tolist()), dtype=torch.float64)
    weighted = float((shares * error * (sigma**2 + 0.25) / (0.5 * sigma) ** 2).sum())
    assert found.loss_edm == pytest.approx(weighted, rel=0.01)


def weighted_loss(bins: Sequence[SnrBin], weight: Callable[[float], float], points: int = 64) -> float:
    """The mean of weight(snr)·mse_x0 over timesteps, uniform in log-SNR within a bin, where mse_x0 follows 1/λ(σ)."""

    def mean_over(one: SnrBin) -> float:
        step = (one.high - one.low) / points
        snrs = [math.exp(one.low + step * (k + 0.5)) for k in range(points)]
        return sum(weight(snr) / edm_lambda(snr**-0.5) for snr in snrs) / points

    return sum(one.share * one.mse_edm * mean_over(one) for one in bins)


def test_every_weighting_is_a_sum_over_the_bins() -> None:
    draw = torch.Generator().manual_seed(0)
    images = torch.randn((400, 1, 8, 8), generator=draw) * 0.6 + 0.2
    data = Dataset("normal", images[:2], images, "-")
    chosen = evaluation_set(data, Evaluate(strata=20, images=400), Objective())
    bins = denoising_loss(GaussianDenoiser(Objective()), chosen, Objective(), 500, CPU).levels
    assert sum(bin_.share for bin_ in bins) == pytest.approx(1)
    assert all(lower.low > higher.high for lower, higher in pairwise(bins))
    snr = chosen.sigmas**-2
    error = 0.36 / (0.36 * snr + 1)
    weights: dict[str, Callable[[float], float]] = {
        "eps": lambda r: r, "x0": lambda r: 1.0, "v": lambda r: 1 + r, "min-SNR-5": lambda r: min(r, 5.0),
    }  # fmt: skip
    for weight in weights.values():
        exact = float((torch.tensor([weight(r) for r in snr.tolist()]) * error).mean())
        assert weighted_loss(bins, weight) == pytest.approx(exact, rel=0.03)


def test_the_shares_of_edm_are_a_normal_of_the_logarithm() -> None:
    sigmas = [math.exp(-6 + 0.01 * k) for k in range(1001)]
    shares = edm_shares(sigmas)
    assert sum(shares) == pytest.approx(1)
    mean = sum(share * math.log(sigma) for share, sigma in zip(shares, sigmas, strict=True))
    square = sum(share * math.log(sigma) ** 2 for share, sigma in zip(shares, sigmas, strict=True))
    assert mean == pytest.approx(-1.2, abs=1e-3)
    assert math.sqrt(square - mean**2) == pytest.approx(1.2, abs=1e-3)


@pytest.mark.parametrize(("timesteps", "count"), [(10, 10), (10, 3), (2, 1), (1000, 20), (1000, 1000)])
def test_strata_cover_every_timestep_once(timesteps: int, count: int) -> None:
    bounds = strata(noise_levels(Objective(timesteps=timesteps)), count)
    assert (len(bounds), bounds[0][0], bounds[-1][1]) == (count, 0, timesteps)
    assert all(low < high for low, high in bounds)
    assert all(before[1] == after[0] for before, after in pairwise(bounds))
