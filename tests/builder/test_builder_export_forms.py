"""Exports that need nothing of ours compute what the compiled model computes, and are not written if they do not."""

import json
import re
import subprocess
import sys

import pytest
import torch
from network_arguments import network_arguments
from reduced import reduced
from safetensors.torch import load_file

from archspec import UserError, check_data, fingerprint, zoo_names
from archspec.text.positions import Positions
from builder import assemble, initialise
from builder.export import diffusers, program, standalone
from builder.export.example import example_inputs

UNET = {
    "ch": 32, "out_ch": 3, "num_res_blocks": 1, "attn_resolutions": [4], "in_channels": 3, "resolution": 8,
    "ch_mult": [1, 2],
}  # fmt: skip
TEXT = {
    **UNET, "attn_type": "transformer", "tokens": {"dim": 6, "length": 3}, "vector": {"dim": 8}, "norm_eps": 1e-5,
    "downsample_padding": "symmetric", "time": {"order": "cos_sin", "freq_shift": 0.0},
}  # fmt: skip
EDM2 = {"ch": 16, "head_dim": 8, "in_channels": 4, "out_ch": 4, "resolution": 8, "attn_resolutions": [4]}


def network(form="unet", /, edits=(), **parameters):
    graph = check_data(
        {"version": 1, "name": "tiny", form: parameters, "edits": list(edits)}, Positions("tiny")
    ).sound()
    made = assemble(graph).eval()
    initialise(made, seed=0)
    for key, value in made.named_parameters():
        if key.endswith("gain"):
            value.data.fill_(0.5)
    return made


PLAIN, CONDITIONAL = network(**UNET), network(**TEXT)
MAGNITUDE = network("edm2", **EDM2, ch_mult=[1, 2], num_res_blocks=1, classes=5)


@pytest.mark.parametrize(
    "name", ["ddpm-cifar10", "adm-64", "sdxl-base", "edm2-xs", "edm-ncsnpp-cifar10", "bk-sdm-tiny"]
)
def test_the_file_of_plain_pytorch(name, tmp_path):
    made = assemble(reduced(name)).eval()
    initialise(made, seed=0)
    exported, weights = standalone.write_standalone(made, tmp_path / "unet.py", weights=True)
    assert exported.difference <= 1e-6
    text = exported.path.read_text(encoding="utf-8")
    assert fingerprint(made.architecture) in text
    (use,) = re.findall(r"; network\((.*)\)\.$", text, re.MULTILINE)
    assert {word.removesuffix("=...") for word in use.split(", ")} == set(example_inputs(made, 1))
    for word in ("archspec", "builder", "ushape", "noqa", "type: ignore"):
        assert word not in text.split('"""', 2)[2], word
    assert load_file(weights).keys() == made.state_dict().keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo_names())
def test_the_file_of_every_architecture_of_the_zoo(name, tmp_path):
    made = assemble(reduced(name)).eval()
    assert standalone.write_standalone(made, tmp_path / "unet.py")[0].difference <= 1e-6


ALONE = """
import sys
for word in ("archspec", "builder", "search", "studies", "reports", "ushape", "networkx", "pydantic"):
    sys.modules[word] = None
import torch
from safetensors.torch import load_file
import unet
network = unet.UNet().eval()
network.load_state_dict(load_file("unet.safetensors"))
torch.manual_seed(0)
with torch.no_grad():
    torch.save(network(torch.randn(2, 3, 8, 8), torch.tensor([1, 500])), "out.pt")
"""


def test_the_file_stands_alone_and_reads_like_the_spec(tmp_path):
    spec = 'version: 1\nname: tiny\nunet: {ch: 32}  # "quotes" and \\ backslashes """ too\n'
    standalone.write_standalone(PLAIN, tmp_path / "unet.py", spec=spec, weights=True)
    subprocess.run([sys.executable, "-c", ALONE], cwd=tmp_path, check=True, timeout=120)
    torch.manual_seed(0)
    with torch.no_grad():
        expected = PLAIN(torch.randn(2, 3, 8, 8), torch.tensor([1, 500]))
    # another process may use another number of threads
    torch.testing.assert_close(torch.load(tmp_path / "out.pt"), expected, rtol=1e-5, atol=1e-6)
    text = (tmp_path / "unet.py").read_text(encoding="utf-8")
    assert '    unet: {ch: 32}  # "quotes" and \\\\ backslashes \\"\\"\\" too\n' in text
    assert "    def forward(self, x: Tensor, t: Tensor) -> Tensor:\n        time = sinusoidal(t, 32)\n" in text
    assert "        up_1_skip_0 = torch.cat([mid_block_2, down_1_attn_0], dim=1)\n" in text
    assert '        self.place("down.0.downsample", Downsample(32, True))\n' in text
    assert "class LinearAttention" not in text


def test_names_that_meet(tmp_path):
    nodes = {
        "x": {"op": "input", "kind": "image", "channels": 4, "resolution": 4},
        "t": {"op": "input", "kind": "timestep"},
        "sinusoidal": {"op": "time_embedding", "dim": 8},
        "given": {"op": "resnet_block", "out": 4, "groups": "auto"},
        "y": {"op": "output"},
    }
    edges = [["x", "given"], ["t", "sinusoidal"], ["sinusoidal", "given", "emb"], ["given", "y"]]
    document = {"version": 1, "name": "named", "graph": {"nodes": nodes, "edges": edges}}
    made = assemble(check_data(document, Positions("named")).sound()).eval()
    exported, _ = standalone.write_standalone(made, tmp_path / "named.py")
    text = exported.path.read_text(encoding="utf-8")
    assert "norm=NormOptions(num_groups=partial(num_groups, 'auto'))" in text.replace('"', "'")
    assert exported.difference <= 1e-6


