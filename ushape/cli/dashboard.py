"""`ushape dashboard`: the study's database in optuna-dashboard, to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def dashboard(
    study: Annotated[Path, typer.Argument(help="The study file, or the folder of its results.", show_default=False)],
    *,
    host: Annotated[str, typer.Option(help="Address to listen on. There is no login.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0: any that is free.", min=0, max=65535)] = 8080,
    open_page: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = True,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where the results lie, if `ushape run --out` put them elsewhere.")
    ] = None,
) -> None:
    """Open a study's database in optuna-dashboard: constraints, notes, pictures and curves of every trial.

    Works while the study runs; Ctrl-C ends it. Nothing can be changed from there: the study's records are only read.
    """
    from ushape.cli.console import err
    from ushape.cli.console import out as console
    from ushape.cli.report import folder_of

    server = serve(folder or folder_of(study), host, port)
    address = f"http://{f'[{host}]' if ':' in host else host}:{server.server_port}/"
    if host not in _LOOPBACK:
        err.print(f"warning: {host} can be reached from elsewhere, and there is no login: who gets there reads it all.")
    console.print(f"dashboard: {address} (Ctrl-C ends it)")
    if open_page:
        typer.launch(address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        console.print("ended.")
    finally:
        server.server_close()


def serve(folder: Path, host: str, port: int) -> WSGIServer:
    """A server that is bound and not yet running.

    Args:
        folder: the study's.
        host: address to listen on.
        port: port to listen on; 0: any that is free.

    Raises:
        UserError: optuna-dashboard is not installed, there is no study, or the address is taken.
    """
    from wsgiref.simple_server import make_server

    from archspec import user_error
    from ushape.cli.serving import Quiet, Server

    if find_spec("optuna_dashboard") is None:
        raise user_error(
            "`ushape dashboard` needs the package optuna-dashboard.",
            "Run `pip install 'ushape[dashboard]'`; `ushape report` needs nothing more.",
        )
    app = read_only(_application(folder))
    try:
        return make_server(host, port, app, server_class=Server, handler_class=Quiet)
    except OSError as error:
        what = error.strerror or str(error)
        raise user_error(
            f"{host}:{port} cannot be listened on: {what}.", "Choose another with --port or --host."
        ) from None


def _application(folder: Path) -> Any:
    import optuna_dashboard

    from reports.attachments import Attachments
    from studies.records.artifacts import files_of
    from studies.records.shown import Page, ShownFiles, ShownStorage
    from studies.records.store import Store

    store = Store(folder)
    beside = Attachments(store, lambda record: files_of(folder, record))
    page = Page(beside.note, beside.files, beside.trial_note, beside.trial_files)
    return optuna_dashboard.wsgi(ShownStorage(store, page), artifact_store=ShownFiles(store, page))


def read_only(app: Any) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """An application that answers to nothing but reading, whatever the page offers."""

    def guarded(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            answer: Iterable[bytes] = app(environ, start)
            return answer
        start("405 Method Not Allowed", [("Content-Type", "application/json"), ("Allow", "GET, HEAD")])
        return [b'{"reason": "The study can only be looked at here: `ushape run` alone writes its records."}']

    return guarded
