"""How an export is compared with the compiled model, what it is tried on, and what is said where it cannot be."""

from pathlib import Path

import pytest
import torch
from small import one_level as network
from small import refusal

from builder.export import diffusers, program, standalone
from builder.export.example import argument_names, example_inputs
from builder.export.verify import BATCHES, Exported, rehearsed, stirred, verified

# The comparison


def linear(factor=1.0, add=0.0):
    """The network's result times a factor, plus a number."""
    made = network()

    def call(given):
        with torch.no_grad():
            return factor * made(**given) + add

    return made, call


def test_the_largest_difference_of_all_batches_counts(tmp_path):
    made, call = linear(add=0.25)
    tried = []

    def noted(given):
        tried.append(len(given["x"]))
        return call(given) if len(given["x"]) == BATCHES[-1] else call(given) - 0.25

    last = example_inputs(made, BATCHES[-1], seed=BATCHES[-1])
    with torch.no_grad():
        scale = max(1.0, float(made(**last).abs().max()))
    found = verified(made, noted, tmp_path / "x", 1.0, "it")
    assert tried == list(BATCHES)
    assert found.difference == pytest.approx(0.25 / scale, rel=1e-4)
    assert (found.path, found.limit) == (tmp_path / "x", 1.0)


def test_differences_are_shares_of_the_largest_value_where_that_is_more_than_one():
    made, call = linear(factor=1.01)
    with torch.no_grad():
        made.conv_out.weight.mul_(1000.0)
    found = verified(made, call, Path("x"), 0.02, "it")
    assert found.difference == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_differs(value):
    made, call = linear(add=value)
    message = refusal(verified, made, call, Path("x"), 1.0, "the file")
    assert message == (
        f"x: error U090 the file differs from the compiled model by {value:.2g}, more than 1e+00; nothing was written. "
        "Please report this architecture."
    )


def test_one_result_that_is_no_number_is_not_forgotten_by_the_next():
    made, call = linear()

    def first(given):
        return call(given) * (float("nan") if len(given["x"]) == BATCHES[0] else 1.0)

    assert "by nan" in refusal(verified, made, first, Path("x"), 1.0, "it")


def test_stirring_fills_what_is_zero_and_leaves_the_network_alone():
    made = network(zero_init=True)
    assert not made.conv_out.weight.any()
    other = stirred(made)
    assert not made.conv_out.weight.any()
    assert other.conv_out.weight.any()
    assert torch.equal(other.conv_in.weight, made.conv_in.weight)
    assert torch.equal(stirred(made).conv_out.weight, other.conv_out.weight)


def test_a_network_that_is_not_silent_is_written_once():
    written = []

    def write(tried, path):
        written.append((tried, path))
        return Exported(path, 0.125, 1.0)

    loud, silent = network(), network(zero_init=True)
    assert rehearsed(write, loud, Path("a")).difference == 0.125
    assert written == [(loud, Path("a"))]
    written.clear()
    rehearsed(write, silent, Path("b"))
    assert len(written) == 2
    assert written[1] == (silent, Path("b"))
    assert written[0][0] is not silent
    assert written[0][1] != Path("b")


def test_the_difference_of_the_rehearsal_counts_too():
    made = network(zero_init=True)
    shares = iter([0.5, 0.0])
    assert rehearsed(lambda _, path: Exported(path, next(shares), 1.0), made, Path("x")).difference == 0.5


# What a form needs


def test_onnx_without_its_packages_says_which(monkeypatch, tmp_path):
    monkeypatch.setattr(program, "find_spec", lambda name: None if name.startswith("onnxs") else object())
    assert refusal(program.write_onnx, network(), tmp_path / "x.onnx") == (
        "error U090 ONNX needs the packages onnxscript. Run `pip install 'ushape[onnx]'`."
    )
    assert list(tmp_path.iterdir()) == []


def test_the_innermost_reason_is_what_onnx_says():
    outer, inner = RuntimeError("failed to export"), ValueError("no operator for aten.odd.\nand much more")
    outer.__cause__ = inner
    said = "x.onnx: error U090 torch cannot say this network as ONNX: "
    assert str(program._cannot(outer, Path("x.onnx"))) == f"{said}no operator for aten.odd."
    assert str(program._cannot(KeyError(), Path("x.onnx"))) == f"{said}KeyError."


def test_a_folder_of_diffusers_needs_diffusers(monkeypatch, tmp_path):
    monkeypatch.setattr(diffusers, "find_spec", lambda name: None)
    assert refusal(diffusers.write_diffusers, network(num_groups=4, norm_eps=1e-6), tmp_path / "unet") == (
        "error U090 the folder is tried with diffusers, which is missing. Run `pip install diffusers`."
    )


def test_example_inputs_are_the_same_for_a_seed_and_within_their_ranges():
    made = network(label={"classes": 3}, in_channels=5, context_channels=2)
    assert argument_names(made) == ["x", "t", "context", "label"]
    one, again, other = example_inputs(made, 64), example_inputs(made, 64), example_inputs(made, 64, seed=1)
    assert list(one) == ["x", "t", "context", "label"]
    assert all(torch.equal(one[key], again[key]) for key in one)
    assert not torch.equal(one["x"], other["x"])
    assert set(one["label"].tolist()) == {0, 1, 2}
    assert one["t"].dtype == torch.float32
    assert 0 <= one["t"].min() < 100
    assert 900 < one["t"].max() <= 999


NARROW = {
    "one class": {"label": {"classes": 1}},
    "a table of 40 timesteps": {"time": {"type": "learned", "steps": 40}},
}


@pytest.mark.parametrize("name", NARROW)
def test_networks_with_few_classes_or_timesteps_are_tried_within_them(name, tmp_path):
    made = network(**NARROW[name])
    given = example_inputs(made, 64)
    assert given["t"].max() < (40 if "time" in NARROW[name] else 1000)
    assert given.get("label", torch.zeros(1)).max() == 0
    exported, _ = standalone.write_standalone(made, tmp_path / "unet.py")
    assert exported.difference <= 1e-6
