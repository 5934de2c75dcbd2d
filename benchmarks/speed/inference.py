"""The share of each idea of `builder.for_inference`: seconds without it over seconds with all, interleaved.

    python benchmarks/speed/inference.py [--case digits] [--batch 1 16] [--rounds N] [--cpu-seconds]

A ratio above 1 says that the idea gains. `channels_last` is compared with the contiguous layout. Forward only.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable

import torch
from networks import SIZES, pair
from table import add_options, chosen, circumstances_of, device_of, print_table, published
from timing import clock, interleaved, ratio, shown

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
    options = parser.parse_args()
    device = device_of(options)
    if device is None:
        return
    now = clock(device, cpu_seconds=options.cpu_seconds)
    rows = []
    with torch.inference_mode():
        for name in chosen(options, SIZES):
            for batch in options.batch or (1, 16):
                calls = contenders(name, batch, device)
                found = interleaved(calls, options.rounds or (9 if options.quick else 25), now)
                shares = [shown(ratio(found[what], found["all"])) for what in ("compiled", *IDEAS)]
                rows.append([name, batch, *shares])
    header = ["network", "batch", "all of it", *(idea.replace("_", " ") for idea in IDEAS)]
    text = print_table(header, rows, circumstances_of(options, device))
    published(options, "inference", text)


if __name__ == "__main__":
    main()
