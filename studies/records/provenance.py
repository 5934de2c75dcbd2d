"""Which code, libraries and system made a record; no name of a machine, a user or a path."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("torch", "numpy", "optuna", "networkx")


def provenance() -> dict[str, str | bool | None]:
    """Versions of ushape and its libraries, commit of the code, Python and operating system.

    Returns:
        `ushape`, one key per library, `python`, `os`, `code` (git commit of the code that runs, None outside a
        checkout) and `code_dirty` (whether tracked files differ from it; None likewise).
    """
    commit, dirty = code_version()
    libraries: dict[str, str | bool | None] = {name: _version(name) for name in LIBRARIES}
    return {
        "ushape": _version("ushape"),
        "code": commit,
        "code_dirty": dirty,
        **libraries,
        "python": platform.python_version(),
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


@lru_cache
def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@lru_cache(maxsize=1)
def code_version() -> tuple[str | None, bool | None]:
    """Git commit of the checkout that this file runs from, and whether its tracked files were changed.

    (None, None) where it runs from no checkout of its own: an installed copy inside somebody's repository does not
    take that one's commit.
    """
    root = Path(__file__).resolve().parent.parent.parent
    top = _git(root, "rev-parse", "--show-toplevel")
    commit = _git(root, "rev-parse", "HEAD")
    if top is None or commit is None or Path(top).resolve() != root:
        return None, None
    return commit, bool(_git(root, "status", "--porcelain", "--untracked-files=no"))


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says in a folder; None where there is no git, no repository or no commit."""
    # Inside a git hook these point at the repository of the hook, not at that of the folder.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True, env=environment)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
