"""What the speed benchmarks share: their options, their tables, and where these are published."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

import torch
from networks import SIZES
from timing import circumstances, machine

PAGE = Path(__file__).parent.parent / "README.md"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that every script has."""
    parser.add_argument("--quick", action="store_true", help="fewer rounds and cases: a first look")
    parser.add_argument("--case", default="", help="a part of the networks' names")
    parser.add_argument("--batch", type=int, nargs="*", default=None, help="images a call")
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cpu-seconds", action="store_true", help="CPU time with one thread, for a busy machine")
    parser.add_argument("--publish", action="store_true", help="write the table into benchmarks/README.md")


def device_of(options: argparse.Namespace) -> torch.device | None:
    """The device that was asked for; None, said aloud, where there is none. Threads are set by the way."""
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print("skipped: there is no CUDA device here")
        return None
    if options.cpu_seconds:
        torch.set_num_threads(1)
    return torch.device(options.device)


def chosen(options: argparse.Namespace, names: Iterable[str]) -> list[str]:
    """The names that the case asks for."""
    found = [name for name in names if options.case in name]
    if not found:
        raise SystemExit(f"no network's name has {options.case!r} in it; there are: {', '.join(names)}")
    return found


def circumstances_of(options: argparse.Namespace, device: torch.device) -> str:
    """What must be known to read the numbers."""
    return f"{circumstances(device)}; {'CPU' if options.cpu_seconds else 'wall'} seconds"


def machine_of(options: argparse.Namespace, device: torch.device) -> str:
    """What computes, and the clock: the same for all rows of a table that several runs fill."""
    return f"{machine(device)}; {'CPU' if options.cpu_seconds else 'wall'} seconds"


def with_published(
    options: argparse.Namespace,
    block: str,
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    note: str,
    keys: int,
) -> list[list[str]]:
    """The rows; where they are to be published, with those that other runs left on the page, in the networks' order.

    Args:
        options: of the command.
        block: name of the table on the page.
        header: of the table; if the page's is another, it starts anew.
        rows: take the place of all of the page's rows whose first cells are the same.
        note: how the note below the table begins; if the page's begins otherwise, the table starts anew.
        keys: how many cells say which row it is; the first is the network, the second the batch.
    """
    found = _by_key([[str(cell) for cell in row] for row in rows], keys)
    if options.publish:
        first, *rest = _block(block).strip().split("\n")
        if _cells(first) == list(header) and rest[-1].startswith(note):
            found = _by_key([_cells(line) for line in rest[1:] if line.startswith("|")], keys) | found
    names = list(SIZES)
    return sorted(chain(*found.values()), key=lambda row: (names.index(row[0]), int(row[1])))


def _by_key(rows: Iterable[list[str]], keys: int) -> dict[tuple[str, ...], list[list[str]]]:
    found: dict[tuple[str, ...], list[list[str]]] = {}
    for row in rows:
        found.setdefault(tuple(row[:keys]), []).append(row)
    return found


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _block(block: str) -> str:
    """What the page has between the marks of a block."""
    start, end = _marks(block)
    page = PAGE.read_text(encoding="utf-8")
    if start not in page or end not in page:
        raise SystemExit(f"{PAGE} has no block {block}")
    return page.split(start)[1].split(end)[0]


def _marks(block: str) -> tuple[str, str]:
    return f"<!-- {block}: begin -->", f"<!-- {block}: end -->"


def table(header: Sequence[str], rows: Iterable[Sequence[object]], note: str) -> str:
    """A Markdown table with a note below."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + f"\n\n{note}."


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]], note: str) -> str:
    """Print a Markdown table with a note below; the text."""
    text = table(header, rows, note)
    print(text, flush=True)
    return text


def published(options: argparse.Namespace, block: str, text: str) -> None:
    """Write a table between the marks of its block, if that was asked for; elsewhere the page stays as it is."""
    if not options.publish:
        return
    start, end = _marks(block)
    before = f"{start}{_block(block)}{end}"
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(page.replace(before, f"{start}\n{text}\n{end}"), encoding="utf-8")
