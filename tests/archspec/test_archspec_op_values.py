"""Which values the parameters of operations take: the last that is right, the first that is wrong, and what is said."""

from __future__ import annotations

from typing import Any

import pytest
from bound_cases import BOUNDS, NEEDED

from archspec.ops import OPS
from archspec.ops.table import read_op
from archspec.text.positions import NOWHERE


def told(op: str, **parameters: Any) -> list[str]:
    """What is said about an operation written as ``node: {op: …, parameters}``."""
    _, problems = read_op({"op": op, **parameters}, NOWHERE.at("node"))
    return [f"{problem.code} {problem.message} {problem.hint or ''}".strip() for problem in problems]


@pytest.mark.parametrize(
    ("parameter", "bounds"), [(name, bounds) for bounds, names in BOUNDS.items() for name in names]
)
def test_a_number_is_taken_up_to_its_bounds_and_refused_beyond(parameter: str, bounds: tuple[Any, ...]) -> None:
    op, _, key = parameter.partition(".")
    least, most, below, must_be_more, above, must_be_less = bounds
    others = NEEDED.get(op, {})
    assert [told(op, **{**others, key: value}) for value in (least, most)] == [[], []]
    assert told(op, **{**others, key: below}) == [f"U012 `node.{key}` {must_be_more}."]
    assert told(op, **{**others, key: above}) == [f"U012 `node.{key}` {must_be_less}."]


def test_every_number_of_every_operation_is_bounded() -> None:
    numbers = {
        f"{op}.{key}"
        for op, cls in OPS.items()
        for key, schema in cls.model_json_schema()["properties"].items()
        for choice in schema.get("anyOf", schema.get("oneOf", [schema]))
        if choice.get("type") in ("integer", "number") and "enum" not in choice
    }
    looked_at = {name for names in BOUNDS.values() for name in names}
    elsewhere = {"input.dim", "input.length", "time_embedding.steps", "window_attention.shift"}
    assert numbers == looked_at | elsewhere


@pytest.mark.parametrize(
    ("op", "key", "wrong", "said"),
    [
        ("conv", "kernel", 2, "`node.kernel` cannot be 2. Choices: 1, 3, 5, 7."),
        ("conv", "kernel", "3", "`node.kernel` must be a whole number, not '3'. Write it without quotes."),
        ("mp_conv", "kernel", 5, "`node.kernel` cannot be 5. Choices: 1, 3."),
        ("blurred_conv", "kernel", 4, "`node.kernel` cannot be 4. Choices: 1, 3, 5, 7."),
        ("conv", "out", 8.0, "`node.out` must be a whole number, not 8.0."),
        ("conv", "bias", 1, "`node.bias` must be true or false, not 1."),
        ("conv", "bias", "no", "`node.bias` must be true or false, not 'no'. Write false."),
        ("norm", "groups", "Auto", "`node.groups` must be auto, not 'Auto'. Write auto."),
        ("norm", "type", "batch", "`node.type` cannot be 'batch'. Choices: group, rms, layer, pixel, none."),
        ("act", "fn", "swish", "`node.fn` cannot be 'swish'. Choices: silu, relu, gelu."),
        ("downsample", "method", "pool", "`node.method` cannot be 'pool'. Did you mean `avg_pool`?"),
        ("downsample", "padding", "same", "`node.padding` cannot be 'same'. Choices: asymmetric, symmetric."),
        ("upsample", "mode", "bicubic", "`node.mode` cannot be 'bicubic'. Choices: nearest, bilinear."),
        ("fir_resample", "resample", "none", "`node.resample` cannot be 'none'. Choices: down, up."),
        ("resnet_block", "resample", "half", "`node.resample` cannot be 'half'. Choices: none, down, up."),
        (
            "resnet_block",
            "conditioning",
            "film",
            "`node.conditioning` cannot be 'film'. Choices: none, add, scale_shift.",
        ),
        ("attention", "type", "flash", "`node.type` cannot be 'flash'. Choices: vanilla, linear."),
        ("transformer", "ff_act", "silu", "`node.ff_act` cannot be 'silu'. Choices: geglu, gelu."),
        ("mp_block", "flavor", "middle", "`node.flavor` cannot be 'middle'. Choices: encoder, decoder."),
        ("time_embedding", "type", "sine", "`node.type` cannot be 'sine'. Choices: sinusoidal, fourier, learned."),
        ("time_embedding", "order", "sin", "`node.order` cannot be 'sin'. Did you mean `sin_cos`?"),
        ("label_embedding", "type", "row", "`node.type` cannot be 'row'. Choices: table, linear."),
        ("mp_block", "filter", [1], "`node.filter` must have at least 2 values, not 1."),
        ("mp_block", "filter", [1] * 18, "`node.filter` must have at most 16 values, not 18."),
        (
            "mp_block",
            "filter",
            [1, 2, 1],
            "`node.filter` must have an even number of taps, not 3. Such as [1, 1] or [1, 3, 3, 1].",
        ),
        ("mp_block", "filter", [1, 0.0, 1, 1], "`node.filter.1` must be at least 0.001, not 0.0."),
        ("mp_block", "filter", [1, 1001, 1, 1], "`node.filter.1` must be at most 1000, not 1001."),
        ("resnet_block", "resample_filter", [1, 2, 1], "`node.resample_filter` must have an even number of taps."),
        ("resnet_block", "resample_filter", [1, -1], "`node.resample_filter` must have a positive sum."),
        (
            "resnet_block",
            "resample_filter",
            [1, 1001, 1, 1],
            "`node.resample_filter.1` must be at most 1000, not 1001.",
        ),
        ("resnet_block", "norm_order", "both", "`node.norm_order` cannot be 'both'. Choices: pre, post."),
    ],
)
def test_what_is_said_of_a_value_that_is_none_of_the_choices(op: str, key: str, wrong: Any, said: str) -> None:
    assert told(op, **{**NEEDED.get(op, {}), key: wrong}) == [f"U012 {said}"]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"channels": 3}, "an image input needs channels and resolution"),
        ({"kind": "context", "resolution": 8}, "a context input needs channels and resolution"),
        ({"kind": "control"}, "a control input needs channels and resolution"),
        ({"channels": 3, "resolution": 8, "dim": 4}, "an image input needs channels and resolution, and has no dim"),
        ({"kind": "tokens", "dim": 4}, "a tokens input needs dim and length"),
        ({"kind": "vector", "length": 4}, "a vector input needs dim, and has no length"),
        (
            {"kind": "vector", "dim": 4, "channels": 3, "resolution": 8},
            "a vector input needs dim, and has no channels or resolution",
        ),
        ({"kind": "label", "dim": 4, "length": 2}, "a label input has no dim or length"),
        ({"kind": "timestep", "resolution": 8}, "a timestep input has no resolution"),
    ],
)
def test_an_input_says_what_its_kind_needs_and_what_it_has_not(parameters: dict[str, Any], said: str) -> None:
    assert told("input", **parameters) == [f"U012 `node`: {said}."]


