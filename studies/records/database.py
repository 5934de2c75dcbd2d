"""Where records lie: SQLite in the study's folder, or a PostgreSQL server; and how to get in without telling secrets.

A password never enters an object that could be printed, pickled or stored: it goes from the environment or a file
straight into the function that opens connections.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import psutil
from pydantic import Field, model_validator

from archspec import UserError, user_error
from studies.sections.protocol import Section

#: Parts of a URL's query that are as secret as its password.
_SECRET = ("password", "sslpassword")
#: File systems on which SQLite's shared memory does not work across machines, and often not at all.
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "glusterfs", "beegfs", "lustre", "ceph", "9p"})


class Storage(Section):
    """A database server that keeps the records; exactly one of the three keys says where it is."""

    url: str | None = Field(None, description="postgresql+psycopg://HOST/DATABASE without a password")
    env: str | None = Field(None, description="environment variable that holds the whole URL")
    file: str | None = Field(None, description="file whose first line is the whole URL")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(value is not None for value in (self.url, self.env, self.file)) != 1:
            raise ValueError("say where the database is by one of url, env, file")
        if self.url is not None:
            _refuse_secrets(self.url)
        return self

    def resolved(self, folder: Path) -> Storage:
        """The same with its file taken relative to `folder`."""
        return self.model_copy(update={"file": str(folder / self.file)}) if self.file is not None else self

    def words(self) -> str:
        """Where it is, for messages: never more than the study file says."""
        if self.url is not None:
            return self.url
        return f"the database of ${self.env}" if self.env is not None else f"the database of {self.file}"


def storage_of(value: Any) -> Any:
    """A bare text is a URL."""
    return {"url": value} if isinstance(value, str) else value


def _refuse_secrets(text: str) -> None:
    """ValueError, without the URL in its text, if it holds a password or is none of PostgreSQL's."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except ArgumentError:
        raise ValueError("this is no database URL; write postgresql+psycopg://HOST/DATABASE") from None
    if url.password is not None or any(key in url.query for key in _SECRET):
        raise ValueError(
            "a study file holds no password, since it is copied into records and reports; write `{env: NAME}` or "
            "`{file: PATH}`, or leave the password to PGPASSWORD or ~/.pgpass"
        )
    if url.drivername != "postgresql+psycopg":
        raise ValueError("records lie in SQLite or PostgreSQL; write postgresql+psycopg://HOST/DATABASE")


def connector(storage: Storage, environment: Mapping[str, str] = os.environ) -> tuple[str, Callable[[], Any]]:
    """A URL that can be shown, and a function that opens a connection; `UserError` if the place is not known.

    Args:
        storage: what the study file says, with an absolute path.
        environment: where `storage.env` is looked up.
    """
    if find_spec("psycopg") is None:
        raise user_error("PostgreSQL needs the package psycopg.", "Run `pip install 'ushape[postgres]'`.")
    import psycopg
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    text, source = _whole_url(storage, environment)
    try:
        url = make_url(text)
    except ArgumentError:
        # The text may hold a password, so it is not repeated.
        raise user_error(f"{source} holds no database URL.", _EXPECTED) from None
    if url.drivername != "postgresql+psycopg":
        raise user_error(f"{source} is for another database or driver.", _EXPECTED)
    arguments, options = url.get_dialect()().create_connect_args(url)

    def connect() -> Any:
        # A server that is gone without a word must not hold the run up for the two hours of TCP's own patience.
        alive = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
        return psycopg.connect(*arguments, **{**alive, **options})

    # Without user and password; psycopg's dialect needs no more than the kind.
    return "postgresql+psycopg://", connect


_EXPECTED = "It should be postgresql+psycopg://USER:PASSWORD@HOST/DATABASE."


def _whole_url(storage: Storage, environment: Mapping[str, str]) -> tuple[str, str]:
    """(the URL with its password, what to call its source in messages)."""
    if storage.url is not None:
        return storage.url, "run.storage"
    if storage.env is not None:
        if not environment.get(storage.env):
            hint = f"Set it: export {storage.env}=postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
            raise user_error(f"run.storage names the environment variable {storage.env}, which is not set.", hint)
        return environment[storage.env], f"the environment variable {storage.env}"
    assert storage.file is not None
    try:
        lines = Path(storage.file).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(storage.file, error) from None
    return lines[0].strip(), storage.file


def _unreadable(path: str, error: Exception) -> UserError:
    what = error.strerror if isinstance(error, OSError) else "it is no text"
    return user_error(f"run.storage names the file {path}, which cannot be read: {what}.", "Its first line is the URL.")


def refuse_network_drive(folder: Path) -> None:
    """`UserError` if a SQLite database in `folder` would lie on a network file system."""
    kind = filesystem_of(folder)
    if kind in _NETWORK:
        raise user_error(
            f"{folder} lies on a network file system ({kind}), where SQLite loses records.",
            "Put the results on a local disk with --out, or keep the records in PostgreSQL (run.storage).",
        )


def filesystem_of(folder: Path) -> str:
    """The kind of file system that `folder`, or the nearest folder above it that is there, lies on."""
    place = folder.absolute()
    mounts = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    return next((mounts[str(one)] for one in (place, *place.parents) if str(one) in mounts), "")
