import math
from itertools import islice

import pytest
import torch
from torch import Tensor, nn

from studies.sections.protocol import Evaluate, Objective, Protocol, Train
from studies.training.batch import Batch, batches, derived_seed
from studies.training.failures import Diverged
from studies.training.train import Averaged, TrainingStep, fit, warmup

CPU = torch.device("cpu")
IMAGES = torch.linspace(-1, 1, 10 * 2 * 4 * 4).view(10, 2, 4, 4)


class Wide(nn.Module):
    """Two convolutions with dropout; keeps what it was shown."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(2, width, 3, padding=1), nn.SiLU(), nn.Dropout(0.1), nn.Conv2d(width, 2, 3, padding=1)
        )
        self.seen: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor, t: Tensor | None = None, context: Tensor | None = None) -> Tensor:
        assert t is not None
        self.seen.append((x.clone(), t.clone()))
        out: Tensor = self.layers(x)
        return out


class Scale(nn.Module):
    """Multiplies by its one weight."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(value))

    def forward(self, x: Tensor, t: Tensor | None = None) -> Tensor:
        return x * self.weight


def wide(width: int, seed: int = 0) -> Wide:
    torch.manual_seed(seed)
    return Wide(width)


def protocol(**train: object) -> Protocol:
    return Protocol(train=Train.model_validate({"steps": 12, "batch": 4, "warmup": 0, **train}))


def trained(module: nn.Module, chosen: Protocol, seed: int = 0) -> tuple[TrainingStep, list[tuple[int, float]]]:
    step = TrainingStep(module, chosen, CPU)
    curve: list[tuple[int, float]] = []
    fit(step, IMAGES, chosen, seed, lambda number, loss: curve.append((number, loss)))
    return step, curve


# what a seed draws


def test_a_seed_shows_every_variant_the_same_images_timesteps_and_noise() -> None:
    small, large = wide(3), wide(17, seed=5)
    trained(small, protocol(ema=None, lr=1e-3), seed=4)
    trained(large, protocol(ema=0.9, lr=1e-2, weight_decay=0.1), seed=4)
    assert len(small.seen) == len(large.seen) == 12
    for (x, t), (other_x, other_t) in zip(small.seen, large.seen, strict=True):
        assert torch.equal(x, other_x)
        assert torch.equal(t, other_t)


def test_other_seeds_draw_everything_anew_and_the_global_state_plays_no_part() -> None:
    first = next(batches(IMAGES, protocol(), 0))
    torch.manual_seed(99)
    again, other = next(batches(IMAGES, protocol(), 0)), next(batches(IMAGES, protocol(), 1))
    for name in ("images", "timesteps", "noise"):
        assert torch.equal(getattr(first, name), getattr(again, name))
        assert not torch.equal(getattr(first, name), getattr(other, name))


def test_the_order_of_images_does_not_depend_on_timesteps_or_schedule() -> None:
    objective = Objective(timesteps=10, schedule="cosine", prediction="v")
    other = Protocol(train=protocol().train, objective=objective, evaluate=Evaluate(strata=10))
    few, many = next(batches(IMAGES, other, 0)), next(batches(IMAGES, protocol(), 0))
    assert torch.equal(few.images, many.images)
    assert few.timesteps.max() < 10


@pytest.mark.parametrize("size", [3, 4, 10, 25])
def test_every_epoch_shows_every_image_once(size: int) -> None:
    shown = torch.cat([b.images for b in islice(batches(IMAGES, protocol(batch=size), 7), 20)])
    for start in range(0, len(shown) - 9, 10):
        epoch = shown[start : start + 10]
        assert torch.equal(epoch[epoch[:, 0, 0, 0].argsort()], IMAGES)
    assert not torch.equal(shown[:10], shown[10:20])


def test_noise_is_standard_normal_and_timesteps_cover_their_range() -> None:
    drawn = list(islice(batches(IMAGES, protocol(batch=64), 0), 50))
    noise, t = torch.cat([b.noise for b in drawn]), torch.cat([b.timesteps for b in drawn])
    assert noise.mean().abs() < 0.01
    assert noise.std() == pytest.approx(1, abs=0.01)
    assert t.min() >= 0
    assert 990 < t.max() < 1000


def test_derived_seeds_are_far_apart() -> None:
    seeds = {derived_seed(seed, purpose) for seed in range(100) for purpose in ("order", "noise", "dropout")}
    assert len(seeds) == 300
    assert all(0 <= seed < 2**63 for seed in seeds)


# the step


def test_the_same_seed_gives_bit_identical_weights_and_curve() -> None:
    (first, curve), (again, curve_again) = (trained(wide(8), protocol(), seed=3) for _ in range(2))
    assert curve == curve_again
    for a, b in zip(first.evaluated.parameters(), again.evaluated.parameters(), strict=True):
        assert torch.equal(a, b)
    _, other = trained(wide(8), protocol(), seed=4)
    assert curve != other


def test_training_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    module = Wide(4)
    torch.manual_seed(5)
    trained(module, protocol())
    assert torch.equal(torch.rand(3), expected)


