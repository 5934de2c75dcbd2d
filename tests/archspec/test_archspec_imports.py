"""What the room imports, and that it is ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import archspec
from archspec.text.names import RESERVED, id_fault, overlaps

ROOT = Path(__file__).parents[2]

EVERYTHING = """
import sys, pkgutil, importlib, archspec
for module in pkgutil.walk_packages(archspec.__path__, "archspec."):
    importlib.import_module(module.name)
archspec.build(archspec.load("zoo/seed-256"))
found = {name.partition(".")[0] for name in sys.modules} & {"torch", "optuna", "pandas", "plotly", "scipy", "numpy"}
print(sorted(found))
"""


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.strip()


def test_neither_torch_nor_optuna_nor_anything_heavy() -> None:
    assert run(EVERYTHING) == "[]"


def test_the_import_is_ours_and_not_the_other_archspec() -> None:
    assert Path(archspec.__file__).parent == ROOT / "archspec"
    assert "resnet_block" in archspec.OPS
    assert not hasattr(archspec, "cpu")


def test_reserved_words_are_those_of_the_installed_torch() -> None:
    code = (
        "import torch.fx, torch.nn, keyword; "
        "module = torch.fx.GraphModule(torch.nn.Module(), torch.fx.Graph()); "
        "names = {*dir(module), *dir(torch.fx.GraphModule), *dir(torch.nn.Module)}; "
        "print(*sorted(name for name in names if not name.startswith('_')), *keyword.kwlist)"
    )
    assert set(run(code).split()) <= RESERVED


def test_ids() -> None:
    good = ["x", "down.0.block.1", "temb", "up.1.skip.0", "A_b.c3", "output", "input", "self", "a" * 120]
    assert [node for node in good if id_fault(node)] == []
    bad = [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "_a",
        "a._b",
        "0.a",
        "a-b",
        "a b",
        "é",
        "a\n",
        "a" * 121,
        "half",
        "a.forward",
        "if",
    ]
    assert [node for node in bad if not id_fault(node)] == []


def test_a_reserved_word_gets_another_name() -> None:
    assert id_fault("to.float.x") == (
        "`to` cannot be part of a node id: torch's modules have that name already.",
        "Write `to_1.float_1.x`.",
    )
    assert id_fault("block.lambda") == (
        "`lambda` cannot be part of a node id: Python has that name already.",
        "Write `block.lambda_1`.",
    )


def test_ids_inside_each_other() -> None:
    assert list(overlaps(["a.b.c", "a", "a.b", "ab", "b"])) == [("a", "a.b.c"), ("a.b", "a.b.c"), ("a", "a.b")]
