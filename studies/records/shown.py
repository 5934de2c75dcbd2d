"""A study's trials as optuna-dashboard shows them: read through, with what it looks for added; never written.

optuna-dashboard reads constraints from one old attribute, notes and artifacts from attributes of its own. All of them
are made here when they are asked for, from the study's records, so the study's own database stays as it is.
"""

from __future__ import annotations

import copy
import io
import json
import mimetypes
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NoReturn

from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.storages import BaseStorage, get_storage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

from search.optuna_bridge import quiet
from studies.records.packing import record_of
from studies.records.record import Part, TrialRecord
from studies.records.store import Store

#: File name -> what makes its content.
Files = Mapping[str, Callable[[], bytes]]
#: optuna-dashboard looks through all notes for each trial; beyond so many, only the latest trials have one.
MOST_NOTES = 1000
#: Points of a curve that its plots get; the whole curve is a file.
MOST_POINTS = 100
#: optuna-dashboard keeps a note in pieces of at most this many characters.
_PIECE = 2045
_TAGS: dict[Part, str] = {"tuning": "a", "ablation": "b", "search": "c", "confirmation": "d"}
_PARTS: dict[str, Part] = {tag: part for part, tag in _TAGS.items()}


@dataclass(frozen=True)
class Page:
    """What is shown beside a study and its trials.

    Attributes:
        note: of the study, Markdown.
        files: of the study.
        trial_note: of a trial, Markdown.
        trial_files: of a trial.
    """

    note: Callable[[], str]
    files: Callable[[], Files]
    trial_note: Callable[[TrialRecord], str]
    trial_files: Callable[[TrialRecord], Files]


@dataclass
class _Shown:
    """What has been made of one part so far."""

    trials: dict[int, FrozenTrial] = field(default_factory=dict)
    notes: dict[int, str] = field(default_factory=dict)


