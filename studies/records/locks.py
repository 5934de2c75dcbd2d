"""One driver a study: a lock on a file in its folder, and one on the database server where there is one.

The file is never deleted: a lock belongs to the file's inode, so a successor that removed the file would let two
drivers hold two locks of one name. A killed driver's lock is freed by the system.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from archspec import UserError

#: Seconds that a run waits for the lock, so that `ushape status`, which tries it for an instant, never turns it away.
_TRIES = 1.0
#: Seconds for which a server may take a session for alive whose connection is broken.
_GHOST = 60.0


@contextmanager
def sole_driver(folder: Path) -> Iterator[None]:
    """Hold the study's lock; a second driver gets a `UserError`, a crashed one leaves no lock behind.

    Raises:
        UserError: another driver holds it, or the folder cannot be made or written.
    """
    lock = FileLock(folder / "driver.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_TRIES, poll_interval=0.02)
    except Timeout:
        raise _taken(str(folder)) from None
    except OSError as error:
        raise _unusable(folder, error) from None
    try:
        yield
    finally:
        lock.release()


def is_driven(folder: Path) -> bool:
    """Whether a run on this machine, or one that shares its file locks, is working on a folder right now."""
    lock = FileLock(folder / "driver.lock")
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False


def _unusable(folder: Path, error: OSError) -> UserError:
    from archspec import user_error

    what = "it is a file" if folder.is_file() else error.strerror or str(error)
    return user_error(f"{folder} cannot hold the results: {what}.", "Name a folder that can be written, with --out.")


def _taken(what: str) -> UserError:
    from archspec import user_error

    return user_error(f"another `ushape run` is working on {what}.", "Wait for it or stop it.")


class ServerLock:
    """An advisory lock on a PostgreSQL server; the server frees it when its holder dies.

    Args:
        connect: opens a connection of psycopg's.
        name: what is locked, such as the study.
    """

    def __init__(self, connect: Callable[[], Any], name: str) -> None:
        self._connect, self.name = connect, name
        self._connection: Any = None

    def take(self, wait: float = _TRIES) -> None:
        """Hold the lock, or `UserError` if another driver holds it for `wait` seconds on."""
        self._connection = self._connect()
        self._connection.autocommit = True
        end = time.monotonic() + wait
        query = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
        while not self._connection.execute(query, [self.name]).fetchone()[0]:
            if time.monotonic() > end:
                self.free()
                raise _taken(f"the study `{self.name.rpartition('/')[2]}` of this database")
            time.sleep(0.05)

    def hold(self) -> None:
        """Make sure that it is held still; a server that was started anew has forgotten it, so it is taken again.

        Raises:
            UserError: another driver has taken it meanwhile.
            sqlalchemy.exc.OperationalError: the server does not answer.
        """
        import psycopg
        from sqlalchemy.exc import OperationalError

        try:
            try:
                self._connection.execute("SELECT 1")
            except psycopg.Error:
                self.free()
                self.take(_GHOST)
        except psycopg.OperationalError as error:
            raise OperationalError("advisory lock", None, error) from error

    def free(self) -> None:
        """Give it back."""
        with suppress(Exception):
            self._connection.close()

    def is_taken(self) -> bool:
        """Whether anyone holds it."""
        query = (
            "SELECT count(*) FROM pg_locks, (SELECT hashtextextended(%s, 0) AS key) AS k WHERE locktype = 'advisory' "
            "AND objsubid = 1 AND classid::bigint = ((key >> 32) & 4294967295) AND objid::bigint = (key & 4294967295)"
        )
        with self._connect() as connection:
            return bool(connection.execute(query, [self.name]).fetchone()[0])
