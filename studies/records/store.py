"""Where a study lives: one folder with one SQLite database (Optuna's own storage) and plain files beside it.

    study.db                     trials and their records, one Optuna study for each part
    storage.json                 instead of it, which PostgreSQL server has them
    study.yaml                   the study file's text as it was last run
    architectures/<name>.json    every architecture in full, named by fingerprint
    curves/<part>-<trial>.json   training curves
    worker.log                   what libraries printed

A trial is finished when the database says so; the files are written before that, each in one step. A record is one
attribute of its trial, as text: Optuna reads it with every trial and never looks into it.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from archspec import user_error
from archspec.text.atomic import write_text
from search.objectives import Goals
from search.optuna_bridge import quiet
from studies.records.database import Storage
from studies.records.locks import ServerLock, is_driven
from studies.records.packing import packed, record_of, unpacked
from studies.records.patience import DISK_FULL, Patience, PatientStorage
from studies.records.reader import BASE, BEGUN, LATEST, RECORD, STUDY, Reader, only_name
from studies.records.record import Glance, Part, TrialRecord
from studies.records.server import Binding, bind, binding, open_server
from studies.records.sqlite import open_sqlite
from studies.records.tables import Tables

#: Attribute of a part on a server: whose folder it belongs to.
_FOLDER = "folder"


def now() -> str:
    """The time as records keep it: ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Store:
    """The records of one study's folder.

    Args:
        folder: the study's folder; made if `create`.
        name: the study's name; None: whatever study the database holds.
        create: whether a folder without a database is filled; otherwise it is a `UserError`.
        storage: the server that is to have the records; None: whatever the folder says, SQLite in a new one.

    Raises:
        UserError: there are no results, or the database cannot be opened or is another's.
    """

    def __init__(
        self, folder: Path, name: str | None = None, *, create: bool = False, storage: Storage | None = None
    ) -> None:
        self.folder = folder
        self._bound = _bound(folder, name, storage) if create else binding(folder)
        self._lock: ServerLock | None = None
        self._storage: PatientStorage
        if self._bound is None:
            self._storage = open_sqlite(folder / "study.db", create=create)
        else:
            self._storage, self._lock = open_server(self._bound)
            name = self._bound.study
        self._tables = _tables(self._storage)
        self._disk = Patience(str(folder), DISK_FULL)
        # Stores are made in passing, by reports and status; their connections go with them.
        weakref.finalize(self, self._storage.engine.dispose)
        self.reader = Reader(self._tables, name or only_name(self._tables, folder / "study.db"))
        self.name = self.reader.name
        if self._bound is None:
            self._refuse_another_name()
        else:
            for part in self.parts():
                self._refuse_anothers(part, self._bound)

    @contextmanager
    def driving(self, say: Callable[[str], None]) -> Iterator[None]:
        """Hold the study's lock on the server, if it lies on one, and tell `say` of trouble that is waited out."""
        self._storage.patience.say = self._disk.say = say
        if self._lock is None:
            yield
            return
        self._lock.take()
        self._storage.patience.guard = self._lock.hold
        try:
            yield
        finally:
            self._lock.free()

    def is_driven(self) -> bool:
        """Whether a run is working on the study now, here or, with a server, anywhere."""
        return is_driven(self.folder) or (self._lock is not None and self._lock.is_taken())

    def _refuse_another_name(self) -> None:
        """A folder holds one study; with a second one nobody could say which its results are."""
        others = {study.rpartition("/")[0] for study in self._tables.studies()} - {self.name}
        if others:
            raise user_error(
                f"{self.folder} holds the results of the study `{min(others)}`, not of `{self.name}`.",
                "Give this study a folder of its own (--out), or change its name back to go on there.",
            )

    def _refuse_anothers(self, part: Part, bound: Binding) -> None:
        """A server's study of this name may belong to another folder, whose trials must not be mixed with ours."""
        owner = self._tables.study_attribute(f"{self.name}/{part}", _FOLDER)
        if owner is not None and owner["id"] != bound.id:
            raise user_error(
                f"{bound.storage.words()} has a study `{self.name}` already, whose files lie in {owner['path']}.",
                "Give this study another name, or go on with that folder (--out).",
            )

    def parts(self) -> list[Part]:
        """The parts that have been begun."""
        return self.reader.parts()

    def open(self, part: Part, objectives: Goals | Sequence[str], sampler: BaseSampler | None = None) -> optuna.Study:
        """The Optuna study of a part, made if it is new; a plain list of objectives is minimised."""
        ways = list(objectives.values()) if isinstance(objectives, Mapping) else ["minimize"] * len(objectives)
        with quiet():
            study = optuna.create_study(
                storage=self._storage,
                sampler=sampler,
                study_name=f"{self.name}/{part}",
                directions=[StudyDirection[way.upper()] for way in ways],
                load_if_exists=True,
            )
            if study.metric_names is None:
                study.set_metric_names(list(objectives))
        if self._bound is not None:
            self._refuse_anothers(part, self._bound)
            study.set_user_attr(_FOLDER, {"id": self._bound.id, "path": str(self.folder.absolute())})
        return study

    @property
    def optuna_storage(self) -> PatientStorage:
        """Where Optuna has the trials; only to be read."""
        return self._storage

    def load(self, part: Part) -> optuna.Study:
        """The Optuna study of a part that has been begun."""
        with quiet():
            return optuna.load_study(study_name=f"{self.name}/{part}", storage=self._storage)

    def trials(self, part: Part) -> list[FrozenTrial]:
        """Every trial of a part as Optuna has it; not to be changed."""
        if part not in self.parts():
            return []
        with quiet():
            return self.load(part).get_trials(deepcopy=False)

    def records(self, part: Part) -> list[TrialRecord]:
        """The record of every trial of a part, by number; one that is under way has status ``running``."""
        alike = _Alike()
        found = self._tables.trial_attributes(f"{self.name}/{part}", RECORD, BEGUN)
        return [alike.shared(unpacked(data)) for data in found]

    def glances(self, part: Part) -> list[Glance]:
        """What progress is told from, of every trial of a part, in a fraction of the time."""
        return self.reader.glances(part)

    @staticmethod
    def keep(trial: Trial, record: TrialRecord) -> None:
        """Put a trial's record into the database; when it has ended, to be followed by telling Optuna.

        Before it runs its record says what it is about, so that an interrupted trial can be told from a lost one.
        """
        trial.set_user_attr(RECORD, packed(record))

    def left_open(self, part: Part) -> list[tuple[Trial, TrialRecord | None]]:
        """The trials that a stopped driver left open, each with what is known of it.

        With its record if only the last step is missing, telling Optuna; with that of its begin if it was under way;
        with None if it had not begun.
        """
        if part not in self.parts():
            return []
        study = self.load(part)
        # Past Optuna's readers, which would load all trials to find the few that are open.
        left = [self._storage.get_trial(number) for number in self._tables.running(study.study_name)]
        return [(Trial(study, frozen._trial_id), record_of(frozen)) for frozen in left]  # noqa: SLF001

    def remember_study(self, study: optuna.Study, document: dict[str, Any], base: str, source: str) -> None:
        """Keep the resolved study and its base's fingerprint beside its trials, and its text in the folder.

        Parts that are not asked for any more are told too.
        """
        study.set_user_attr(STUDY, document)
        for part in self.parts():
            begun = self.load(part)
            begun.set_user_attr(LATEST, document)
            begun.set_user_attr(BASE, base)
        self._write(self.folder / "study.yaml", source)

    def remembered_study(self) -> dict[str, Any] | None:
        """The resolved study as it was last run."""
        return self.reader.remembered_study()

    def base_fingerprint(self) -> str:
        """The base's fingerprint as the study was last run; empty if it was not run."""
        return self.reader.base_fingerprint()

    def _write(self, path: Path, text: str) -> None:
        self._disk(lambda: write_text(path, text))

    def write_architecture(self, fingerprint: str, document: dict[str, Any]) -> None:
        """Keep an architecture in full, once."""
        path = self.folder / "architectures" / f"{fingerprint}.json"
        if not path.exists():
            self._write(path, json.dumps(document, indent=1))

    def architectures(self) -> dict[str, dict[str, Any]]:
        """Fingerprint -> architecture in full."""
        return {
            path.stem: json.loads(path.read_text()) for path in sorted((self.folder / "architectures").glob("*.json"))
        }

    def write_curve(self, part: Part, trial: int, curve: Sequence[tuple[int, float]]) -> None:
        """Keep a training curve: (step, loss) points."""
        if curve:
            self._write(self.folder / "curves" / f"{part}-{trial}.json", json.dumps(curve))

    def curve(self, part: Part, trial: int) -> list[tuple[int, float]]:
        """A training curve; empty if there is none."""
        path = self.folder / "curves" / f"{part}-{trial}.json"
        return [(int(step), float(loss)) for step, loss in json.loads(path.read_text())] if path.exists() else []


