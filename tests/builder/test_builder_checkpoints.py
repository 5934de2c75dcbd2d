"""Checkpoints in every layout: what fits is read whole, what does not is refused, and nothing in them runs."""

import pytest
import torch
from checkpoints import state_of
from reduced import reduced
from safetensors.torch import save_file

from archspec import UserError, zoo_names
from builder import assemble
from builder.weights import LAYOUTS, load_weights, read_checkpoint, write_checkpoint
from builder.weights.files import read
from builder.weights.piece import own_shapes

SD, ADM, DDPM = reduced("sd15"), reduced("adm-64"), reduced("ddpm-cifar10")


def same(one, other):
    return list(one) == list(other) and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("ending", [".safetensors", ".pt"])
@pytest.mark.parametrize(
    ("graph", "layout"),
    [(SD, "ldm"), (SD, "adm"), (SD, "diffusers"), (DDPM, "diffusers"), (DDPM, "compvis")],
)
def test_round_trip_and_detection(graph, layout, ending, tmp_path):
    state = state_of(graph)
    write_checkpoint(tmp_path / f"weights{ending}", graph, state, layout)
    found = read_checkpoint(tmp_path / f"weights{ending}", graph)
    assert found.layout.name == layout
    assert same(found.state, state)


def test_names_of_stable_diffusion(tmp_path):
    write_checkpoint(tmp_path / "sd.ckpt", SD, state_of(SD), "ldm")
    names = {
        key.removeprefix("model.diffusion_model."): value.shape for key, value in read(tmp_path / "sd.ckpt").items()
    }
    for key in (
        "time_embed.0.weight", "time_embed.2.bias", "input_blocks.0.0.weight", "input_blocks.1.0.in_layers.0.weight",
        "input_blocks.1.0.emb_layers.1.weight", "input_blocks.2.0.out_layers.3.weight", "input_blocks.3.0.op.weight",
        "input_blocks.4.0.skip_connection.weight", "input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight",
        "input_blocks.11.0.in_layers.2.weight", "middle_block.0.in_layers.0.weight", "middle_block.1.proj_in.weight",
        "middle_block.2.out_layers.0.bias", "output_blocks.2.1.conv.weight", "output_blocks.5.2.conv.weight",
        "output_blocks.11.1.transformer_blocks.0.ff.net.0.proj.weight", "out.0.weight", "out.2.bias",
    ):  # fmt: skip
        assert key in names, key
    assert names["output_blocks.5.2.conv.weight"] == (128, 128, 3, 3)
    assert len(names) == 686  # as many as in the published files


def test_the_order_of_qkv_rows_must_be_said_and_matters(tmp_path):
    state = state_of(ADM)
    for layout in ("adm", "adm-new-order"):
        write_checkpoint(tmp_path / f"{layout}.pt", ADM, state, layout)
        assert same(read_checkpoint(tmp_path / f"{layout}.pt", ADM, layout_name=layout).state, state)
    with pytest.raises(UserError) as caught:
        read_checkpoint(tmp_path / "adm.pt", ADM)
    assert str(caught.value) == (
        f"{tmp_path}/adm.pt: error U090 a file does not say in which order ADM's qkv rows are: "
        "head by head, or q | k | v. "
        "Say `adm`, or `adm-new-order` for a model that was made with use_new_attention_order."
    )
    old, new = read(tmp_path / "adm.pt"), read(tmp_path / "adm-new-order.pt")
    key = "middle_block.1.qkv.weight"
    rows = state["mid.attn_1.qkv.weight"].flatten(1)
    assert torch.equal(new[key].flatten(1), rows)
    width, heads = 16, 8  # 128 channels
    q, k, v = rows.chunk(3)
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        block = old[key].flatten(1)[3 * head * width : 3 * (head + 1) * width]
        assert torch.equal(block, torch.cat([q[part], k[part], v[part]]))


