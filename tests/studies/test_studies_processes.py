"""Noise processes beside the equations of their papers, level by level; and losses beside plain loops."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from studies.sections.evaluation import Evaluate
from studies.sections.objective import Edm, Objective
from studies.sections.weighting import edm_lambda, edm_shares
from studies.training.data.dataset import Dataset
from studies.training.diffusion import (
    Diffusion,
    Preconditioned,
    Process,
    cosine_alpha_bar,
    linear_alpha_bar,
    noise_levels,
    process,
)
from studies.training.quality import denoising_loss, evaluation_set, image_errors, judged, strata

CPU = torch.device("cpu")
EDM = Edm(kind="edm")


def one(value: float) -> Tensor:
    return torch.full((1, 1, 1, 1), value)


# schedules


@pytest.mark.parametrize("timesteps", [1000, 500, 4000])
def test_betas_rise_linearly_by_the_number_of_steps(timesteps: int) -> None:
    """β from 1e-4 to 0.02, times 1000/T (Ho et al. 2020, section 4)."""
    alpha_bar = linear_alpha_bar(timesteps)
    for t in (1, timesteps // 2, timesteps - 1):
        beta = (1e-4 + (0.02 - 1e-4) * t / (timesteps - 1)) * 1000 / timesteps
        assert (alpha_bar[t] / alpha_bar[t - 1]).item() == pytest.approx(1 - beta, rel=1e-9)


def test_betas_of_few_steps_are_cut_before_they_leave_nothing() -> None:
    alpha_bar = linear_alpha_bar(10)  # the betas would rise to 2
    steps = alpha_bar[1:] / alpha_bar[:-1]
    assert steps[-1].item() == pytest.approx(1e-3)
    assert (steps > 0.9e-3).all()
    assert alpha_bar.dtype == cosine_alpha_bar(10).dtype == torch.float64


# predictions


def test_v_is_the_velocity_on_the_circle() -> None:
    """With x_φ = cos φ·x0 + sin φ·eps, v = dx_φ/dφ (Salimans & Ho 2022, appendix D)."""
    v, x0, eps, h = Diffusion(Objective(prediction="v"), CPU), 0.7, -1.3, 1e-5
    for t in (5, 400, 900):
        phi = math.atan2(v.s[t].item(), v.a[t].item())
        later, earlier = (math.cos(phi + d) * x0 + math.sin(phi + d) * eps for d in (h, -h))
        assert v.target(one(x0), torch.tensor([t]), one(eps)).item() == pytest.approx(
            (later - earlier) / (2 * h), abs=1e-4
        )


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
def test_an_output_is_an_image_by_the_formula_of_its_prediction(prediction: Any) -> None:
    known, t = Diffusion(Objective(prediction=prediction), CPU), 700
    a, s, out, x_t = known.a[t].item(), known.s[t].item(), 0.4, -0.9
    expected = {"eps": (x_t - s * out) / a, "v": a * x_t - s * out, "x0": out}[prediction]
    assert known.x0_of(one(out), one(x_t), torch.tensor([t])).item() == pytest.approx(expected, rel=1e-5)
    assert known.target(one(2.0), torch.tensor([t]), one(5.0)).item() == pytest.approx(
        {"eps": 5.0, "v": 5 * a - 2 * s, "x0": 2.0}[prediction], rel=1e-5
    )


def test_the_squared_error_of_edm_is_its_weighted_error_of_the_image() -> None:
    """λ(σ)·|D − x0|² with λ = (σ² + σ_data²)/(σ·σ_data)² is |F − target|² (Karras et al. 2022, eqs. 2 and 8)."""
    edm = Preconditioned(Edm(kind="edm", sigma_data=0.7), CPU)
    draw = torch.Generator().manual_seed(0)
    x0, eps, output = (torch.randn(9, 1, 3, 3, generator=draw, dtype=torch.float64) for _ in range(3))
    sigma = torch.logspace(-2, 2, 9, dtype=torch.float64)
    lam = (sigma**2 + 0.49) / (0.7 * sigma) ** 2
    denoised = edm.x0_of(output, edm.noisy(x0, sigma, eps), sigma)
    of_the_image = lam * (denoised - x0).square().mean(dim=(1, 2, 3))
    of_the_output = (output - edm.target(x0, sigma, eps)).square().mean(dim=(1, 2, 3))
    assert of_the_image.tolist() == pytest.approx(of_the_output.tolist(), rel=1e-9)


# levels


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_the_timestep_of_a_noise_level_is_the_nearest_in_its_logarithm(schedule: Any) -> None:
    known = Diffusion(Objective(schedule=schedule, timesteps=50), CPU)
    for sigma in (1e-6, 0.01, 0.35, 1.0, 7.7, 1e6):
        nearest = min(range(50), key=lambda t: abs(math.log(known.levels[t].item()) - math.log(sigma)))
        assert known.level(sigma).item() == nearest


def test_levels_between_two_timesteps_are_asked_for_once() -> None:
    known = Diffusion(Objective(timesteps=10), CPU)
    levels = known.levels.tolist()
    asked = [levels[9] * 2, levels[9], levels[4] * 1.001, levels[4], levels[0] / 5]
    assert known.nearest(asked) == [levels[9], levels[4], levels[0]]
    assert known.range() == levels
    assert known.timesteps == 10


def test_a_continuous_process_takes_every_level_and_a_sampler_the_range_of_its_paper() -> None:
    edm = process(EDM, CPU)
    assert edm.nearest([80.0, 1.5, 0.25]) == [80.0, 1.5, 0.25]
    found = edm.range()
    assert (found[0], found[-1]) == (0.002, 80.0)
    assert found == sorted(set(found))
    assert found[1:-1] == [sigma for sigma in edm.levels.tolist() if 0.002 < sigma < 80]


@pytest.mark.parametrize("objective", [Objective(timesteps=30), EDM])
def test_a_network_is_told_the_time_of_its_process(objective: Objective | Edm) -> None:
    known: Process = process(objective, CPU)
    t = torch.tensor([0, 17, 29])
    told = known.time(t)
    if isinstance(objective, Edm):
        assert told.tolist() == pytest.approx([math.log(known.levels[i].item()) / 4 for i in t], rel=1e-5)
    else:
        assert torch.equal(told, t)


def test_training_draws_every_timestep_alike_and_none_beyond() -> None:
    drawn = Diffusion(Objective(timesteps=5), CPU).draw(20_000, torch.Generator().manual_seed(0))
    assert drawn.dtype == torch.int64
    assert (torch.bincount(drawn) / 20_000).tolist() == pytest.approx([0.2] * 5, abs=0.02)


# losses


def data(number: int = 6) -> Dataset:
    images = torch.rand(number, 1, 4, 4, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return Dataset("random", train=images[:2], held_out=images, hash="-")


def test_losses_are_the_weighted_means_that_plain_loops_find() -> None:
    objective = Objective(timesteps=40)
    chosen = evaluation_set(data(), Evaluate(strata=4, images=6), objective)
    errors = torch.rand(24, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found = judged(errors, chosen)
    shares, loss, loss_edm = edm_shares(chosen.sigmas.tolist()), 0.0, 0.0
    for k, (low, high) in enumerate(chosen.bounds):
        rows = [(errors[6 * k + i].item(), int(chosen.timesteps[6 * k + i])) for i in range(6)]
        of_noise = [error / chosen.sigmas[t].item() ** 2 for error, t in rows]
        of_edm = [error * edm_lambda(chosen.sigmas[t].item()) for error, t in rows]
        loss += (high - low) / 40 * sum(of_noise) / 6
        weights = [shares[t] for _, t in rows]
        loss_edm += sum(shares[low:high]) * sum(w * e for w, e in zip(weights, of_edm, strict=True)) / sum(weights)
        assert found.bins[k] == (low, high, pytest.approx(sum(of_noise) / 6))
        level = found.levels[k]
        assert level.low == pytest.approx(-2 * math.log(chosen.sigmas[high - 1].item()))
        assert level.high == pytest.approx(-2 * math.log(chosen.sigmas[low].item()))
        assert level.share == pytest.approx((high - low) / 40)
        assert level.mse_edm == pytest.approx(sum(of_edm) / 6)
    assert (found.loss, found.loss_edm) == (pytest.approx(loss), pytest.approx(loss_edm))


def test_a_weighted_error_that_is_the_same_everywhere_is_the_loss() -> None:
    chosen = evaluation_set(data(), Evaluate(strata=5, images=6), Objective())
    sigma = chosen.sigmas[chosen.timesteps]
    assert judged(0.3 * sigma**2, chosen).loss == pytest.approx(0.3)
    lam = torch.tensor([edm_lambda(level) for level in sigma.tolist()], dtype=torch.float64)
    assert judged(0.3 / lam, chosen).loss_edm == pytest.approx(0.3)


@pytest.mark.parametrize("error", [math.nan, math.inf])
def test_one_error_that_is_no_number_makes_both_losses_none(error: float) -> None:
    chosen = evaluation_set(data(), Evaluate(strata=3, images=6), Objective())
    errors = torch.ones(18, dtype=torch.float64)
    assert judged(errors, chosen).is_finite()
    errors[7] = error
    assert not judged(errors, chosen).is_finite()


class Halves(nn.Module):
    """Half of what it is shown, moved by the time."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return x / 2 + 1e-3 * t.view(-1, 1, 1, 1)