def test_one_step_is_adamw_on_the_clipped_gradient_of_the_squared_error() -> None:
    module = Scale(0.5)
    chosen = protocol(lr=0.1, weight_decay=0.01, grad_clip=None, ema=None)
    step = TrainingStep(module, chosen, CPU)
    batch = next(batches(IMAGES, chosen, 0))
    x_t = step.diffusion.noisy(batch.images, batch.timesteps, batch.noise)
    expected = (0.5 * x_t - batch.noise).square().mean().item()
    slope = (2 * x_t * (0.5 * x_t - batch.noise)).mean().item()
    assert step(batch).item() == pytest.approx(expected, rel=1e-6)
    # AdamW's first step moves by lr against the sign of the gradient, after decaying by lr·weight_decay.
    assert module.weight.item() == pytest.approx(0.5 * (1 - 0.1 * 0.01) - 0.1 * math.copysign(1, slope), rel=1e-4)
    assert module.weight.grad is None


def test_gradients_are_clipped_to_the_global_norm() -> None:
    def moments(grad_clip: float | None) -> float:
        module = Scale(50.0)
        chosen = protocol(grad_clip=grad_clip, ema=None)
        step = TrainingStep(module, chosen, CPU)
        step(next(batches(IMAGES, chosen, 0)))
        average: Tensor = step.optimizer.state[module.weight]["exp_avg"]
        return abs(average.item())

    assert moments(0.5) == pytest.approx(0.1 * 0.5, rel=1e-3)
    assert moments(None) > 1


def test_v_prediction_learns_v() -> None:
    chosen = Protocol(train=protocol(ema=None).train, objective=Objective(prediction="v"))
    step = TrainingStep(Scale(0.0), chosen, CPU)
    batch = next(batches(IMAGES, chosen, 0))
    v = step.diffusion.target(batch.images, batch.timesteps, batch.noise)
    assert step(batch).item() == pytest.approx(v.square().mean().item(), rel=1e-6)


def test_bfloat16_is_autocast_with_float32_weights() -> None:
    module = nn.Conv2d(2, 2, 3, padding=1)
    dtypes: list[torch.dtype] = []

    class Watched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = module

        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            out: Tensor = self.conv(x)
            dtypes.append(out.dtype)
            return out

    chosen = protocol(dtype="bfloat16")
    loss = TrainingStep(Watched(), chosen, CPU)(next(batches(IMAGES, chosen, 0)))
    assert dtypes == [torch.bfloat16]
    assert loss.dtype == module.weight.dtype == torch.float32


def test_the_learning_rate_rises_linearly_over_the_warmup() -> None:
    assert [warmup(step, Train(warmup=3)) for step in (1, 2, 3, 4, 100)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert warmup(1, Train(warmup=0)) == 1.0
    module = Scale(0.5)
    trained(module, protocol(steps=1, warmup=9, lr=0.1, ema=None))
    assert abs(module.weight.item() - 0.5) == pytest.approx(0.01, rel=1e-3)


# the average


def test_the_average_forgets_its_start_by_the_rule() -> None:
    module = Scale(0.0)
    averaged = Averaged(module, 0.3)
    values = []
    for value in (1.0, 2.0, 3.0):
        module.weight.data.fill_(value)
        averaged.update(module)
        values.append(next(averaged.module.parameters()).item())
    decays = [2 / 11, 3 / 12, 0.3]
    expected = 0.0
    for value, decay, seen in zip((1.0, 2.0, 3.0), decays, values, strict=True):
        expected = decay * expected + (1 - decay) * value
        assert seen == pytest.approx(expected, rel=1e-6)
    assert module.weight.item() == 3.0


def test_the_averaged_network_is_evaluated_where_there_is_one() -> None:
    step, _ = trained(wide(4), protocol(ema=0.9))
    assert step.evaluated is not step.module
    assert not any(p.requires_grad for p in step.evaluated.parameters())
    step, _ = trained(wide(4), protocol(ema=None))
    assert step.evaluated is step.module


# the curve


def test_the_curve_has_at_most_fifty_points_and_the_last_step() -> None:
    for steps, points in [(1, 1), (12, 12), (50, 50), (99, 50), (120, 40), (101, 34)]:
        _, curve = trained(Scale(0.0), protocol(steps=steps, ema=None))
        assert len(curve) == points
        assert curve[-1][0] == steps


def test_a_point_is_the_mean_since_the_point_before() -> None:
    chosen = protocol(steps=100, lr=1e-12, ema=None, weight_decay=0.0)
    _, curve = trained(Scale(0.0), chosen)
    losses = [b.noise.square().mean().item() for b in islice(batches(IMAGES, chosen, 0), 100)]
    assert [number for number, _ in curve] == list(range(2, 101, 2))
    for number, loss in curve:
        assert loss == pytest.approx(sum(losses[number - 2 : number]) / 2, rel=1e-6)


def test_divergence_names_its_first_step_and_keeps_the_curve_before() -> None:
    class Poisoned(Scale):
        calls = 0

        def forward(self, x: Tensor, t: Tensor | None = None) -> Tensor:
            self.calls += 1
            return x * self.weight * (math.nan if self.calls == 75 else 1)

    step = TrainingStep(Poisoned(0.0), protocol(steps=200), CPU)
    curve: list[int] = []
    with pytest.raises(Diverged, match="the training loss became NaN or infinite at step 75") as caught:
        fit(step, IMAGES, protocol(steps=200), 0, lambda number, _: curve.append(number))
    assert caught.value.step == 75
    assert curve == list(range(4, 73, 4))


def test_a_batch_moves_as_a_whole() -> None:
    batch = next(batches(IMAGES, protocol(), 0)).to(torch.device("meta"))
    assert isinstance(batch, Batch)
    assert {batch.images.device.type, batch.timesteps.device.type, batch.noise.device.type} == {"meta"}
