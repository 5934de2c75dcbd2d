"""From what the protocol names to one float32 array ``[n, c, h, w]`` in [-1, 1]; numpy and Pillow only.

A source that cannot be read raises `UserError` and names every file at fault. `image_shape` finds channels and size
by reading headers alone, and `check_fits` compares them with an architecture before anything is trained.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from archspec.graphs.graph import ArchGraph, input_nodes, output_node, shape_of
from archspec.ops.shapes import FeatureMap
from archspec.text.errors import Problem, UserError, user_error
from studies.sections.protocol import Digits, ImageFolder, NpzFile, Source
from studies.training.data.digits import digits_table
from studies.training.data.files import image_files, read_files, square_size

Images = NDArray[np.float32]

#: Kinds of input that an architecture may have and no source fills, in words.
_NOT_YET = {
    "context": "a context",
    "label": "labels",
    "vector": "a vector",
    "tokens": "tokens",
    "control": "a control image",
}


def read(source: Source) -> Images:
    """All images of a source, float32 ``[n, c, h, w]`` in [-1, 1], in an order that never changes.

    Raises:
        UserError: the source is missing, empty or holds something else than square images.
    """
    images = _READERS[type(source)](source)
    if len(images) < 2:
        raise user_error(f"{source.name} holds {len(images)} image; a study needs one to train on and one held out.")
    return images


def image_shape(source: Source) -> FeatureMap:
    """Channels and size of a source's images, from the first headers alone where that is possible.

    Raises:
        UserError: the source is missing, empty or holds something else than square images.
    """
    return _SHAPES[type(source)](source)


def check_fits(graph: ArchGraph, source: Source) -> None:
    """Refuse an architecture that cannot denoise the images of a source.

    Raises:
        UserError: channels or size of its image input, or its output's, are not those of the data, or it needs a
            context, labels, a vector or tokens, which no source has.
    """
    data = image_shape(source)
    inputs = input_nodes(graph)
    problems = []
    taken = cast("FeatureMap", shape_of(graph, inputs["image"]))
    if taken != data:
        problems.append(
            Problem(
                code="U404",
                node=inputs["image"],
                message=f"the images of {source.name} are {data}, but the architecture takes {taken}.",
                hint=f"Set in_channels: {data.channels} and resolution: {data.size}, or choose other data.",
            )
        )
    given = cast("FeatureMap", shape_of(graph, output_node(graph)))
    if given.channels != data.channels:
        problems.append(
            Problem(
                code="U404",
                node=output_node(graph),
                message=f"the architecture gives {given}, but the noise of {source.name} has the shape {data}.",
                hint=f"Set out_ch: {data.channels}.",
            )
        )
    for kind, words in _NOT_YET.items():
        if kind in inputs:
            problems.append(
                Problem(
                    code="U404",
                    node=inputs[kind],
                    message=f"the architecture takes {words}, and no data source has one yet.",
                    hint=f"Leave the {kind} out.",
                )
            )
    if problems:
        raise UserError(problems)


def _read_digits(source: Digits) -> Images:
    del source
    values = digits_table()[:, :64].reshape(-1, 8, 8).astype(np.float32)
    return cast("Images", (values / 8 - 1)[:, np.newaxis])


def _digits_shape(source: Digits) -> FeatureMap:
    del source
    return FeatureMap(channels=1, size=8)


def _read_folder(source: ImageFolder) -> Images:
    pixels = read_files(source.images, image_files(source.images), source.channels, source.resolution)
    return pixels.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(127.5) - np.float32(1)


def _folder_shape(source: ImageFolder) -> FeatureMap:
    files = image_files(source.images)
    return FeatureMap(source.channels, source.resolution or square_size(source.images, files[0]))


def _npz_key(source: NpzFile, keys: list[str]) -> str:
    if source.key is None and len(keys) == 1:
        return keys[0]
    if source.key in keys:
        return source.key
    missing = f"has no array {source.key!r}" if source.key else "holds several arrays" if keys else "holds no array"
    hint = f"Set key to one of: {', '.join(keys)}." if keys else None
    raise user_error(f"{source.npz} {missing}.", hint)


def _npz_error(source: NpzFile, error: Exception) -> UserError:
    if isinstance(error, FileNotFoundError):
        return user_error(f"the file {source.npz} does not exist.", "Paths are relative to the study file.")
    return user_error(f"{source.npz} cannot be read as a .npz file: {error}.", "Write it with numpy.savez.")


def _channel_axis(source: NpzFile, shape: tuple[int, ...]) -> int | None:
    """The axis of channels, None for grey images without one; refuses anything but square images."""
    axis = None
    if len(shape) == 4:
        candidates = {"NCHW": [1], "NHWC": [3]}.get(source.layout, [a for a in (1, 3) if shape[a] in (1, 3, 4)])
        axis = candidates[0] if candidates else None
    sides = [side for i, side in enumerate(shape) if i not in (0, axis)]
    if len(sides) != 2 or sides[0] != sides[1] or 0 in shape:
        raise user_error(
            f"the array in {source.npz} has the shape {list(shape)}, which is no stack of square images.",
            "Shapes are [n, c, h, w], [n, h, w, c] or [n, h, w], with h equal to w.",
        )
    return axis


def _read_npz(source: NpzFile) -> Images:
    try:
        with np.load(source.npz, allow_pickle=False) as archive:
            array = archive[_npz_key(source, archive.files)]
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise _npz_error(source, error) from error
    axis = _channel_axis(source, array.shape)
    stacked = array[:, np.newaxis] if axis is None else np.moveaxis(array, axis, 1)
    return np.ascontiguousarray(_scaled(source, stacked))


def _scaled(source: NpzFile, array: NDArray[Any]) -> Images:
    """The array's values in [-1, 1]."""
    if array.dtype == np.uint8:
        return array.astype(np.float32) / np.float32(127.5) - np.float32(1)
    low, high = (float(array.min()), float(array.max())) if array.dtype.kind == "f" else (float("nan"),) * 2
    if low >= 0 and high <= 1:
        return (array.astype(np.float64) * 2 - 1).astype(np.float32)
    if low >= -1 and high <= 1:
        return array.astype(np.float32)
    values = f"{array.dtype} values" + (f" from {low:g} to {high:g}" if array.dtype.kind == "f" else "")
    raise user_error(f"the array in {source.npz} has {values}.", "Give uint8, or floats in 0…1 or in −1…1.")


def _npz_shape(source: NpzFile) -> FeatureMap:
    try:
        with zipfile.ZipFile(source.npz) as archive:
            keys = [name.removesuffix(".npy") for name in archive.namelist()]
            with archive.open(_npz_key(source, keys) + ".npy") as member:
                version = np.lib.format.read_magic(member)
                header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                shape = header[version](member)[0]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _npz_error(source, error) from error
    axis = _channel_axis(source, shape)
    return FeatureMap(channels=1 if axis is None else shape[axis], size=shape[1 if axis == 3 else -1])


# One row per source; a reader takes the source class that it stands beside.
_READERS: dict[type[Source], Callable[[Any], Images]] = {
    Digits: _read_digits,
    ImageFolder: _read_folder,
    NpzFile: _read_npz,
}
_SHAPES: dict[type[Source], Callable[[Any], FeatureMap]] = {
    Digits: _digits_shape,
    ImageFolder: _folder_shape,
    NpzFile: _npz_shape,
}
