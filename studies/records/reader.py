"""What is read of a study by SQL alone: how far it is, without the imports of Optuna, SQLAlchemy and archspec.

Each of them takes about as long as reading ten thousand trials.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from studies.records.record import GLANCED, PARTS, Glance, Part, glance
from studies.records.tables import Tables

#: Attributes of a trial: its record; in databases of earlier versions the note that it has begun.
RECORD, BEGUN = "record", "begun"
#: Attributes of a part's Optuna study: the resolved study as the part was last asked for, and as anything of it was;
#: the fingerprint of its base.
STUDY, LATEST, BASE = "study", "latest", "base"
#: Attribute of the search's: why it ended before its trainings were used up; empty while it may go on.
ENDED = "ended"
#: The revision of Optuna's schema that is read here without asking Optuna.
_REVISION = "v3.2.0.a"


class Reader:
    """Reads how far a study is.

    Args:
        tables: of its database.
        name: the study's name.
    """

    def __init__(self, tables: Tables, name: str) -> None:
        self.tables, self.name = tables, name

    def parts(self) -> list[Part]:
        """The parts that have been begun."""
        begun = set(self.tables.studies())
        return [part for part in PARTS if f"{self.name}/{part}" in begun]

    def glances(self, part: Part) -> list[Glance]:
        """What progress is told from, of every trial of a part, in a fraction of the time."""
        found = self.tables.parts_of_attributes(f"{self.name}/{part}", RECORD, BEGUN, GLANCED)
        return [glance(data) for data in found]

    def base_fingerprint(self) -> str:
        """The base's fingerprint as the study was last run; empty if it was not run."""
        marks = [self.tables.study_attribute(f"{self.name}/{part}", BASE) for part in self.parts()]
        return next((str(mark) for mark in marks if mark), "")

    def remembered_study(self) -> dict[str, Any] | None:
        """The resolved study as it was last run."""
        for key in (LATEST, STUDY):  # databases of earlier versions have the second alone
            for part in self.parts():
                document: dict[str, Any] | None = self.tables.study_attribute(f"{self.name}/{part}", key)
                if document is not None:
                    return document
        return None

    def document_of(self, part: Part) -> dict[str, Any] | None:
        """The resolved study as it was when a part of it was last run; None if it was not."""
        document: dict[str, Any] | None = self.tables.study_attribute(f"{self.name}/{part}", STUDY)
        return document

    def ended(self) -> str | None:
        """Why the search, as it was last run, ended before its trainings were used up; None if it did not."""
        why: str | None = self.tables.study_attribute(f"{self.name}/search", ENDED)
        return why or None


def only_name(tables: Tables, database: Path) -> str:
    """The name of the one study of a database; `UserError` if there is none or another."""
    names = {study.rpartition("/")[0] for study in tables.studies()}
    if len(names) == 1:
        return names.pop()
    from archspec import user_error

    if not names:
        raise user_error(f"the study in {database.parent} has not begun yet.", "Ask again in a moment.", code="U001")
    raise user_error(f"{database} holds {len(names)} studies.", "It should hold one.", code="U001")


@contextmanager
def sqlite_reader(folder: Path) -> Iterator[Reader | None]:
    """The reader of a folder's SQLite; None if it has none of the known revision, which a `Store` can say more of.

    Raises:
        UserError: the database holds no study yet, or several.
    """
    database = folder.absolute() / "study.db"
    with _connected(database) as connection:
        if connection is None:
            yield None
            return

        def ask(query: str, values: Mapping[str, str]) -> Sequence[Any]:
            return connection.execute(query, values).fetchall()

        tables = Tables(ask, sqlite3.OperationalError)
        yield Reader(tables, only_name(tables, folder / "study.db"))


@contextmanager
def _connected(database: Path) -> Iterator[sqlite3.Connection | None]:
    connection = None
    with suppress(sqlite3.Error):
        # Not only to read: of a database in WAL mode a reader may have to make the index.
        connection = sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=60)
    if connection is None:
        yield None
        return
    with closing(connection):
        yield connection if _revision(connection) == _REVISION else None


def _revision(connection: sqlite3.Connection) -> str | None:
    with suppress(sqlite3.Error):
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])
    return None