@pytest.mark.parametrize(
    "made", [PLAIN, pytest.param(CONDITIONAL, marks=pytest.mark.slow), pytest.param(MAGNITUDE, marks=pytest.mark.slow)]
)
def test_onnx_of_any_number_of_images(made, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    exported = program.write_onnx(made, tmp_path / "unet.onnx")
    assert exported.difference < 1e-4
    session = onnxruntime.InferenceSession(str(tmp_path / "unet.onnx"))
    given = example_inputs(made, batch=5, seed=7)
    assert [one.name for one in session.get_inputs()] == list(given)
    found = session.run(["out"], {name: value.numpy() for name, value in given.items()})[0]
    torch.testing.assert_close(torch.from_numpy(found), made(**given).detach(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("made", [PLAIN, pytest.param(MAGNITUDE, marks=pytest.mark.slow)])
def test_program_of_any_number_of_images(made, tmp_path):
    assert program.write_program(made, tmp_path / "unet.pt2").difference < 1e-5
    loaded = torch.export.load(tmp_path / "unet.pt2").module()
    given = example_inputs(made, batch=4, seed=7)
    names = [node.target for node in made.graph.find_nodes(op="placeholder")]
    found = loaded(*(given.get(name) for name in names))
    torch.testing.assert_close(found, made(**given), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("made", [PLAIN, CONDITIONAL])
def test_folder_of_diffusers(made, tmp_path):
    theirs = pytest.importorskip("diffusers")
    exported = diffusers.write_diffusers(made, tmp_path / "unet")
    assert exported.difference < 1e-5
    kind = json.loads((tmp_path / "unet" / "config.json").read_text(encoding="utf-8"))["_class_name"]
    loaded = getattr(theirs, kind).from_pretrained(tmp_path / "unet")
    assert sum(p.numel() for p in loaded.parameters()) == sum(p.numel() for p in made.parameters())
    with pytest.raises(UserError, match="there is something of this name already"):
        diffusers.write_diffusers(made, tmp_path / "unet")


def test_what_diffusers_cannot_say_is_a_list_and_no_folder(tmp_path):
    other = network(**{**UNET, "attn_type": "linear", "skip": "add"})
    with pytest.raises(UserError) as caught:
        diffusers.write_diffusers(other, tmp_path / "unet")
    assert [line.split(": UNet2DModel cannot say this: ")[1] for line in str(caught.value).splitlines()] == [
        "it would be a concat, not an add.",
        "linear attention.",
    ]
    assert list(tmp_path.iterdir()) == []


NODES = {"x": {"op": "input", "channels": 2, "resolution": 4}, "conv": {"op": "conv", "out": 2}, "y": {"op": "output"}}
CONV = {"nodes": NODES, "edges": [["x", "conv"], ["conv", "y"]]}


@pytest.mark.parametrize(
    ("write", "made", "limit", "name"),
    [
        (standalone.write_standalone, network("graph", **CONV), (standalone, "LIMIT"), "unet.py"),
        (program.write_program, network("graph", **CONV), (program, "PROGRAM_LIMIT"), "unet.pt2"),
        (program.write_onnx, network("graph", **CONV), (program, "ONNX_LIMIT"), "unet.onnx"),
        (diffusers.write_diffusers, PLAIN, (diffusers, "LIMIT"), "unet"),
    ],
)
def test_what_is_off_is_not_written(write, made, limit, name, tmp_path, monkeypatch):
    monkeypatch.setattr(*limit, -1.0)
    with pytest.raises(UserError, match=r"differs from the compiled model by .*; nothing was written"):
        write(made, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def wrong_call(given):
    """A result that is none of the network's."""
    return torch.zeros(len(given["x"]), 3, 8, 8)


@pytest.mark.parametrize(
    ("write", "way", "name"),
    [
        (standalone.write_standalone, (standalone, "_call", lambda other, given: wrong_call(given)), "unet.py"),
        (program.write_onnx, (program, "_onnx_call", lambda file: wrong_call), "unet.onnx"),
        (diffusers.write_diffusers, (diffusers, "_call", lambda name, folder: wrong_call), "unet"),
    ],
)
def test_a_start_at_zero_does_not_hide_a_wrong_export(write, way, name, tmp_path, monkeypatch):
    made = network(**{**UNET, "zero_init": True})
    assert not made(**example_inputs(made, 1)).any()
    with monkeypatch.context() as changed:
        changed.setattr(*way)
        with pytest.raises(UserError, match=rf"{tmp_path}/{name}: .*differs from the compiled model by"):
            write(made, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    before = {key: value.clone() for key, value in made.state_dict().items()}
    write(made, tmp_path / name)
    assert all(torch.equal(value, before[key]) for key, value in made.state_dict().items())


def test_endings_are_checked_before_anything_is_done(tmp_path):
    with pytest.raises(UserError, match=r"the file must end in \.onnx, not in `\.pt`"):
        program.write_onnx(PLAIN, tmp_path / "unet.pt")
    with pytest.raises(UserError, match=r"the file must end in \.pt2, not in `\.pt`"):
        program.write_program(PLAIN, tmp_path / "unet.pt")


def test_example_inputs_are_those_of_the_forward():
    given = example_inputs(CONDITIONAL, 3)
    assert {name: tuple(value.shape) for name, value in given.items()} == {
        "x": (3, 3, 8, 8), "t": (3,), "vector": (3, 8), "tokens": (3, 3, 6),
    }  # fmt: skip
    assert given.keys() == network_arguments(CONDITIONAL.architecture).keys()
