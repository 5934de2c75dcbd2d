"""The example studies are sound, plan as they say, and run: with a tiny protocol, on the images their script makes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from studies.driver.plan import most_cells
from studies.study.load import load_study
from ushape.cli.plan import plan_data

EXAMPLES = Path(__file__).parents[2] / "examples"
STUDIES = ["attention_kinds.yaml", "attention_places.yaml", "skips.yaml", "colour/attention_colour.yaml"]
TINY = {r"steps: \d+, batch: \d+": "steps: 2, batch: 2", r"seeds: 8": "seeds: 1"}
QUICK = "measure: {device: cpu, threads: 1, latency: false, memory: false}"


@pytest.mark.parametrize(("name", "trainings"), list(zip(STUDIES, [48, 64, 40, 32], strict=True)))
def test_an_example_is_sound_and_has_eight_seeds(name: str, trainings: int) -> None:
    study = load_study(EXAMPLES / name)
    assert [str(problem) for problem in study.warnings if problem.code not in ("U503",)] == []
    assert (most_cells(study), len(study.seeds)) == (trainings, 8)
    data = plan_data(study)
    assert data["seconds"] is None or data["seconds"]["total"] > 0
    assert data["power"]["sds"] > 1


def test_the_colour_images_are_tiles_that_share_no_pixel(tmp_path: Path) -> None:
    from PIL import Image

    script = EXAMPLES / "colour" / "make_images.py"
    done = subprocess.run([sys.executable, script, tmp_path / "tiles"], capture_output=True, text=True, check=True)
    assert done.stdout == f"520 images in {tmp_path / 'tiles'}\n"
    files = sorted((tmp_path / "tiles").glob("*.png"))
    assert len(files) == 520
    with Image.open(files[0]) as first:
        assert (first.size, first.mode) == ((32, 32), "RGB")
    assert "creativecommons.org/licenses/by/2.0" in script.read_text()


def run(name: str, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    for pattern, new in TINY.items():
        text = re.sub(pattern, new, text)
    text = re.sub(r"measure: .*", QUICK, text)
    study = folder / Path(name).name
    study.write_text(text, encoding="utf-8")
    given = [sys.executable, "-m", "ushape", *command, str(study)]
    return subprocess.run(given, capture_output=True, text=True, check=False, timeout=280)


@pytest.mark.slow
def test_the_factorial_runs_to_its_report(tmp_path: Path) -> None:
    done = run("attention_places.yaml", tmp_path, "run")
    assert done.returncode == 0, done.stderr
    assert "ablation: 8 finished" in done.stdout
    written = (tmp_path / "runs" / "attention-places" / "results.csv").read_text()
    assert "factor:none at 8" in written.splitlines()[0]
    planned = run("attention_places.yaml", tmp_path, "plan")
    assert planned.returncode == 0, planned.stderr
    assert "scaled by MACs, steps and batch from 8 trainings of attention-places" in planned.stdout
    assert "trainings: 8 (1 seeds); 0 left" in planned.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_every_example_runs(name: str, tmp_path: Path) -> None:
    if name.startswith("colour"):
        subprocess.run([sys.executable, EXAMPLES / "colour" / "make_images.py", tmp_path / "tiles"], check=True)
    done = run(name, tmp_path, "run")
    assert done.returncode == 0, done.stderr + done.stdout
