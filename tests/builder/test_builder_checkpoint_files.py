"""Files that are cut, forged or half written: nothing in them runs, and nothing half a file stays."""

import pickle
import zipfile

import pytest
import torch
from checkpoints import state_of
from reduced import reduced
from safetensors.torch import save_file

from archspec import UserError
from builder.weights import read_checkpoint
from builder.weights.files import read, write

DDPM = reduced("ddpm-cifar10")


class Evil:
    def __reduce__(self):
        return exec, ("open('EVIL', 'w').write('ran')",)


@pytest.mark.parametrize("how", ["torch.save", "pickle"])
def test_code_in_a_file_does_not_run(how, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "evil.ckpt"
    content = {"state_dict": state_of(DDPM), "callbacks": Evil()}
    torch.save(content, file) if how == "torch.save" else file.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(UserError) as caught:
        read_checkpoint(file, DDPM)
    message = str(caught.value)
    assert message.startswith(f"{file}: error U090 this file holds more than weights")
    assert message.endswith("Whoever made it can save the state_dict alone, best as safetensors.")
    assert not (tmp_path / "EVIL").exists()


def test_damaged_files(tmp_path):
    state = state_of(DDPM)
    save_file(state, tmp_path / "whole.safetensors")
    torch.save(state, tmp_path / "whole.pt")
    for name in ("whole.safetensors", "whole.pt"):
        content = (tmp_path / name).read_bytes()
        for share in (0.001, 0.3, 0.9, 0.9999):
            cut = tmp_path / f"cut-{name}"
            cut.write_bytes(content[: int(len(content) * share)])
            with pytest.raises(UserError, match=r"damaged|no checkpoint"):
                read(cut)
    for content in (b"", b"short", b"%PDF-1.7 and so on, which is longer than nine bytes", b"\x80garbage" * 9):
        (tmp_path / "no.pt").write_bytes(content)
        with pytest.raises(UserError, match=r"damaged|no checkpoint|more than weights"):
            read(tmp_path / "no.pt")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("photo.txt", "not a tensor")
    with pytest.raises(UserError, match="this file is damaged"):
        read(tmp_path / "photos.zip")
    torch.save([torch.zeros(1)], tmp_path / "list.pt")
    with pytest.raises(UserError, match="this holds a list, not weights by name"):
        read(tmp_path / "list.pt")
    torch.save({"epoch": 1}, tmp_path / "empty.pt")
    with pytest.raises(UserError, match=r"there are no weights in this file\. Its first entries: epoch"):
        read_checkpoint(tmp_path / "empty.pt", DDPM)


def test_writing_is_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "weights.safetensors"
    write({"a": torch.ones(2)}, file)
    monkeypatch.setattr("safetensors.torch.save_file", _half)
    with pytest.raises(OSError, match="No space left"):
        write({"a": torch.zeros(2)}, file)
    assert torch.equal(read(file)["a"], torch.ones(2))
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]
    with pytest.raises(UserError) as caught:
        write({}, tmp_path / "weights.bmp")
    assert str(caught.value) == (
        f"{tmp_path}/weights.bmp: error U090 no format of weights ends in `.bmp`. "
        "Endings: .safetensors, .pt, .pth, .ckpt, .bin."
    )


def _half(state, path, metadata):
    path.write_bytes(b"half")
    raise OSError(28, "No space left on device")
