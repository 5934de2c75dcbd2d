"""Every wrong value of what a study holds fixed and how it measures, each with the whole of what is said about it."""

from __future__ import annotations

import pytest

from archspec.text.parse import read
from archspec.text.validate import validate
from studies.study.document import StudyFile

HEAD = "version: 1\nname: s\nbase: zoo/ddpm-cifar10\n"


def said(text: str) -> list[str]:
    """What is wrong with the fourth line of a study file, as code and sentence."""
    document, unread = read(f"{HEAD}{text}\n", "study.yaml")
    found = [str(problem) for problem in [*unread, *validate(StudyFile, document.data, document.positions)[1]]]
    assert all(one.startswith("study.yaml:4:") for one in found)
    return [one.partition(" error ")[2] for one in found]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{data: digitz}",
            "U012 `protocol.data` must be `digits`, or a mapping with exactly one of the keys digits, images, npz, "
            "such as `{images: FOLDER, resolution: 32}`. Did you mean `digits`?",
        ),
        (
            "{data: Digits}",
            "U012 `protocol.data` must be `digits`, or a mapping with exactly one of the keys digits, images, npz, "
            "such as `{images: FOLDER, resolution: 32}`. Did you mean `digits`?",
        ),
        (
            "{data: pictures/cats}",
            "U012 `protocol.data` must be `digits`, or a mapping with exactly one of the keys digits, images, npz, "
            "such as `{images: FOLDER, resolution: 32}`.",
        ),
        (
            "{data: [digits]}",
            "U012 `protocol.data` must be `digits`, or a mapping with exactly one of the keys digits, images, npz, "
            "such as `{images: FOLDER, resolution: 32}`.",
        ),
        ("{data: {digits: false}}", "U012 `protocol.data.digits` must be true, not false. Write true."),
        (
            "{data: {digits: true, npz: a.npz}}",
            "U012 `protocol.data` must be `digits`, or a mapping with exactly one of the keys digits, images, npz, "
            "such as `{images: FOLDER, resolution: 32}`.",
        ),
        ("{data: {digits: true, holdout: 1}}", "U012 `protocol.data.holdout` must be less than 1, not 1."),
        ("{data: {digits: true, holdout: 0}}", "U012 `protocol.data.holdout` must be more than 0, not 0."),
        ("{data: {digits: true, holdout: 10%}}", "U012 `protocol.data.holdout` must be a number, not '10%'."),
        (
            "{data: {digits: true, resolution: 8}}",
            "U010 `protocol.data.resolution` is not a known key. Known keys: digits, holdout, split_seed.",
        ),
        ("{data: {images: 3}}", "U012 `protocol.data.images` must be a path, not 3."),
        ("{data: {images: a, resolution: 0}}", "U012 `protocol.data.resolution` must be at least 1, not 0."),
        ("{data: {images: a, channels: 4}}", "U012 `protocol.data.channels` cannot be 4. Choices: 1, 3."),
        (
            "{data: {images: a, size: 32}}",
            "U010 `protocol.data.size` is not a known key. Known keys: images, resolution, channels, holdout, "
            "split_seed.",
        ),
        ("{data: {npz: a, layout: HWC}}", "U012 `protocol.data.layout` cannot be 'HWC'. Did you mean `NHWC`?"),
        ("{data: {npz: a, layout: nchw}}", "U012 `protocol.data.layout` cannot be 'nchw'. Did you mean `NCHW`?"),
        ("{data: {npz: a, key: 3}}", 'U012 `protocol.data.key` must be text, not 3. Put it in quotes: "3".'),
    ],
)
def test_where_images_come_from(text: str, message: str) -> None:
    assert said(f"protocol: {text}") == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{objective: ddpm}",
            "U012 `protocol.objective` must be a mapping of keys to values, not 'ddpm'. Its keys: kind, schedule, "
            "prediction, timesteps.",
        ),
        (
            "{objective: {schedule: sqrt}}",
            "U012 `protocol.objective.schedule` cannot be 'sqrt'. Choices: linear, cosine.",
        ),
        (
            "{objective: {prediction: epsilon}}",
            "U012 `protocol.objective.prediction` cannot be 'epsilon'. Did you mean `eps`?",
        ),
        ("{objective: {prediction: 1}}", "U012 `protocol.objective.prediction` cannot be 1. Choices: eps, v, x0."),
        ("{objective: {timesteps: 1}}", "U012 `protocol.objective.timesteps` must be at least 2, not 1."),
        ("{objective: {timesteps: 1e3}}", "U012 `protocol.objective.timesteps` must be a whole number, not 1000.0."),
        ("{objective: {kind: edm, p_std: 0}}", "U012 `protocol.objective.p_std` must be more than 0, not 0."),
        (
            "{objective: {kind: edm, sigma_data: -1}}",
            "U012 `protocol.objective.sigma_data` must be more than 0, not -1.",
        ),
        (
            "{objective: {kind: edm, schedule: linear}}",
            "U010 `protocol.objective.schedule` is not a known key. Known keys: kind, p_mean, p_std, sigma_data.",
        ),
        (
            "{objective: {kind: ddpm, p_mean: -1.2}}",
            "U010 `protocol.objective.p_mean` is not a known key. Known keys: kind, schedule, prediction, timesteps.",
        ),
        (
            "{init: 3}",
            "U012 `protocol.init` must be a mapping of keys to values, not 3. Its keys: from, architecture, layout, "
            "ema, policy.",
        ),
        ("{init: {from: a, policy: croop}}", "U012 `protocol.init.policy` cannot be 'croop'. Did you mean `crop`?"),
        ("{init: {from: [a]}}", "U012 `protocol.init.from` must be a path, not a list."),
    ],
)
def test_what_is_learned_and_from_where(text: str, message: str) -> None:
    assert said(f"protocol: {text}") == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{train: {steps: -1}}", "U012 `protocol.train.steps` must be at least 0, not -1."),
        ("{train: {steps: 10.5}}", "U012 `protocol.train.steps` must be a whole number, not 10.5."),
        (
            '{train: {steps: "10"}}',
            "U012 `protocol.train.steps` must be a whole number, not '10'. Write it without quotes.",
        ),
        (
            "{train: {steps: 0}}",
            "U012 `protocol`: train.steps is 0, so nothing would be trained: say init: {from: CHECKPOINT}, or steps.",
        ),
        ("{train: {batch: automatic}}", "U012 `protocol.train.batch` must be a whole number, not 'automatic'."),
        ("{train: {micro_batch: half}}", "U012 `protocol.train.micro_batch` must be auto, not 'half'. Write auto."),
        (
            "{train: {memory_budget: 2 XB}}",
            "U012 `protocol.train.memory_budget`: `2 XB` is no budget; write a number above 0, or one with a unit "
            "out of B, kB, MB, GB, KiB, MiB, GiB.",
        ),
        (
            "{train: {memory_budget: -1}}",
            "U012 `protocol.train.memory_budget`: `-1` is no budget; write a number above 0, or one with a unit out "
            "of B, kB, MB, GB, KiB, MiB, GiB.",
        ),
        (
            "{train: {memory_budget: 50%}}",
            "U012 `protocol.train.memory_budget`: `50%` is no budget; a share of the base's is written `0.5 * base`.",
        ),
        ("{train: {lr: 0}}", "U012 `protocol.train.lr` must be more than 0, not 0."),
        ("{train: {warmup: -5}}", "U012 `protocol.train.warmup` must be at least 0, not -5."),
        ("{train: {weight_decay: -0.1}}", "U012 `protocol.train.weight_decay` must be at least 0, not -0.1."),
        ("{train: {betas: 0.9}}", "U012 `protocol.train.betas` must be a list, not 0.9. Write [0.9]."),
        (
            "{train: {betas: [0.9]}}",
            "U011 `protocol.train.betas.1` is missing. That is: AdamW's decays of the two moments.",
        ),
        ("{train: {betas: [0.9, 1.0]}}", "U012 `protocol.train.betas.1` must be less than 1, not 1.0."),
        ("{train: {betas: [0.9, 0.99, 0.999]}}", "U012 `protocol.train.betas` must have at most 2 values, not 3."),
        ("{train: {ema: 1}}", "U012 `protocol.train.ema` must be less than 1, not 1."),
        ("{train: {ema: off}}", "U012 `protocol.train.ema` must be a number, not 'off'."),
        ("{train: {grad_clip: 0}}", "U012 `protocol.train.grad_clip` must be more than 0, not 0."),
        ("{train: {dtype: float16}}", "U012 `protocol.train.dtype` cannot be 'float16'. Did you mean `bfloat16`?"),
        (
            "{train: {learning_rate: 1.0e-4}}",
            "U010 `protocol.train.learning_rate` is not a known key. Here it is `lr`.",
        ),
        (
            "{train: {epochs: 3}}",
            "U010 `protocol.train.epochs` is not a known key. Training is counted in `steps`: one epoch is the "
            "number of images over `batch`.",
        ),
        (
            "{train: {optimizer: sgd}}",
            "U010 `protocol.train.optimizer` is not a known key. Known keys: steps, batch, micro_batch, "
            "memory_budget, lr, warmup, weight_decay, betas, ema, grad_clip, dtype.",
        ),
        (
            "{train: [steps]}",
            "U012 `protocol.train` must be a mapping of keys to values, not a list. Its keys: steps, batch, "
            "micro_batch, memory_budget, lr, warmup, weight_decay, betas, ema, grad_clip, dtype.",
        ),
        (
            "{train: steps 3}",
            "U012 `protocol.train` must be a mapping of keys to values, not 'steps 3'. Write `steps: 3`.",
        ),
        (
            "{tune: lr}",
            "U012 `protocol.tune` must be a mapping of keys to values, not 'lr'. Its keys: what, factors, seeds.",
        ),
        ("{tune: [lr, batch]}", "U012 `protocol.tune.1` must be lr, not 'batch'. Write lr."),
        ("{tune: []}", "U012 `protocol.tune` must not be empty."),
        ("{tune: {factors: [1]}}", "U012 `protocol.tune.factors` must have at least 2 values, not 1."),
        ("{tune: {factors: [0, 1]}}", "U012 `protocol.tune.factors.0` must be more than 0, not 0."),
        (
            "{tune: {factors: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}}",
            "U012 `protocol.tune.factors` must have at most 9 values, not 10.",
        ),
        ("{tune: {seeds: 0}}", "U012 `protocol.tune.seeds` must be at least 1, not 0."),
        ("{seeds: 0}", "U012 `protocol.seeds` must be at least 1, not 0."),
        (
            "{seeds: []}",
            "U012 `protocol.seeds`: must be a number or a list of distinct seeds with at least one of them.",
        ),
        (
            "{seeds: [1, 1]}",
            "U012 `protocol.seeds`: must be a number or a list of distinct seeds with at least one of them.",
        ),
        ("{seeds: [0, -1]}", "U012 `protocol.seeds.1` must be at least 0, not -1."),
        ("{seeds: 2.5}", "U012 `protocol.seeds` must be a whole number, not 2.5."),
        ("{seed: 1}", "U010 `protocol.seed` is not a known key. Did you mean `seeds`?"),
    ],
)
def test_how_it_is_trained(text: str, message: str) -> None:
    assert said(f"protocol: {text}") == [message]
