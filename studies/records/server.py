"""The database on a PostgreSQL server: shared by many studies, each bound to the folder that has its files."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path

from optuna.exceptions import OptunaError
from sqlalchemy.exc import SQLAlchemyError

from archspec import user_error
from archspec.text.atomic import write_text
from search.optuna_bridge import quiet
from studies.records.database import Storage, connector
from studies.records.locks import ServerLock
from studies.records.patience import SERVER_AWAY, Patience, PatientStorage, is_away, reason

#: The file in the study's folder that says where its records lie; it holds no secret.
MARKER = "storage.json"


def has_records(folder: Path) -> bool:
    """Whether a folder has records, or says which server has them."""
    return any((folder / name).is_file() for name in ("study.db", MARKER))


@dataclass(frozen=True)
class Binding:
    """What binds a folder to the records on a server.

    Attributes:
        study: the study's name.
        id: drawn when the folder was made; the server's study carries the same.
        storage: where the server is.
    """

    study: str
    id: str
    storage: Storage


def binding(folder: Path) -> Binding | None:
    """The folder's binding; None if its records do not lie on a server."""
    path = folder / MARKER
    if not path.is_file():
        return None
    data = json.loads(path.read_text(encoding="utf-8"))
    return Binding(data["study"], data["id"], Storage.model_validate(data["storage"]))


def bind(folder: Path, study: str, storage: Storage) -> Binding:
    """Bind a folder, or note that the way to its server is another one now."""
    before = binding(folder)
    bound = Binding(study, before.id if before is not None else uuid.uuid4().hex, storage)
    if bound != before:
        data = {"study": study, "id": bound.id, "storage": storage.model_dump(mode="json", exclude_none=True)}
        write_text(folder / MARKER, json.dumps(data, indent=1) + "\n")
    return bound


def open_server(bound: Binding) -> tuple[PatientStorage, ServerLock]:
    """Optuna's storage on the server and the study's lock there, not yet taken; `UserError` if it cannot be opened."""
    url, connect = connector(bound.storage)
    where = bound.storage.words()
    # A connection that broke while no trial ended is found out and replaced before it is used.
    options = {"creator": connect, "pool_pre_ping": True}
    try:
        with quiet():
            storage = PatientStorage(url, options, Patience(where, SERVER_AWAY))
    except (SQLAlchemyError, RuntimeError, OptunaError) as error:
        if isinstance(error, SQLAlchemyError | OptunaError) and is_away(error):
            hint = "Is the server up, and are host, user and password right?"
            raise user_error(f"{where} cannot be reached: {reason(error)}.", hint, code="U001") from None
        hint = "Is it a database for ushape, and of this version of Optuna?"
        raise user_error(f"{where} cannot be used: {reason(error)}.", hint, code="U001") from None
    return storage, ServerLock(connect, f"ushape/{bound.study}")
