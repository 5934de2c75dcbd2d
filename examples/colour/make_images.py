"""Write 32×32 colour images to train on, without a download: tiles of scikit-learn's two sample photographs.

    python examples/colour/make_images.py [FOLDER]        # default: tiles/ beside this file

The photographs ship with scikit-learn (`sklearn.datasets.load_sample_images`) under the Creative Commons Attribution
licence 2.0 (https://creativecommons.org/licenses/by/2.0/): china.jpg by danielbuechele
(https://www.flickr.com/photos/danielbuechele/) and flower.jpg by vultilion
(https://www.flickr.com/photos/vultilion/). Tiles share no pixel, so that nothing that is held out has been seen in
training; neighbours are alike all the same, and two photographs are few: this is a demonstration, not a benchmark.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_sample_images

SIZE = 32


def make_images(folder: Path) -> int:
    """Write every whole tile of both photographs as a PNG file; returns how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    for photograph in load_sample_images().images:
        height, width, _ = photograph.shape
        for top in range(0, height - SIZE + 1, SIZE):
            for left in range(0, width - SIZE + 1, SIZE):
                tile = photograph[top : top + SIZE, left : left + SIZE]
                Image.fromarray(tile).save(folder / f"{number:04d}.png")
                number += 1
    return number


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "tiles"
    print(f"{make_images(where)} images in {where}")  # noqa: T201
