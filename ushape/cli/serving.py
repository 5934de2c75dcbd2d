"""The server behind `ushape dashboard`; apart, since its imports would slow every command."""

from __future__ import annotations

from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer


class Server(ThreadingMixIn, WSGIServer):
    """One thread a request, which ends with the program."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """A handler that says nothing of each request."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class calls it so)
        """Say nothing."""
