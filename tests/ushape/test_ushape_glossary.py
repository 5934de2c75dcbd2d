"""Terms are looked up from the command, as they are typed."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from archspec import UserError
from ushape.cli.app import app
from ushape.glossary import glossary, meaning


def test_terms_that_reports_and_files_use_are_there() -> None:
    for term in (
        "P(better)",
        "MACs",
        "rung",
        "EDM-weighted loss",
        "loss_edm",
        "fd",
        "Holm",
        "SD",
        "fingerprint",
        "margin",
    ):
        assert meaning(term)[0] == term
    assert meaning("macs") == meaning("MACs")
    assert meaning("EDM-weighted loss")[1] == meaning("loss_edm")[1]


def test_meanings_are_sentences_without_markup() -> None:
    found = glossary()
    assert len(found) > 50
    for term, says in found.items():
        assert says.endswith(".") and len(says) > 10, term
        assert "](" not in says and "{" not in says.replace("{rungs:", ""), term


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("rungs", "Did you mean `rung`?"), ("xyzzy", "`ushape explain` lists all rules and terms.")],
)
def test_a_word_that_is_not_there_is_quoted_as_typed(typed: str, hint: str) -> None:
    with pytest.raises(UserError) as caught:
        meaning(typed)
    (problem,) = caught.value.problems
    assert (problem.message, problem.hint) == (f"there is no rule and no term `{typed}`.", hint)


def test_the_command_takes_terms_and_lists_them() -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["explain", "p(better)"]).stdout.startswith("P(better): The share of seeds in which")
    assert json.loads(runner.invoke(app, ["explain", "rung", "--json"]).stdout)["term"] == "rung"
    assert "Terms: A/A, " in " ".join(runner.invoke(app, ["explain"]).stdout.split())
