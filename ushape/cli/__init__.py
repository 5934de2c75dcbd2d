"""The command line: one file a command, joined in `app`."""

from ushape.cli.app import main

__all__ = ["main"]
