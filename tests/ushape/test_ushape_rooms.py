"""The code in the README of each room is run, block by block, as the pages of the site are."""

from __future__ import annotations

import pytest
from documented import ROOT, Page, blocks

ROOMS = ("archspec", "builder", "search", "studies", "reports", "ushape")
PAGES = [ROOT / room / "README.md" for room in ROOMS if blocks(ROOT / room / "README.md")]


@pytest.mark.parametrize("page", PAGES, ids=[page.parent.name for page in PAGES])
def test_the_blocks_of_a_room_work(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Page(page).run()


def test_the_room_with_code_is_among_them():
    assert "builder" in [page.parent.name for page in PAGES]
