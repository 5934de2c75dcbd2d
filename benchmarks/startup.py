"""How long each command takes to start, and how much memory it takes: `--help` of each, and the light ones at work.

    python benchmarks/startup.py                # prints a Markdown table
    python benchmarks/startup.py --repeats 9

Each command is a fresh process, run several times; the median of wall and CPU seconds, and the peak of resident memory
as the system counts it (`ru_maxrss`). Beside it, which of the heavy packages were imported. Where the time goes:
``python -X importtime -m ushape CMD``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "examples" / "digits.yaml"
HEAVY = ("torch", "optuna", "pandas", "plotly", "scipy", "sklearn", "statsmodels", "networkx", "pydantic", "rich")
WORK = (
    ("check", str(DEMO)), ("show", str(DEMO)), ("show", "zoo/ddpm-cifar10"), ("plan", str(DEMO)),
    ("diff", str(DEMO)), ("explain", "U204"), ("zoo",), ("schema",), ("profile", "zoo/ddpm-cifar10"),
    ("export", "zoo/ddpm-cifar10"), ("weights", "layouts"), ("init", "study.yaml", "--force"),
)  # fmt: skip

#: Runs one command in its own process and writes what it cost as the last line of its standard error.
CHILD = """
import json, resource, sys, time
began = time.perf_counter()
sys.argv[0] = "ushape"
code = 0
try:
    from ushape.cli.app import main
    main()
except SystemExit as end:
    code = end.code or 0
used = resource.getrusage(resource.RUSAGE_SELF)
heavy = [name for name in HEAVY if name in sys.modules]
wall, cpu, memory = time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024
cost = dict(wall=wall, cpu=cpu, memory=memory, heavy=heavy)
print("\\n" + json.dumps(cost), file=sys.stderr)
sys.exit(code)
"""


def cost(arguments: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """Wall and CPU seconds, bytes, and heavy packages of one run; RuntimeError if it fails."""
    child = CHILD.replace("HEAVY", repr(HEAVY))
    done = subprocess.run(
        [sys.executable, "-c", child, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"ushape {' '.join(arguments)}: {done.stdout}{done.stderr}")
    found: dict[str, Any] = json.loads(done.stderr.rstrip().rpartition("\n")[2])
    return found


def commands() -> list[tuple[str, ...]]:
    """`--help` of every command that the application has, then the light ones at work."""
    from ushape.cli.app import app

    names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    groups = [group.typer_instance.info.name for group in app.registered_groups if group.typer_instance]
    return [("--help",), *((str(name), "--help") for name in (*names, *groups)), *WORK]


def row(arguments: tuple[str, ...], costs: list[dict[str, Any]]) -> str:
    """One row of the table."""
    wall, cpu, memory = (median(one[key] for one in costs) for key in ("wall", "cpu", "memory"))
    shown = " ".join(arguments).replace(str(ROOT) + "/", "")
    return f"| `{shown}` | {wall:.2f} | {cpu:.2f} | {memory / 2**20:.0f} | {', '.join(costs[0]['heavy'])} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    print("| ushape … | wall (s) | CPU (s) | peak memory (MiB) | imports |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for arguments in commands():
            print(row(arguments, [cost(arguments, Path(folder)) for _ in range(repeats)]), flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
