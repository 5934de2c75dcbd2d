import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from studies.sections.evaluation import Samples
from studies.sections.objective import Edm, Objective
from studies.training.diffusion import noise_levels, process
from studies.training.sampling.draw import NetworkDenoiser, as_bytes, drawn, starting_noise
from studies.training.sampling.samplers import SAMPLERS, ddim, even_timesteps, heun, rho_levels

CPU = torch.device("cpu")
MEAN, DEVIATION = 0.2, 0.5
OBJECTIVES = [Objective(), Objective(prediction="v"), Objective(prediction="x0"), Edm(kind="edm")]


def best(noisy: Tensor, sigma: float) -> Tensor:
    """The denoiser of normal pixels: their mean, given pixel and noise."""
    return (DEVIATION**2 * noisy + sigma**2 * MEAN) / (DEVIATION**2 + sigma**2)


def exact(noisy: Tensor, sigma: float) -> Tensor:
    """Where the probability flow of normal pixels ends: deviations from the mean shrink as the spread does."""
    return MEAN + (noisy - MEAN) * DEVIATION / math.sqrt(DEVIATION**2 + sigma**2)


def geometric(high: float, low: float, steps: int) -> list[float]:
    return [high * (low / high) ** (k / (steps - 1)) for k in range(steps)]