def _bound(folder: Path, name: str | None, storage: Storage | None) -> Binding | None:
    """The binding of a folder that is to be filled; `UserError` if its records lie elsewhere than the study says."""
    before = binding(folder)
    if storage is None and before is not None:
        storage = before.storage  # what the study file does not say stays as it was
    if storage is None:
        return None
    if (folder / "study.db").exists():
        raise user_error(
            f"the records of {folder} lie in its study.db, and the study names {storage.words()}.",
            "Records do not move: take run.storage out, or give the study another name.",
        )
    assert name is not None
    return bind(folder, name, storage)


class _Alike:
    """What thousands of records have alike is held once: circumstances, data, and the hash of the evaluation set."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, Any]] = {}

    def shared(self, record: TrialRecord) -> TrialRecord:
        for holder, key in ((record.__dict__, "environment"), (record.__dict__, "data"), (record.detail, "evaluation")):
            if isinstance(holder.get(key), dict):
                holder[key] = self._seen.setdefault(repr(holder[key]), holder[key])
        return record


def _tables(storage: PatientStorage) -> Tables:
    def ask(query: str, values: Mapping[str, str]) -> Sequence[Any]:
        def rows() -> Sequence[Any]:
            with storage.engine.connect() as connection:
                return connection.execute(text(query), values).all()

        found: Sequence[Any] = storage.patience(rows)
        return found

    return Tables(ask, OperationalError if storage.engine.dialect.name == "sqlite" else None)
