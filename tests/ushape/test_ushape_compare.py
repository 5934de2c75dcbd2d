from __future__ import annotations

from pathlib import Path

import pytest

from archspec import UserError
from tests.reports.synthetic_study import full_study
from ushape.cli.report import report


def test_several_studies_need_a_file_to_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="several studies need a file to be written to"):
        report([tmp_path, tmp_path], out=None, folder=None, watch=False)


def test_watching_goes_with_one_study(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--folder and --watch go with one study"):
        report([tmp_path, tmp_path], out=tmp_path / "page.html", folder=None, watch=True)


def test_two_folders_become_one_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("studies.frame.load_results", lambda folder: full_study())
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    report([tmp_path / "a", tmp_path / "b"], out=tmp_path / "page.html", folder=None, watch=False)
    assert "comparison: " in capsys.readouterr().out
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<h1>digits (1) and digits (2)</h1>" in text
    assert "Same protocol, data, measurement and device" in text
