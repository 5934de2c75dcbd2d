"""Checkpoint files: tensors in, tensors out, and never any code."""

from __future__ import annotations

import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from archspec import UserError, user_error
from archspec.text.atomic import replacing
from archspec.text.wording import first_few

#: Files that a folder written by diffusers keeps its weights in, the better one first.
_IN_FOLDER = (
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.bin",
)

#: Ending of the file that says which of several safetensors files a weight is in.
_INDEX = ".safetensors.index.json"

_SAFETENSORS = ".safetensors"
_TORCH = (".pt", ".pth", ".ckpt", ".bin")


def read(path: str | Path) -> dict[str, Any]:
    """What a checkpoint file (or a folder of diffusers') holds: tensors by name, or groups of them.

    safetensors, in one file or in several with an index, or a file of torch's, which is read with
    ``weights_only=True``: nothing in it is run.

    Raises:
        UserError: there is no such file, it is no checkpoint, it is damaged, or it holds more than data.
    """
    file = _file(Path(path))
    if file.name.endswith(_INDEX):
        return _read_parts(file)
    return _read_one(file, path)


def _read_one(file: Path, path: str | Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            start = opened.read(9)
    except OSError as error:
        raise user_error(f"it cannot be read: {error.strerror}.", code="U001", file=str(path)) from None
    is_torch = start.startswith((b"PK\x03\x04", b"\x80"))
    found = _read_torch(file) if is_torch else _read_safetensors(file, start)
    if not isinstance(found, Mapping):
        message = f"this holds a {type(found).__name__}, not weights by name."
        raise user_error(message, "Save the state_dict of the network alone.", file=str(file))
    return dict(found)


def _read_parts(index: Path) -> dict[str, Any]:
    """The weights of all files that an index names, each of which lies beside it."""
    try:
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        files = {str(name): str(file) for name, file in places.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        hint = "It should have `weight_map`, from the name of each weight to its file."
        raise user_error("this is no index of safetensors files.", hint, file=str(index)) from None
    found: dict[str, Any] = {}
    for part in sorted(set(files.values())):
        if Path(part).name != part or not part.endswith(_SAFETENSORS):
            message = f"it names `{part}`, which is no safetensors file beside it; nothing was read."
            raise user_error(message, file=str(index))
        held = _read_one(_file(index.with_name(part)), index.with_name(part))
        found |= {name: value for name, value in held.items() if files.get(name) == part}
    missing = sorted(files.keys() - found.keys())
    if missing:
        message = f"weights are not in the files that it names: {first_few(missing)}."
        raise user_error(message, "Fetch the files again.", file=str(index))
    return found


def _file(path: Path) -> Path:
    if not path.is_dir():
        if not path.exists():
            raise user_error("there is no such file.", code="U001", file=str(path))
        return path
    for folder in (path, path / "unet"):
        for name in _IN_FOLDER:
            if (folder / name).is_file():
                return folder / name
    hint = f"Looked for {' and '.join(_IN_FOLDER)}, also in unet/."
    raise user_error("there are no weights in this folder.", hint, code="U001", file=str(path))


def _read_safetensors(file: Path, start: bytes) -> dict[str, Tensor]:
    if len(start) < 9 or start[8:9] != b"{":
        hint = "Give a .safetensors file, or one that torch.save has written."
        raise user_error("this is no checkpoint.", hint, file=str(file))
    try:
        return safetensors.torch.load_file(file)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        hint = "It may be cut off: fetch or write it again."
        raise user_error(f"this safetensors file is damaged ({_first_line(error)}).", hint, file=str(file)) from None


def _read_torch(file: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _not_only_data(file, error) from None
    except (RuntimeError, EOFError, zipfile.BadZipFile, OSError, ValueError, KeyError, AttributeError) as error:
        hint = "It may be cut off: fetch or write it again."
        raise user_error(f"this file is damaged ({_first_line(error)}).", hint, file=str(file)) from None
    except Exception as error:  # noqa: BLE001 - a file from outside can make torch's reader raise anything
        raise user_error(f"this is no checkpoint ({type(error).__name__}).", None, file=str(file)) from None


def _not_only_data(file: Path, error: Exception) -> UserError:
    """What torch says when a file asks for a name that is no tensor."""
    named = re.search(r"(?:GLOBAL|global|Global|class|instruction for) `?([\w.]+)`?", str(error))
    what = f" (it asks for `{named[1]}`)" if named else ""
    message = f"this file holds more than weights{what}; reading it could run code, so it was not read."
    hint = "Whoever made it can save the state_dict alone, best as safetensors."
    return user_error(message, hint, file=str(file))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].strip(".")[:200]


def _write_safetensors(state: Mapping[str, Tensor], path: Path) -> None:
    kept = {key: value.detach().contiguous().clone() for key, value in state.items()}
    safetensors.torch.save_file(kept, path, metadata={"format": "pt"})


def _write_torch(state: Mapping[str, Tensor], path: Path) -> None:
    torch.save({key: value.detach().clone() for key, value in state.items()}, path)


_WRITERS: dict[str, Callable[[Mapping[str, Tensor], Path], None]] = {
    _SAFETENSORS: _write_safetensors,
    **dict.fromkeys(_TORCH, _write_torch),
}


def write(state: Mapping[str, Tensor], path: str | Path) -> None:
    """Write weights in one step, in the format that the ending names: safetensors, or torch's (.pt .pth .ckpt .bin).

    Raises:
        UserError: another ending.
    """
    path = Path(path)
    if path.suffix not in _WRITERS:
        hint = f"Endings: {', '.join(_WRITERS)}."
        raise user_error(f"no format of weights ends in `{path.suffix}`.", hint, file=str(path))
    with replacing(path) as beside:
        _WRITERS[path.suffix](state, beside)
