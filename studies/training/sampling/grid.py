"""Sampled images as one PNG."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Images smaller than this are enlarged by a whole number, so that they can be seen.
SEEN = 32
GAP = 2


def grid_png(images: NDArray[np.uint8]) -> bytes:
    """Images uint8 ``[n, c, h, w]`` in rows as near to a square as can be, row by row; c is 1 or 3 (4: the first 3)."""
    count, channels, size, _ = images.shape
    shown = images[:, : 1 if channels < 3 else 3]
    factor = max(1, math.ceil(SEEN / size))
    shown = shown.repeat(factor, axis=2).repeat(factor, axis=3).transpose(0, 2, 3, 1)
    columns = math.ceil(math.sqrt(count))
    step = size * factor + GAP
    sheet = np.full(
        (math.ceil(count / columns) * step - GAP, columns * step - GAP, shown.shape[3]), 255, dtype=np.uint8
    )
    for k, image in enumerate(shown):
        top, left = divmod(k, columns)
        sheet[top * step : top * step + size * factor, left * step : left * step + size * factor] = image
    kept = io.BytesIO()
    Image.fromarray(sheet[:, :, 0] if sheet.shape[2] == 1 else sheet).save(kept, format="PNG", optimize=True)
    return kept.getvalue()
