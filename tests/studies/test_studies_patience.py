"""What is waited out, for how long, and what is said meanwhile; with a clock of our own."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from optuna.exceptions import DuplicatedStudyError, StorageInternalError, UpdateFinishedTrialError
from sqlalchemy.exc import DatabaseError, IntegrityError, InterfaceError, OperationalError

from archspec import UserError
from studies.records import patience as module
from studies.records.patience import DISK_FULL, SERVER_AWAY, Patience, is_away, is_full, reason


def database(kind: type[Any], text: str) -> Any:
    return kind("SELECT 1", None, sqlite3.OperationalError(text))


def wrapped(cause: BaseException) -> StorageInternalError:
    error = StorageInternalError("optuna's own words")
    error.__cause__ = cause
    return error


AWAY = database(OperationalError, "connection refused\nIs the server running?")
FULL = OSError(errno.ENOSPC, "No space left on device")


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module.time, "sleep", made.sleep)
    monkeypatch.setattr(module.time, "monotonic", lambda: made.now)
    return made


def patient(trouble: module.Trouble = SERVER_AWAY, seconds: float | None = None) -> tuple[Patience, list[str]]:
    made, said = Patience("the database", trouble, seconds), list[str]()
    made.say = said.append
    return made, said


def failing(*errors: BaseException, value: object = "answer") -> Callable[[], Any]:
    """A call that raises these one after another, and then answers."""
    left = list(errors)

    def call() -> object:
        if left:
            raise left.pop(0)
        return value

    return call


def test_an_answer_is_passed_on_without_a_word(clock: Clock) -> None:
    made, said = patient()
    assert made(failing()) == "answer"
    assert made(lambda: None) is None
    assert (said, clock.slept) == ([], [])


def test_trouble_is_told_once_when_it_begins_and_once_when_it_is_over(clock: Clock) -> None:
    made, said = patient()
    assert made(failing(*[AWAY] * 8)) == "answer"
    assert clock.slept == [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0]
    assert said == [
        "the database does not answer (connection refused); waiting up to 10 min.",
        "the database answers again.",
    ]


def test_a_full_disk_has_words_of_its_own(clock: Clock) -> None:
    made, said = patient(DISK_FULL, 120)
    assert made(failing(FULL)) == "answer"
    assert said == [
        "the database has no room on its disk ([Errno 28] No space left on device); waiting up to 2 min.",
        "the database has room again.",
    ]


@pytest.mark.parametrize(
    ("trouble", "error", "message"),
    [
        (
            SERVER_AWAY,
            AWAY,
            "error U090 the database has not answered for 34 s (connection refused). What is finished is kept. Start "
            "the server, then the same command goes on from there.",
        ),
        (
            DISK_FULL,
            FULL,
            "error U090 the database has had no room on its disk for 34 s ([Errno 28] No space left on device). What "
            "is finished is kept. Make room, then the same command goes on from there.",
        ),
    ],
)
def test_patience_ends_with_what_to_do_and_does_not_begin_again(
    clock: Clock, trouble: module.Trouble, error: Exception, message: str
) -> None:
    made, said = patient(trouble, 30)
    with pytest.raises(UserError) as caught:
        made(failing(*[error] * 99))
    assert str(caught.value) == message
    assert len(said) == 1
    before = clock.now
    with pytest.raises(UserError):
        made(failing(*[error] * 99))
    assert clock.now == before + 0.1


@pytest.mark.parametrize(
    "error",
    [
        FULL,
        database(IntegrityError, "UNIQUE constraint failed"),
        wrapped(database(DatabaseError, "malformed")),
        UpdateFinishedTrialError("told already"),
        DuplicatedStudyError("there is one"),
        ValueError("a fault of ours"),
    ],
)
def test_what_no_server_causes_is_raised_at_once(clock: Clock, error: Exception) -> None:
    made, said = patient()
    with pytest.raises(type(error)):
        made(failing(error))
    assert (said, clock.slept) == ([], [])


def test_a_trial_that_was_told_before_the_answer_was_lost_is_told(clock: Clock) -> None:
    made, said = patient()
    assert made(failing(AWAY, UpdateFinishedTrialError("told already")), write=True) is True
    assert len(said) == 2


def test_a_server_that_answers_with_a_refusal_is_back(clock: Clock) -> None:
    made, said = patient()
    with pytest.raises(DuplicatedStudyError):
        made(failing(AWAY, DuplicatedStudyError("there is one")))
    assert said[1:] == ["the database answers again."]


def test_the_guard_is_asked_before_every_try_to_write_and_before_none_to_read(clock: Clock) -> None:
    made, _ = patient()
    asked: list[str] = []
    made.guard = lambda: asked.append("asked")
    made(failing(AWAY))
    assert asked == []
    made(failing(AWAY, AWAY), write=True)
    assert len(asked) == 3


def test_a_guard_without_its_server_is_waited_for_too(clock: Clock) -> None:
    made, said = patient()
    made.guard = failing(AWAY)
    assert made(failing(), write=True) == "answer"
    assert len(said) == 2


@pytest.mark.parametrize(
    ("error", "away", "full"),
    [
        (AWAY, True, False),
        (wrapped(AWAY), True, False),
        (database(InterfaceError, "connection already closed"), True, False),
        (database(IntegrityError, "UNIQUE constraint failed"), False, False),
        (DatabaseError("SELECT 1", None, sqlite3.DatabaseError("gone"), connection_invalidated=True), True, False),
        (FULL, False, True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), False, True),
        (OSError(errno.EACCES, "Permission denied"), False, False),
        (wrapped(FULL), False, True),
        (database(OperationalError, "database or disk is full"), True, True),
        (wrapped(database(OperationalError, "disk I/O error")), True, True),
        (StorageInternalError("without a cause"), False, False),
    ],
)
def test_what_is_a_server_away_and_what_a_full_disk(error: BaseException, away: bool, full: bool) -> None:
    assert (is_away(error), is_full(error)) == (away, full)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (AWAY, "connection refused"),
        (wrapped(AWAY), "connection refused"),
        (OSError("  two\nlines."), "two"),
        (wrapped(ValueError("one.")), "one"),
    ],
)
def test_the_reason_is_the_first_line_of_the_driver(error: BaseException, said: str) -> None:
    assert reason(error) == said
