"""What a reviewer would ask of an ablation before it runs, sentence by sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from studies.driver.plan_doubts import alias_groups, plan_doubts
from studies.study.load import load_study
from tests.studies.test_studies_designs import PATH
from tests.tiny_study import ABLATION, SEARCH

Write = Callable[..., Path]

NO_MARGIN = "No margin is stated, so nothing can be called equivalent: say margin: 1% before the first result."
NO_TUNING = "All share the base's learning rate, which may suit some less: protocol.tune: [lr] lets each tune."
INTERACTIONS = "Leaving one out can't see interactions: parts that stand in for each other can each look dispensable."
SIZE = "Size differs from the base's by more than 5% in {}: `matched: parameters` adds partners of the same size."


def doubts(path: Path) -> list[str]:
    return list(plan_doubts(load_study(path)))


@pytest.mark.parametrize(
    ("seeds", "doubt"),
    [
        ("1", "1 seeds give no verdict: set protocol.seeds to 5 at least, 8 as a rule."),
        ("4", "4 seeds give no verdict: set protocol.seeds to 5 at least, 8 as a rule."),
        ("5", "5 seeds find large differences only; 8 are usual."),
        ("[3, 1, 4, 15, 9, 2, 6]", "7 seeds find large differences only; 8 are usual."),
        ("8", None),
    ],
)
def test_few_seeds(study_file: Write, seeds: str, doubt: str | None) -> None:
    found = doubts(study_file(ABLATION, **{"seeds: 2": f"seeds: {seeds}"}))
    assert [one for one in found if "seeds" in one] == ([doubt] if doubt else [])


@pytest.mark.parametrize(("most", "expected"), [(20, []), (5, [])])
def test_seeds_until_decided_are_as_many_as_it_takes(study_file: Write, most: int, expected: list[str]) -> None:
    found = doubts(study_file(ABLATION, f"  until: {{effect: 1%, max_seeds: {most}}}\n"))
    assert [one for one in found if "seeds" in one] == expected


def test_a_careful_ablation_raises_no_doubt(study_file: Write) -> None:
    careful = {"seeds: 2": "seeds: 8\n  tune: [lr]", "- remove: attention": "- unet: {dropout: 0.1}"}
    assert doubts(study_file(ABLATION, "  margin: 1%\n", **careful)) == []


def test_every_doubt_in_the_order_of_its_weight(study_file: Write) -> None:
    path = study_file("ablation: {leave_one_out: middle}\n", **{"seeds: 2": "seeds: 8"})
    assert doubts(path) == [NO_MARGIN, NO_TUNING, SIZE.format("without middle"), INTERACTIONS]


@pytest.mark.parametrize(
    ("more", "doubt"),
    [
        ("  margin: 0.01\n", False),
        ("  until: {effect: 0.01}\n", False),
        ("", True),
    ],
)
def test_a_margin_is_one_wherever_it_is_stated(study_file: Write, more: str, doubt: bool) -> None:
    assert (NO_MARGIN in doubts(study_file(ABLATION, more))) is doubt


def sized(found: list[str]) -> list[str]:
    return [one for one in found if one.startswith("Size")]


def test_size_is_a_second_difference_from_a_twentieth_on(study_file: Write) -> None:
    wide = "    {}: [{{unet: {{ch: {}}}}}]\n"
    few = wide.format("wide", 64) + wide.format("wider", 96)
    assert sized(doubts(study_file(ABLATION.rstrip(), "\n", few))) == [SIZE.format("wide, wider")]
    many = "".join(wide.format(f"ch {ch}", ch) for ch in (64, 96, 128, 160, 192, 224))
    assert sized(doubts(study_file(ABLATION.rstrip(), "\n", many))) == [
        SIZE.format("ch 64, ch 96, ch 128, ch 160 and 2 more")
    ]


def test_a_variant_with_a_partner_and_the_partner_itself_have_their_size_accounted_for(study_file: Write) -> None:
    variants = "ablation:\n  variants:\n    no middle: [{unet: {mid_block: false}}]\n"
    assert sized(doubts(study_file(variants))) == [SIZE.format("no middle")]
    assert sized(doubts(study_file(variants, "  matched: {adjust: depth, tolerance: 0.1}\n"))) == []


def test_steps_of_a_path_are_not_of_one_size(study_file: Write) -> None:
    assert sized(doubts(study_file(PATH))) == []


FRACTION = """ablation:
  factorial:
    resolution: {}
    factors: {{a: [{{unet: {{skip: add}}}}], b: [{{unet: {{use_timestep: false}}}}], c: [{{remove: attention}}]{}}}
"""


def test_effects_that_a_fraction_cannot_tell_apart_are_named(study_file: Write) -> None:
    path = study_file(FRACTION.format(3, ""))
    groups = ["a = b x c", "b = a x c", "c = a x b"]
    assert sorted(alias_groups(load_study(path))) == groups
    [said] = [one for one in doubts(path) if "fraction" in one]
    assert said.startswith("The fraction cannot tell apart: ")
    assert sorted(said.removeprefix("The fraction cannot tell apart: ").rstrip(".").split("; ")) == groups


def test_of_resolution_four_only_interactions_are_confused(study_file: Write) -> None:
    groups = alias_groups(load_study(study_file(FRACTION.format(4, ", d: [{unet: {ch: 64}}]"))))
    assert sorted(groups) == ["a x b = c x d", "a x c = b x d", "a x d = b x c"]


def test_the_whole_factorial_confuses_nothing(study_file: Write) -> None:
    path = study_file(FRACTION.format("null", ""))
    assert alias_groups(load_study(path)) == []
    assert not [one for one in doubts(path) if "fraction" in one]


def test_without_an_ablation_there_is_nothing_to_ask(study_file: Write) -> None:
    path = study_file(SEARCH)
    assert doubts(path) == []
    assert alias_groups(load_study(path)) == []
