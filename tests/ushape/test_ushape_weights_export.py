"""`ushape weights convert` and `ushape export` from the outside: what they write, and what they refuse."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from archspec import build, load
from builder import assemble, initialise
from builder.weights.diffusers import to_diffusers
from studies.study.load import load_study
from tests import command
from tests.tiny_study import ABLATION, TINY

UNET = """\
version: 1
name: mine
unet: {ch: 32, out_ch: 1, ch_mult: [1, 2], num_res_blocks: 1, attn_resolutions: [4], in_channels: 1, resolution: 8}
"""


@pytest.fixture
def network(tmp_path, monkeypatch):
    """The compiled model of a.yaml, in the folder that the commands run in."""
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(UNET)
    made = assemble(build(load("a.yaml"))).eval()
    initialise(made, seed=3)
    save_file(made.state_dict(), "a.safetensors")
    return made


@pytest.fixture
def ushape():
    """The command, inside of this process: its exit code, output and errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        done = command.ushape(*arguments, cwd=Path())
        return done.returncode, done.stdout, done.stderr

    return call


def test_convert_there_and_back(network, ushape):
    code, said, _ = ushape(
        "weights", "convert", "a.safetensors", "d.safetensors", "--for", "a.yaml", "--to", "diffusers"
    )
    assert code == 0
    assert said.startswith("compvis -> diffusers: ")
    expected = to_diffusers(network.architecture, network.state_dict())
    found = load_file("d.safetensors")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], value) for key, value in expected.items())
    code, said, _ = ushape("weights", "convert", "d.safetensors", "back.pt", "--for", "a.yaml")
    assert (code, said.split(":")[0]) == (0, "diffusers -> compvis")
    back = torch.load("back.pt", weights_only=True)
    assert all(torch.equal(back[key], value) for key, value in network.state_dict().items())


class _Evil:
    def __reduce__(self):
        return exec, ("open('EVIL', 'w').write('ran')",)


