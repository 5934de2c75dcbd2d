"""The lock on a database server and the one on a folder, with a server of our own that says what it was asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from sqlalchemy.exc import OperationalError

from archspec import UserError
from studies.records import locks
from studies.records.locks import ServerLock, is_driven, sole_driver

psycopg = pytest.importorskip("psycopg")


class Server:
    """Knows who holds which lock; each connection is one session."""

    def __init__(self) -> None:
        self.holders: dict[str, Connection] = {}
        self.broken = False
        self.opened: list[Connection] = []

    def connect(self) -> Connection:
        if self.broken:
            raise psycopg.OperationalError("connection refused")
        self.opened.append(Connection(self))
        return self.opened[-1]


class Connection:
    """As much of psycopg's connection as a lock uses."""

    def __init__(self, server: Server) -> None:
        self.server, self.autocommit, self.is_open, self._answer = server, False, True, False

    def execute(self, query: str, values: list[str] | None = None) -> Connection:
        if self.server.broken or not self.is_open:
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        if "pg_try_advisory_lock" in query:
            assert values is not None
            self._answer = self.server.holders.setdefault(values[0], self) is self
        elif "pg_locks" in query:
            assert values is not None
            self._answer = values[0] in self.server.holders
        return self

    def fetchone(self) -> list[bool]:
        return [self._answer]

    def close(self) -> None:
        self.is_open = False
        self.server.holders = {name: one for name, one in self.server.holders.items() if one is not self}

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


def test_one_driver_has_it_and_the_next_when_it_is_given_back() -> None:
    server = Server()
    one, other = ServerLock(server.connect, "ushape/s"), ServerLock(server.connect, "ushape/s")
    assert not other.is_taken()
    one.take()
    assert one.is_taken()
    assert other.is_taken()
    with pytest.raises(UserError) as caught:
        other.take(wait=0.0)
    assert str(caught.value) == (
        "error U090 another `ushape run` is working on the study `s` of this database. Wait for it or stop it."
    )
    assert not server.opened[-1].is_open
    one.free()
    other.take(wait=0.0)
    assert other.is_taken()


def test_another_study_has_a_lock_of_its_own() -> None:
    server = Server()
    ServerLock(server.connect, "ushape/a").take()
    other = ServerLock(server.connect, "ushape/b")
    assert not other.is_taken()
    other.take(wait=0.0)


def test_a_session_outside_a_transaction_holds_it() -> None:
    """In a transaction it would be idle for hours, which servers end."""
    server = Server()
    ServerLock(server.connect, "ushape/s").take()
    assert server.opened[0].autocommit


def test_a_lock_that_a_server_forgot_is_taken_again() -> None:
    server = Server()
    lock = ServerLock(server.connect, "ushape/s")
    lock.take()
    lock.hold()
    assert len(server.opened) == 1
    server.opened[0].close()  # started anew: sessions are gone
    lock.hold()
    assert len(server.opened) == 2
    assert server.holders == {"ushape/s": server.opened[1]}


def test_a_lock_that_another_took_meanwhile_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_GHOST", 0.0)
    server = Server()
    lock = ServerLock(server.connect, "ushape/s")
    lock.take()
    server.opened[0].close()
    ServerLock(server.connect, "ushape/s").take()
    with pytest.raises(UserError, match="another `ushape run` is working on the study `s` of this database"):
        lock.hold()


def test_a_server_that_is_away_is_told_as_sqlalchemy_tells_it() -> None:
    """`Patience` waits for that."""
    server = Server()
    lock = ServerLock(server.connect, "ushape/s")
    lock.take()
    server.broken = True
    with pytest.raises(OperationalError, match="connection refused"):
        lock.hold()


def test_giving_back_what_was_never_taken_or_is_broken_is_no_error() -> None:
    server = Server()
    lock = ServerLock(server.connect, "ushape/s")
    lock.free()
    lock.take()
    server.broken = True
    lock.free()
    lock.free()


def test_a_folder_is_driven_by_one_and_free_again(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "study"
    with sole_driver(folder):
        assert is_driven(folder) is True
        assert (folder / "driver.lock").is_file()
    assert is_driven(folder) is False


def test_a_second_driver_of_a_folder_is_told_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_TRIES", 0.0)
    with FileLock(tmp_path / "driver.lock"), pytest.raises(UserError) as caught, sole_driver(tmp_path):
        pass
    assert str(caught.value) == (f"error U090 another `ushape run` is working on {tmp_path}. Wait for it or stop it.")
    with sole_driver(tmp_path):
        pass


def test_a_driver_that_fails_gives_its_folder_back(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), sole_driver(tmp_path):
        raise KeyboardInterrupt
    assert not is_driven(tmp_path)


def test_a_file_in_the_place_of_the_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    with pytest.raises(UserError) as caught, sole_driver(tmp_path / "results"):
        pass
    assert str(caught.value) == (
        f"error U090 {tmp_path / 'results'} cannot hold the results: it is a file. Name a folder that can be written, "
        "with --out."
    )


def test_a_lock_that_cannot_be_opened_counts_as_held(tmp_path: Path) -> None:
    """Who may not look at it must not be told that nothing runs."""
    (tmp_path / "driver.lock").mkdir()
    assert is_driven(tmp_path)
