"""Where a study lives: one folder with one SQLite database (Optuna's own storage) and plain files beside it.

    study.db                     trials and their records, one Optuna study for each part
    study.yaml                   the study file's text as it was last run
    architectures/<name>.json    every architecture in full, named by fingerprint
    curves/<part>-<trial>.json   training curves
    worker.log                   what libraries printed

A trial is finished when the database says so; the files are written before that, each in one step.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import OptunaError
from optuna.samplers import BaseSampler
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from archspec import user_error
from archspec.atomic import write_text
from search.objectives import Goals
from search.optuna_bridge import quiet
from studies.records import PARTS, Part, TrialRecord

_RECORD, _BEGUN, _STUDY, _BASE = "record", "begun", "study", "base"


def now() -> str:
    """The time as records keep it: ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Store:
    """The records of one study's folder.

    Args:
        folder: the study's folder; made if `create`.
        name: the study's name; None: whatever study the database holds.
        create: whether a folder without a database is filled; otherwise it is a `UserError`.
    """

    def __init__(self, folder: Path, name: str | None = None, *, create: bool = False) -> None:
        self.folder = folder
        database = folder / "study.db"
        if not create and not database.is_file():
            hint = "`ushape run STUDY` makes one."
            raise user_error(f"there are no results in {folder}.", hint, code="U001")
        folder.mkdir(parents=True, exist_ok=True)
        if not database.is_file():
            _create(database)
        self._storage = _open(database)
        self.name = name or self._only_name(database)

    def _only_name(self, database: Path) -> str:
        with quiet():
            names = {summary.study_name.rpartition("/")[0] for summary in optuna.get_all_study_summaries(self._storage)}
        if not names:
            raise user_error(
                f"the study in {database.parent} has not begun yet.", "Ask again in a moment.", code="U001"
            )
        if len(names) > 1:
            raise user_error(f"{database} holds {len(names)} studies.", "It should hold one.", code="U001")
        return names.pop()

    def parts(self) -> list[Part]:
        """The parts that have been begun."""
        with quiet():
            begun = {summary.study_name for summary in optuna.get_all_study_summaries(self._storage)}
        return [part for part in PARTS if f"{self.name}/{part}" in begun]

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
        return study

    def _load(self, part: Part) -> optuna.Study:
        with quiet():
            return optuna.load_study(study_name=f"{self.name}/{part}", storage=self._storage)

    def trials(self, part: Part) -> list[FrozenTrial]:
        """Every trial of a part as Optuna has it; not to be changed."""
        if part not in self.parts():
            return []
        with quiet():
            return self._load(part).get_trials(deepcopy=False)

    def records(self, part: Part) -> list[TrialRecord]:
        """The record of every trial of a part, by number; one that is under way has status ``running``."""
        found = (_record_of(trial) for trial in self.trials(part))
        return [record for record in found if record is not None]

    @staticmethod
    def begin(trial: Trial, record: TrialRecord) -> None:
        """Note what a trial is about before it runs, so that an interrupted one can be told from a lost one."""
        trial.set_user_attr(_BEGUN, record.model_dump(mode="json"))

    @staticmethod
    def keep(trial: Trial, record: TrialRecord) -> None:
        """Put a trial's record into the database; to be followed by telling Optuna."""
        trial.set_user_attr(_RECORD, record.model_dump(mode="json"))

    def left_open(self, part: Part) -> list[tuple[Trial, TrialRecord | None]]:
        """The trials that a stopped driver left open, each with what is known of it.

        With its record if only the last step is missing, telling Optuna; with the note of `begin` if it was under way;
        with None if it had not begun.
        """
        study = self._load(part)
        open_trials = [frozen for frozen in self.trials(part) if frozen.state is TrialState.RUNNING]
        return [(Trial(study, frozen._trial_id), _record_of(frozen)) for frozen in open_trials]  # noqa: SLF001

    def remember_study(self, study: optuna.Study, document: dict[str, Any], base: str, source: str) -> None:
        """Keep the resolved study and its base's fingerprint beside its trials, and its text in the folder."""
        study.set_user_attr(_STUDY, document)
        study.set_user_attr(_BASE, base)
        write_text(self.folder / "study.yaml", source)

    def remembered_study(self) -> dict[str, Any] | None:
        """The resolved study as it was last run."""
        for part in self.parts():
            document: dict[str, Any] | None = self._load(part).user_attrs.get(_STUDY)
            if document is not None:
                return document
        return None

    def base_fingerprint(self) -> str:
        """The base's fingerprint as the study was last run; empty if it was not run."""
        marks = [str(self._load(part).user_attrs.get(_BASE, "")) for part in self.parts()]
        return next((mark for mark in marks if mark), "")

    def write_architecture(self, fingerprint: str, document: dict[str, Any]) -> None:
        """Keep an architecture in full, once."""
        path = self.folder / "architectures" / f"{fingerprint}.json"
        if not path.exists():
            write_text(path, json.dumps(document, indent=1))

    def architectures(self) -> dict[str, dict[str, Any]]:
        """Fingerprint -> architecture in full."""
        return {
            path.stem: json.loads(path.read_text()) for path in sorted((self.folder / "architectures").glob("*.json"))
        }

    def write_curve(self, part: Part, trial: int, curve: Sequence[tuple[int, float]]) -> None:
        """Keep a training curve: (step, loss) points."""
        if curve:
            write_text(self.folder / "curves" / f"{part}-{trial}.json", json.dumps(curve))

    def curve(self, part: Part, trial: int) -> list[tuple[int, float]]:
        """A training curve; empty if there is none."""
        path = self.folder / "curves" / f"{part}-{trial}.json"
        return [(int(step), float(loss)) for step, loss in json.loads(path.read_text())] if path.exists() else []


def _record_of(trial: FrozenTrial) -> TrialRecord | None:
    data = trial.user_attrs.get(_RECORD) or trial.user_attrs.get(_BEGUN)
    return TrialRecord.model_validate(data) if data is not None else None


def _create(database: Path) -> None:
    """Make an empty database in one step: a reader, or the next run after a kill, finds a whole one or none."""
    beside = database.with_name(f".{database.name}.{os.getpid()}.tmp")
    beside.unlink(missing_ok=True)
    with quiet():
        storage = RDBStorage(f"sqlite:///{beside}")
    storage.remove_session()
    storage.engine.dispose()
    beside.replace(database)


def _open(database: Path) -> RDBStorage:
    connect = {"connect_args": {"timeout": 60}}
    try:
        with quiet():
            storage = RDBStorage(f"sqlite:///{database}", engine_kwargs=connect, skip_table_creation=True)
    except (SQLAlchemyError, RuntimeError, OptunaError) as error:
        what = str(error.__cause__ or error).splitlines()[0]
        hint = "Is it a study of ushape, and of this version of Optuna?"
        raise user_error(f"{database} cannot be opened: {what}.", hint, code="U001") from None

    def pragmas(connection: Any, _: object) -> None:
        # WAL survives a killed writer and lets readers in; NORMAL syncs at checkpoints, which a crash of the
        # process (not of the machine) never needs.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    event.listen(storage.engine, "connect", pragmas)
    storage.engine.dispose()
    return storage
