"""A storage that waits for its server, or for room on its disk, instead of losing what was just trained.

Every call of Optuna's storage is one transaction, so a call that failed for want of a connection can be made again.
The one doubt is a commit whose answer was lost: what each call does when its effect is there already is said below.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from optuna.exceptions import OptunaError, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from archspec import user_error
from studies.records.frozen import read_trial, read_trials

#: Seconds that a server may be away before the run gives up; nothing finished is lost then, it goes on later.
PATIENCE = 600.0
_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

#: What Optuna's cache and studies call, reading and writing. Setting an attribute or a parameter again changes
#: nothing; a trial made twice leaves one that is never told, which the next run closes.
_READS = (
    "get_study_id_from_name", "get_study_name_from_id", "get_study_directions", "get_study_user_attrs",
    "get_study_system_attrs", "get_all_studies", "get_trial_id_from_study_id_trial_number",
    "get_trial_user_attrs", "get_trial_system_attrs", "get_trial_param", "_get_best_trial_id",
)  # fmt: skip
_WRITES = (
    "create_new_study", "delete_study", "set_study_user_attr", "set_study_system_attr", "_create_new_trial",
    "_set_trial_param", "set_trial_state_values", "set_trial_intermediate_value", "set_trial_user_attr",
    "set_trial_system_attr",
)  # fmt: skip

_AWAY = object()


@dataclass(frozen=True)
class Trouble:
    """Something that passes when a person, or time, does something about it.

    Attributes:
        seen_in: whether an error is of this kind.
        begins: what is said of the database then.
        ends: what is said when it is over.
        lasted: what is said of it when patience ends.
        hint: what to do.
    """

    seen_in: Callable[[BaseException], bool]
    begins: str
    ends: str
    lasted: str
    hint: str


class Patience:
    """Makes calls again while there is trouble.

    Args:
        where: the database, for messages.
        trouble: what to wait out.
        seconds: how long it may last.
    """

    def __init__(self, where: str, trouble: Trouble, seconds: float | None = None) -> None:
        self.where, self.trouble, self.seconds = where, trouble, PATIENCE if seconds is None else seconds
        #: Told when trouble begins and when it is over.
        self.say: Callable[[str], None] = lambda text: None
        #: Called before each write; holds the study's lock, and fails where it was lost.
        self.guard: Callable[[], None] = lambda: None

    def __call__(self, call: Callable[[], Any], *, write: bool = False) -> Any:
        """What `call` returns, in the end; `UserError` when the server stayed away too long."""
        began = time.monotonic()
        attempt = 0
        while (found := self._try(call, attempt, began, write=write)) is _AWAY:
            attempt += 1
        return found

    def _try(self, call: Callable[[], Any], attempt: int, began: float, *, write: bool) -> Any:
        try:
            if write:
                self.guard()
            found = call()
        except (StorageInternalError, DBAPIError, OSError) as error:
            if not self.trouble.seen_in(error):
                raise
            self._wait(attempt, began, error)
            return _AWAY
        except UpdateFinishedTrialError:
            if attempt == 0:
                raise
            # The commit went through and its answer did not: the trial is told.
            found = True
        except OptunaError:
            self._back(attempt)  # an answer too, such as that a study of this name is there
            raise
        self._back(attempt)
        return found

    def _back(self, attempt: int) -> None:
        if attempt:
            self.say(f"{self.where} {self.trouble.ends}.")

    def _wait(self, attempt: int, began: float, error: Exception) -> None:
        waited = time.monotonic() - began
        if waited > self.seconds:
            message = f"{self.where} {self.trouble.lasted} for {waited:.0f} s ({reason(error)})."
            self.seconds = 0.0  # what is tried on the way out need not wait again
            raise user_error(message, self.trouble.hint) from None
        if attempt == 0:
            limit = f"waiting up to {self.seconds / 60:.0f} min"
            self.say(f"{self.where} {self.trouble.begins} ({reason(error)}); {limit}.")
        time.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])


def is_away(error: BaseException) -> bool:
    """Whether an error of the database means that there is no server to talk to now."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    return isinstance(cause, OperationalError | InterfaceError) or (
        isinstance(cause, DBAPIError) and cause.connection_invalidated
    )


def is_full(error: BaseException) -> bool:
    """Whether a write failed for want of room on the disk."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if isinstance(cause, OSError):
        return cause.errno in (errno.ENOSPC, errno.EDQUOT)
    # SQLite says the second where even its index of the log has no room.
    text = str(getattr(cause, "orig", ""))
    return "database or disk is full" in text or "disk I/O error" in text


_KEPT = "What is finished is kept."
SERVER_AWAY = Trouble(
    is_away, "does not answer", "answers again", "has not answered",
    f"{_KEPT} Start the server, then the same command goes on from there.",
)  # fmt: skip
DISK_FULL = Trouble(
    is_full, "has no room on its disk", "has room again", "has had no room on its disk",
    f"{_KEPT} Make room, then the same command goes on from there.",
)  # fmt: skip


def reason(error: BaseException) -> str:
    """The driver's own first line; it names host, user and database, never a password."""
    cause = error.__cause__ or error
    return str(getattr(cause, "orig", None) or cause).strip().splitlines()[0].rstrip(".")


class PatientStorage(RDBStorage):
    """Optuna's storage, each of whose calls waits for the server.

    Args:
        url: as `RDBStorage` takes it.
        engine_kwargs: as `RDBStorage` takes them.
        patience: how calls are made again.
    """

    def __init__(
        self, url: str, engine_kwargs: dict[str, Any], patience: Patience, *, skip_table_creation: bool = False
    ) -> None:
        self.patience = patience
        super().__init__(url, engine_kwargs=engine_kwargs, skip_table_creation=skip_table_creation)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """A trial by its id; KeyError if there is none. Optuna reads one several times for each that is run."""
        found: FrozenTrial | None = self.patience(lambda: read_trial(self.engine, trial_id))
        if found is None:
            raise KeyError(f"No trial with trial-id {trial_id} found.")
        return found

    def _get_trials(
        self, study_id: int, states: Any, included_trial_ids: set[int], trial_id_greater_than: int
    ) -> list[FrozenTrial]:
        """Optuna's hook for its cache and for `get_all_trials`."""
        ids = {number for number in included_trial_ids if number <= trial_id_greater_than}
        found: list[FrozenTrial] = self.patience(lambda: read_trials(self.engine, study_id, ids, trial_id_greater_than))
        return found if states is None else [trial for trial in found if trial.state in states]


def _patient(name: str, *, write: bool) -> Callable[..., Any]:
    method = getattr(RDBStorage, name)  # raises at import if a new Optuna calls it otherwise

    def waiting(self: PatientStorage, *arguments: Any, **named: Any) -> Any:
        return self.patience(lambda: method(self, *arguments, **named), write=write)

    waiting.__name__ = name
    waiting.__doc__ = method.__doc__
    return waiting


for _name in _READS:
    setattr(PatientStorage, _name, _patient(_name, write=False))
for _name in _WRITES:
    setattr(PatientStorage, _name, _patient(_name, write=True))
