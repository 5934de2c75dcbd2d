"""What a failed training or a conversion leaves behind is refused when it is read, and said clearly."""

import pytest
import torch
from checkpoints import state_of
from reduced import reduced
from safetensors.torch import save_file

from archspec import UserError
from builder import assemble
from builder.weights import LAYOUTS, load_weights, read_checkpoint, write_checkpoint
from builder.weights.files import read

DDPM = reduced("ddpm-cifar10")
HINT = "A training that diverged, or numbers too large for half precision, leave such files: take another one."


def refusal(file, graph=DDPM, **options):
    with pytest.raises(UserError) as caught:
        read_checkpoint(file, graph, **options)
    return str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2])
def test_one_number_that_is_none_is_enough(value, kind, tmp_path):
    network, state = assemble(DDPM), state_of(DDPM)
    before = {key: one.clone() for key, one in network.state_dict().items()}
    state["mid.block_1.conv1.weight"][3, 1, 0, 2] = value
    file = tmp_path / "failed.pt"
    torch.save({key: one.to(kind) for key, one in state.items()}, file)
    with pytest.raises(UserError) as caught:
        load_weights(network, file)
    assert str(caught.value) == (
        f"{file}: error U090 1 of {len(state)} weights are NaN or infinite in part or whole: "
        f"mid.block_1.conv1.weight. {HINT}"
    )
    assert all(torch.equal(one, before[key]) for key, one in network.state_dict().items())


def test_the_largest_numbers_of_a_type_are_numbers(tmp_path):
    state = {key: one.half() for key, one in state_of(DDPM).items()}
    state["conv_out.bias"].fill_(torch.finfo(torch.float16).max)
    torch.save(state, tmp_path / "large.pt")
    found = read_checkpoint(tmp_path / "large.pt", DDPM).state
    assert found["conv_out.bias"].tolist() == [65504.0] * 3


def test_a_training_that_diverged_is_told_by_its_first_weights_and_their_number(tmp_path):
    state = {key: torch.full_like(one, float("nan")) for key, one in state_of(DDPM).items()}
    save_file(state, tmp_path / "failed.safetensors")
    message = refusal(tmp_path / "failed.safetensors")
    assert message.startswith(f"{tmp_path}/failed.safetensors: error U090 {len(state)} of {len(state)} weights are NaN")
    assert message.endswith(f" and {len(state) - 3} more. {HINT}")
    assert all(key in state for key in message.split("whole: ")[1].split(" and ")[0].split(", "))


def test_weights_are_named_as_the_file_names_them(tmp_path):
    state = LAYOUTS["diffusers"].pack(DDPM, state_of(DDPM))
    state["time_embedding.linear_1.weight"][0, 0] = float("nan")
    torch.save({f"module.{key}": one for key, one in state.items()}, tmp_path / "theirs.pt")
    assert "time_embedding.linear_1.weight." in refusal(tmp_path / "theirs.pt")


def test_only_what_is_taken_is_looked_at(tmp_path):
    """Averages may be sound where the weights are not, and the other way round; and other parts are none of ours."""
    sound, failed = state_of(DDPM), state_of(DDPM)
    failed["conv_in.bias"][0] = float("nan")
    torch.save({"model": failed, "ema": sound}, tmp_path / "one.pt")
    assert torch.equal(
        read_checkpoint(tmp_path / "one.pt", DDPM, ema=True).state["conv_in.bias"], sound["conv_in.bias"]
    )
    assert "conv_in.bias" in refusal(tmp_path / "one.pt")
    torch.save({"model": sound, "ema": failed}, tmp_path / "other.pt")
    assert torch.equal(read_checkpoint(tmp_path / "other.pt", DDPM).state["conv_in.bias"], sound["conv_in.bias"])
    assert "conv_in.bias" in refusal(tmp_path / "other.pt", ema=True)
    parts = {f"model.diffusion_model.{key}": value for key, value in sound.items()}
    torch.save({**parts, "first_stage_model.mask": torch.full((2,), -float("inf"))}, tmp_path / "whole.ckpt")
    assert read_checkpoint(tmp_path / "whole.ckpt", DDPM).ignored == {"first_stage_model": 1}


def test_writing_does_not_look(tmp_path):
    """Who has the weights at hand may keep what failed, to look into it."""
    state = state_of(DDPM)
    state["conv_out.bias"][1] = float("nan")
    write_checkpoint(tmp_path / "failed.safetensors", DDPM, state)
    assert read(tmp_path / "failed.safetensors")["conv_out.bias"].isnan().tolist() == [False, True, False]


def averages():
    return [one for key, one in state_of(DDPM).items() if "." in key]


LISTS = {
    "score_sde": ({"model": state_of(DDPM), "ema": {"decay": 0.99, "shadow_params": averages()}}, "ema.shadow_params"),
    "the averages' own file": ({"decay": 0.99, "num_updates": 3, "shadow_params": averages()}, "shadow_params"),
    "a list in their place": ({"state_dict": state_of(DDPM), "model_ema": averages()}, "model_ema"),
    "a tuple": ({"model": state_of(DDPM), "ema_state_dict": {"shadow_params": tuple(averages())}},
                "ema_state_dict.shadow_params"),
}  # fmt: skip


@pytest.mark.parametrize("kind", LISTS)
def test_averages_without_names_are_said_to_be_a_list_and_what_to_do(kind, tmp_path):
    content, place = LISTS[kind]
    file = tmp_path / "run.pth"
    torch.save(content, file)
    assert refusal(file, ema=True) == (
        f"{file}: error U090 the averaged weights in `{place}` are a list of {len(averages())} tensors without names, "
        "in the order of the parameters of the code that wrote it. Load it there, copy the averages into the network "
        "(`ema.copy_to(network.parameters())`), and save network.state_dict()."
    )


def test_the_averages_own_file_is_told_apart_without_being_asked_for(tmp_path):
    torch.save(LISTS["the averages' own file"][0], tmp_path / "ema.pt")
    assert "the averaged weights in `shadow_params` are a list of" in refusal(tmp_path / "ema.pt")


def test_the_weights_beside_a_list_of_averages_are_read_as_ever(tmp_path):
    content, _ = LISTS["score_sde"]
    torch.save(content, tmp_path / "run.pth")
    found = read_checkpoint(tmp_path / "run.pth", DDPM).state
    assert all(torch.equal(one, content["model"][key]) for key, one in found.items())


@pytest.mark.parametrize(
    "more",
    [{"betas": [torch.zeros(2)]}, {"ema": []}, {"ema": [1, 2]}, {"ema": {"decay": 0.9}}, {"ema": None}],
    ids=["another list", "an empty one", "numbers", "no list", "nothing"],
)
def test_what_is_no_list_of_averages_is_not_taken_for_one(more, tmp_path):
    torch.save({**state_of(DDPM), **more}, tmp_path / "plain.pt")
    assert refusal(tmp_path / "plain.pt", ema=True) == (
        f"{tmp_path}/plain.pt: error U090 there are no averaged weights beside the weights in this file. "
        "Many files hold the averages alone: leave that out."
    )
