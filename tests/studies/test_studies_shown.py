"""A study as optuna-dashboard is shown it: what is added to each trial, and that nothing can be written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.distributions import IntDistribution
from optuna.study import StudyDirection
from optuna.trial import TrialState

from search import optuna_bridge as bridge
from studies.records import shown as module
from studies.records.record import TrialRecord
from studies.records.shown import Files, Page, ShownFiles, ShownStorage
from studies.records.store import Store
from tests.studies.test_studies_store import record


def trial_files(one: TrialRecord) -> Files:
    return {f"net {one.trial}.svg": lambda: b"<svg/>", "text.unknown": lambda: b"text"}


PAGE = Page(lambda: "# Why", lambda: {"study.yaml": lambda: b"name: s"}, lambda one: f"note {one.trial}", trial_files)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A search of one finished, one failed and one running trial, with an ablation beside it."""
    made = Store(tmp_path_factory.mktemp("shown"), "s", create=True)
    study = made.open("search", {"loss": "minimize", "parameters": "maximize"})
    made.remember_study(study, {"name": "s"}, "base", "name: s")
    rows: list[dict[str, Any]] = [
        {"metrics": {"loss": 0.5, "parameters": 9.0}, "violations": {"parameters": 0.5, "macs": -0.5},
         "edits": ("a", "b")},
        {"status": "failed", "reason": "no luck", "fingerprint": None},
        {"status": "running"},
    ]  # fmt: skip
    for number, row in enumerate(rows):
        with bridge.quiet():
            trial = study.ask({"depth": IntDistribution(1, 3)})
        one = record(number, None, **row)
        made.write_curve("search", number, [(step, 1 / step) for step in range(1, 1 + 250 * (number == 0))])
        made.keep(trial, one)
        if one.status == "finished":
            bridge.tell(trial, [0.5, 9.0], {"parameters": 0.5})
        elif one.status == "failed":
            bridge.tell_failed(trial)
    variants = made.open("ablation", ["loss"])
    made.keep(variants.ask(), record(0, "no attention", 3, replay_of="search/0", design="variants"))
    with bridge.quiet():
        variants.ask()
    return made


def test_the_parts_are_shown_in_the_order_of_a_study_with_what_they_strive_for(store: Store) -> None:
    shown = ShownStorage(store, PAGE)
    found = {study.study_name: study for study in shown.get_all_studies()}
    assert set(found) == {"s/ablation", "s/search"}
    ways = [StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE]
    search = shown.get_study_id_from_name("s/search")
    assert (found["s/search"].directions, shown.get_study_directions(search)) == (ways, ways)
    assert shown.get_study_name_from_id(search) == "s/search"
    assert found["s/search"].user_attrs == shown.get_study_user_attrs(search) == {"base": "base"}
    assert found["s/search"].system_attrs["dashboard:note_str:0"] == "# Why"


def test_a_trial_is_told_in_short_and_its_budgets_where_they_are_broken(store: Store) -> None:
    shown = ShownStorage(store, PAGE)
    first, second, third = shown.get_all_trials(shown.get_study_id_from_name("s/search"))
    assert first.user_attrs == {
        "status": "finished", "seed": 0, "edits": "a; b", "fingerprint": "f-None", "loss": 0.5, "parameters": 9.0,
        "over parameters by": 0.5,
    }  # fmt: skip
    assert list(first.user_attrs)[:3] == ["status", "seed", "edits"]
    assert first.system_attrs["constraints"] == [0.5]
    assert second.user_attrs == {"status": "failed", "seed": 0, "reason": "no luck"}
    assert "constraints" not in second.system_attrs
    assert [one.state for one in (first, second, third)] == [TrialState.COMPLETE, TrialState.FAIL, TrialState.RUNNING]
    [variant, unknown] = shown.get_all_trials(shown.get_study_id_from_name("s/ablation"))
    assert variant.user_attrs == {
        "status": "finished", "variant": "no attention", "design": "variants", "seed": 3, "replay of": "search/0",
        "fingerprint": "f-no attention",
    }  # fmt: skip
    assert unknown.user_attrs == {}


def test_trials_can_be_asked_for_by_state_and_by_id(store: Store) -> None:
    shown = ShownStorage(store, PAGE)
    search = shown.get_study_id_from_name("s/search")
    [failed] = shown.get_all_trials(search, states=(TrialState.FAIL,))
    assert failed.number == 1
    assert shown.get_trial(failed._trial_id) == failed
    assert shown.get_all_trials(search)[0] is not shown.get_all_trials(search)[0]
    assert shown.get_all_trials(search, deepcopy=False)[0] is shown.get_all_trials(search, deepcopy=False)[0]
    for asked in (shown.get_trial, shown.get_all_trials, shown.get_study_directions, shown.get_study_user_attrs):
        with pytest.raises(KeyError):
            asked(99)