def test_the_per_head_order_is_what_adm_computes(tmp_path):
    """Attention over rows in ADM's old order, written out as its paper's code has it, equals ours."""
    network = assemble(ADM).eval()
    state = state_of(ADM)
    network.load_state_dict(state)
    block = network.get_submodule("mid.attn_1")
    write_checkpoint(tmp_path / "adm.pt", ADM, state, "adm")
    theirs = read(tmp_path / "adm.pt")
    x = torch.randn(2, 128, 4, 4)
    h = block.norm(x).flatten(2)
    qkv = torch.nn.functional.conv1d(h, theirs["middle_block.1.qkv.weight"], theirs["middle_block.1.qkv.bias"])
    q, k, v = qkv.reshape(2 * 8, 48, 16).split(16, dim=1)
    weights = torch.einsum("bct,bcs->bts", q * 16**-0.25, k * 16**-0.25).softmax(dim=-1)
    attended = torch.einsum("bts,bcs->bct", weights, v).reshape(2, 128, 16)
    out = torch.nn.functional.conv1d(
        attended, theirs["middle_block.1.proj_out.weight"], theirs["middle_block.1.proj_out.bias"]
    )
    expected = x + out.reshape(x.shape)
    assert torch.allclose(block(x), expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


def test_a_whole_file_of_stable_diffusion_with_averages(tmp_path):
    plain, averaged = state_of(SD, 0), state_of(SD, 1)
    file = dict(LAYOUTS["ldm"].pack(SD, plain))
    for key, value in LAYOUTS["ldm"].pack(SD, averaged).items():
        file["model_ema." + key.removeprefix("model.").replace(".", "")] = value
    file |= {"first_stage_model.encoder.weight": torch.zeros(3), "betas": torch.zeros(9)}
    torch.save({"epoch": 3, "state_dict": file}, tmp_path / "sd.ckpt")
    found = read_checkpoint(tmp_path / "sd.ckpt", SD)
    assert (found.layout.name, found.ignored) == ("ldm", {"model_ema": 686, "first_stage_model": 1, "betas": 1})
    assert same(found.state, plain)
    assert same(read_checkpoint(tmp_path / "sd.ckpt", SD, ema=True).state, averaged)
    del file["model_ema.diffusion_modelout2bias"]
    torch.save({"state_dict": file}, tmp_path / "sd.ckpt")
    with pytest.raises(UserError, match="there are no averaged weights beside the weights in this file"):
        read_checkpoint(tmp_path / "sd.ckpt", SD, ema=True)


def test_wrappers_and_averages_of_training_scripts(tmp_path):
    plain, averaged = state_of(DDPM, 0), state_of(DDPM, 1)
    wrapped = {f"module._orig_mod.{key}": value for key, value in plain.items()}
    torch.save({"step": 7, "model": wrapped, "ema": averaged}, tmp_path / "run.pt")
    assert same(read_checkpoint(tmp_path / "run.pt", DDPM).state, plain)
    assert same(read_checkpoint(tmp_path / "run.pt", DDPM, ema=True).state, averaged)


def test_averages_in_a_group_of_their_own(tmp_path):
    state, averages = state_of(DDPM), state_of(DDPM, seed=1)
    torch.save({"model": state, "ema": {"decay": 0.999, "module": averages}}, tmp_path / "both.pt")
    assert same(read_checkpoint(tmp_path / "both.pt", DDPM, ema=True).state, averages)
    assert same(read_checkpoint(tmp_path / "both.pt", DDPM).state, state)


def test_a_folder_of_diffusers(tmp_path):
    state = state_of(DDPM)
    write_checkpoint(tmp_path / "unet" / "diffusion_pytorch_model.safetensors", DDPM, state, "diffusers")
    assert same(read_checkpoint(tmp_path, DDPM).state, state)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"there are no weights in this folder\. Looked for diffusion_pytorch_model"):
        read(tmp_path / "empty")