def _truncated() -> str:
    whole = Path("a.safetensors").read_bytes()
    Path("cut.safetensors").write_bytes(whole[: len(whole) // 2])
    return "cut.safetensors"


def _malicious() -> str:
    content = {**load_file("a.safetensors"), "more": _Evil()}
    Path("evil.ckpt").write_bytes(pickle.dumps(content, protocol=2))
    return "evil.ckpt"


def _of_another_network() -> str:
    state = load_file("a.safetensors")
    state["conv_in.weight"] = torch.zeros(32, 3, 3, 3)
    del state["conv_out.bias"]
    save_file(state, "other.safetensors")
    return "other.safetensors"


def _of_a_failed_training() -> str:
    state = load_file("a.safetensors")
    state["mid.block_1.conv1.weight"][0, 0, 0, 0] = float("nan")
    save_file(state, "failed.safetensors")
    return "failed.safetensors"


def _no_checkpoint() -> str:
    return "a.yaml"


def _missing() -> str:
    return "none.safetensors"


REFUSED = {
    _truncated: ["cut.safetensors: error U090 this safetensors file is damaged", "It may be cut off"],
    _malicious: ["evil.ckpt: error U090 this file holds more than weights", "best as safetensors"],
    _of_another_network: ["other.safetensors: error U090", "conv_in.weight", "conv_out.bias"],
    _of_a_failed_training: [
        "failed.safetensors: error U090 1 of ",
        "weights are NaN or infinite in part or whole: mid.block_1.conv1.weight.",
    ],
    _no_checkpoint: ["a.yaml: error U090 this is no checkpoint."],
    _missing: ["none.safetensors: error U001 there is no such file."],
}


@pytest.mark.parametrize("made", REFUSED, ids=lambda made: made.__name__[1:])
def test_what_is_no_checkpoint_of_it_is_refused_and_nothing_is_written(network, ushape, made):
    file = made()
    before = {path.name for path in Path.cwd().iterdir()}
    for arguments in (
        ("weights", "convert", file, "out.safetensors", "--for", "a.yaml"),
        ("export", "a.yaml", "--to", "python", "--weights", file, "-o", "out.py"),
    ):
        code, _, error = ushape(*arguments)
        assert code == 2
        assert "Traceback" not in error
        for words in REFUSED[made]:
            assert words in error, error
    assert {path.name for path in Path.cwd().iterdir()} == before  # and the file's code has not run


def test_convert_for_the_base_of_a_study_or_one_of_its_variants(tmp_path, monkeypatch, ushape):
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(TINY + ABLATION)
    base = load_study("s.yaml").base
    network = assemble(base)
    initialise(network, seed=3)
    save_file(network.state_dict(), "a.safetensors")
    code, said, _ = ushape(
        "weights", "convert", "a.safetensors", "d.safetensors", "--for", "s.yaml", "--to", "diffusers"
    )
    numbers = sum(value.numel() for value in network.state_dict().values())
    assert (code, said) == (0, f"compvis -> diffusers: {len(network.state_dict())} weights, {numbers:,} numbers, in "
                            "d.safetensors\n")  # fmt: skip
    assert load_file("d.safetensors").keys() == to_diffusers(base, network.state_dict()).keys()
    code, _, error = ushape("weights", "convert", "a.safetensors", "b.safetensors", "--for", "s.yaml#no attention")
    assert (code, Path("b.safetensors").exists()) == (2, False)
    assert "mid.attn_1" in error
    code, _, error = ushape("weights", "convert", "a.safetensors", "b.safetensors", "--for", "s.yaml#none")
    assert (code, "no attention" in error) == (2, True)


def test_convert_refuses_what_it_cannot_write(network, ushape):
    convert = ("weights", "convert", "a.safetensors")
    code, _, error = ushape(*convert, "out.npz", "--for", "a.yaml")
    assert (code, "no format of weights ends in `.npz`" in error) == (2, True)
    code, _, error = ushape(*convert, "out.pt", "--for", "a.yaml", "--to", "difusers")
    assert (code, "diffusers" in error) == (2, True)
    code, _, error = ushape(*convert, "out.pt", "--for", "none.yaml")
    assert (code, "none.yaml: error U001" in error) == (2, True)
    assert not list(Path.cwd().glob("out*"))


def test_layouts_are_listed(ushape):
    code, said, _ = ushape("weights", "layouts")
    assert code == 0
    assert {line.split()[0] for line in said.splitlines()} >= {"compvis", "ldm", "adm", "adm-new-order", "diffusers"}


SMALL = """\
version: 1
name: small
graph:
  nodes:
    x: {op: input, channels: 2, resolution: 4}
    conv: {op: conv, out: 2}
    y: {op: output}
  edges: [[x, conv], [conv, y]]
"""


@pytest.mark.parametrize(("form", "out"), [("python", "net.py"), ("pt2", "net.pt2"), ("onnx", "net.onnx")])
def test_each_form_is_written_and_says_how_near_it_is(network, ushape, form, out):
    Path("s.yaml").write_text(SMALL)
    code, said, error = ushape("export", "s.yaml", "--to", form, "-o", out)
    assert code == 0, error
    _is_near(said, out)
    assert Path(out).is_file()


def _is_near(said: str, out: str) -> None:
    told = said.splitlines()[-1]
    assert told.startswith(f"{out}: differs from the compiled model by at most ")
    assert float(told.split("at most ")[1].split()[0]) <= 1e-5


def test_a_folder_of_diffusers_has_the_weights_of_the_checkpoint(network, ushape):
    export = ("export", "a.yaml", "--weights", "a.safetensors", "-o", "net", "--to", "diffusers")
    code, said, error = ushape(*export)
    assert code == 0, error
    _is_near(said, "net")
    assert json.loads(Path("net", "config.json").read_text())["_class_name"] == "UNet2DModel"
    weights = load_file(Path("net", "diffusion_pytorch_model.safetensors"))
    assert torch.equal(weights["conv_in.weight"], network.conv_in.weight)


def test_export_refuses(network, ushape):
    for arguments, words in (
        (("--to", "onx", "-o", "x.onnx"), "there is no form `onx`"),
        (("--to", "onnx"), "onnx is written to a file. Name it: --out PATH."),
        (("--to", "pt2", "-o", "net.onnx"), "net.onnx: error U090"),
    ):
        code, _, error = ushape("export", "a.yaml", *arguments)
        assert (code, words in error) == (2, True), error
    Path("b.yaml").write_text(UNET.replace("resolution: 8", "resolution: 8, attn_type: linear"))
    code, _, error = ushape("export", "b.yaml", "--to", "diffusers", "-o", "folder")
    assert (code, "linear" in error) == (2, True), error
    assert not Path("folder").exists()