@pytest.mark.parametrize(("name", "order"), [("ddim", 1), ("heun", 2)])
def test_samplers_end_where_the_flow_ends_and_have_their_order(name: str, order: int) -> None:
    sampler = SAMPLERS[name][0]
    noisy = torch.randn(1000, 1, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 20
    errors = []
    for steps in (40, 80, 160):
        sigmas = geometric(20, 1e-4, steps)
        errors.append(float((sampler(best, noisy, sigmas) - exact(noisy, 20)).abs().mean()))
    for coarse, fine in pairwise(errors):
        assert coarse / fine == pytest.approx(2**order, rel=0.15)
    assert errors[-1] < {1: 0.02, 2: 2e-3}[order]


def test_the_samples_of_normal_pixels_are_normal() -> None:
    noisy = torch.randn(20_000, 1, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 80
    found = heun(best, noisy, rho_levels([0.002, 80.0], 64))
    assert found.mean().item() == pytest.approx(MEAN, abs=0.015)
    assert found.std().item() == pytest.approx(DEVIATION, rel=0.02)


def test_heun_calls_the_denoiser_twice_but_for_the_last_step() -> None:
    asked: list[float] = []

    def denoise(noisy: Tensor, sigma: float) -> Tensor:
        asked.append(sigma)
        return torch.zeros_like(noisy)

    heun(denoise, torch.ones(1), [3.0, 2.0, 1.0])
    assert asked == [3, 2, 2, 1, 1]
    asked.clear()
    ddim(denoise, torch.ones(1), [3.0, 2.0, 1.0])
    assert asked == [3, 2, 1]


def test_ddim_is_equation_12() -> None:
    """In the variance-preserving form of the paper: x' = a'·x0_hat + s'·eps_hat."""
    a, s, a_next, s_next = 0.6, 0.8, 0.8, 0.6
    x_t = torch.tensor([0.7], dtype=torch.float64)
    eps_hat = torch.tensor([0.3], dtype=torch.float64)
    x0_hat = (x_t - s * eps_hat) / a
    after: list[Tensor] = []

    def denoise(noisy: Tensor, sigma: float) -> Tensor:
        after.append(noisy)
        return x0_hat

    ddim(denoise, x_t / a, [s / a, s_next / a_next])
    assert after[1].item() * a_next == pytest.approx((a_next * x0_hat + s_next * eps_hat).item())


def test_levels_of_heun_are_equation_5() -> None:
    levels = rho_levels([0.001, 100.0], 5)
    roots = [level ** (1 / 7) for level in levels]
    assert (levels[0], levels[-1]) == (pytest.approx(80), pytest.approx(0.002))
    assert [b - a for a, b in pairwise(roots)] == pytest.approx([(0.002 ** (1 / 7) - 80 ** (1 / 7)) / 4] * 4)
    assert rho_levels([0.01, 50.0], 3)[::2] == pytest.approx([50, 0.01])
    assert rho_levels([0.01, 50.0], 1) == [50]


def test_levels_of_ddim_are_even_timesteps() -> None:
    levels = [float(t + 1) for t in range(1000)]
    assert even_timesteps(levels, 5) == [1000, 750, 501, 251, 1]
    assert even_timesteps(levels, 1) == [1000]
    assert even_timesteps(levels[:3], 50) == [3, 2, 1]


class Best(nn.Module):
    """The best network for normal pixels, in any parametrisation."""

    def __init__(self, objective: Objective | Edm) -> None:
        super().__init__()
        self.objective = objective
        self.sigmas = noise_levels(objective)
        self.modes: list[bool] = []

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.modes.append(self.training)
        if isinstance(self.objective, Edm):
            sigma, data = (4 * t.double()).exp().view(-1, 1, 1, 1), self.objective.sigma_data
            root = (sigma**2 + data**2).sqrt()
            noisy = x.double() * root
            return ((self.best(noisy, sigma) - data**2 / root**2 * noisy) * root / (sigma * data)).float()
        sigma = self.sigmas[t].view(-1, 1, 1, 1)
        a, s = 1 / (1 + sigma**2).sqrt(), sigma / (1 + sigma**2).sqrt()
        d = self.best(x.double() / a, sigma)
        eps = (x.double() - a * d) / s
        return {"x0": d, "eps": eps, "v": a * eps - s * d}[self.objective.prediction].float()

    @staticmethod
    def best(noisy: Tensor, sigma: Tensor) -> Tensor:
        return (DEVIATION**2 * noisy + sigma**2 * MEAN) / (DEVIATION**2 + sigma**2)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_network_is_a_denoiser_whatever_it_predicts(objective: Objective | Edm) -> None:
    known = process(objective, CPU)
    denoise = NetworkDenoiser(Best(objective).eval(), known, clip=False)
    noisy = torch.randn(8, 1, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for sigma in known.nearest([60.0, 1.0, 0.05]):
        assert torch.allclose(denoise(noisy * sigma, sigma), best(noisy * sigma, sigma), atol=1e-3)


@pytest.mark.parametrize("sampler", ["ddim", "heun"])
def test_every_parametrisation_draws_the_same_images_from_the_same_noise(sampler: str) -> None:
    samples = Samples.model_validate({"number": 400, "sampler": sampler, "steps": 40, "clip": False, "batch": 150})
    found = [drawn(Best(objective), objective, samples, (1, 2, 2), CPU) for objective in OBJECTIVES]
    assert {calls for _, calls in found[:3]} == {40 if sampler == "ddim" else 79}
    for images, _ in found[1:3]:
        assert (images.int() - found[0][0].int()).abs().max() <= 1
    for images, _ in found:
        pixels = images.double() / 127.5 - 1
        assert pixels.mean().item() == pytest.approx(MEAN, abs=0.03)
        assert pixels.clamp(-1, 1).std().item() == pytest.approx(DEVIATION, rel=0.12)


def test_samples_depend_on_their_own_seed_only() -> None:
    module, shape = Best(Objective()), (1, 2, 2)
    samples = Samples(number=20, steps=3, batch=7)
    first = drawn(module, Objective(), samples, shape, CPU)[0]
    torch.manual_seed(5)
    assert torch.equal(drawn(module, Objective(), samples.model_copy(update={"batch": 20}), shape, CPU)[0], first)
    assert not torch.equal(starting_noise(samples, shape), starting_noise(Samples(number=20, seed=1), shape))
    more = starting_noise(Samples(number=40), shape)
    assert torch.equal(more[:20], starting_noise(samples, shape))


def test_drawing_is_in_eval_mode_and_leaves_the_mode() -> None:
    module = Best(Objective()).train()
    drawn(module, Objective(), Samples(number=20, steps=2), (1, 2, 2), CPU)
    assert set(module.modes) == {False}
    assert module.training


def test_clipping_keeps_images_in_range() -> None:
    class Far(nn.Module):
        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            return torch.full_like(x, 7.0)

    seen: Sequence[Tensor] = [
        NetworkDenoiser(Far(), process(Objective(prediction="x0"), CPU), clip=clip)(torch.zeros(1, 1, 1, 1), 1.0)
        for clip in (True, False)
    ]
    assert [x.item() for x in seen] == [1, 7]


def test_levels_of_a_discrete_network_are_its_own() -> None:
    known = process(Objective(timesteps=10), CPU)
    asked = known.nearest(rho_levels(known.range(), 50))
    assert set(asked) <= set(known.levels.tolist())
    assert all(a > b for a, b in pairwise(asked))
    assert process(Edm(kind="edm"), CPU).nearest([2.0, 1.5]) == [2.0, 1.5]


def test_bytes_are_rounded_and_cut() -> None:
    values = torch.tensor([-3.0, -1.0, 0.0, 0.999, 1.0, 2.0, math.nan])
    assert as_bytes(values).tolist() == [0, 0, 128, 255, 255, 255, 0]
