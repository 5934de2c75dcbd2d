"""The tables of the README from the curves: python benchmarks/search/summary.py FILE.csv …"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

AT = (5, 10, 20, 30, 40, 60, 80)
REACH = 0.95


def reached(curve: np.ndarray, share: float = REACH) -> float:
    """The training at which a curve reaches a share; infinite if it never does."""
    there = np.flatnonzero(curve >= share)
    return float(there[0] + 1) if len(there) else float("inf")


def table(path: Path) -> list[str]:
    """One row for each method, as Markdown."""
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    at = [n for n in AT if n <= max(len(row) for row in rows) - 3]
    lines = [
        f"| method | seeds | {' | '.join(f'after {n}' for n in at)} | to {REACH:.0%} (lower median) | CPU s each |",
        f"|---|---|{'---|' * len(at)}---|---|",
    ]
    for method in dict.fromkeys(row[0] for row in rows):
        curves = np.array([[float(x) for x in row[3:]] for row in rows if row[0] == method])
        cost = np.mean([float(row[2]) for row in rows if row[0] == method])
        low, middle, high = np.quantile(curves, [0.25, 0.5, 0.75], axis=0)
        shares = [
            f"{middle[n - 1]:.2f} ({low[n - 1]:.2f}–{high[n - 1]:.2f})" if n <= curves.shape[1] else "–" for n in at
        ]
        ends = sorted(reached(curve) for curve in curves)
        half = float(np.quantile(ends, 0.5, method="lower"))
        never = sum(end == float("inf") for end in ends)
        told = f"{half:.0f}" if half < float("inf") else f"> {curves.shape[1]}"
        told += f" ({never} of {len(ends)} never)" if never else ""
        lines.append(f"| {method} | {len(curves)} | {' | '.join(shares)} | {told} | {cost:.2f} |")
    return lines


def main() -> None:
    for name in sys.argv[1:]:
        print(f"{name}\n")
        print("\n".join(table(Path(name))), end="\n\n")


if __name__ == "__main__":
    main()
