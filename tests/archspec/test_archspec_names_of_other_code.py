"""What other code bases call a parameter leads to the one that it is here."""

from __future__ import annotations

import re
from typing import Any

import pytest

import archspec
from archspec.forms.unet import AttentionOptions
from archspec.forms.unet_parts import LabelOptions, TimeOptions, TransformerOptions
from archspec.short_forms import SHORT_FORMS
from archspec.text.fields import Form
from archspec.text.positions import Positions

SMALL: dict[str, Any] = {
    "ch": 32, "out_ch": 3, "ch_mult": [1, 2], "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 3,
    "resolution": 16,
}  # fmt: skip
PARTS: dict[str, type[Form]] = {
    "attn": AttentionOptions, "time": TimeOptions, "label": LabelOptions, "transformer": TransformerOptions,
}  # fmt: skip
#: the place of a model in a file, the model, and each name that is none of its own
NAMES = [
    *((form, template.model, name) for form, template in SHORT_FORMS.items() for name in template.model.OTHER_NAMES),
    *((f"unet.{part}", model, name) for part, model in PARTS.items() for name in model.OTHER_NAMES),
]


@pytest.mark.parametrize(("place", "model", "name"), NAMES)
def test_a_name_of_other_code_is_told_what_it_is_here(place: str, model: type[Form], name: str) -> None:
    form, _, part = place.partition(".")
    wrong = {part: {name: 1, **({"classes": 3} if part == "label" else {})}} if part else {name: 1}
    document = {"version": 1, "name": "n", form: {**SMALL, **wrong}}
    problems = archspec.check_data(document, Positions("f")).problems
    told = [problem.hint for problem in problems if problem.message == f"`{place}.{name}` is not a known key."]
    assert told == [model.OTHER_NAMES[name]]


@pytest.mark.parametrize(("place", "model", "name"), NAMES)
def test_the_name_that_it_is_told_is_a_name_here(place: str, model: type[Form], name: str) -> None:
    del place
    fields = set(model.model_fields) | (
        set(SHORT_FORMS["unet"].model.model_fields) if model in PARTS.values() else set()
    )
    named = re.findall(r"`([a-z_]+)", model.OTHER_NAMES[name])
    assert named
    assert name not in model.model_fields
    assert [word for word in named if word not in fields] == []
