import math

import pytest
import torch

from studies.diffusion import SCHEDULES, Diffusion, cosine_alpha_bar, linear_alpha_bar
from studies.protocol import Objective

CPU = torch.device("cpu")


def test_linear_schedule_is_that_of_ddpm() -> None:
    alpha_bar = linear_alpha_bar(1000)
    betas = [1e-4 + (0.02 - 1e-4) * i / 999 for i in range(1000)]
    assert alpha_bar[0].item() == pytest.approx(1 - 1e-4, rel=1e-12)
    assert alpha_bar[-1].item() == pytest.approx(math.prod(1 - beta for beta in betas), rel=1e-9)
    assert alpha_bar[-1].item() == pytest.approx(4.0358e-5, rel=1e-4)


def test_cosine_schedule_follows_its_formula_until_betas_are_cut() -> None:
    alpha_bar = cosine_alpha_bar(1000)
    f = [math.cos((i / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2 for i in range(1001)]
    for t in (0, 499, 990):
        assert alpha_bar[t].item() == pytest.approx(f[t + 1] / f[0], rel=1e-9)
    assert (alpha_bar[-1] / alpha_bar[-2]).item() == pytest.approx(1 - 0.999)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("timesteps", [2, 10, 250, 1000])
def test_schedules_fall_from_one_towards_nothing(name: str, timesteps: int) -> None:
    alpha_bar = SCHEDULES[name](timesteps)
    assert alpha_bar.shape == (timesteps,)
    assert (alpha_bar.diff() < 0).all()
    assert 0 < alpha_bar[-1] < 0.02
    assert alpha_bar[0] < 1


def test_fewer_timesteps_end_as_noisy() -> None:
    assert linear_alpha_bar(250)[-1].item() == pytest.approx(linear_alpha_bar(1000)[-1].item(), rel=0.2)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_a_noisy_image_is_a_mixture_of_unit_weight(schedule: str) -> None:
    diffusion = Diffusion(Objective.model_validate({"schedule": schedule}), CPU)
    assert torch.allclose(diffusion.a**2 + diffusion.s**2, torch.ones(1000))
    x0, eps = torch.full((2, 1, 2, 2), 3.0), torch.full((2, 1, 2, 2), -1.0)
    x_t = diffusion.noisy(x0, torch.tensor([0, 999]), eps)
    assert x_t[0].mean() == pytest.approx(3 * diffusion.a[0].item() - diffusion.s[0].item())
    assert x_t[1].mean() == pytest.approx(3 * diffusion.a[999].item() - diffusion.s[999].item())


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_a_perfect_prediction_gives_back_noise_and_image(prediction: str) -> None:
    diffusion = Diffusion(Objective.model_validate({"prediction": prediction}), CPU)
    draw = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(64, 2, 4, 4, generator=draw), torch.randn(64, 2, 4, 4, generator=draw)
    t = torch.randint(1000, (64,), generator=draw)
    x_t, target = diffusion.noisy(x0, t, eps), diffusion.target(x0, t, eps)
    assert torch.allclose(diffusion.eps_of(target, x_t, t), eps, atol=1e-5)
    assert torch.allclose(diffusion.x0_of(target, x_t, t), x0, atol=1e-3)


def test_targets() -> None:
    x0, eps, t = torch.full((1, 1, 1, 1), 2.0), torch.full((1, 1, 1, 1), 5.0), torch.tensor([300])
    assert Diffusion(Objective(), CPU).target(x0, t, eps).item() == 5.0
    v = Diffusion(Objective(prediction="v"), CPU)
    assert v.target(x0, t, eps).item() == pytest.approx(5 * v.a[300].item() - 2 * v.s[300].item())
