import pytest
import torch
from torch import Tensor, nn

from studies.data.dataset import Dataset
from studies.diffusion import Diffusion
from studies.protocol import Evaluate, Objective
from studies.quality import EvaluationSet, denoising_loss, evaluation_set

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
    chosen = evaluation_set(dataset(), EVALUATE, 1000)
    assert chosen.bounds == ((0, 200), (200, 400), (400, 600), (600, 800), (800, 1000))
    assert chosen.summary() == {"hash": chosen.hash, "evaluations": 30, "images": 6, "strata": 5}
    for k, (low, high) in enumerate(chosen.bounds):
        part = slice(6 * k, 6 * k + 6)
        assert torch.equal(chosen.images[part], dataset().held_out[:6])
        assert ((chosen.timesteps[part] >= low) & (chosen.timesteps[part] < high)).all()
    noise = chosen.noise.flatten(1)
    alike = torch.corrcoef(noise) - torch.eye(30)
    assert alike.abs().max() < 0.9  # neither repeated (+1) nor antithetic (−1)


def test_the_set_depends_on_its_own_seed_only() -> None:
    first = evaluation_set(dataset(), EVALUATE, 1000)
    torch.manual_seed(123)
    again = evaluation_set(dataset(), EVALUATE, 1000)
    assert again is not first
    assert first.hash == again.hash
    assert torch.equal(first.noise, again.noise)
    hashes = {
        evaluation_set(dataset(), Evaluate(strata=5, images=6, seed=1), 1000).hash,
        evaluation_set(dataset(), Evaluate(strata=5, images=7), 1000).hash,
        evaluation_set(dataset(), Evaluate(strata=6, images=6), 1000).hash,
        evaluation_set(dataset(), EVALUATE, 999).hash,
        first.hash,
    }
    assert len(hashes) == 5


def test_fewer_held_out_images_than_asked_for_are_all_used() -> None:
    chosen = evaluation_set(dataset(), Evaluate(strata=2, images=100), 1000)
    assert chosen.summary()["images"] == 8


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_a_perfect_network_has_no_loss(prediction: str) -> None:
    objective = Objective.model_validate({"prediction": prediction})
    chosen = evaluation_set(dataset(), EVALUATE, 1000)
    quality = denoising_loss(Oracle(chosen, objective, 0.0), chosen, objective, 7, CPU)
    assert quality.loss < 1e-10
    assert len(quality.bins) == 5


def test_the_loss_of_an_error_is_that_of_the_noise_for_both_predictions() -> None:
    chosen = evaluation_set(dataset(), EVALUATE, 1000)
    eps = denoising_loss(Oracle(chosen, Objective(), 0.5), chosen, Objective(), 64, CPU)
    assert eps.loss == pytest.approx(0.25, rel=1e-5)
    assert [mse for _, _, mse in eps.bins] == pytest.approx([0.25] * 5, rel=1e-5)
    v_objective = Objective(prediction="v")
    v = denoising_loss(Oracle(chosen, v_objective, 0.5), chosen, v_objective, 64, CPU)
    a = Diffusion(v_objective, CPU).a[chosen.timesteps].view(5, 6)
    assert [mse for _, _, mse in v.bins] == pytest.approx(((0.5 * a) ** 2).mean(dim=1).tolist(), rel=1e-4)


def test_predicting_nothing_costs_the_variance_of_the_noise() -> None:
    chosen = evaluation_set(dataset(), EVALUATE, 1000)
    quality = denoising_loss(Constant(0.0), chosen, Objective(), 64, CPU)
    assert quality.loss == pytest.approx(chosen.noise.square().mean().item(), rel=1e-6)


def test_unequal_strata_are_weighted_by_their_timesteps() -> None:
    chosen = evaluation_set(dataset(), Evaluate(strata=3, images=8), 10)
    assert chosen.bounds == ((0, 3), (3, 6), (6, 10))
    quality = denoising_loss(Constant(0.0), chosen, Objective(timesteps=10), 64, CPU)
    assert quality.loss == pytest.approx(sum((high - low) * mse for low, high, mse in quality.bins) / 10)


def test_it_is_taken_in_eval_mode_and_leaves_the_mode_as_it_was() -> None:
    chosen = evaluation_set(dataset(), EVALUATE, 1000)
    for training in (True, False):
        module = Constant(0.0).train(training)
        denoising_loss(module, chosen, Objective(), 16, CPU)
        assert module.modes == [False, False]
        assert module.training is training


def test_a_nan_anywhere_is_seen() -> None:
    chosen = evaluation_set(dataset(), EVALUATE, 1000)
    assert denoising_loss(Constant(0.0), chosen, Objective(), 64, CPU).is_finite()
    assert not denoising_loss(Constant(0.0, poison=900), chosen, Objective(), 64, CPU).is_finite()
