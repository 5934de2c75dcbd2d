"""What the tests take: ``python -m pytest -p tests.cpu_seconds -n 2 --dist loadfile`` ends with a table in Markdown.

CPU seconds of the test and of every process it starts, since on a shared machine they say more than a clock does. What
is made once for a file, or once for all, counts for the test that came first.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import psutil
import pytest

#: Files below these seconds stand in one row.
LEAST = 5.0
_NAME = "cpu_seconds"
_BEGUN = pytest.StashKey[float]()


def used() -> float:
    """CPU seconds of this process and of all below it, those that have ended included."""
    own = os.times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in psutil.Process().children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[_BEGUN] = used()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    if call.when == "teardown":
        # A browser that is closed takes its account with it.
        item.user_properties.append((_NAME, max(0.0, used() - item.stash[_BEGUN])))
    return (yield)  # type: ignore[return-value]


def table(seconds: dict[str, float], tests: dict[str, int]) -> str:
    """File by file, the slowest first."""
    lines = ["| file | tests | CPU s |", "|---|---|---|"]
    slow = [file for file in sorted(seconds, key=lambda file: -seconds[file]) if seconds[file] >= LEAST]
    lines += [f"| {file} | {tests[file]} | {seconds[file]:.0f} |" for file in slow]
    others = seconds.keys() - set(slow)
    rest = sum(seconds[file] for file in others), sum(tests[file] for file in others)
    lines.append(f"| {len(others)} others, each below {LEAST:.0f} s | {rest[1]} | {rest[0]:.0f} |")
    lines.append(f"| all | {sum(tests.values())} | {sum(seconds.values()):.0f} |")
    return "\n".join(lines)


class Kept:
    """Adds up what the tests report, also those of other processes."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.tests: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == _NAME and report.when == "teardown":
                self.seconds[report.location[0]] += float(str(value))
                self.tests[report.location[0]] += 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.write_line(table(self.seconds, self.tests))


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Kept())
