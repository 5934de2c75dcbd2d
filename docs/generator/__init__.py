"""The reference pages of the site, written from the code: commands, files, rules, operations, API, dependencies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from generator import api, commands, dependencies, files, operations, rules

#: file name -> what writes its text
PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands.page,
    "study-file.md": files.study_page,
    "architecture-file.md": files.architecture_page,
    "rules.md": rules.page,
    "operations.md": operations.page,
    "api.md": api.page,
    "dependencies.md": dependencies.page,
}


def write_pages(folder: Path) -> None:
    """Write every page into `folder`; one that is as it was is left alone, so that Sphinx need not read it again."""
    folder.mkdir(exist_ok=True)
    for name, text in PAGES.items():
        path, made = folder / name, text()
        if not path.exists() or path.read_text(encoding="utf-8") != made:
            path.write_text(made, encoding="utf-8")
