"""Operations of installed packages: what is found under a name, and what is said where that is no operation."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import archspec
from archspec.ops import OPS
from archspec.ops.base import Op
from archspec.ops.plugins import OPERATIONS, installed, known_names, operation_named, register
from archspec.ops.table import read_op
from archspec.text.positions import Place, Positions

MODULE = """\
from typing import Literal
from archspec.ops.base import KeepsShape

class Blur(KeepsShape):
    "An operation of its own."
    op: Literal["blur"] = "blur"

class Other(KeepsShape):
    "Another one of that name."
    op: Literal["blur"] = "blur"

NOT_ONE = 3
"""
AT = Place(Positions("f", {(): (1, 1), ("n", "op"): (4, 7)}), ("n",))


@pytest.fixture
def table() -> dict[str, type[Op]]:
    """A table of operations that no other test sees."""
    return dict(OPS)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where packages are installed for one test, beside a module with operations."""
    (tmp_path / "own_blocks.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = dict(OPS)
    yield tmp_path
    sys.modules.pop("own_blocks", None)
    for name in OPS.keys() - before.keys():
        del OPS[name]


def install(folder: Path, package: str, *lines: str) -> None:
    """What pip leaves of a package that declares operations."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("\n".join([f"[{OPERATIONS}]", *lines, ""]), encoding="utf-8")


def test_an_operation_is_looked_up_when_its_name_is_met_and_then_stands_in_the_table(
    folder: Path, table: dict[str, type[Op]]
) -> None:
    install(folder, "own", "blur = own_blocks:Blur", "zoom = own_blocks:Other", "aside = own_blocks:Other")
    assert "own_blocks" not in sys.modules
    assert known_names(table) == [*OPS, "aside", "blur", "zoom"]
    found = operation_named(table, "blur")
    assert found is sys.modules["own_blocks"].Blur
    assert table["blur"] is found
    assert operation_named(table, "blur") is found


def test_a_file_uses_it_as_any_other(folder: Path) -> None:
    install(folder, "own", "blur = own_blocks:Blur")
    text = """\
version: 1
name: n
graph:
  nodes: {x: {op: input, channels: 3, resolution: 8}, a: {op: blur}, out: {op: output}}
  edges: [[x, a], [a, out]]
"""
    assert str(archspec.build(archspec.loads(text)).nodes["a"]["shape"]) == "3x8x8"


def test_a_name_that_nobody_declares(folder: Path, table: dict[str, type[Op]]) -> None:
    install(folder, "own", "blur = own_blocks:Blur")
    assert operation_named(table, "blurr") is None
    assert installed(OPERATIONS, "blurr") is None
    _, [problem] = read_op({"op": "blurr"}, AT)
    assert (problem.code, problem.hint) == ("U013", "Did you mean `blur`?")


def test_what_can_be_no_name_is_not_looked_up(folder: Path, table: dict[str, type[Op]]) -> None:
    install(folder, "own", "blur-2 = own_blocks:Blur")
    assert operation_named(table, "blur-2") is None
    assert "own_blocks" not in sys.modules


def test_an_operation_of_the_package_itself_comes_first(folder: Path, table: dict[str, type[Op]]) -> None:
    install(folder, "own", "conv = own_blocks:Blur")
    assert operation_named(table, "conv") is OPS["conv"]
    assert known_names(table) == list(OPS)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("own_blocks:Blurr", "cannot be loaded: own_blocks:Blurr: module 'own_blocks' has no attribute 'Blurr'."),
        ("no_blocks:Blur", "cannot be loaded: no_blocks:Blur: No module named 'no_blocks'."),
        ("own_blocks:NOT_ONE", "is not a subclass of archspec.Op."),
        ("own_blocks:Literal", "is not a subclass of archspec.Op."),
    ],
)
def test_what_is_declared_but_is_no_operation_is_a_problem_where_it_is_named(
    folder: Path, target: str, said: str
) -> None:
    install(folder, "own", f"blur = {target}")
    op, [problem] = read_op({"op": "blur"}, AT)
    assert op is None
    assert str(problem) == f"f:4:7: error U090 `blur` of {OPERATIONS} {said}"


def test_a_name_that_two_packages_declare(folder: Path, table: dict[str, type[Op]]) -> None:
    install(folder, "own", "blur = own_blocks:Blur")
    install(folder, "their", "blur = own_blocks:Other")
    with pytest.raises(archspec.UserError) as caught:
        operation_named(table, "blur")
    message, hint = caught.value.problems[0].message, caught.value.problems[0].hint
    both = {"own_blocks:Blur and own_blocks:Other", "own_blocks:Other and own_blocks:Blur"}
    assert message in {f"several packages declare `blur` for {OPERATIONS}: {values}." for values in both}
    assert hint == "Keep one of them."


def test_a_package_that_is_found_twice_declares_the_same_once(folder: Path, table: dict[str, type[Op]]) -> None:
    install(folder, "own", "blur = own_blocks:Blur")
    install(folder, "again", "blur = own_blocks:Blur")
    assert operation_named(table, "blur") is sys.modules["own_blocks"].Blur


def test_a_name_is_given_once(folder: Path, table: dict[str, type[Op]]) -> None:
    install(folder, "own", "blur = own_blocks:Blur")
    blur = operation_named(table, "blur")
    assert blur is not None
    assert register(table, blur) is blur
    with pytest.raises(archspec.UserError) as caught:
        register(table, sys.modules["own_blocks"].Other)
    assert str(caught.value) == "error U090 there is an operation `blur` already. Give yours another name."


def test_an_operation_without_a_name(table: dict[str, type[Op]]) -> None:
    class Nameless(Op):
        """It has none."""

    with pytest.raises(archspec.UserError) as caught:
        register(table, Nameless)
    assert str(caught.value) == (
        'error U090 the operation Nameless has no name. Declare `op: Literal["its_name"] = "its_name"`.'
    )
    assert table == OPS
