"""What the README says works: its study, its commands, its Python, its make targets."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from archspec import check_text
from studies.study.load import check_study

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def yaml_with(text: str) -> str:
    """The one YAML block with this text in it."""
    (found,) = (block for block in blocks("yaml") if text in block)
    return found


def test_the_study_is_sound(tmp_path: Path) -> None:
    study, dimensions, graph = yaml_with("name: digits"), yaml_with("dropout:"), yaml_with("graph:")
    path = tmp_path / "study.yaml"
    path.write_text(study, encoding="utf-8")
    assert check_study(path)[1] == ()
    path.write_text(study.replace("  space:\n", "  space:\n" + dimensions), encoding="utf-8")
    loaded, problems = check_study(path)
    assert problems == ()
    assert loaded is not None
    assert {"dropout", "heads", "middle"} < set(loaded.file.search.space)  # type: ignore[union-attr]
    assert check_text(graph).problems == ()


def test_the_protocol_is_sound(tmp_path: Path) -> None:
    study, protocol = yaml_with("name: digits"), yaml_with("prediction: x0")
    path = tmp_path / "study.yaml"
    for objective in ("{prediction: x0}", "{kind: edm}"):
        changed = protocol.replace("{prediction: x0}", objective) + "\nablation:"
        path.write_text(re.sub(r"^protocol:.*?^ablation:", changed, study, flags=re.DOTALL | re.MULTILINE), "utf-8")
        loaded, problems = check_study(path)
        assert problems == ()
        assert loaded is not None
        assert loaded.protocol.evaluate.samples is not None
    assert loaded.protocol.objective.kind == "edm"


def test_the_designs_are_sound(tmp_path: Path) -> None:
    study, designs = yaml_with("name: digits"), yaml_with("leave_one_out:")
    head, tail = study.split("ablation:", 1)
    first, rest = tail.split("\n", 1)
    fixed = "".join(line for line in designs.splitlines(keepends=True) if "until" not in line)
    until = "".join(line for line in designs.splitlines(keepends=True) if not re.search(r"path|factor", line))
    base = re.search(r"  unet:\n(    .*\n)+", study)
    assert base is not None
    other = "version: 1\nname: other\n" + base[0].replace("\n  ", "\n").removeprefix("  ")
    (tmp_path / "other.yaml").write_text(other.replace("ch: 32", "ch: 64") + "  skip: add\n", encoding="utf-8")
    path = tmp_path / "study.yaml"
    for text in (fixed, until):
        path.write_text(f"{head}ablation:{first}\n{text}{rest}", encoding="utf-8")
        loaded, problems = check_study(path)
        assert loaded is not None
        assert [str(problem) for problem in problems if problem.severity == "error"] == []
        assert len(loaded.expansion().variants) > 10


def test_what_a_network_and_a_run_can_say_is_sound(tmp_path: Path) -> None:
    study, unet, run = yaml_with("name: digits"), yaml_with("norm_type:"), yaml_with("workers:")
    path = tmp_path / "study.yaml"
    unet = unet.replace("    skip: add\n", "")  # which the study's own variant sets
    path.write_text(study.replace("    resolution: 8\n", "    resolution: 8\n" + unet) + run, encoding="utf-8")
    loaded, problems = check_study(path)
    assert [str(problem) for problem in problems if problem.severity == "error"] == []
    assert loaded is not None
    assert loaded.file.run.workers == 4


def test_the_python_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    (block,) = blocks("python")
    done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=True)
    promised = re.findall(r"print\(.*?\)\s+# (.*)", block)
    assert done.stdout.splitlines() == promised


def test_the_commands_of_the_table_exist() -> None:
    commands = set(re.findall(r"^\| `ushape (\w+)", TEXT, flags=re.MULTILINE))
    from ushape.cli.app import app

    named = {command.name or command.callback.__name__ for command in app.registered_commands}  # type: ignore[union-attr]
    groups = {group.typer_instance.info.name for group in app.registered_groups}  # type: ignore[union-attr]
    assert commands == named | groups


def test_the_two_commands_are_targets_and_ci_runs_both() -> None:
    makefile = (ROOT / "Makefile").read_text()
    ci = (ROOT / ".ci" / "run").read_text()
    for target in ("demo", "check"):
        assert f"make {target}" in "".join(blocks("sh"))
        assert f"make {target}" in ci
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)
    assert "examples/digits.yaml" in makefile


@pytest.mark.parametrize("target", re.findall(r"\]\((?!https?:)([^)]+)\)", TEXT))
def test_what_it_links_to_is_there(target: str) -> None:
    assert (ROOT / target).exists()
