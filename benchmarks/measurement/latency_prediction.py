"""How well latency is predicted for architectures that were never measured, on this machine.

    python -m benchmarks.measurement.latency_prediction            # 40 architectures, about 12 minutes on two cores
    python -m benchmarks.measurement.latency_prediction --quick    # 24 architectures, about 5 minutes

Random small U-Nets for images of 8×8 and 16×16 pixels are measured as a study measures them, in one process. Each is
then held out in turn and predicted from the others. Beside the regression stand two simpler models with the same
leave-one-out errors: one factor for the MACs, and one factor for the sum of the table's times. And how well a second
measurement, after all the first ones, predicts the first: no model can be expected to do better than that.

One table on standard output and, with `--out FOLDER`, as CSV; `latencies.csv` there has every architecture. On a
machine with other load the measurement itself wanders: see `repeatability`, and prefer the ratio.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import kendalltau

from archspec import fingerprint, to_document, total_price
from archspec.graphs.graph import ArchGraph
from benchmarks.measurement.nets import small_unets, unet
from studies.latency.learned import CALLS, LatencyPredictor
from studies.latency.regression import FEWEST, LEVEL, Regression, fit
from studies.measure import device as devices
from studies.measure.network import built, image_shape, measure_network, put_together
from studies.sections.protocol import Measure, Protocol

Floats = NDArray[np.float64]
Row = dict[str, Any]


def architectures(number: int) -> list[ArchGraph]:
    """Half of them for 8×8, half for 16×16 images."""
    small = small_unets(number, 2_000_000, seed=3)
    return [graph if i % 2 else unet(**changes, resolution=16) for i, (changes, graph) in enumerate(small)]


def measured(graphs: list[ArchGraph], measure: Measure, device: torch.device) -> list[dict[str, float]]:
    found = []
    for number, graph in enumerate(graphs, 1):
        document = to_document(graph)
        module = built(document, 0, device)
        raw = measure_network(module, image_shape(document), Protocol(), measure, None)
        metrics, detail = put_together([raw], measure, own_process=True)
        metrics["disturbed"] = float(bool(detail["latency"]["disturbed"]))
        found.append(metrics)
        print(f"{number} of {len(graphs)}: ratio {metrics['latency_ratio']:.3g}", flush=True)
    return found


def one_factor(x: Floats, y: Floats) -> Floats:
    """Each predicted by the median factor of the others."""
    factors = y / x
    rest = ~np.eye(len(x), dtype=bool)
    return np.array([x[i] * np.median(factors[rest[i]]) for i in range(len(x))])


def judged(name: str, call: str, predicted: Floats, y: Floats) -> Row:
    errors = np.sort(np.abs(predicted / y - 1))
    return {
        "latency": call, "model": name, "architectures": len(y),
        "mean error": f"{errors.mean():.1%}", "median": f"{np.median(errors):.1%}",
        "90 % within": f"{errors[min(len(y), math.ceil(LEVEL * (len(y) + 1))) - 1]:.1%}",
        "largest": f"{errors[-1]:.1%}", "Kendall tau": f"{kendalltau(predicted, y).statistic:.3f}",
    }  # fmt: skip


def regression(model: Regression, call: str) -> Row:
    assert model.held_out is not None
    return {
        "latency": call, "model": "table and regression", "architectures": model.held_out.architectures,
        "mean error": f"{model.held_out.mean:.1%}", "median": f"{np.median(np.abs(model.held_out.errors)):.1%}",
        "90 % within": f"{model.held_out.bound:.1%}", "largest": f"{np.abs(model.held_out.errors).max():.1%}",
        "Kendall tau": f"{model.held_out.tau:.3f}",
    }  # fmt: skip


def compared(
    graphs: list[ArchGraph],
    rows: list[dict[str, float]],
    again: list[dict[str, float]],
    predictor: LatencyPredictor,
) -> list[Row]:
    macs = np.array([float(total_price(graph).macs) for graph in graphs])
    found = []
    for call in CALLS:
        y = np.array([row[call] for row in rows])
        works = [predictor.work(graph, call) for graph in graphs]
        totals = np.array([work.total for work in works])
        found += [judged("MACs, one factor", call, one_factor(macs, y), y)]
        found += [judged("table, one factor", call, one_factor(totals, y), y)]
        found += [regression(fit(works, list(y)), call)]
        found += [judged("measured again", call, np.array([row[call] for row in again]), y)]
    return found


def show(rows: list[Row]) -> None:
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + "---|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(map(str, row.values())) + " |")


def write(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="24 architectures, at most 1 s of rounds each")
    parser.add_argument("--number", type=int, help=f"architectures, at least {FEWEST}")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    seconds = 1.0 if given.quick else 2.0
    measure = Measure(device=given.device, memory=False, max_seconds=seconds, repeats=0)
    device = devices.choose(measure.device)
    devices.pin(measure.threads)
    graphs = architectures(given.number or (24 if given.quick else 40))
    start = time.perf_counter()
    rows, again = (measured(graphs, measure, device) for _ in range(2))
    disturbed = sum(row["disturbed"] for row in [*rows, *again])
    print(f"measured in {time.perf_counter() - start:.0f} s, load {os.getloadavg()[0]:.1f}, {disturbed:.0f} disturbed")
    start = time.perf_counter()
    predictor = LatencyPredictor(Protocol(), measure)
    table = compared(graphs, rows, again, predictor)
    print(f"table and models in {time.perf_counter() - start:.0f} s, load {os.getloadavg()[0]:.1f}")
    show(table)
    if given.out:
        write(given.out / "latency_prediction.csv", table)
        each = [{"fingerprint": fingerprint(g), **{k: r[k] for k in CALLS}} for g, r in zip(graphs, rows, strict=True)]
        write(given.out / "latencies.csv", each)


if __name__ == "__main__":
    main()
