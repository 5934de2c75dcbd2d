"""The texts of studies to start from: on handwritten digits, or on a folder of images."""

from __future__ import annotations

import json
import os
import re
from importlib import resources
from pathlib import Path
from string import Template

#: So many files are looked at, evenly spread, for size and colour.
_LOOKS = 50
#: Pixels per side, the largest that fits is taken.
_SIZES = (32, 16, 8)
#: Side of the innermost map, where there are more than two levels.
_INNERMOST = 8
#: Trainings of the search that is proposed, unless its space (two widths, two depths, inner sizes) is smaller.
_MOST_TRIALS = 12


def study_of_digits() -> str:
    """The commented study that runs as it is."""
    return _template("study.yaml")


def study_of_images(file: Path, folder: Path, resolution: int | None) -> str:
    """A study of the images in a folder.

    Args:
        file: where it will stand; paths in it are relative to it.
        folder: of the images.
        resolution: pixels per side; None: 32, or as much as the files have.

    Raises:
        UserError: there are no images, or so small ones that no network fits, or the resolution is no multiple of 8.
    """
    from archspec import user_error

    number, side, channels = _looked_at(folder)
    if resolution is not None and resolution % _INNERMOST:
        near = max(_INNERMOST, resolution // _INNERMOST * _INNERMOST)
        raise user_error(
            f"--resolution is {resolution}, which cannot be halved down to 8.", f"Say {near}, or a double."
        )
    size = resolution or next((size for size in _SIZES if size <= side), _INNERMOST)
    levels = 2
    while levels < 4 and size % 2**levels == 0 and size // 2**levels >= _INNERMOST:
        levels += 1
    mult = [1] * (levels - 1) + [2]
    inner = [size // 2**level for level in range(1, levels)]
    return Template(_template("images.yaml")).substitute(
        file=file.name, name=_as_text(_name(folder)), channels=channels, ch_mult=mult, resolution=size,
        number=f"{number:,}", inner=inner, side=side, trials=min(_MOST_TRIALS, 4 * 2 ** len(inner)),
        folder=json.dumps(_seen_from(file, folder), ensure_ascii=False),
    )  # fmt: skip


def _seen_from(file: Path, folder: Path) -> str:
    """A folder's path relative to a file where it lies below or beside it, so that both can be moved together."""
    here, there = file.parent.resolve(), folder.resolve()
    around = here.parent if here.parent != Path(here.anchor) else here
    return os.path.relpath(there, here) if there.is_relative_to(around) else str(there)


def _looked_at(folder: Path) -> tuple[int, int, int]:
    """(number of image files, the shortest side among those looked at, their channels)."""
    from PIL import Image, UnidentifiedImageError

    from archspec import user_error
    from studies.training.data.files import image_files

    if not folder.is_dir():
        raise user_error(f"there is no folder {folder}.", "Name one with images in it.")
    files = image_files(folder)
    if len(files) < 2:
        raise user_error(f"{folder} holds one image.", "A study needs some to train on and some held out.")
    sides, grey = [], True
    for file in files[:: max(1, len(files) // _LOOKS)]:
        try:
            with Image.open(file) as image:
                sides.append(min(image.size))
                grey = grey and image.mode in ("1", "L")
        except (OSError, UnidentifiedImageError) as error:
            raise user_error(f"{file} cannot be read as an image: {error}", "Take it out, or mend it.") from None
    return len(files), min(sides), 1 if grey else 3


def _name(folder: Path) -> str:
    """A study's name out of a folder's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-._")[:60] or "images"


def _as_text(name: str) -> str:
    """A name as YAML reads it as text: in quotes where it looks like a number, a date or a word such as null."""
    from archspec.text.parse import read

    return name if read(name, name)[0].data == name else f'"{name}"'


def _template(name: str) -> str:
    return (resources.files("ushape") / "templates" / name).read_text(encoding="utf-8")
