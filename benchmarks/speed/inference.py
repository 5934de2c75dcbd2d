"""The share of each idea of `builder.for_inference`: seconds without it over seconds with all, interleaved.

    python benchmarks/speed/inference.py [--case digits] [--batch 1 16] [--rounds N] [--seconds 40] [--cpu-seconds]
        [--publish]

A ratio above 1 says that the idea gains. `channels_last` is compared with the contiguous layout. Forward only.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable

import torch
from networks import SIZES, pair
from table import add_options, chosen, device_of, machine_of, print_table, published, table, with_published
from timing import clock, interleaved, load, ratio, shown

from builder.inference import InferenceOptions, for_inference

IDEAS = [field.name for field in dataclasses.fields(InferenceOptions)]


def contenders(name: str, batch: int, device: torch.device) -> dict[str, Callable[[], object]]:
    """The compiled model, the prepared one, and the prepared one without each idea."""
    made = pair(name, batch, device)
    made.ours.eval()
    options = {"all": InferenceOptions()}
    options |= {idea: InferenceOptions(**{idea: False}) for idea in IDEAS}
    networks = {"compiled": made.ours} | {what: for_inference(made.ours, how) for what, how in options.items()}
    return {what: lambda network=network: network(made.x, made.t) for what, network in networks.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--seconds", type=float, default=40.0, help="of each case")
    options = parser.parse_args()
    device = device_of(options)
    if device is None:
        return
    now = clock(device, cpu_seconds=options.cpu_seconds)
    machine, rows = machine_of(options, device), []
    header = ["network", "batch", "all of it", *(idea.replace("_", " ") for idea in IDEAS), "rounds", "load"]
    with torch.inference_mode():
        for name in chosen(options, SIZES):
            for batch in options.batch or (1, 16):
                busy, calls = load(), contenders(name, batch, device)
                found = interleaved(calls, options.rounds, now, options.seconds)
                shares = [shown(ratio(found[what], found["all"])) for what in ("compiled", *IDEAS)]
                rows.append([name, batch, *shares, len(found["all"]), busy])
                so_far = with_published(options, "inference", header, rows, machine, keys=2)
                published(options, "inference", table(header, so_far, machine))
    print_table(header, rows, machine)


if __name__ == "__main__":
    main()