class ShownStorage(BaseStorage):
    """One study's storage, to look at.

    Args:
        store: the study's records.
        page: what is shown beside its trials.
    """

    def __init__(self, store: Store, page: Page) -> None:
        self._store, self._page = store, page
        # Optuna's own cache: trials that have ended are read once.
        self._source = get_storage(store.optuna_storage)
        self._lock = threading.RLock()
        self._shown: dict[int, _Shown] = {}

    def _ids(self) -> dict[int, Part]:
        """The parts by the id of their Optuna study; others in the same database are not shown."""
        with quiet():
            found = {
                part: self._source.get_study_id_from_name(f"{self._store.name}/{part}") for part in self._store.parts()
            }
        return {study_id: part for part, study_id in found.items()}

    def _refreshed(self, study_id: int) -> _Shown:
        part = self._ids()[study_id]
        with self._lock:
            shown = self._shown.setdefault(study_id, _Shown())
            for trial in self._source.get_all_trials(study_id, deepcopy=False):
                known = shown.trials.get(trial.number)
                if known is None or not known.state.is_finished():
                    record = record_of(trial)
                    shown.trials[trial.number] = self._made(trial, record, part)
                    if record is not None:
                        shown.notes[trial.number] = self._page.trial_note(record)
            return shown

    def _made(self, trial: FrozenTrial, record: TrialRecord | None, part: Part) -> FrozenTrial:
        made = copy.copy(trial)
        files = self._page.trial_files(record) if record is not None else {}
        made.system_attrs = {
            **trial.system_attrs,
            **({"constraints": list(trial.constraints.values())} if trial.constraints else {}),
            **_artifacts(f"{_TAGS[part]}-{trial.number}", files),
        }
        made.user_attrs = _attributes(record) if record is not None else {}
        made.intermediate_values = dict(_thinned(self._store.curve(part, trial.number))) or trial.intermediate_values
        return made

    # ---- what optuna-dashboard reads

    def get_all_studies(self) -> list[FrozenStudy]:
        """One for each part of the study that has been begun."""
        ids = self._ids()
        found = [copy.copy(study) for study in self._source.get_all_studies() if study._study_id in ids]  # noqa: SLF001
        for study in found:
            study.system_attrs = self.get_study_system_attrs(study._study_id)  # noqa: SLF001
            study.user_attrs = self.get_study_user_attrs(study._study_id)  # noqa: SLF001
        return found

    def get_study_id_from_name(self, study_name: str) -> int:
        """The id of a part."""
        return self._known(self._source.get_study_id_from_name(study_name))

    def get_study_name_from_id(self, study_id: int) -> str:
        """The name of a part."""
        return self._source.get_study_name_from_id(self._known(study_id))

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """What the objectives strive for."""
        return self._source.get_study_directions(self._known(study_id))

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """The base's fingerprint; the whole study file is in the note and among the files."""
        base = self._source.get_study_user_attrs(self._known(study_id)).get("base")
        return {} if base is None else {"base": base}

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Those of the database, notes and artifacts."""
        part = self._ids()[self._known(study_id)]
        shown = self._refreshed(study_id)
        attrs = {**self._source.get_study_system_attrs(study_id), **_note("dashboard:", self._page.note())}
        for number in sorted(shown.notes)[-MOST_NOTES:]:
            attrs |= _note(f"dashboard:{shown.trials[number]._trial_id}:", shown.notes[number])  # noqa: SLF001
        return attrs | _artifacts(_TAGS[part], self._page.files())

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """A trial of one of the parts; `KeyError` for any other."""
        for study_id in self._ids():
            for trial in self._refreshed(study_id).trials.values():
                if trial._trial_id == trial_id:  # noqa: SLF001
                    return trial
        raise KeyError(trial_id)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Any = None  # noqa: FBT001, FBT002
    ) -> list[FrozenTrial]:  # fmt: skip
        """The trials of a part, by number."""
        shown = self._refreshed(self._known(study_id)).trials
        found = [shown[number] for number in sorted(shown)]
        found = found if states is None else [trial for trial in found if trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def _known(self, study_id: int) -> int:
        if study_id not in self._ids():
            raise KeyError(study_id)
        return study_id

    # ---- what it must not do

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        """Refused."""
        _refuse()

    def delete_study(self, study_id: int) -> None:
        """Refused."""
        _refuse()

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Refused."""
        _refuse()

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Refused."""
        _refuse()

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Refused."""
        _refuse()

    def set_trial_param(self, trial_id: int, param_name: str, param_value_internal: float, distribution: Any) -> None:
        """Refused."""
        _refuse()

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Refused."""
        _refuse()

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """Refused."""
        _refuse()

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Refused."""
        _refuse()

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Refused."""
        _refuse()


class ShownFiles:
    """Optuna's artifact store over the same study: makes a file when it is asked for."""

    def __init__(self, store: Store, page: Page) -> None:
        self._store, self._page = store, page

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """The content of a file by the id that `ShownStorage` gave it."""
        *where, name = artifact_id.split("-")
        try:
            return io.BytesIO(self._files(where)[bytes.fromhex(name).decode()]())
        except (LookupError, ValueError, OSError) as error:
            raise ArtifactNotFound(artifact_id) from error

    def _files(self, where: list[str]) -> Files:
        if len(where) == 1:
            return self._page.files()
        part, number = _PARTS[where[0]], int(where[1])
        study = self._store.load(part)
        record = next((record_of(trial) for trial in study.get_trials(deepcopy=False) if trial.number == number), None)
        return self._page.trial_files(record) if record is not None else {}

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Refused."""
        _refuse()

    def remove(self, artifact_id: str) -> None:
        """Refused."""
        _refuse()


def _refuse() -> NoReturn:
    raise RuntimeError("a study's records are not changed from here")


def _note(prefix: str, text: str) -> dict[str, Any]:
    pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
    return {f"{prefix}note_ver": 1, **{f"{prefix}note_str:{number}": piece for number, piece in enumerate(pieces)}}


def _artifacts(where: str, files: Files) -> dict[str, str]:
    """Optuna's attribute of each file; its id says whose it is and what it is called, in digits that a URL may hold."""
    found = {}
    for name in files:
        kind, encoding = mimetypes.guess_type(name)
        known = f"{where}-{name.encode().hex()}"
        meta = {"artifact_id": known, "filename": name, "mimetype": kind or "text/plain", "encoding": encoding}
        found[f"artifacts:{known}"] = json.dumps(meta)
    return found


def _attributes(record: TrialRecord) -> dict[str, Any]:
    """A record in short, in the order in which columns stand; what is unknown is left out."""
    attributes = {
        "status": record.status, "variant": record.variant, "design": record.design, "seed": record.seed,
        "edits": "; ".join(record.edits), "reason": record.reason, "replay of": record.replay_of,
        "fingerprint": record.fingerprint, **record.metrics,
        **{f"over {name} by": excess for name, excess in record.violations.items() if excess > 0},
    }  # fmt: skip
    return {name: value for name, value in attributes.items() if value not in (None, "")}


def _thinned(curve: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    stride = -(-len(curve) // MOST_POINTS) if curve else 1
    return [*curve[:: max(1, stride)], *curve[-1:]]