@pytest.mark.parametrize(
    ("op", "parameters", "said"),
    [
        ("window_attention", {"window": 4, "shift": 4}, "`node.shift` must be less than the window, 4."),
        ("window_attention", {"shift": -1}, "`node.shift` must be at least 0, not -1."),
        ("window_attention", {"shift": 65_537}, "`node.shift` must be at most 65536, not 65537."),
        ("label_embedding", {"classes": 3, "out": 4, "bias": True}, "`node.bias` has no meaning with type: table."),
        ("label_embedding", {"classes": 3, "out": 4, "scaled": True}, "`node.scaled` has no meaning with type: table."),
        (
            "resnet_block",
            {"out": 8, "conditioning": "none", "emb_dim": 4},
            "`node.emb_dim` has no meaning with conditioning: none.",
        ),
        (
            "resnet_block",
            {"out": 8, "conditioning": "none", "condition_both": True},
            "`node.condition_both` has no meaning with conditioning: none. "
            "Set conditioning: scale_shift, or leave it out.",
        ),
        (
            "time_embedding",
            {"dim": 8, "type": "learned", "order": "cos_sin"},
            "`node.order` has no meaning with type: learned.",
        ),
        (
            "time_embedding",
            {"dim": 8, "type": "learned", "steps": 65_537},
            "`node.steps` must be at most 65536, not 65537.",
        ),
        (
            "time_embedding",
            {"dim": 8, "type": "fourier", "steps": 9},
            "`node.steps` has no meaning with type: fourier.",
        ),
        (
            "concat",
            {"skip_scale": -0.0},
            "`node.skip_scale` must not be 0, which cuts the connection. "
            "Disconnect it instead, or let it be learned from 0 (learn_skip_scale: true).",
        ),
        (
            "add",
            {"x_scale": 0.0, "learn_skip_scale": True},
            "`node.x_scale` must not be 0, which cuts the connection. "
            "Disconnect it instead, or let it be learned from 0 (learn_x_scale: true).",
        ),
    ],
)
def test_what_is_said_of_parameters_that_exclude_each_other(op: str, parameters: dict[str, Any], said: str) -> None:
    assert told(op, **parameters) == [f"U012 {said}"]


@pytest.mark.parametrize(
    ("op", "missing"),
    [
        ("conv", ["out: output channels"]),
        ("mlp", ["hidden: width of the hidden layer", "out: width of the result"]),
        ("label_embedding", ["classes: number of classes", "out: width of the result"]),
        ("fir_resample", ["resample: halve or double"]),
        ("fourier_features", ["dim: number of features; even"]),
    ],
)
def test_what_is_missing_is_named_and_described(op: str, missing: list[str]) -> None:
    described = [one.split(": ", 1) for one in missing]
    assert told(op) == [f"U011 `node.{key}` is missing. That is: {what}." for key, what in described]


def test_a_factor_of_nought_that_is_learned_is_a_start() -> None:
    assert told("add", x_scale=0.0, learn_x_scale=True, skip_scale=0.0, learn_skip_scale=True) == []
    assert told("concat", skip_scale=0.0, learn_skip_scale=True) == []


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        (["conv"], "an operation is a mapping of keys to values, not a list.", "Write {op: …} and its parameters."),
        (None, "an operation is a mapping of keys to values, not null.", "Write {op: …} and its parameters."),
        ({}, "the operation has no `op`.", f"Operations: {', '.join(OPS)}."),
        (
            {"op": 3},
            "there is no operation 3.",
            f"Operations: {', '.join(OPS)}. One of your own comes with its package: see examples/custom_operation.",
        ),
        ({"op": "atention"}, "there is no operation `atention`.", "Did you mean `attention`?"),
        (
            {"op": "z" * 90},
            f"there is no operation `{'z' * 80}`.",
            f"Operations: {', '.join(OPS)}. One of your own comes with its package: see examples/custom_operation.",
        ),
    ],
)
def test_what_is_no_operation(data: Any, message: str, hint: str) -> None:
    op, [problem] = read_op(data, NOWHERE.at("node"))
    assert (op, problem.message, problem.hint) == (None, message, hint)
