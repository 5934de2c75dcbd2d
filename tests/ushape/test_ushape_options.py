"""What commands make of their options: what is asked of the work behind them, what is said, and exit codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archspec import UserError
from studies.frame import StudyProgress
from tests.command import Done, ushape
from tests.tiny_study import ABLATION, SEARCH, TINY
from ushape.cli.dashboard import read_only
from ushape.cli.figures import inches

NET = """\
version: 1
name: net
unet: {ch: 32, out_ch: 1, ch_mult: [1, 2], num_res_blocks: 1, attn_resolutions: [4], in_channels: 1, resolution: 8}
"""


class Asked(Exception):  # noqa: N818 - no error: it ends a command where the work would begin
    """What a command asks for."""

    def __init__(self, *given: Any, **more: Any) -> None:
        self.given, self.more = given, more
        super().__init__(given, more)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "net.yaml").write_text(NET)
    (tmp_path / "s.yaml").write_text(TINY + ABLATION)
    (tmp_path / "q.yaml").write_text(TINY + SEARCH)
    return tmp_path


def asked(monkeypatch: pytest.MonkeyPatch, work: str, *arguments: str, cwd: Path) -> Asked:
    """What a command asks of the function that does its work."""

    def work_begins(*given: Any, **more: Any) -> None:
        raise Asked(*given, **more)

    monkeypatch.setattr(work, work_begins)
    with pytest.raises(Asked) as caught:
        ushape(*arguments, cwd=cwd)
    return caught.value


RUN = "studies.driver.run.run_study"


@pytest.mark.parametrize(
    ("options", "workers", "folder", "retried"),
    [
        ([], None, "runs/tiny", False),
        (["--workers", "3"], 3, "runs/tiny", False),
        (["--out", "else where"], None, "else where", False),
        (["-o", "/tmp/x", "--retry-failed"], None, "/tmp/x", True),
    ],
)
def test_what_a_run_is_asked_for(
    options: list[str], workers: int | None, folder: str, place: Path, monkeypatch: pytest.MonkeyPatch, *, retried: bool
) -> None:
    found = asked(monkeypatch, RUN, "run", "s.yaml", *options, cwd=place)
    study, where, observer = found.given
    assert (study.name, study.run.workers, where, found.more) == (
        "tiny", workers, Path(folder), {"retry_failed": retried}
    )  # fmt: skip
    assert observer._runs == "trainings"


def ran(monkeypatch: pytest.MonkeyPatch, place: Path, counts: dict[str, int], without: int, *options: str) -> Done:
    """`ushape run` whose trials came to this."""
    monkeypatch.setattr(RUN, lambda *_, **__: None)
    monkeypatch.setattr("studies.frame.progress_of", lambda _: StudyProgress({"ablation": counts}, without, without))
    monkeypatch.setattr("ushape.cli.report.write_report", lambda folder, **_: folder / "dashboard.html")
    return ushape("run", "s.yaml", *options, cwd=place)


BEGUN = "tiny: records in runs/tiny\n"
FILES = "results: runs/tiny/results.csv\ndashboard: runs/tiny/dashboard.html\n"


def test_a_run_that_went_well_says_where_its_results_are(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ran(monkeypatch, place, {"finished": 4}, 0) == Done(0, f"{BEGUN}ablation: 4 finished\n{FILES}", "")
    assert ran(monkeypatch, place, {"finished": 4}, 0, "--no-report") == Done(0, f"{BEGUN}ablation: 4 finished\n", "")


def test_a_run_with_failed_trials_ends_with_1(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ran(monkeypatch, place, {"finished": 2, "failed": 2}, 2) == Done(
        1, f"{BEGUN}ablation: 2 finished, 2 failed\n{FILES}", "2 trial(s) have no result; the dashboard says why.\n"
    )


@pytest.mark.parametrize(("command", "study"), [("run", "s.yaml"), ("confirm", "q.yaml")])
def test_what_is_interrupted_ends_with_130_and_says_how_to_go_on(
    command: str, study: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(RUN, interrupted)
    monkeypatch.setattr("studies.driver.confirm.winners", lambda *_: [])
    monkeypatch.setattr("studies.driver.confirm.fresh_seeds", lambda *_: [])
    monkeypatch.setattr("studies.records.store.Store", lambda *_: None)
    done = ushape(command, study, cwd=place)
    assert (done.returncode, done.stderr) == (
        130, "Interrupted. What is finished is kept; the same command goes on from there.\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ([], {}),
        (["--batch", "3"], {"batch": 3}),
        (["-b", "2", "--device", "cuda"], {"batch": 2, "device": "cuda"}),
        (["--dtype", "bfloat16", "--autocast", "float16"], {"dtype": "bfloat16", "autocast": "float16"}),
        (["--optimizer", "sgd"], {"optimizer": "sgd", "variant": "foreach"}),
        (["--optimizer", "sgd-momentum"], {"optimizer": "sgd-momentum", "variant": "foreach"}),
        (["--optimizer", "sgd", "--variant", "loop"], {"optimizer": "sgd", "variant": "loop"}),
        (["--optimizer", "adam"], {"optimizer": "adam"}),
        (["--variant", "foreach"], {"variant": "foreach"}),
        (["--no-ema", "--no-grad-clip"], {"ema": False, "grad_clip": False}),
        (["--checkpointing", "--channels-last"], {"checkpointing": True, "channels_last": True}),
    ],
)
def test_what_is_profiled(
    options: list[str], changed: dict[str, Any], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = asked(monkeypatch, "builder.profile.profile", "profile", "net.yaml", *options, cwd=place)
    graph, how = found.given
    default = {
        "batch": 1, "device": "cpu", "dtype": "float32", "autocast": None, "optimizer": "adamw", "variant": "fused",
        "ema": True, "grad_clip": True, "checkpointing": False, "channels_last": False,
    }  # fmt: skip
    assert graph.graph["name"] == "net"
    assert {key: value for key, value in how.model_dump().items() if key in default} == {**default, **changed}
    assert found.more == {"calibrated": False}
    again = asked(monkeypatch, "builder.profile.profile", "profile", "net.yaml", "--calibrated", cwd=place)
    assert again.more == {"calibrated": True}


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ([], None),
        (["-f", "svg"], ["svg"]),
        (["-f", "svg,pdf", "--format", " png , "], ["svg", "pdf", "png"]),
    ],
)
def test_which_figures_are_asked_for(
    options: list[str], wanted: list[str] | None, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "runs" / "tiny").mkdir(parents=True)
    monkeypatch.setattr("studies.frame.load_results", lambda folder: folder)
    found = asked(monkeypatch, "reports.paper.write_figures", "figures", "s.yaml", *options, cwd=place)
    assert found.given == (Path("runs/tiny"), Path("runs/tiny/figures"), wanted, None)


def test_figures_that_need_a_browser_are_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "runs" / "tiny").mkdir(parents=True)
    monkeypatch.setattr("studies.frame.load_results", lambda folder: folder)
    monkeypatch.setattr("reports.paper.write_figures", lambda *_: ([Path("f/forest.svg")], ["front", "curves"]))
    assert ushape("figures", "runs/tiny", "--width", "double", cwd=place) == Done(
        0, "forest: f/forest.svg\n",
        "warning: left out, since a browser has to draw them and none is there: front, curves\n",
    )  # fmt: skip


@pytest.mark.parametrize("text", ["", "5cm", "Single"])
def test_what_is_no_width(text: str) -> None:
    with pytest.raises(UserError) as caught:
        inches(text)
    assert str(caught.value) == (
        f"error U090 `{text}` is no width. Write single (3.3 in), double (7 in) or a number of inches."
    )


class Server:
    """A server that is stopped at once."""

    server_port = 8123
    closed = False

    def serve_forever(self) -> None:
        raise KeyboardInterrupt

    def server_close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("options", "address", "asked_for", "warned"),
    [
        ([], "http://127.0.0.1:8123/", ("127.0.0.1", 8080), False),
        (["--host", "localhost", "--port", "0"], "http://localhost:8123/", ("localhost", 0), False),
        (["--host", "::1"], "http://[::1]:8123/", ("::1", 8080), False),
        (["--host", "0.0.0.0"], "http://0.0.0.0:8123/", ("0.0.0.0", 8080), True),
    ],
)
def test_where_the_dashboard_listens(
    options: list[str], address: str, asked_for: tuple[str, int], place: Path, monkeypatch: pytest.MonkeyPatch, *,
    warned: bool,
) -> None:  # fmt: skip
    server, served, opened = Server(), [], []
    monkeypatch.setattr("ushape.cli.dashboard.serve", lambda *given: served.append(given) or server)
    monkeypatch.setattr("typer.launch", opened.append)
    done = ushape("dashboard", "runs/x", "--folder", "here", "--no-open", *options, cwd=place)
    assert (done.returncode, done.stdout) == (0, f"dashboard: {address} (Ctrl-C ends it)\nended.\n")
    assert ("can be reached from elsewhere, and there is no login" in done.stderr) == warned
    assert (served, opened, server.closed) == ([(Path("here"), *asked_for)], [], True)
    ushape("dashboard", "runs/x", "--folder", "here", *options, cwd=place)
    assert opened == [address]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get"])
def test_nothing_but_reading_gets_to_the_records(method: str) -> None:
    answers: list[Any] = []

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        raise AssertionError(environ, start)

    body = read_only(app)({"REQUEST_METHOD": method}, lambda *given: answers.append(given))
    assert answers[0][0] == "405 Method Not Allowed"
    assert ("Allow", "GET, HEAD") in answers[0][1]
    assert b"can only be looked at" in b"".join(body)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_gets_to_the_records(method: str) -> None:
    assert list(read_only(lambda environ, start: [b"yes"])({"REQUEST_METHOD": method}, lambda *_: None)) == [b"yes"]
