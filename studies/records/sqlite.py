"""The database in a study's folder: one SQLite file in WAL mode."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from optuna.exceptions import OptunaError
from optuna.storages import RDBStorage
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from archspec import user_error
from search.optuna_bridge import quiet
from studies.records.database import refuse_network_drive
from studies.records.patience import DISK_FULL, Patience, PatientStorage


def open_sqlite(database: Path, *, create: bool) -> PatientStorage:
    """Optuna's storage in a file.

    Args:
        database: the file.
        create: whether to make it if it is not there.

    Raises:
        UserError: it is not there, no database of this version of Optuna, or on a network drive.
    """
    if not create and not database.is_file():
        raise user_error(f"there are no results in {database.parent}.", "`ushape run STUDY` makes one.", code="U001")
    database.parent.mkdir(parents=True, exist_ok=True)
    if not database.is_file():
        refuse_network_drive(database.parent)
        _create(database)
    return _open(database)


def _create(database: Path) -> None:
    """Make an empty database in one step: a reader, or the next run after a kill, finds a whole one or none."""
    beside = database.with_name(f".{database.name}.{os.getpid()}.tmp")
    beside.unlink(missing_ok=True)
    with quiet():
        storage = RDBStorage(f"sqlite:///{beside}")
    storage.remove_session()
    storage.engine.dispose()
    beside.replace(database)


def _open(database: Path) -> PatientStorage:
    connect = {"connect_args": {"timeout": 60}}
    try:
        with quiet():
            patience = Patience(str(database.parent), DISK_FULL)
            storage = PatientStorage(f"sqlite:///{database}", connect, patience, skip_table_creation=True)
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
