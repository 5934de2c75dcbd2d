"""Records on a real PostgreSQL server: the same store, one driver, patience, and no secret anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from archspec import UserError
from search import optuna_bridge as bridge
from studies.frame import load_results, progress_of
from studies.records.database import Storage, connector
from studies.records.patience import SERVER_AWAY, Patience, PatientStorage
from studies.records.record import TRAINED, TrialRecord
from studies.records.server import MARKER
from studies.records.store import Store, now
from studies.study.load import load_study
from tests.studies.fake_run import run_fake
from tests.studies.postgres_server import Server, own_server
from tests.tiny_study import ABLATION, SEARCH

pytestmark = pytest.mark.postgres
SECRET = "hunter2-f00d"
Write = Callable[..., Path]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    url = os.environ.get("TEST_POSTGRES_URL")
    if url:
        yield Server(url)
        return
    with own_server() as started:
        yield started


@pytest.fixture
def storage(server: Server, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """The server by an environment variable; its password is a secret that the server does not ask for."""
    url = make_url(server.url)
    whole = url if url.password else url.set(password=SECRET)
    monkeypatch.setenv("USHAPE_TEST_STORAGE", whole.render_as_string(hide_password=False))
    return Storage(env="USHAPE_TEST_STORAGE")


def fresh() -> str:
    """Servers are shared, so each test has a study of its own."""
    return f"s-{uuid.uuid4().hex[:12]}"


def record(trial: int, **more: object) -> TrialRecord:
    data = {
        "part": "ablation", "trial": trial, "variant": "base", "seed": trial, "status": "finished", "fingerprint": "f",
        "protocol_hash": "p", "started": now(), "metrics": {"loss": 0.1 + trial}, **more,
    }  # fmt: skip
    return TrialRecord.model_validate(data)


def keep(store: Store, *records: TrialRecord) -> None:
    study = store.open("ablation", ["loss"])
    for one in records:
        with bridge.quiet():
            trial = study.ask()
        store.keep(trial, one)
        bridge.tell(trial, [one.metrics.get("loss")], {})


def test_what_is_kept_comes_back_and_files_lie_in_the_folder(storage: Storage, tmp_path: Path) -> None:
    name = fresh()
    store = Store(tmp_path, name, create=True, storage=storage)
    kept = [record(0), record(1)]
    keep(store, *kept)
    store.write_curve("ablation", 0, [(1, 0.5)])
    again = Store(tmp_path)
    assert (again.name, again.parts(), again.records("ablation")) == (name, ["ablation"], kept)
    assert progress_of(tmp_path).counts == {"ablation": {"finished": 2}}
    assert list(load_results(tmp_path).trials["loss"]) == [0.1, 1.1]
    assert not (tmp_path / "study.db").exists()
    assert (tmp_path / "curves" / "ablation-0.json").is_file()


def test_the_secret_is_in_no_file_row_message_or_repr(storage: Storage, tmp_path: Path, server: Server) -> None:
    store = Store(tmp_path, fresh(), create=True, storage=storage)
    keep(store, record(0))
    secret = make_url(os.environ["USHAPE_TEST_STORAGE"]).password
    assert secret
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes(), path
    optuna_storage = store._storage
    shown = [repr(optuna_storage.__dict__), repr(store.__dict__), repr(storage), optuna_storage.url]
    shown += [str(optuna_storage.engine.url), repr(optuna_storage.engine_kwargs), storage.words()]
    assert not [text for text in shown if secret in text]
    _, connect = connector(storage)
    with connect() as connection:
        tables = ("studies", "study_user_attributes", "trial_user_attributes", "study_system_attributes")
        rows = [row for table in tables for row in connection.execute(f"SELECT * FROM {table}").fetchall()]  # type: ignore[arg-type]
    assert rows
    assert secret not in repr(rows)


def test_a_server_that_is_not_there_is_a_users_error_without_the_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOWHERE", f"postgresql+psycopg://me:{SECRET}@127.0.0.1:1/none")
    with pytest.raises(UserError, match=r"the database of \$NOWHERE cannot be reached: .*Is the server up") as caught:
        Store(tmp_path, "s", create=True, storage=Storage(env="NOWHERE"))
    assert SECRET not in str(caught.value)
    assert SECRET not in "".join(map(str, caught.value.__context__.args if caught.value.__context__ else ()))


def test_a_second_driver_is_turned_away_also_from_another_folder(storage: Storage, tmp_path: Path) -> None:
    name = fresh()
    first = Store(tmp_path / "a", name, create=True, storage=storage)
    second = Store(tmp_path / "b", name, create=True, storage=storage)
    assert not first.is_driven()
    with first.driving(print):
        assert second.is_driven()
        with pytest.raises(UserError, match=f"another `ushape run` is working on the study `{name}` of this database"):
            second.driving(print).__enter__()
    with second.driving(print):
        pass


def test_a_study_of_the_same_name_belongs_to_one_folder(storage: Storage, tmp_path: Path) -> None:
    name = fresh()
    keep(Store(tmp_path / "a", name, create=True, storage=storage), record(0))
    with pytest.raises(UserError, match=f"has a study `{name}` already, whose files lie in {tmp_path / 'a'}"):
        Store(tmp_path / "b", name, create=True, storage=storage)


HOLDER = """
import sys
from pathlib import Path
from studies.records.database import Storage
from studies.records.store import Store
store = Store(Path(sys.argv[1]), sys.argv[2], create=True, storage=Storage(env="USHAPE_TEST_STORAGE"))
with store.driving(print):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_killed_drivers_lock_is_free_at_once(storage: Storage, tmp_path: Path) -> None:
    name = fresh()
    store = Store(tmp_path, name, create=True, storage=storage)
    command = [sys.executable, "-c", HOLDER, str(tmp_path), name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert store.is_driven()
        holder.kill()
        holder.wait(timeout=30)
    with store.driving(print):
        assert Store(tmp_path).is_driven()


def test_the_server_stopped_and_started_in_mid_study_loses_nothing(tmp_path: Path) -> None:
    with own_server() as server:
        url = make_url(server.url).set(password=SECRET).render_as_string(hide_password=False)
        (tmp_path / "url").write_text(url + "\n")
        store = Store(tmp_path / "run", "s", create=True, storage=Storage(file=str(tmp_path / "url")))
        said: list[str] = []
        with store.driving(said.append):
            keep(store, record(0))
            server.stop()
            again = threading.Timer(1.5, server.start)
            again.start()
            keep(store, *(record(number) for number in range(1, 12)))
            again.join()
            # The server has forgotten the lock; the driver has taken it again before it wrote.
            assert store.is_driven()
            server.stop()
            server.start()
            keep(store, record(12))
            assert Store(tmp_path / "run").is_driven()
        assert [one.trial for one in Store(tmp_path / "run").records("ablation")] == list(range(13))
        assert {frozen.state.name for frozen in store.trials("ablation")} == {"COMPLETE"}
        assert [frozen.number for frozen in store.trials("ablation")] == list(range(13))
        assert len(said) >= 2
        assert said[0].startswith(f"the database of {tmp_path / 'url'} does not answer (")
        assert said[-1] == f"the database of {tmp_path / 'url'} answers again."
        assert SECRET not in "".join(said)


@pytest.mark.slow
def test_a_whole_study_goes_on_when_its_server_was_away(study_file: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver, its workers, an ablation and a search, and a server that is stopped twice meanwhile."""
    run = "run: {workers: 2, storage: {file: url}}\n"
    path = study_file(ABLATION, SEARCH, run, **{"seeds: 2": "seeds: 8", "trials: 3": "trials: 5"})
    path.with_name("deeds.json").write_text('{"else": ["sleep", 0.5]}')
    monkeypatch.setenv("USHAPE_FAKE", str(path.with_name("deeds.json")))
    with own_server() as server:
        path.with_name("url").write_text(server.url + "\n")

        def trouble() -> None:
            for _ in range(2):
                time.sleep(3)
                server.stop()
                time.sleep(1)
                server.start()

        thread = threading.Thread(target=trouble)
        thread.start()
        listener = run_fake(path)
        thread.join()
        assert sum("does not answer" in line for line in listener.lines) >= 1
        store = Store(load_study(path).folder)
        cells = Counter((one.variant, one.seed, one.status) for one in store.records("ablation"))
        assert cells == {(variant, seed, "finished"): 1 for variant in ("base", "no attention") for seed in range(8)}
        assert sum(one.status in TRAINED for one in store.records("search")) == 5
        states = {frozen.state.name for part in store.parts() for frozen in store.trials(part)}
        assert states <= {"COMPLETE", "FAIL"}
        assert run_fake(path).records == []


def test_a_driver_whose_lock_another_took_while_the_server_was_away_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studies.records.locks._GHOST", 0.2)
    with own_server() as server:
        (tmp_path / "url").write_text(server.url)
        storage = Storage(file=str(tmp_path / "url"))
        store = Store(tmp_path / "run", "s", create=True, storage=storage)
        with store.driving(print):
            keep(store, record(0))
            server.stop()
            server.start()
            with Store(tmp_path / "run").driving(print), pytest.raises(UserError, match="another `ushape run`"):
                keep(store, record(1))
        assert [one.trial for one in Store(tmp_path / "run").records("ablation")] == [0]


def test_patience_ends_with_what_to_do(tmp_path: Path, storage: Storage) -> None:
    store = Store(tmp_path, fresh(), create=True, storage=storage)
    assert isinstance(store._storage, PatientStorage)
    from sqlalchemy.exc import OperationalError

    def away() -> None:
        raise OperationalError("select", None, Exception("server closed the connection unexpectedly"))

    patience, said = Patience("the database", SERVER_AWAY, seconds=0.05), list[str]()
    patience.say = said.append
    with pytest.raises(UserError) as caught:
        patience(away)
    [problem] = caught.value.problems
    assert problem.message.startswith("the database has not answered for 0 s (server closed the connection")
    assert problem.hint == "What is finished is kept. Start the server, then the same command goes on from there."
    assert len(said) == 1


def test_a_told_trial_whose_answer_was_lost_is_told_once(storage: Storage, tmp_path: Path) -> None:
    """The commit reaches the server and the connection breaks before the answer: the second try finds it done."""
    store = Store(tmp_path, fresh(), create=True, storage=storage)
    study = store.open("ablation", ["loss"])
    backend = store._storage
    assert isinstance(backend, PatientStorage)
    with bridge.quiet():
        trial = study.ask()
    store.keep(trial, record(0))
    from optuna.storages import RDBStorage
    from optuna.trial import TrialState
    from sqlalchemy.exc import OperationalError

    calls = []

    def tell_and_break() -> bool:
        calls.append(RDBStorage.set_trial_state_values(backend, trial._trial_id, TrialState.COMPLETE, [0.5]))
        if len(calls) == 1:
            raise OperationalError("commit", None, Exception("connection lost"))
        return True

    assert backend.patience(tell_and_break, write=True) is True
    assert [(t.state.name, t.values) for t in store.trials("ablation")] == [("COMPLETE", [0.5])]


def test_records_do_not_move_to_a_server(storage: Storage, tmp_path: Path) -> None:
    Store(tmp_path, "s", create=True)
    with pytest.raises(UserError, match=r"lie in its study\.db, and the study names the database of \$USHAPE"):
        Store(tmp_path, "s", create=True, storage=storage)
    assert not (tmp_path / MARKER).exists()


def test_the_folder_says_which_server_and_no_more(storage: Storage, tmp_path: Path) -> None:
    Store(tmp_path, "s", create=True, storage=storage)
    data = json.loads((tmp_path / MARKER).read_text())
    assert data["storage"] == {"env": "USHAPE_TEST_STORAGE"}
    assert set(data) == {"study", "id", "storage"}
