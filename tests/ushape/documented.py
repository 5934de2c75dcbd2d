"""The blocks of a Markdown page, and how they are run: one folder and one set of Python names a page, in order.

What stands behind the language in a fence says how:

- ``yaml file=NAME`` is written and checked (``broken``: not checked, ``own``: it names an operation of the page);
  ``yaml into=NAME`` is put over that file, which is checked again.
- ``sh``: each ``ushape`` line is run in this process and ends with exit code 0 (``fails``: with 2); a block ``text``
  right after it stands in what was printed.
- ``python`` is executed; ``python file=NAME`` is written.
- ``slow``: trains. By default its options are read and nothing is run; `Page.run(slow=True)` runs it on a budget.
- ``skip``: for another machine or a clean one; its options, targets and extras are looked up. ``cluster``: so too.
"""

from __future__ import annotations

import os
import re
import runpy
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from ruamel.yaml import YAML
from typer.testing import CliRunner

from archspec.text.errors import UserError
from ushape.cli.app import app
from ushape.cli.checking import problems_of

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]+)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, what stands behind it, its text, and the line that it begins at."""

    language: str
    words: tuple[str, ...]
    text: str
    line: int

    def value(self, key: str) -> str | None:
        """What stands behind ``key=``."""
        return next((word.partition("=")[2] for word in self.words if word.startswith(f"{key}=")), None)


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in order, without those that are directives."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        language, *words = match["info"].split()
        if not language.startswith("{"):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(language, tuple(words), textwrap.dedent(match["text"]), line))
    return found


@dataclass
class Page:
    """A page that is being run in the current folder."""

    path: Path
    slow: bool = False
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "page"})
    said: str = ""

    def run(self) -> None:
        """Every block; AssertionError with page and line at the first that does not hold."""
        for block in blocks(self.path):
            try:
                getattr(self, f"_{block.language}")(block)
            except Exception as error:
                raise AssertionError(f"{self.path.name}, line {block.line}: {error}") from error

    def _yaml(self, block: Block) -> None:
        into = block.value("into")
        name = Path(block.value("file") or into or "")
        text = block.text if into is None else _merged(name, block.text)
        name.write_text(_small(text) if self.slow else text, encoding="utf-8")
        if not {"broken", "own"} & set(block.words):
            errors = [str(problem) for problem in problems_of(name) if problem.severity == "error"]
            assert not errors, "\n".join(errors)

    def _python(self, block: Block) -> None:
        name = block.value("file")
        if name is not None:
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_text(block.text, encoding="utf-8")
            return
        code = compile(block.text, f"{self.path.name}:{block.line}", "exec")
        if self.slow or "slow" not in block.words:
            exec(code, self.names)

    def _toml(self, block: Block) -> None:
        import tomllib

        tomllib.loads(block.text)

    def _sh(self, block: Block) -> None:
        outside = {"skip", "cluster"} & set(block.words)
        dry = bool(outside) or ("slow" in block.words and not self.slow)
        said = [self._line(line, block, dry=dry) for line in _lines(block.text)]
        self.said = "" if dry else "".join(said)

    def _text(self, block: Block) -> None:
        if self.said and not self.slow:  # the budget changes numbers
            printed = [" ".join(line.split()) for line in self.said.splitlines()]
            for line in block.text.splitlines():
                assert any(" ".join(line.split()) in one for one in printed), f"not printed: {line}"

    def _line(self, line: str, block: Block, *, dry: bool) -> str:
        word, *arguments = shlex.split(line, comments=True)
        if word == "ushape":
            readable(arguments)
            return "" if dry else _call(arguments, code=2 if "fails" in block.words else 0)
        if word == "python" and not dry:
            _script(ROOT / arguments[0], arguments[1:])
        elif word == "make":
            assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        else:
            assert word in {"python", "python3", ".", "pip", "export", "ray"}, f"an unknown command: {line}"
        return ""


def _lines(text: str) -> Iterator[str]:
    return (line for line in text.splitlines() if shlex.split(line, comments=True))


def readable(arguments: list[str]) -> None:
    """Read a command's options and arguments without running it; an exception if one does not exist."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    command.make_context(command.name, list(arguments))


def _call(arguments: list[str], code: int) -> str:
    """Run a command in this process; its output."""
    done = CliRunner().invoke(app, arguments)
    if isinstance(done.exception, UserError):
        said = "\n".join(str(problem) for problem in done.exception.problems)
        assert code == 2, said
        return said
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


def _script(path: Path, arguments: list[str]) -> None:
    before = sys.argv
    sys.argv = [str(path), *arguments]
    try:
        runpy.run_path(str(path), run_name="__main__")
    finally:
        sys.argv = before


def _merged(path: Path, text: str) -> str:
    """A file with the keys of another text over its own, as deep as both are mappings."""
    yaml = YAML(typ="safe")
    merged = _over(yaml.load(path), yaml.load(text))
    with (path.with_suffix(".merged")).open("w") as file:
        yaml.dump(merged, file)
    return path.with_suffix(".merged").read_text(encoding="utf-8")


def _over(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = {
        k: _over(under[k], v) if isinstance(v, dict) and isinstance(under.get(k), dict) else v for k, v in over.items()
    }
    return {**under, **both}


def _small(text: str) -> str:
    """A study on a budget: two steps, two images, two seeds, two trials."""
    for key in ("steps", "images", "seeds", "trials", "batch"):
        text = re.sub(rf"\b{key}: [1-9]\d*", f"{key}: {4 if key in ('images', 'batch') else 2}", text)
    return text.replace("ch: [64, 96, 128]", "ch: [32, 64]").replace("base: zoo/ddpm-cifar10", _SMALL_BASE)


_SMALL_BASE = (
    "base: {unet: {ch: 64, out_ch: 3, ch_mult: [1, 2], num_res_blocks: 2, attn_resolutions: [16], "
    "in_channels: 3, resolution: 32}}"
)


def prepare(page: Path, folder: Path) -> None:
    """What a page takes for granted: it is read in a copy of the repository, or beside the demo's study."""
    os.chdir(folder)
    shutil.copy(ROOT / "examples" / "digits.yaml", folder / "digits.yaml")
    (folder / "pages").mkdir()
    assert page.exists()
