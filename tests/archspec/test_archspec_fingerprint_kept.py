"""Fingerprints of architectures that were known before the vocabulary grew: records of studies hold them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import archspec
from archspec.text.parse import Positions

DATA = Path(__file__).parents[1] / "data" / "fingerprints_v1.json"
KNOWN: list[dict[str, Any]] = json.loads(DATA.read_text(encoding="utf-8"))


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.get("zoo", known["fingerprint"][:6]))
def test_the_fingerprint_is_as_it_was(known: dict[str, Any]) -> None:
    if "zoo" in known:
        graph = archspec.build(archspec.load(f"zoo/{known['zoo']}"))
    else:
        unet = dict(known["unet"])
        if "attn_at" in unet:
            unet["attn_at"] = {int(size): options for size, options in unet["attn_at"].items()}
        graph = archspec.check_data({"version": 1, "name": "kept", "unet": unet}, Positions("kept")).sound()
    assert archspec.fingerprint(graph) == known["fingerprint"]
    assert archspec.fingerprint(archspec.from_document(archspec.to_document(graph))) == known["fingerprint"]
