"""What holds for all tests: one thread a process, since there are as many as cores; few examples; little garbage."""

from __future__ import annotations

import gc
import os

from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything loads torch; processes that tests start inherit it

# Of the examples that a test names with `tests.examples.up_to`, this share; `make slow` draws all.
settings.register_profile("quick", max_examples=25, deadline=None)
settings.register_profile("thorough", max_examples=100, deadline=None)
settings.load_profile("quick")


def pytest_collection_finish() -> None:
    """Take what the tests have imported out of garbage collections, as workers do: torch alone is a million objects."""
    gc.collect()
    gc.freeze()
