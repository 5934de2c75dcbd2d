"""The commands about architectures: diff, zoo, explain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import ushape
from tests.tiny_study import ABLATION, TINY

SAID = """\
from tiny to no attention:
- mid.attn_1 (attention)
~ mid.block_2 takes mid.block_1 instead of mid.attn_1 (x)
"""


def test_diff_of_files_and_of_variants(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(TINY + ABLATION)
    done = ushape("diff", "zoo/seed-256", "zoo/seed-256-none", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines()[1] == (
        "- down.4.attn.0, down.4.attn.1, mid.attn_1, up.4.attn.0 and 2 more (attention)"
    )
    for arguments in (["s.yaml"], ["s.yaml#no attention"], ["s.yaml", "--variant", "no attention"],
                      ["s.yaml", "s.yaml#no attention"]):  # fmt: skip
        assert ushape("diff", *arguments, cwd=tmp_path).stdout.startswith(SAID), arguments
    data = json.loads(ushape("diff", "s.yaml", "--variant", "no attention", "--json", cwd=tmp_path).stdout)
    assert (data["to"], data["edges"]) == ("no attention", {"removed": 2, "added": 1})
    (data,) = json.loads(ushape("diff", "s.yaml", "--json", cwd=tmp_path).stdout)
    assert data["removed"] == [{"node": "mid.attn_1", "op": "attention"}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["zoo/seed-256"], "zoo/seed-256: error U090 it is compared to nothing. Name a second file, or a study, whose "
         "variants are compared.\n"),
        (["s.yaml#no atention"], "s.yaml: error U090 the study has no variant `no atention`. Did you mean "
         "`no attention`?\n"),
        (["s.yaml", "zoo/none"], "zoo/none: error U001 there is no such file."),
    ],
)  # fmt: skip
def test_diff_of_what_is_not_there(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "s.yaml").write_text(TINY + ABLATION)
    done = ushape("diff", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(message)


def test_zoo_lists_what_ships(tmp_path: Path) -> None:
    rows = {row["name"]: row for row in json.loads(ushape("zoo", "--json", cwd=tmp_path).stdout)}
    assert rows["seed-256"]["parameters"] == 75_376_643
    assert rows["seed-256"]["macs"] == 247_770_054_656
    assert rows["seed-256"]["image"] == "3x256x256"
    assert len(rows["seed-256"]["fingerprint"]) == 32
    text = ushape("zoo", cwd=tmp_path).stdout
    assert all(f"zoo/{name}" in text for name in rows)
