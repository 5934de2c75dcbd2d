import math

import pytest
import torch

from studies.sections.protocol import Edm, Objective
from studies.training.diffusion import (
    SCHEDULES,
    Diffusion,
    Preconditioned,
    cosine_alpha_bar,
    linear_alpha_bar,
    process,
)

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


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
def test_a_perfect_prediction_gives_back_the_image(prediction: str) -> None:
    diffusion = Diffusion(Objective.model_validate({"prediction": prediction}), CPU)
    draw = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(64, 2, 4, 4, generator=draw), torch.randn(64, 2, 4, 4, generator=draw)
    t = torch.randint(1000, (64,), generator=draw)
    x_t, target = diffusion.noisy(x0, t, eps), diffusion.target(x0, t, eps)
    assert torch.allclose(diffusion.x0_of(target, x_t, t), x0, atol=1e-3)


def test_targets() -> None:
    x0, eps, t = torch.full((1, 1, 1, 1), 2.0), torch.full((1, 1, 1, 1), 5.0), torch.tensor([300])
    assert Diffusion(Objective(), CPU).target(x0, t, eps).item() == 5.0
    v = Diffusion(Objective(prediction="v"), CPU)
    assert v.target(x0, t, eps).item() == pytest.approx(5 * v.a[300].item() - 2 * v.s[300].item())


# the preconditioned denoiser


def test_preconditioning_is_that_of_table_1() -> None:
    edm = Preconditioned(Edm(kind="edm"), CPU)
    sigma = torch.tensor([0.002, 0.5, 80.0])
    x0, eps = torch.full((3, 1, 1, 1), 2.0), torch.full((3, 1, 1, 1), -1.0)
    noisy = edm.noisy(x0, sigma, eps).flatten().tolist()
    assert noisy == pytest.approx([(2 - s) / math.sqrt(s**2 + 0.25) for s in (0.002, 0.5, 80.0)], rel=1e-6)
    assert edm.time(sigma).tolist() == pytest.approx([math.log(s) / 4 for s in (0.002, 0.5, 80.0)])
    zero = edm.x0_of(torch.zeros(3, 1, 1, 1), edm.noisy(x0, sigma, eps), sigma).flatten().tolist()
    assert zero == pytest.approx([0.25 / (s**2 + 0.25) * (2 - s) for s in (0.002, 0.5, 80.0)], rel=1e-5)
    one = edm.x0_of(torch.ones(3, 1, 1, 1), torch.zeros(3, 1, 1, 1), sigma).flatten().tolist()
    assert one == pytest.approx([0.5 * s / math.sqrt(s**2 + 0.25) for s in (0.002, 0.5, 80.0)], rel=1e-6)


def test_inputs_and_targets_of_edm_have_unit_variance_for_images_of_sigma_data() -> None:
    edm = Preconditioned(Edm(kind="edm"), CPU)
    draw = torch.Generator().manual_seed(0)
    for level in (0.01, 0.3, 5.0):
        sigma = torch.full((4,), level)
        x0, eps = (torch.randn(4, 1, 100, 100, generator=draw) for _ in range(2))
        assert edm.noisy(0.5 * x0, sigma, eps).std().item() == pytest.approx(1, rel=0.02)
        assert edm.target(0.5 * x0, sigma, eps).std().item() == pytest.approx(1, rel=0.02)


def test_a_perfect_output_of_edm_is_the_image() -> None:
    edm = Preconditioned(Edm(kind="edm"), CPU)
    draw = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(64, 2, 4, 4, generator=draw), torch.randn(64, 2, 4, 4, generator=draw)
    sigma = edm.draw(64, draw)
    assert torch.allclose(edm.x0_of(edm.target(x0, sigma, eps), edm.noisy(x0, sigma, eps), sigma), x0, atol=1e-4)
    index = torch.arange(0, 1000, 16)[:64]
    assert torch.equal(edm.noisy(x0[:63], index, eps[:63]), edm.noisy(x0[:63], edm.levels[index].float(), eps[:63]))


def test_edm_draws_normal_logarithms() -> None:
    sigma = Preconditioned(Edm(kind="edm", p_mean=-0.4, p_std=1.0), CPU).draw(20_000, torch.Generator().manual_seed(0))
    assert sigma.log().mean().item() == pytest.approx(-0.4, abs=0.03)
    assert sigma.log().std().item() == pytest.approx(1.0, abs=0.03)


def test_both_processes_are_evaluated_at_the_same_levels() -> None:
    levels = process(Objective(), CPU).levels
    assert torch.equal(levels, process(Edm(kind="edm"), CPU).levels)
    alpha_bar = linear_alpha_bar(1000)
    assert levels[500].item() == pytest.approx(math.sqrt((1 - alpha_bar[500]) / alpha_bar[500]))


@pytest.mark.parametrize("objective", [Objective(), Edm(kind="edm")])
def test_an_image_with_noise_is_shown_scaled(objective: Objective | Edm) -> None:
    known = process(objective, CPU)
    t = torch.tensor([3, 700])
    x0, eps = torch.full((2, 1, 2, 2), 0.5), torch.full((2, 1, 2, 2), -1.0)
    sigma = known.levels[t].float().view(-1, 1, 1, 1)
    assert torch.allclose(known.scaled(x0 + sigma * eps, t), known.noisy(x0, t, eps), atol=1e-6)
