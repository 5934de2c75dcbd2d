"""What a standalone file is made of: definitions, arguments of layers, imports and quoted texts."""

import ast
import dataclasses
from functools import partial
from pathlib import Path

import pytest
import torch
from small import one_level as network
from small import refusal
from torch import nn

from archspec.ops.base import num_groups
from builder.export import definitions as definitions_module
from builder.export import source, standalone
from builder.export.constructors import _Writer, constructors
from builder.export.definitions import Definitions
from builder.export.example import example_inputs
from builder.layers import BlockOptions, NormOptions, ResnetBlock
from builder.layers.magnitude import mp_sum

# Definitions


def test_a_definition_brings_what_it_uses_before_it():
    found = Definitions()
    assert found.need(mp_sum) == "mp_sum"
    assert list(found.texts) == ["mp_sum"]
    assert found.need(NormOptions) == "NormOptions"
    names = list(found.texts)
    assert names.index("Normalize") < names.index("NormOptions")
    assert set(names) == {
        "mp_sum", "NormOptions", "NormType", "_NORMS", "Normalize", "ChannelLayerNorm", "ChannelRmsNorm",
    }  # fmt: skip
    assert {"from torch import nn", "from torch import Tensor", "import torch"} <= found.imports


def test_a_definition_that_is_there_is_not_written_twice():
    found = Definitions()
    found.need(mp_sum)
    texts, imports = dict(found.texts), set(found.imports)
    found.need(mp_sum)
    assert (found.texts, found.imports) == (texts, imports)


def test_what_is_torchs_or_somebody_elses_is_imported_from_where_it_is():
    found = Definitions()
    assert found.need(nn.Conv2d) == "Conv2d"
    assert found.need(Path) == "Path"
    assert found.need(torch.nn.functional.rms_norm) == "rms_norm"
    assert found.texts == {}
    assert "from torch import nn" in found.imports
    assert f"from {Path.__module__} import Path" in found.imports


def test_decorators_go_along_and_marks_of_linters_do_not():
    found = Definitions()
    found.need(BlockOptions)
    assert found.texts["BlockOptions"].startswith("@dataclass(frozen=True)\nclass BlockOptions:")
    found.need(ResnetBlock)  # whose constructor has many parameters, which a linter is told
    assert "noqa" not in found.texts["ResnetBlock"]


def test_two_parts_of_one_name_are_refused(monkeypatch):
    found = Definitions()
    found.need(mp_sum)

    def other():
        """Another function of this name."""

    other.__name__, other.__module__ = "mp_sum", "builder.layers.norm"
    assert refusal(found.need, other) == (
        "error U090 two parts of this network are called `mp_sum`, in builder.layers.magnitude and in "
        "builder.layers.norm. A standalone file cannot hold both."
    )


IMPORTS = {
    "import torch": ("torch", "torch", None),
    "import numpy as np": ("np", "numpy", None),
    "from torch import nn": ("nn", "torch", "nn"),
    "from torch.nn import functional as F": ("F", "torch.nn", "functional"),
}


@pytest.mark.parametrize("line", IMPORTS)
def test_imports_are_written_as_they_were(line):
    assert definitions_module._import_line(*IMPORTS[line]) == line


# Arguments


@dataclasses.dataclass(frozen=True)
class Given:
    first: int = 1
    second: tuple[float, ...] = (1.0,)


ARGUMENTS = {
    "None": None, "True": True, "3": 3, "0.5": 0.5, "'a'": "a", "[1, 2]": [1, 2], "(1, 2)": (1, 2), "(1,)": (1,),
    "()": (), "Given()": Given(), "Given(second=(2.0,))": Given(second=(2.0,)),
    "partial(isqrt, 3)": None, "4": partial(num_groups, 4), "partial(num_groups, 'auto')": partial(num_groups, "auto"),
}  # fmt: skip


@pytest.mark.parametrize("text", [text for text in ARGUMENTS if text != "partial(isqrt, 3)"])
def test_arguments_are_written_as_a_person_would(text):
    value = ARGUMENTS[text]
    assert _Writer({}, Definitions()).text(value) == text
    ast.parse(text)


def test_a_function_with_some_of_its_arguments():
    found = Definitions()
    assert _Writer({}, found).text(partial(round, 2.5, ndigits=1)) == "partial(round, 2.5, ndigits=1)"
    assert "from functools import partial" in found.imports


def test_arguments_that_no_text_gives_are_refused():
    assert refusal(_Writer({}, Definitions()).text, {1, 2}) == (
        "error U090 a standalone file cannot say this argument of a layer: {1, 2}."
    )


def test_constructors_name_what_differs_from_the_default():
    made = network(dropout=0.25)
    found = constructors(made.architecture, Definitions())
    assert list(found) == [node for node in made.architecture if node in dict(made.named_modules())]
    assert found["temb"] == "Mlp(8, 32, 32)"
    assert found["conv_in"] == "nn.Conv2d(3, 8, 3, padding=1)"
    assert "dropout=0.25" in found["down.0.block.0"]
    assert "in_channels=8" in found["down.0.block.0"]
    assert "zero_init" not in found["down.0.block.0"]
    before = nn.Conv2d.__init__
    constructors(made.architecture, Definitions())
    assert nn.Conv2d.__init__ is before  # noting the arguments leaves no trace


# The file


def test_names_and_texts_that_python_would_read_as_its_own_are_quoted(tmp_path):
    made = network('a "quoted"  \\ name')
    spec = 'name: """\\d"""\n'
    text = standalone.standalone(made.architecture, spec)
    tree = ast.parse(text)
    said = ast.get_docstring(tree)
    assert said.startswith('a "quoted" \\ name: a diffusion U-Net of plain PyTorch.')
    assert 'name: """\\d"""' in said
    other = standalone.run_standalone(text)
    other.load_state_dict(made.state_dict())
    given = example_inputs(made, 2)
    with torch.no_grad():
        assert torch.equal(other.eval()(**given), made(**given))


def test_without_a_file_of_its_own_the_graph_is_written_out():
    text = standalone.standalone(network().architecture)
    said = ast.get_docstring(ast.parse(text))
    assert "The architecture as it was written:" in said
    assert "conv_in" in said


def test_weights_lie_beside_where_they_are_wanted(tmp_path):
    made = network()
    _, nothing = standalone.write_standalone(made, tmp_path / "one.py")
    assert nothing is None
    _, beside = standalone.write_standalone(made, tmp_path / "two.py", weights=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.py", "two.py", "two.safetensors"]
    assert beside == tmp_path / "two.safetensors"


def test_imports_of_one_module_are_joined_and_torch_comes_last():
    lines = [
        "from torch import nn", "import torch", "from torch import Tensor, nn", "import math",
        "from dataclasses import dataclass", "from collections.abc import Callable",
    ]  # fmt: skip
    assert standalone._imports(lines).splitlines() == [
        "import math", "from collections.abc import Callable", "from dataclasses import dataclass", "",
        "import torch", "from torch import Tensor, nn",
    ]  # fmt: skip


def test_source_stands_for_the_network_and_for_its_architecture():
    made = network("two  words")
    text = source(made)
    assert text == source(made.architecture)
    assert text.splitlines()[0] == "# Architecture: two words"
    assert "getattr(" not in text
    assert " = None" not in text.split("def forward", 1)[1].split("\n", 1)[1]