def test_what_does_not_fit_is_listed_and_nothing_is_loaded(tmp_path):
    network = assemble(DDPM)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    state = state_of(DDPM)
    del state["conv_out.bias"], state["mid.attn_1.q.weight"]
    state["extra"] = torch.zeros(1)
    state["conv_in.bias"] = torch.zeros(3)
    file = tmp_path / "wrong.safetensors"
    save_file(state, file)
    with pytest.raises(UserError) as caught:
        load_weights(network, file)
    assert str(caught.value).splitlines() == [
        f"{file}: error U090 these weights do not fit; they come nearest to the layout `compvis`:",
        "error U090 conv_out.bias (and 1 more): this weight is missing.",
        "error U090 extra: this weight has no place in the architecture.",
        "error U090 conv_in.bias: this weight has the shape [3], not [32].",
    ]
    assert same(dict(network.state_dict()), before)
    save_file({"other.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="these are weights of another architecture: no name of any layout fits"):
        load_weights(network, tmp_path / "other.safetensors")


UNREAL = {
    "int8": lambda value: value.to(torch.int8),
    "bool": lambda value: value > 0,
    "complex64": lambda value: value.to(torch.complex64),
    "without values": lambda value: value.to("meta"),
}


@pytest.mark.parametrize("kind", UNREAL)
def test_what_are_no_real_numbers_is_refused_before_anything_is_loaded(kind, tmp_path):
    network = assemble(DDPM)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    state = state_of(DDPM)
    state["conv_out.bias"] = UNREAL[kind](state["conv_out.bias"])  # the last one, after all others
    file = tmp_path / "unreal.pt"
    torch.save(state, file)
    with pytest.raises(UserError) as caught:
        load_weights(network, file)
    assert str(caught.value) == (
        f"{file}: error U090 these are no real numbers, but {kind}: conv_out.bias. "
        "Convert the weights to float32, float16 or bfloat16 where they were made."
    )
    assert same(dict(network.state_dict()), before)


def test_half_precision_is_taken(tmp_path):
    network, state = assemble(DDPM), state_of(DDPM)
    for kind in (torch.float16, torch.bfloat16, torch.float64):
        torch.save({key: value.to(kind) for key, value in state.items()}, tmp_path / "half.pt")
        load_weights(network, tmp_path / "half.pt")
        found = network.state_dict()
        assert all(torch.equal(found[key], value.to(kind).float()) for key, value in state.items())


def test_a_layout_that_was_said_and_is_not_that_of_the_file(tmp_path):
    file = tmp_path / "ours.pt"
    torch.save(state_of(DDPM), file)
    with pytest.raises(UserError) as caught:
        read_checkpoint(file, DDPM, layout_name="diffusers")
    first, *more = str(caught.value).splitlines()
    assert first == f"{file}: error U090 these weights do not fit the layout `diffusers`:"
    assert len(more) == 2


@pytest.mark.parametrize("name", zoo_names())
def test_every_layout_says_an_architecture_or_why_not(name, tmp_path):
    graph = reduced(name)
    for layout in LAYOUTS.values():
        try:
            pieces = layout.pieces(graph)
        except UserError as error:
            assert str(error).startswith("error U090")
        else:
            assert sum(len(piece.ours) for piece in pieces) == len(own_shapes(graph))
    state = state_of(graph)
    torch.save(state, tmp_path / "own.pt")
    assert same(read_checkpoint(tmp_path / "own.pt", graph).state, state)


def test_a_layout_without_a_place_for_a_node(tmp_path):
    graph = reduced("edm2-xs")
    with pytest.raises(UserError, match="the layout of OpenAI's U-Nets"):
        write_checkpoint(tmp_path / "edm2.pt", graph, state_of(graph), "adm")
    assert not (tmp_path / "edm2.pt").exists()
    with pytest.raises(UserError, match=r"there is no layout `difusers`\. Did you mean `?diffusers`?\?"):
        write_checkpoint(tmp_path / "edm2.pt", graph, {}, "difusers")