def test_a_long_curve_is_thinned_and_keeps_its_ends(store: Store) -> None:
    shown = ShownStorage(store, PAGE)
    first, second, _ = shown.get_all_trials(shown.get_study_id_from_name("s/search"))
    steps = list(first.intermediate_values)
    assert (steps[0], steps[1], steps[-1]) == (1, 4, 250)
    assert len(steps) <= module.MOST_POINTS + 1
    assert first.intermediate_values[4] == 1 / 4
    assert second.intermediate_values == {}


def test_a_trial_that_goes_on_is_read_again_and_one_that_has_ended_is_not(store: Store) -> None:
    asked: list[int] = []
    page = Page(PAGE.note, PAGE.files, lambda one: asked.append(one.trial) or "", PAGE.trial_files)  # type: ignore[func-returns-value]
    shown = ShownStorage(store, page)
    search = shown.get_study_id_from_name("s/search")
    for _ in range(3):
        shown.get_all_trials(search)
    assert asked == [0, 1, 2, 2, 2]


def note(attributes: dict[str, Any], prefix: str) -> str | None:
    """A note as optuna-dashboard puts it together."""
    if f"{prefix}note_ver" not in attributes:
        return None
    pieces = {key: value for key, value in attributes.items() if key.startswith(f"{prefix}note_str:")}
    assert all(len(piece) <= 2045 for piece in pieces.values())
    return "".join(pieces[f"{prefix}note_str:{number}"] for number in range(len(pieces)))


def test_notes_of_any_length_come_in_pieces_and_the_oldest_trials_have_none(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_NOTES", 2)
    long = "ä" * 5000
    shown = ShownStorage(store, Page(lambda: long, PAGE.files, PAGE.trial_note, PAGE.trial_files))
    search = shown.get_study_id_from_name("s/search")
    attributes = shown.get_study_system_attrs(search)
    assert note(attributes, "dashboard:") == long
    ids = [trial._trial_id for trial in shown.get_all_trials(search)]
    assert [note(attributes, f"dashboard:{one}:") for one in ids] == [None, "note 1", "note 2"]


def test_files_are_named_with_their_kind_and_made_when_they_are_opened(store: Store) -> None:
    shown, files = ShownStorage(store, PAGE), ShownFiles(store, PAGE)
    search = shown.get_study_id_from_name("s/search")
    trial = shown.get_all_trials(search)[1]
    told = [json.loads(value) for key, value in trial.system_attrs.items() if key.startswith("artifacts:")]
    assert [(one["filename"], one["mimetype"]) for one in told] == [
        ("net 1.svg", "image/svg+xml"), ("text.unknown", "text/plain"),
    ]  # fmt: skip
    assert [files.open_reader(one["artifact_id"]).read() for one in told] == [b"<svg/>", b"text"]
    [own] = [value for key, value in shown.get_study_system_attrs(search).items() if key.startswith("artifacts:")]
    assert files.open_reader(json.loads(own)["artifact_id"]).read() == b"name: s"


@pytest.mark.parametrize(
    "wrong", ["", "c", "c-1", "c-1-zz", "c-9-" + b"x".hex(), "x-1-00", "c-one-00", "c-" + b"none".hex()]
)
def test_a_file_that_is_not_there_is_said_as_optuna_says_it(store: Store, wrong: str) -> None:
    with pytest.raises(ArtifactNotFound):
        ShownFiles(store, PAGE).open_reader(wrong)


def test_nothing_can_be_written(store: Store) -> None:
    shown, files = ShownStorage(store, PAGE), ShownFiles(store, PAGE)
    search = shown.get_study_id_from_name("s/search")
    trial = shown.get_all_trials(search)[2]._trial_id
    before = store.trials("search")
    for write in (
        lambda: shown.create_new_study([StudyDirection.MINIMIZE]),
        lambda: shown.delete_study(search),
        lambda: shown.set_study_user_attr(search, "a", 1),
        lambda: shown.set_study_system_attr(search, "a", 1),
        lambda: shown.create_new_trial(search),
        lambda: shown.set_trial_param(trial, "a", 1.0, IntDistribution(0, 1)),
        lambda: shown.set_trial_state_values(trial, TrialState.FAIL),
        lambda: shown.set_trial_intermediate_value(trial, 1, 1.0),
        lambda: shown.set_trial_user_attr(trial, "a", 1),
        lambda: shown.set_trial_system_attr(trial, "a", 1),
        lambda: files.write("c-1-00", None),  # type: ignore[arg-type]
        lambda: files.remove("c-1-00"),
    ):
        with pytest.raises(RuntimeError, match="a study's records are not changed from here"):
            write()
    assert store.trials("search") == before
