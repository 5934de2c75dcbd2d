"""Both schemas as an editor's validator reads them: `check-jsonschema` on what ships, and on the broken files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import archspec
from tests.command import ushape

pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")

ROOT = Path(__file__).parents[2]
BROKEN = ROOT / "tests" / "broken"
#: Rules that a schema can see in the values themselves: unknown and missing keys, values, operations, one form.
VISIBLE = {"U010", "U011", "U012", "U013", "U014"}
#: What joins several values, or counts letters as no schema does: said by `ushape check` alone.
JOINED = {
    "context_is_everything", "edits_move_wrong", "graph_emb_dim", "graph_inputs_incomplete", "name_of_two_lines",
    "unet_depth_of_blocks_that_are_not_there", "unet_lists_of_another_length", "unet_options_of_a_label_table",
    "unet_parts_that_do_not_go_together", "edits_of_parts_that_do_not_go_together",
}  # fmt: skip
#: Edits of a short form that the file does not have, in which the schema finds a wrong key as well.
MORE = {"edits_of_another_short_form"}


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("schemas")
    made = {kind: folder / f"{kind}.json" for kind in ("architecture", "study")}
    for kind, path in made.items():
        assert ushape("schema", kind, "--out", str(path), cwd=ROOT).returncode == 0
    return made


def invalid(schema: Path, files: list[Path]) -> dict[str, set[str]]:
    """File -> the paths in it at which the validator finds something."""
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(schema), "-o", "json", *map(str, files)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=200)
    report = json.loads(done.stdout)
    assert report.get("parse_errors", []) == []
    errors = report.get("errors", [])
    assert done.returncode == (1 if errors else 0), done.stderr
    found: dict[str, set[str]] = {}
    for error in errors:
        found.setdefault(Path(error["filename"]).stem, set()).add(error["path"])
    return found


def test_all_that_ships_is_valid(schemas: dict[str, Path], tmp_path: Path) -> None:
    full = tmp_path / "full.yaml"
    full.write_text(archspec.to_yaml(archspec.build(archspec.load("zoo/seed-256"))), encoding="utf-8")
    zoo = sorted((ROOT / "archspec" / "zoo").glob("*.yaml"))
    custom = ROOT / "examples" / "custom_operation" / "architecture.yaml"
    assert len(zoo) >= 30
    assert invalid(schemas["architecture"], [*zoo, full]) == {}
    # An operation that a package brings along is known to the editor once it is installed, and not before.
    assert set(invalid(schemas["architecture"], [custom])) == {"architecture"}
    studies = sorted((ROOT / "examples").glob("*.yaml"))
    assert studies
    assert invalid(schemas["study"], studies) == {}


def test_the_broken_files_are_invalid_where_a_schema_can_tell(schemas: dict[str, Path]) -> None:
    # Files that are no YAML, or a bomb of aliases, are no matter of schemas; the validator would unfold the bomb.
    files = [path for path in sorted(BROKEN.glob("*.yaml")) if not path.stem.startswith("text_")]
    found = invalid(schemas["architecture"], files)
    said = {path.stem: path.with_suffix(".txt").read_text(encoding="utf-8") for path in files}
    visible = {name for name, text in said.items() if VISIBLE & set(re.findall(r": error (U\d{3})", text))}
    assert found.keys() == (visible - JOINED) | MORE
    assert found["keys_typos"] >= {"$.unet"}


def test_typos_in_a_study_are_found_where_they_are(schemas: dict[str, Path], tmp_path: Path) -> None:
    text = (ROOT / "examples" / "digits.yaml").read_text(encoding="utf-8")
    cases = {
        "key": (text.replace("\nprotocol:", "\nprotocoll:"), "$"),
        "version": (re.sub(r"(?m)^version: 1", "version: 7", text), "$.version"),
        "name": (re.sub(r"(?m)^name: .*$", "name: [a]", text), "$.name"),
    }
    for name, (spoilt, _) in cases.items():
        assert spoilt != text
        (tmp_path / f"{name}.yaml").write_text(spoilt, encoding="utf-8")
    found = invalid(schemas["study"], sorted(tmp_path.glob("*.yaml")))
    assert found.keys() == cases.keys()
    assert all(path in found[name] for name, (_, path) in cases.items())
