"""Peak memory of compiled models beside diffusers' UNet2DModel: inference, training, and training in a budget.

    python benchmarks/speed/memory.py [--quick] [--case NAME] [--batch N] [--device cuda] [--publish]

The peak is what torch's allocator has handed out at most during a call, weights and optimizer not counted; shares are
of diffusers'. The time is that of the call as a multiple of diffusers', interleaved. `budget 0.6` is `memory_budget`
at 0.6 of diffusers' peak beside the weights and Adam's state; `norms again` computes norms and activations again
everywhere, `all again` every node but for its last layers too.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import accumulate

import torch
from networks import SIZES, Pair, pair
from table import add_options, chosen, device_of, machine_of, print_table, published, table, with_published
from timing import clock, interleaved, load, ratio, shown

from archspec import UserError
from builder.allocations import allocations
from builder.inference import for_inference
from builder.profile import ProfileOptions
from builder.profile.plan import memory_plan
from builder.remat import recomputing

#: images of a training step: what a small machine holds
BATCHES = {"seed 256 at a quarter": 2}
BUDGETS = (0.6, 0.4)


def peak(call: Callable[[], object], device: torch.device) -> int:
    """How far a call raises what the allocator has handed out."""
    call()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        return torch.cuda.max_memory_allocated(device) - before
    return max(accumulate(allocations(call), initial=0))


def inference(made: Pair) -> dict[str, Callable[[], object]]:
    """Forward passes: diffusers', ours, and ours prepared."""
    networks = {"diffusers": made.theirs.eval(), "ours": made.ours.eval(), "prepared": for_inference(made.ours)}

    def call(network: torch.nn.Module) -> None:
        with torch.inference_mode():
            network(made.x, made.t)

    return {what: lambda network=network: call(network) for what, network in networks.items()}


def step(made: Pair, network: torch.nn.Module, within: Callable[[], AbstractContextManager[None]]) -> None:
    """Forward and backward."""
    with within():
        out = network(made.x, made.t)
    (out.sample if network is made.theirs else out).square().mean().backward()
    network.zero_grad(set_to_none=True)


def training(made: Pair, device: torch.device) -> dict[str, Callable[[], object]]:
    """Training steps: diffusers', ours, and ours in less memory."""
    made.ours.train(), made.theirs.train()
    within: dict[str, Callable[[], AbstractContextManager[None]]] = {
        "ours": nullcontext,
        "norms again": lambda: recomputing(made.ours),
        "all again": lambda: recomputing(made.ours, made.ours.architecture),
    }
    theirs = lambda: step(made, made.theirs, nullcontext)  # noqa: E731
    most = peak(theirs, device)
    held = 4 * sum(value.numel() * value.element_size() for value in made.ours.parameters())
    options = ProfileOptions(device="cuda" if device.type == "cuda" else "cpu", batch=len(made.x), grad_clip=False)
    for share in BUDGETS:
        try:
            plan = memory_plan(made.ours.architecture, int(held + share * most), options)
        except UserError as error:
            print(f"budget {share}: {error}")
            continue
        again = f", {len(plan.nodes)} of {len(made.ours.architecture)} nodes again" if plan.nodes else ""
        within[f"budget {share} (norms {'again' if plan.cheap else 'kept'}{again})"] = lambda plan=plan: plan.applied(
            made.ours
        )
    calls = {what: lambda how=how: step(made, made.ours, how) for what, how in within.items()}
    return {"diffusers": theirs, **calls}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each case")
    options = parser.parse_args()
    device = device_of(options)
    if device is None:
        return
    now = clock(device, cpu_seconds=options.cpu_seconds)
    machine, rows = machine_of(options, device), []
    header = ["network", "batch", "what", "how", "peak, MiB", "peak / diffusers'", "seconds / diffusers'", "load"]
    for name in chosen(options, SIZES):
        for batch in options.batch or [BATCHES.get(name, 16)]:
            busy, made = load(), pair(name, batch, device)
            for kind, calls in (("inference", inference(made)), ("training", training(made, device))):
                peaks = {what: peak(call, device) for what, call in calls.items()}
                rounds = options.rounds or (3 if options.quick else None)
                seconds = interleaved(calls, rounds, now, options.seconds)
                for what in calls:
                    share = peaks[what] / peaks["diffusers"]
                    slower = shown(ratio(seconds[what], seconds["diffusers"]))
                    row = [name, batch, kind, what, f"{peaks[what] / 2**20:.1f}", f"{share:.2f}", slower, busy]
                    rows.append(row)
                    print(*row, sep=" | ", flush=True)
            so_far = with_published(options, "memory", header, rows, machine, keys=2)
            published(options, "memory", table(header, so_far, machine))
    print_table(header, rows, machine)


if __name__ == "__main__":
    main()
