"""Studies of pretrained networks: where the weights come from, and what an edited architecture gets of them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec import Problem, check_data, check_file, from_document, to_document
from archspec.document import Architecture
from archspec.graphs.graph import ArchGraph
from archspec.text.positions import DataPath, Positions
from studies.sections.protocol import Protocol
from studies.sections.start import Init

if TYPE_CHECKING:
    from builder.network import Network
    from builder.weights import Checkpoint

_PATH: DataPath = ("protocol", "init")
#: Files up to here are hashed whole; of larger ones so many blocks, evenly spread.
_WHOLE, _BLOCK, _BLOCKS = 64 * 2**20, 2**16, 256


def completed(
    protocol: Protocol, base: ArchGraph | None, study: Path, positions: Positions
) -> tuple[Protocol, tuple[Problem, ...]]:
    """The protocol with the checkpoint's architecture spelled out, and what is wrong with `init`.

    Args:
        protocol: with absolute paths.
        base: the study's base, whose weights they are unless `init` says otherwise; None if it is unsound.
        study: the study's path, which the architecture's is relative to.
        positions: of the study's text.
    """
    init = protocol.init
    if init is None:
        return protocol, ()
    problems: list[Problem] = []
    if not init.source.exists():
        message = f"there is no checkpoint {init.source}."
        problems.append(
            positions.problem("U001", message, "Paths are relative to the study file.", path=(*_PATH, "from"))
        )
    graph, faults = _architecture(init, base, study, positions)
    problems += faults
    if graph is None:
        return protocol, tuple(problems)
    full = init.model_copy(update={"architecture": to_document(graph)})
    return protocol.model_copy(update={"init": full}), tuple(problems)


def _architecture(
    init: Init, base: ArchGraph | None, study: Path, positions: Positions
) -> tuple[ArchGraph | None, tuple[Problem, ...]]:
    path = (*_PATH, "architecture")
    if init.architecture is None:
        return base, ()
    if isinstance(init.architecture, dict):
        checked = check_data(init.architecture, positions, Architecture, path)
        return checked.graph, checked.errors
    beside = study.parent / init.architecture
    checked = check_file(beside if beside.exists() else init.architecture)
    if checked.graph is None and any(problem.code == "U001" for problem in checked.problems):
        message = f"the architecture `{init.architecture}`: {checked.problems[0].message}"
        return None, (positions.problem("U001", message, "Paths are relative to the study file.", path=path),)
    return checked.graph, checked.errors


def digest(source: Path) -> str:
    """16 hexadecimal digits over the content of a checkpoint: all of it, or of a large one its size and 16 MiB of it.

    A file that is not there has the digest of its path.
    """
    files = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
    total = hashlib.sha256()
    for file in files:
        if not file.is_file():
            total.update(str(file).encode())
            continue
        size = file.stat().st_size
        total.update(str(size).encode())
        with file.open("rb") as opened:
            if size <= _WHOLE:
                total.update(opened.read())
                continue
            for number in range(_BLOCKS):
                opened.seek(number * (size - _BLOCK) // (_BLOCKS - 1))
                total.update(opened.read(_BLOCK))
    return total.hexdigest()[:16]


def shared_init(protocol: Protocol) -> dict[str, Any]:
    """What of `init` all trials of a completed protocol share: what the weights are, not where they lie."""
    if protocol.init is None:
        return {}
    init = protocol.init.model_dump(mode="json", exclude={"source"})
    return {"init": {**init, "digest": digest(protocol.init.source)}}


def take_over(init: Init, network: Network) -> dict[str, Any]:
    """Give a network the checkpoint's weights as far as it has them; what was done, in numbers.

    Raises:
        UserError: the checkpoint is damaged, holds more than data, or does not fit its architecture.
    """
    from builder.inherit import inherit_state

    parent, found = _read(init)
    said = inherit_state(parent, found.state, network, init.policy)
    return {
        "layout": found.layout.name,
        "numbers": said.numbers,
        "total": said.total,
        "kept": len(said.kept),
        "cut": [str(change) for change in said.cut],
        "new": list(said.new),
        "left": list(said.left),
    }


def check_checkpoint(init: Init) -> None:
    """`UserError` unless the checkpoint can be read and fits its architecture, which is spelled out."""
    _read(init)


def _read(init: Init) -> tuple[ArchGraph, Checkpoint]:
    from builder.weights import read_checkpoint

    assert isinstance(init.architecture, dict)
    parent = from_document(init.architecture)
    return parent, read_checkpoint(init.source, parent, layout_name=init.layout, ema=init.ema)
