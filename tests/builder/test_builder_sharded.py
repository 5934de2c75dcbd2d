"""Checkpoints of several safetensors files with an index."""

import json

import pytest
import torch
from safetensors.torch import save_file

from archspec import UserError
from builder.weights.files import read

INDEX = "diffusion_pytorch_model.safetensors.index.json"
PARTS = {"model-1-of-2.safetensors": ["a", "b"], "model-2-of-2.safetensors": ["c"]}
STATE = {"a": torch.ones(2), "b": torch.zeros(3), "c": torch.full((1,), 7.0)}


@pytest.fixture
def folder(tmp_path):
    for part, names in PARTS.items():
        save_file({name: STATE[name] for name in names}, tmp_path / part)
    write_index(tmp_path, {name: part for part, names in PARTS.items() for name in names})
    return tmp_path


def write_index(folder, places):
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": 24}, "weight_map": places}))


def test_an_index_or_its_folder_is_all_of_its_files(folder):
    for path in (folder, folder / INDEX):
        found = read(path)
        assert found.keys() == STATE.keys()
        assert all(torch.equal(found[name], value) for name, value in STATE.items())


def refusal(path):
    with pytest.raises(UserError) as caught:
        read(path)
    return str(caught.value).replace(str(path.parent), "DIR")


def test_what_is_missing_or_damaged_is_said(folder):
    index = folder / INDEX
    part = folder / "model-2-of-2.safetensors"
    content = part.read_bytes()
    part.write_bytes(content[:-2])
    assert "DIR/model-2-of-2.safetensors: error U090 this safetensors file is damaged" in refusal(index)
    part.unlink()
    assert refusal(index) == "DIR/model-2-of-2.safetensors: error U001 there is no such file."
    save_file({"d": torch.ones(1)}, part)
    assert refusal(index) == (
        f"DIR/{INDEX}: error U090 weights are not in the files that it names: c. Fetch the files again."
    )


@pytest.mark.parametrize("part", ["../elsewhere.safetensors", "/etc/hosts", "evil.ckpt"])
def test_an_index_reaches_nothing_but_safetensors_beside_it(folder, part):
    write_index(folder, {"a": part})
    assert f"it names `{part}`, which is no safetensors file beside it; nothing was read." in refusal(folder / INDEX)


@pytest.mark.parametrize("text", ["", "[]", '{"weights": 1}', '{"weight_map": ["a"]}', "\udcff"])
def test_what_is_no_index(folder, text):
    (folder / INDEX).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert f"DIR/{INDEX}: error U090 this is no index of safetensors files." in refusal(folder / INDEX)
