"""``python -m ushape``: the same as the command `ushape`."""

from ushape.cli import main

main()
