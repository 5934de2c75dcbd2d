"""Weights as other code writes them to files: wrappers, averages, kinds of files, and broken ones."""

import pickle
import zipfile
from collections import OrderedDict

import pytest
import torch
from checkpoints import state_of
from small import architecture, refusal
from torch import nn

from builder.weights import read_checkpoint
from builder.weights.files import read, write

# Wrappers and kinds of files

PREFIXES = ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "module.module."]


@pytest.mark.parametrize("group", [None, "state_dict", "model_state_dict", "model", "module"])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_what_wrappers_put_before_names_is_taken_off(prefix, group, tmp_path):
    graph = architecture(num_res_blocks=1, attn_type="none", ch_mult=[1])
    state = state_of(graph)
    content = {prefix + key: value for key, value in state.items()}
    torch.save(content if group is None else {"step": 3, group: content}, tmp_path / "run.pt")
    found = read_checkpoint(tmp_path / "run.pt", graph)
    assert all(torch.equal(value, state[key]) for key, value in found.state.items())


def test_a_prefix_of_some_names_is_part_of_them(tmp_path):
    graph = architecture(num_res_blocks=1, attn_type="none", ch_mult=[1])
    state = state_of(graph)
    state["module.conv_in.bias"] = state.pop("conv_in.bias")
    torch.save(state, tmp_path / "run.pt")
    assert refusal(read_checkpoint, tmp_path / "run.pt", graph).splitlines()[1:] == [
        "error U090 conv_in.bias: this weight is missing.",
        "error U090 module.conv_in.bias: this weight has no place in the architecture.",
    ]


AVERAGES = ["ema", "ema_state_dict", "model_ema", "ema_model"]


@pytest.mark.parametrize("name", AVERAGES)
@pytest.mark.parametrize("inner", [None, "module", "state_dict", "model"])
def test_averages_under_each_name_and_with_their_own_wrappers(name, inner, tmp_path):
    graph = architecture(num_res_blocks=1, attn_type="none", ch_mult=[1])
    plain_state, averaged = state_of(graph), state_of(graph, seed=1)
    wrapped = {f"module.{key}": value for key, value in averaged.items()}
    content = {"state_dict": plain_state, name: wrapped if inner is None else {"decay": 0.9, inner: wrapped}}
    torch.save(content, tmp_path / "run.pt")
    found = read_checkpoint(tmp_path / "run.pt", graph, ema=True).state
    assert all(torch.equal(value, averaged[key]) for key, value in found.items())


def test_ordered_dictionaries_parameters_and_old_files_are_read(tmp_path):
    value = torch.arange(3.0)
    contents = {
        "ordered": OrderedDict(a=value),
        "parameter": {"a": nn.Parameter(value)},
        "view": {"a": torch.arange(9.0)[::3] / 3},
    }
    for name, content in contents.items():
        for new in (True, False):
            torch.save(content, tmp_path / f"{name}.pt", _use_new_zipfile_serialization=new)
            assert torch.equal(read(tmp_path / f"{name}.pt")["a"], value)


def test_counters_and_sparse_tensors_are_no_weights(tmp_path):
    graph = architecture(num_res_blocks=1, attn_type="none", ch_mult=[1])
    state = state_of(graph)
    more = {"num_updates": 7, "note": "best", "mask": torch.eye(3).to_sparse(), "other": None}
    torch.save({**state, **more}, tmp_path / "run.pt")
    assert read_checkpoint(tmp_path / "run.pt", graph).state.keys() == state.keys()


def test_weights_that_share_memory_or_lie_apart_are_written_whole(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    state = {"all": base, "part": base[1:], "turned": base.t(), "trained": nn.Parameter(base)}
    for ending in (".safetensors", ".pt", ".pth", ".ckpt", ".bin"):
        write(state, tmp_path / f"w{ending}")
        found = read(tmp_path / f"w{ending}")
        assert {key: value.tolist() for key, value in found.items()} == {k: v.tolist() for k, v in state.items()}
        assert not any(value.requires_grad for value in found.values())
    size = (tmp_path / "w.pt").stat().st_size
    write({"part": torch.zeros(1000, 1000)[:1]}, tmp_path / "small.pt")
    assert (tmp_path / "small.pt").stat().st_size < size + 8000  # without what it was a part of


BROKEN = {
    "a pickle that ends too early": pickle.dumps({"a": 1}, protocol=2)[:-3],
    "a pickle of numbers": pickle.dumps([1, 2, 3], protocol=2),
    "a length that no file has": (2**63).to_bytes(8, "little") + b"{",
    "a header that is no JSON": (8).to_bytes(8, "little") + b"{not it}",
    "offsets behind the end": (62).to_bytes(8, "little")
    + b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'.ljust(62),
    "an unknown type": (62).to_bytes(8, "little")
    + b'{"a":{"dtype":"X9","shape":[1],"data_offsets":[0,4]}}'.ljust(62)
    + b"abcd",
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_told_by_their_name(name, tmp_path):
    file = tmp_path / "broken.bin"
    file.write_bytes(BROKEN[name])
    message = refusal(read, file)
    assert message.startswith(f"{file}: error U090 this ")
    assert any(word in message for word in ("damaged", "no checkpoint", "not weights by name", "more than weights"))
    assert "Traceback" not in message


def test_an_archive_of_something_else_is_no_checkpoint(tmp_path):
    file = tmp_path / "book.pt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("book/data.pkl", pickle.dumps({"a": 1}, protocol=2)[:-4])
        archive.writestr("book/version", "3\n")
    assert refusal(read, file).startswith(f"{file}: error U090 this ")


def test_a_folder_or_nothing_in_place_of_a_file(tmp_path):
    assert refusal(read, tmp_path / "none.pt") == f"{tmp_path}/none.pt: error U001 there is no such file."
    (tmp_path / "unet").mkdir()
    message = refusal(read, tmp_path)
    assert message.startswith(f"{tmp_path}: error U001 there are no weights in this folder.")


def test_a_file_that_may_not_be_read_is_told_the_reason(tmp_path, monkeypatch):
    file = tmp_path / "secret.pt"
    file.write_bytes(b"PK\x03\x04")

    def closed(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(file), "open", closed)
    assert refusal(read, file) == f"{file}: error U001 it cannot be read: Permission denied."


def test_of_a_folder_the_better_file_is_taken(tmp_path):
    write({"a": torch.zeros(1)}, tmp_path / "diffusion_pytorch_model.bin")
    assert read(tmp_path)["a"].item() == 0.0
    write({"a": torch.ones(1)}, tmp_path / "diffusion_pytorch_model.safetensors")
    assert read(tmp_path)["a"].item() == 1.0
    write({"a": torch.full((1,), 2.0)}, tmp_path / "unet" / "diffusion_pytorch_model.safetensors")
    assert read(tmp_path)["a"].item() == 1.0  # what lies in the folder itself comes first