@pytest.mark.parametrize("objective", [Objective(prediction="x0"), EDM])
def test_errors_do_not_depend_on_the_batch_and_give_way_before_each(objective: Objective | Edm) -> None:
    chosen = evaluation_set(data(), Evaluate(strata=3, images=6), objective)
    whole = image_errors(Halves(), chosen, objective, 100, CPU)
    paused: list[int] = []
    parts = image_errors(Halves(), chosen, objective, 4, CPU, lambda: paused.append(1))
    assert (whole.shape, whole.dtype, len(paused)) == ((18,), torch.float64, 5)
    assert torch.allclose(whole, parts, rtol=1e-9)


def test_the_error_is_that_of_the_image_at_each_evaluation() -> None:
    objective = Objective(prediction="x0")
    chosen = evaluation_set(data(), Evaluate(strata=2, images=6), objective)
    found = image_errors(Halves(), chosen, objective, 5, CPU)
    known = Diffusion(objective, CPU)
    for k in (0, 4, 11):
        t = int(chosen.timesteps[k])
        x_t = known.a[t] * chosen.images[k] + known.s[t] * chosen.noise[k]
        image = x_t / 2 + 1e-3 * t
        assert found[k].item() == pytest.approx((image - chosen.images[k]).square().mean().item(), rel=1e-5)
    assert denoising_loss(Halves(), chosen, objective, 5, CPU) == judged(found, chosen)


@pytest.mark.parametrize(("timesteps", "count"), [(30, 4), (200, 7), (1000, 20)])
def test_strata_have_equal_shares_of_the_mixture_as_far_as_whole_timesteps_allow(timesteps: int, count: int) -> None:
    sigmas = noise_levels(Objective(timesteps=timesteps))
    mass = [0.5 / timesteps + share / 2 for share in edm_shares(sigmas.tolist())]
    assert sum(mass) == pytest.approx(1)
    bounds = strata(sigmas, count)
    coarsest = max(mass)
    for low, high in bounds:
        assert sum(mass[low:high]) == pytest.approx(1 / count, abs=coarsest)
