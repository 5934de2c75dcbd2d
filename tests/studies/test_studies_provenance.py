"""What a record says of the code, the libraries and the system that made it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from studies.records import provenance


def test_provenance_names_versions_and_no_machine() -> None:
    facts = provenance.provenance()
    assert list(facts) == ["ushape", "code", "code_dirty", "torch", "numpy", "optuna", "networkx", "python", "os"]
    assert facts["torch"] == torch.__version__
    assert facts["python"] == sys.version.split()[0]
    assert os.uname().nodename not in str(facts["os"]).split()


def git(folder: Path, *arguments: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    names = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *names, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


def test_the_commit_is_that_of_the_code_and_of_nothing_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "studies" / "records" / "provenance.py"
    file.parent.mkdir(parents=True)
    file.write_text("one", encoding="utf-8")
    monkeypatch.setattr(provenance, "__file__", str(file))
    read = provenance.code_version.__wrapped__
    assert read() == (None, None)
    git(tmp_path, "init", "--quiet")
    assert read() == (None, None)
    git(tmp_path, "add", "studies")
    git(tmp_path, "commit", "--quiet", "--no-verify", "-m", "one")
    commit = git(tmp_path, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert read() == (commit, False)
    file.write_text("two", encoding="utf-8")
    assert read() == (commit, True)
    installed = tmp_path / "lib" / "studies" / "records" / "provenance.py"
    installed.parent.mkdir(parents=True)
    monkeypatch.setattr(provenance, "__file__", str(installed))
    assert read() == (None, None)
