from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny_study import TINY


@pytest.fixture
def study_file(tmp_path: Path) -> Callable[..., Path]:
    """Write a tiny study, with replacements in its text."""

    def write(*parts: str, **replacements: str) -> Path:
        text = TINY + "".join(parts)
        for old, new in replacements.items():
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "study.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
