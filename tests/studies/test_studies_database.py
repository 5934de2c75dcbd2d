"""Where records lie: a place on a server that is told without secrets, or a disk that SQLite can use."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import ValidationError

from archspec import UserError
from studies.records import database as module
from studies.records.database import Storage, connector, filesystem_of, refuse_network_drive, storage_of
from studies.records.server import MARKER, Binding, bind, binding, has_records
from studies.records.store import Store

URL = "postgresql+psycopg://me:hunter2@host:5433/db?application_name=x"
SHAPE = "It should be postgresql+psycopg://USER:PASSWORD@HOST/DATABASE."


def refused(**place: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Storage.model_validate(place)
    [error] = caught.value.errors()
    return str(error["msg"]).removeprefix("Value error, ")


@pytest.mark.parametrize(
    "place", [{}, {"env": "A", "file": "b"}, {"url": "postgresql+psycopg://h/d", "env": "A"}, {"url": None}]
)
def test_one_key_says_where(place: dict[str, Any]) -> None:
    assert refused(**place) == "say where the database is by one of url, env, file"


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "postgresql+psycopg://:x@host/db",
        "postgresql+psycopg://host/db?password=x",
        "postgresql+psycopg://host/db?sslpassword=x&a=b",
        "mysql://me:x@host/db",
    ],
)
def test_a_study_file_holds_no_password_in_any_place_of_the_url(url: str) -> None:
    assert refused(url=url) == (
        "a study file holds no password, since it is copied into records and reports; write `{env: NAME}` or `{file: "
        "PATH}`, or leave the password to PGPASSWORD or ~/.pgpass"
    )


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("host/db", "this is no database URL; write postgresql+psycopg://HOST/DATABASE"),
        ("sqlite:///a.db", "records lie in SQLite or PostgreSQL; write postgresql+psycopg://HOST/DATABASE"),
        ("postgresql://h/d", "records lie in SQLite or PostgreSQL; write postgresql+psycopg://HOST/DATABASE"),
    ],
)
def test_another_database_is_refused(url: str, message: str) -> None:
    assert refused(url=url) == message


def test_a_bare_text_is_a_url_and_anything_else_is_left_to_be_read() -> None:
    assert storage_of("x://y") == {"url": "x://y"}
    assert storage_of({"env": "A"}) == {"env": "A"}
    assert storage_of(None) is None


def test_a_place_is_told_as_the_study_file_says_it(tmp_path: Path) -> None:
    places = [Storage(url="postgresql+psycopg://h/d"), Storage(env="PLACE"), Storage(file="secret.txt")]
    assert [place.words() for place in places] == [
        "postgresql+psycopg://h/d", "the database of $PLACE", "the database of secret.txt",
    ]  # fmt: skip
    assert places[2].resolved(tmp_path).file == str(tmp_path / "secret.txt")
    assert [place.resolved(tmp_path) for place in places[:2]] == places[:2]


class TestOpening:
    """What is asked of the driver, and what is said where the place is not known."""

    @pytest.fixture(autouse=True)
    def psycopg(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        """What connections are opened with, instead of a connection."""
        driver = pytest.importorskip("psycopg")
        asked: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        monkeypatch.setattr(driver, "connect", lambda *given, **named: asked.append((given, named)))
        return asked

    def test_the_secret_goes_straight_to_the_driver(
        self, tmp_path: Path, psycopg: list[tuple[tuple[Any, ...], dict[str, Any]]]
    ) -> None:
        (tmp_path / "url").write_text(f"{URL}\nwhat stands below is not read")
        shown, connect = connector(Storage(file=str(tmp_path / "url")))
        assert shown == "postgresql+psycopg://"
        connect()
        [(given, named)] = psycopg
        assert given == ()
        assert named == {
            "host": "host", "port": 5433, "dbname": "db", "user": "me", "password": "hunter2", "application_name": "x",
            "connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3,
        }  # fmt: skip

    def test_the_users_own_limits_of_time_stand(self, psycopg: list[tuple[tuple[Any, ...], dict[str, Any]]]) -> None:
        connector(Storage(url="postgresql+psycopg://h/d?connect_timeout=3"))[1]()
        assert int(psycopg[0][1]["connect_timeout"]) == 3

    @pytest.mark.parametrize("value", [None, ""])
    def test_a_variable_that_is_not_set(self, value: str | None) -> None:
        with pytest.raises(UserError) as caught:
            connector(Storage(env="PLACE"), {} if value is None else {"PLACE": value})
        assert str(caught.value) == (
            "error U090 run.storage names the environment variable PLACE, which is not set. Set it: export "
            "PLACE=postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
        )

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("hunter2", "the environment variable PLACE holds no database URL."),
            ("mysql://me:hunter2@h/d", "the environment variable PLACE is for another database or driver."),
        ],
    )
    def test_what_is_no_place_of_ours_is_not_repeated(self, text: str, message: str) -> None:
        with pytest.raises(UserError) as caught:
            connector(Storage(env="PLACE"), {"PLACE": text})
        assert str(caught.value) == f"error U090 {message} {SHAPE}"

    @pytest.mark.parametrize(
        ("content", "why"),
        [(None, "No such file or directory"), (b"\xff\xfe", "it is no text"), ("folder", "Is a directory")],
    )
    def test_a_file_that_cannot_be_read(self, tmp_path: Path, content: bytes | str | None, why: str) -> None:
        path = tmp_path / "url"
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            path.mkdir()
        with pytest.raises(UserError) as caught:
            connector(Storage(file=str(path)))
        assert str(caught.value) == (
            f"error U090 run.storage names the file {path}, which cannot be read: {why}. Its first line is the URL."
        )

    def test_without_the_driver_its_package_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "find_spec", lambda name: None)
        with pytest.raises(UserError) as caught:
            connector(Storage(env="PLACE"))
        assert str(caught.value) == (
            "error U090 PostgreSQL needs the package psycopg. Run `pip install 'ushape[postgres]'`."
        )


class Mount(NamedTuple):
    mountpoint: str
    fstype: str


def test_the_nearest_mount_above_a_folder_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = [Mount("/", "ext4"), Mount(str(tmp_path), "nfs4"), Mount(str(tmp_path / "a"), "tmpfs")]
    monkeypatch.setattr(module.psutil, "disk_partitions", lambda **asked: mounts)
    assert [filesystem_of(tmp_path / name) for name in ("b", "a", "a/b", "ab")] == ["nfs4", "tmpfs", "tmpfs", "nfs4"]
    assert filesystem_of(tmp_path.parent) == "ext4"
    refuse_network_drive(tmp_path / "a")
    with pytest.raises(UserError) as caught:
        Store(tmp_path / "b", "s", create=True)
    assert str(caught.value) == (
        f"error U090 {tmp_path / 'b'} lies on a network file system (nfs4), where SQLite loses records. Put the "
        "results on a local disk with --out, or keep the records in PostgreSQL (run.storage)."
    )
    assert not (tmp_path / "b" / "study.db").exists()


def test_nothing_is_known_of_a_folder_where_no_mount_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.psutil, "disk_partitions", lambda **asked: [])
    assert filesystem_of(Path("/some/where")) == ""
    refuse_network_drive(Path("/some/where"))


def test_a_folder_keeps_its_name_on_the_server_when_the_way_there_changes(tmp_path: Path) -> None:
    assert binding(tmp_path) is None
    assert not has_records(tmp_path)
    first = bind(tmp_path, "s", Storage(env="A"))
    assert has_records(tmp_path)
    written = (tmp_path / MARKER).stat().st_mtime_ns
    assert bind(tmp_path, "s", Storage(env="A")) == binding(tmp_path) == first
    assert (tmp_path / MARKER).stat().st_mtime_ns == written
    second = bind(tmp_path, "s", Storage(env="B"))
    assert binding(tmp_path) == second == Binding("s", first.id, Storage(env="B"))
    assert bind(tmp_path / "other", "s", Storage(env="A")).id != first.id


def test_records_that_lie_in_a_folder_do_not_move_to_a_server(tmp_path: Path) -> None:
    Store(tmp_path, "s", create=True)
    with pytest.raises(UserError) as caught:
        Store(tmp_path, "s", create=True, storage=Storage(env="PLACE"))
    assert str(caught.value) == (
        f"error U090 the records of {tmp_path} lie in its study.db, and the study names the database of $PLACE. "
        "Records do not move: take run.storage out, or give the study another name."
    )
