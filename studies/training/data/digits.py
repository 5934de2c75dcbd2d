"""The digits that scikit-learn ships, read from its file: importing it for them takes two seconds in every process."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def digits_table() -> NDArray[np.int64]:
    """``[1797, 65]``: of each image its 64 pixels, 0 to 16, row by row, and its label.

    The same as `sklearn.datasets.load_digits`, which is asked where the file lies elsewhere.
    """
    found = find_spec("sklearn")
    file = Path(found.origin if found and found.origin else "").parent / "datasets" / "data" / "digits.csv.gz"
    if not file.is_file():
        from sklearn.datasets import load_digits

        loaded = load_digits()
        return np.column_stack([loaded.data, loaded.target]).astype(np.int64)
    with gzip.open(file, "rt", encoding="ascii") as text:
        return np.loadtxt(text, delimiter=",").astype(np.int64)
