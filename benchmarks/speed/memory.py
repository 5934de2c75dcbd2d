"""Peak memory of compiled models beside diffusers' UNet2DModel: inference, training, and training in less memory.

    python benchmarks/speed/memory.py [--quick] [--device cuda]

The peak is what torch's allocator has handed out at most, weights included and the optimizer not; time is CPU seconds
(on CUDA wall time) of forward and backward as a multiple of diffusers', interleaved.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable

import torch
from networks import SIZES, Pair, pair
from timing import circumstances, clock, interleaved, ratio, shown
from torch.profiler import ProfilerActivity, profile

from builder.remat import recomputing


def peak(call: Callable[[], None], device: torch.device) -> int:
    """How far a call raises what the allocator has handed out."""
    call()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        call()
    events = [event for event in recorded.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


def calls(made: Pair) -> dict[str, Callable[[], None]]:
    """Forward and backward: diffusers', ours, and ours in less memory."""
    graph = made.ours.architecture
    blocks = [node for node in graph if ".block" in node or ".attn" in node]

    def training(network: torch.nn.Module, nodes: list[str] | None, *, cheap: bool) -> Callable[[], None]:
        def call() -> None:
            with recomputing(network, nodes or [], cheap=cheap):
                out = network(made.x, made.t)
            (out.sample if network is made.theirs else out).square().mean().backward()
            network.zero_grad(set_to_none=True)

        return call

    return {
        "diffusers": training(made.theirs, None, cheap=False),
        "ours": training(made.ours, None, cheap=False),
        "ours, norms and activations again": training(made.ours, None, cheap=True),
        "ours, whole blocks again": training(made.ours, blocks, cheap=False),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--only", default="", help="a part of the networks' names")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print("skipped: there is no CUDA device here")
        return
    device = torch.device(options.device)
    torch.set_num_threads(1)
    print(circumstances(device))
    print("| network | batch | training step | peak / diffusers' | seconds / diffusers' [95 %] |")
    print("|---|---|---|---|---|")
    for name in SIZES:
        if options.only not in name:
            continue
        made = pair(name, options.batch, device)
        made.ours.train(), made.theirs.train()
        tried = calls(made)
        peaks = {what: peak(call, device) for what, call in tried.items()}
        seconds = interleaved(tried, 3 if options.quick else 15, clock(device, cpu_seconds=True))
        for what in tried:
            share = peaks[what] / peaks["diffusers"]
            slower = shown(ratio(seconds[what], seconds["diffusers"]))
            print(f"| {name} | {options.batch} | {what} | {share:.2f} | {slower} |", flush=True)


if __name__ == "__main__":
    main()
