"""What commands say at their end: the answer of a run and of a confirmation, and that nothing is left to train."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import Done, ushape
from tests.tiny_study import ABLATION, SEARCH, TINY
from tests.ushape.made_up import trainings


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where studies are run whose trainings are made up."""
    with trainings():
        yield tmp_path


def said(done: Done) -> list[str]:
    """What a command printed, but for the lines of single trials, with plain spaces; it went well."""
    assert (done.returncode, done.stderr) == (0, "")
    text = done.stdout.replace("\N{NARROW NO-BREAK SPACE}", " ").replace("\N{NO-BREAK SPACE}", " ")
    return [line for line in text.splitlines() if not line.startswith("  ")]


def test_an_ablation_ends_with_its_answer_and_a_plan_then_says_that_nothing_is_left(folder: Path) -> None:
    (folder / "s.yaml").write_text(TINY.replace("seeds: 2", "seeds: 6") + ABLATION)
    answer = (
        "ablation: no attention is worse than the base: held-out loss +0.10090 [+0.09996, +0.10184], +20 % of the base;"
        " p < 0.001 (Holm), worse in 6 of 6 seeds. Worse, but cheaper: a trade (parameters −4.2 %)."
    )
    run = said(ushape("run", "s.yaml", cwd=folder))
    files = ["results: runs/tiny/results.csv", "dashboard: runs/tiny/dashboard.html"]
    begun = ["tiny: records in runs/tiny", "ablation: 12 trainings"]
    assert run == [*begun, "ablation: 12 finished", answer, *files]
    assert said(ushape("report", "s.yaml", cwd=folder)) == [answer, *files]
    planned = said(ushape("plan", "s.yaml", cwd=folder))
    assert planned[4:6] == ["trainings: 12 (6 seeds); 0 left", "time: none, all is done"]
    assert planned[7].startswith(
        "finds with 80 % power: 1.43 SD of the paired difference (6 seeds, 1 comparison, Holm), or"
    )
    assert planned[7].endswith("(SD 0.000894, median of 1 variants of tiny)")
    more = (folder / "s.yaml").read_text().replace("seeds: 6", "seeds: 7")
    (folder / "s.yaml").write_text(more)
    planned = said(ushape("plan", "s.yaml", cwd=folder))
    assert planned[4] == "trainings: 14 (7 seeds); 2 left"
    assert planned[5].endswith(", scaled by MACs, steps and batch from 12 trainings of tiny")


def test_a_search_claims_no_winner_and_a_confirmation_says_what_fresh_seeds_found(folder: Path) -> None:
    (folder / "s.yaml").write_text(TINY + SEARCH)
    best = [
        "search: Best held-out loss within budget: trial 0, 0.5024 (parameters 0.0240 M). It is the base itself.",
        "search: None within 1 % of it is cheaper by parameters.",
        "search: No knee: the front has one point, and a knee lies between two others.",
    ]
    run = said(ushape("run", "s.yaml", cwd=folder))
    assert run[-7:] == [
        "search: 3 finished",
        *best,
        "search: Every architecture of the search ran with one seed. Differences between neighbours may be chance, so "
        "no winner is claimed; `ushape confirm` trains the best with fresh seeds.",
        "results: runs/tiny/results.csv",
        "dashboard: runs/tiny/dashboard.html",
    ]
    confirmed = said(ushape("confirm", "s.yaml", "--top", "1", "--seeds", "6", cwd=folder))
    assert confirmed == [
        "confirmation: 12 trainings",
        *best,
        "search: Trial 1 is not confirmed: worse than the base: search value 0.5030, −1.5 % against the confirmed "
        "0.5105 over 6 fresh seeds; +0.000600000 [+0.000600000, +0.000600000] against the base, p < 0.001 (Holm).",
        "dashboard: runs/tiny/dashboard.html",
    ]
    again = said(ushape("confirm", "s.yaml", "--top", "1", "--seeds", "6", cwd=folder))
    assert again[1:] == confirmed[1:]
