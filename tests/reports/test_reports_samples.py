import base64
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from reports.analysis.drawn import drawn
from reports.dashboard import render
from reports.pages import samples
from reports.pages.charts import Charts
from studies.frame import StudyResults
from tests.reports.synthetic_study import VARIANTS, make_study


def detail(fd: float) -> dict[str, Any]:
    return {
        "number": 256, "sampler": "heun", "steps": 18, "calls": 35, "space": "classifier of the 10 labels of digits",
        "space_hash": "0123456789abcdef0123", "features": 32, "accuracy": 0.972, "reference": 1617, "fd": fd,
        "fd_inf": fd - 0.5, "fd_bias": 0.5, "kd": 0.0123, "kd_error": 0.0017,
        "real": {"number": 180, "fd": 0.9, "fd_inf": 0.1, "kd": 0.0003, "kd_error": 0.0004},
    }  # fmt: skip


def with_samples(results: StudyResults, folder: Path) -> StudyResults:
    found: dict[tuple[str, int], dict[str, Any]] = {}
    files: dict[tuple[str, int], dict[str, Path]] = {}
    rows = results.trials[results.trials["status"] == "finished"]
    for part, trial in zip(rows["part"], rows["trial"], strict=True):
        key = (str(part), int(trial))
        found[key] = detail(10 + trial)
        file = folder / f"{part}-{trial}.png"
        Image.new("L", (4, 4), int(trial)).save(file)
        files[key] = {"samples.png": file}
    return replace(results, samples=found, files=files)


def test_base_and_best_come_first_and_variants_with_their_first_seed(tmp_path: Path) -> None:
    results = with_samples(make_study(), tmp_path)
    shown = drawn(results)
    assert shown[0].label == "base"
    assert shown[0].seed == 0
    assert shown[1].label.startswith("best of the search (trial ")
    assert [one.label for one in shown[2:]] == list(VARIANTS)
    assert all(one.grid is not None for one in shown)


def test_distances_stand_with_their_number_and_bias(tmp_path: Path) -> None:
    gathered = samples.context(with_samples(make_study(trials=0), tmp_path), Charts())
    assert gathered is not None
    assert gathered["rows"][0] == ("base, seed 0", "256", "10.0", "9.50", "0.50", "0.0123 ± 0.0017")
    assert gathered["rows"][-1] == ("held-out images", "180", "0.900", "0.100", "0.80", "0.000300 ± 0.00040")
    assert gathered["how"] == "EDM's Heun sampler, 35 calls of the network per image"
    picture = gathered["grids"][0][2].removeprefix("data:image/png;base64,")
    with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
        assert image.size == (4, 4)


def test_the_page_shows_them(tmp_path: Path) -> None:
    page = render(with_samples(make_study(trials=0), tmp_path))
    assert '<section id="samples"' in page
    assert page.count('<img src="data:image/png;base64,') == 1 + len(VARIANTS)
    assert "in the features of: classifier of the 10 labels of digits (right on 97\u202f% of held-out images; " in page


def test_a_study_without_samples_has_no_such_section() -> None:
    assert samples.context(make_study(), Charts()) is None
