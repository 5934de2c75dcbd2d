"""Image files through Pillow: found, opened, cropped to a square and resized."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from archspec.text.errors import Problem, UserError, user_error

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
MODES = {1: "L", 3: "RGB"}
DEEP_MODES = frozenset({"F", "I", "I;16", "I;16B", "I;16L", "I;16N"})
NAMED = 10  # unreadable files named one by one; the rest are counted

Pixels = NDArray[np.uint8]


def image_files(folder: Path) -> list[Path]:
    """The image files below a folder, sorted by their path in it; hidden ones are left out.

    Raises:
        UserError: there is no such folder, or no image file in it.
    """
    if not folder.is_dir():
        reason = "is a file, not a folder" if folder.exists() else "does not exist"
        raise user_error(f"the images folder {folder} {reason}.", "Paths are relative to the study file.")
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]
    if not found:
        known = ", ".join(sorted(SUFFIXES))
        raise user_error(f"the images folder {folder} holds no image files.", f"Known are {known}.")
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def square_size(folder: Path, file: Path) -> int:
    """The shorter side of one image, in pixels.

    Raises:
        UserError: the file cannot be read as an image.
    """
    return len(read_files(folder, [file], 1, None)[0])


def read_files(folder: Path, files: list[Path], channels: int, resolution: int | None) -> Pixels:
    """Images as uint8 ``[n, size, size, channels]``, cropped around their centre and resized.

    Args:
        folder: where the files are, for messages.
        files: paths of the files.
        channels: 1 for grey, 3 for RGB.
        resolution: pixels per side; None keeps the files' own, which must then be equal.

    Raises:
        UserError: files that cannot be read (all of them are named), or sizes that differ.
    """
    images: list[Pixels] = []
    problems: list[Problem] = []
    for file in files:
        try:
            images.append(_open(file, channels, resolution))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            name = file.relative_to(folder).as_posix()
            problems.append(Problem(code="U090", message=f"{name} cannot be read as an image: {error}"))
    if problems:
        more = len(problems) - NAMED
        rest = [Problem(code="U090", message=f"… and {more} more files of {folder}.")] if more > 0 else []
        raise UserError(problems[:NAMED] + rest)
    sizes = sorted({len(image) for image in images})
    if len(sizes) > 1:
        raise user_error(
            f"the images in {folder} have different sizes: squares of {sizes[0]} to {sizes[-1]} pixels fit in them.",
            "Set resolution to bring them to one size.",
        )
    return np.stack(images)


def _open(file: Path, channels: int, resolution: int | None) -> Pixels:
    """One image as uint8 ``[size, size, channels]``."""
    with Image.open(file) as opened:
        if opened.mode in DEEP_MODES:
            raise ValueError(f"mode {opened.mode} has more than 8 bits a channel; store deep images in a .npz file")
        image: Image.Image = ImageOps.exif_transpose(opened)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image)
        image = image.convert(MODES[channels])
    side = min(image.size)
    size = resolution or side
    if image.size != (size, size):
        # One call crops to the largest centred square and resizes it, with the filter's antialiasing.
        image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    return np.asarray(image, dtype=np.uint8).reshape(size, size, channels)
