"""A storage that waits for its database server instead of failing the study.

Every call of Optuna's storage is one transaction, so a call that failed for want of a connection can be made again.
The one doubt is a commit whose answer was lost: what each call does when its effect is there already is said below.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from optuna.exceptions import OptunaError, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from archspec import user_error

#: Seconds that a server may be away before the run gives up; nothing finished is lost then, it goes on later.
PATIENCE = 600.0
_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

#: What Optuna's cache and studies call, reading and writing. Setting an attribute or a parameter again changes
#: nothing; a trial made twice leaves one that is never told, which the next run closes.
_READS = (
    "get_study_id_from_name", "get_study_name_from_id", "get_study_directions", "get_study_user_attrs",
    "get_study_system_attrs", "get_all_studies", "get_trial", "get_trial_id_from_study_id_trial_number",
    "get_trial_user_attrs", "get_trial_system_attrs", "get_trial_param", "_get_trials", "_get_best_trial_id",
)  # fmt: skip
_WRITES = (
    "create_new_study", "delete_study", "set_study_user_attr", "set_study_system_attr", "_create_new_trial",
    "_set_trial_param", "set_trial_state_values", "set_trial_intermediate_value", "set_trial_user_attr",
    "set_trial_system_attr",
)  # fmt: skip

_AWAY = object()


class Patience:
    """Makes calls again while the server is away.

    Args:
        where: the database, for messages.
        seconds: how long it may be away.
    """

    def __init__(self, where: str, seconds: float = PATIENCE) -> None:
        self.where, self.seconds = where, seconds
        #: Told when the server is away and when it is back.
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
        except (StorageInternalError, DBAPIError) as error:
            if not is_away(error):
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
            self.say(f"{self.where} answers again.")

    def _wait(self, attempt: int, began: float, error: Exception) -> None:
        waited = time.monotonic() - began
        if waited > self.seconds:
            raise user_error(
                f"{self.where} has not answered for {waited:.0f} s ({reason(error)}).",
                "What is finished is kept. Start the server, then the same command goes on from there.",
            ) from None
        if attempt == 0:
            self.say(f"{self.where} does not answer ({reason(error)}); waiting up to {self.seconds / 60:.0f} min.")
        time.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])


def is_away(error: BaseException) -> bool:
    """Whether an error of the database means that there is no server to talk to now."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    return isinstance(cause, OperationalError | InterfaceError) or (
        isinstance(cause, DBAPIError) and cause.connection_invalidated
    )


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

    def __init__(self, url: str, engine_kwargs: dict[str, Any], patience: Patience) -> None:
        super().__init__(url, engine_kwargs=engine_kwargs)
        self.patience = patience


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
