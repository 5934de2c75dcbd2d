"""What can be read of a study file though something in it is wrong, and what is missed then."""

from __future__ import annotations

from typing import Any

import pytest

from archspec.text.positions import DataPath
from studies.study.document import StudyFile
from studies.study.salvage import is_lost, salvaged

EDITS = [{"remove": "attention"}]
SOUND: dict[str, Any] = {
    "version": 1,
    "name": "s",
    "base": "zoo/ddpm-cifar10",
    "protocol": {"data": "digits", "train": {"steps": 7}, "seeds": 3},
    "measure": {"batch": 4},
    "ablation": {"variants": {"a": EDITS, "b": EDITS}, "one_factor": {"f": EDITS, "g": EDITS}, "margin": 0.1},
    "search": {"space": {"ch": [32, 64], "skip": ["add", "concat"]}, "trials": 9},
    "run": {"workers": 2},
}


def changed(*path: str, to: Any) -> dict[str, Any]:
    """The sound study with another value at a place."""

    def put(data: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
        value = to if len(keys) == 1 else put(data.get(keys[0], {}), keys[1:])
        return {**data, keys[0]: value}

    return put(SOUND, path)


def kept(study: StudyFile | None) -> dict[str, Any]:
    assert study is not None
    found: dict[str, Any] = study.model_dump(mode="json", exclude_unset=True, by_alias=True)
    return found


def test_a_sound_study_loses_nothing_but_its_base_which_is_read_apart() -> None:
    study, lost = salvaged(SOUND)
    assert lost == frozenset()
    assert kept(study) == kept(StudyFile.model_validate({**SOUND, "base": {}}))


@pytest.mark.parametrize(
    ("path", "to", "gone"),
    [
        (("protocol", "train", "steps"), -1, ("protocol", "train")),
        (("protocol", "seeds"), 0, ("protocol", "seeds")),
        (("protocol", "unknown"), 0, ("protocol", "unknown")),
        (("measure", "batch"), "many", ("measure", "batch")),
        (("measure",), "cpu", ("measure",)),
        (("run", "workers"), 0, ("run", "workers")),
        (("ablation", "margin"), -1, ("ablation", "margin")),
        (("ablation", "variants", "a"), "none", ("ablation", "variants", "a")),
        (("ablation", "one_factor", "g"), [], ("ablation", "one_factor", "g")),
        (("search", "space", "skip"), [], ("search", "space", "skip")),
        (("search", "trials"), 0, ("search", "trials")),
        (("search", "space"), 3, ("search", "space")),
        (("unknown",), {}, ("unknown",)),
    ],
)
def test_what_is_wrong_is_left_out_and_nothing_beside_it(path: tuple[str, ...], to: Any, gone: DataPath) -> None:
    study, lost = salvaged(changed(*path, to=to))
    assert gone in lost
    rest = kept(study)
    whole = kept(salvaged(SOUND)[0])
    for section in whole.keys() - {path[0]}:
        assert rest[section] == whole[section]
    if path[0] in whole and len(path) > 1 and path[:2] != ("search", "space"):
        assert rest[path[0]].keys() | {gone[1]} >= whole[path[0]].keys()


def test_of_a_mapping_of_entries_only_the_wrong_one_is_left_out() -> None:
    study, _ = salvaged(changed("ablation", "variants", "a", to="none"))
    assert list(kept(study)["ablation"]["variants"]) == ["b"]
    study, _ = salvaged(changed("search", "space", "skip", to=[]))
    assert list(kept(study)["search"]["space"]) == ["ch"]


@pytest.mark.parametrize(("key", "value"), [("name", 3), ("name", "a/b"), ("version", 2), ("version", "one")])
def test_a_wrong_name_or_version_hides_nothing(key: str, value: Any) -> None:
    study, lost = salvaged(changed(key, to=value))
    assert lost == {(key,)}
    assert kept(study)["search"] == kept(salvaged(SOUND)[0])["search"]
    assert study is not None
    assert (study.name, study.version) == ("unnamed", 1)


def test_what_is_missing_hides_nothing() -> None:
    study, lost = salvaged({key: value for key, value in SOUND.items() if key not in ("name", "version")})
    assert study is not None
    assert study.search is not None
    assert study.search.trials == 9
    assert not is_lost(lost, "search")


def test_of_keys_that_do_not_go_together_the_variants_and_the_data_stay() -> None:
    study, lost = salvaged(changed("ablation", "until", to={"effect": 0.1}) | {"search": None})
    assert lost == frozenset()
    wrong = changed("ablation", "path", to={"edits": {"x": EDITS, "y": EDITS}})
    wrong["ablation"]["until"] = {"effect": 0.1}
    study, lost = salvaged(wrong)
    assert lost == {("ablation",)}
    assert kept(study)["ablation"] == {"variants": kept(salvaged(SOUND)[0])["ablation"]["variants"]}
    study, lost = salvaged(changed("protocol", "evaluate", to={"strata": 5000}))
    assert lost == {("protocol",)}
    assert study is not None
    assert study.protocol.data.name == "digits"
    assert study.protocol.train.steps == 300


def test_a_tuned_path_keeps_its_path_and_loses_the_tuning() -> None:
    wrong = changed("ablation", "path", to={"edits": {"x": EDITS, "y": EDITS}})
    wrong["protocol"] = {**wrong["protocol"], "tune": ["lr"]}
    study, lost = salvaged(wrong)
    assert lost == {("protocol", "tune")}
    assert study is not None
    assert study.ablation is not None
    assert study.ablation.path is not None
    assert study.protocol.train.steps == 7


def test_two_faults_of_one_section_are_both_left_out() -> None:
    study, lost = salvaged(changed("measure", to={"batch": 0, "rounds": 0, "repeats": 5}))
    assert lost == {("measure", "batch"), ("measure", "rounds")}
    assert study is not None
    assert study.measure.repeats == 5


def test_no_section_can_be_of_another_form_than_a_mapping() -> None:
    for section in ("protocol", "measure", "ablation", "search", "run"):
        study, lost = salvaged(changed(section, to=["x"]))
        assert study is not None
        assert lost == {(section,)}


@pytest.mark.parametrize(
    ("path", "lost"),
    [
        (("search",), True),
        (("search", "space"), True),
        (("search", "space", "ch"), True),
        (("search", "space", "skip"), False),
        (("search", "trials"), False),
        (("measure", "batch"), True),
        (("protocol",), False),
    ],
)
def test_lost_is_what_lies_in_or_around_what_was_left_out(path: tuple[str, ...], lost: bool) -> None:
    assert is_lost(frozenset({("search", "space", "ch"), ("measure",)}), *path) is lost
