"""How good the held-out loss is as a measurement; results and commands are in loss.md.

    loss.py train FILE.csv [FIRST LAST]    trains small U-Nets and keeps their loss as they learn
    loss.py ranks FILE.csv…                how short a training may be and still rank: a table
    loss.py error                          standard error against plain sampling: a table

`train` goes on where it was stopped; several processes can share the networks, each with a file of its own.
"""

from __future__ import annotations

import csv
import math
import sys
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch
from nets import small_unets, unet
from scipy.stats import kendalltau
from torch import Tensor, nn

from archspec import total_price
from archspec.graphs.graph import ArchGraph
from builder import assemble, initialise
from studies.sections.protocol import Evaluate, Protocol, Train
from studies.sections.weighting import edm_lambda, edm_shares
from studies.training.batch import batches, derived_seed
from studies.training.data.dataset import Dataset, load
from studies.training.quality import EvaluationSet, Quality, denoising_loss, evaluation_set, image_errors, judged
from studies.training.train import TrainingStep, warmup

CPU = torch.device("cpu")
PROTOCOL = Protocol(train=Train(steps=400, batch=16, lr=1e-3, warmup=20), evaluate=Evaluate(strata=20, images=32))
NETS, MOST, SEEDS = 24, 240_000, (0, 1)
STEPS = (12, 25, 50, 100, 200, 400)
METRICS = ("loss", "loss_edm")
COLUMNS = ("net", "seed", "parameters", "step", *METRICS, "seconds")


def trained(
    graph: ArchGraph, data: Dataset, seed: int, stops: Iterable[int], at: Callable[[int, nn.Module], None]
) -> None:
    """Train as a trial does, with a call at some steps.

    The learning rate is constant after its warm-up, so the first k steps of a long training are a training of k steps.
    """
    module = assemble(graph)
    initialise(module, seed)
    step = TrainingStep(module, PROTOCOL, CPU)
    wanted = set(stops)
    torch.manual_seed(derived_seed(seed, "dropout"))
    for number, batch in enumerate(islice(batches(data.train, PROTOCOL, seed), max(wanted)), start=1):
        step(batch, warmup(number, PROTOCOL.train))
        if number in wanted:
            at(number, step.evaluated)


def train(path: Path, first: int = 0, last: int = NETS) -> None:
    """Train networks first to last − 1 with every seed, seed by seed, and add their rows to a file."""
    data = load(PROTOCOL.data)
    chosen = evaluation_set(data, PROTOCOL.evaluate, PROTOCOL.objective)
    kept = read(path)
    done = {(row["net"], row["seed"]) for row in kept if row["step"] == max(STEPS)}
    for seed in SEEDS:
        for net, (_, graph) in enumerate(small_unets(NETS, MOST)):
            if (net, seed) in done or not first <= net < last:
                continue
            start, size = time.process_time(), total_price(graph).parameters
            rows = [
                (net, seed, size, step, found.loss, found.loss_edm, round(seconds - start, 1))
                for step, found, seconds in learned(graph, data, seed, chosen)
            ]
            new = not path.exists()
            with path.open("a", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([COLUMNS, *rows] if new else rows)


def learned(graph: ArchGraph, data: Dataset, seed: int, chosen: EvaluationSet) -> list[tuple[int, Quality, float]]:
    """(step, losses, seconds of processor time) at every stop of one training."""
    found: list[tuple[int, Quality, float]] = []

    def at(step: int, module: nn.Module) -> None:
        quality = denoising_loss(module, chosen, PROTOCOL.objective, 64, CPU)
        found.append((step, quality, time.process_time()))

    trained(graph, data, seed, STEPS, at)
    return found


def read(path: Path) -> list[dict[str, float]]:
    """The rows of a file as numbers; none if it is not there."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def interval(tau: float, n: int) -> tuple[float, float]:
    """95 % interval of Kendall's τ by Fisher's transform with variance 0.437/(n − 4) (Fieller et al. 1957)."""
    half = 1.96 * math.sqrt(0.437 / (n - 4))
    z = math.atanh(min(max(tau, -0.999999), 0.999999))
    return math.tanh(z - half), math.tanh(z + half)


Table = dict[tuple[int, int, int], dict[str, float]]


def ranks(paths: list[Path]) -> None:
    """Print Kendall's τ between the losses after k and after 8k steps (and at the end), for what is there."""
    rows = [row for path in paths for row in read(path)]
    table: Table = {(int(r["net"]), int(r["seed"]), int(r["step"])): r for r in rows}
    for seed in SEEDS:
        nets = [net for net in range(NETS) if (net, seed, max(STEPS)) in table]
        if len(nets) > 4:
            _ranks_of(table, seed, nets)


def _ranks_of(table: Table, seed: int, nets: list[int]) -> None:
    def values(name: str, step: int) -> list[float]:
        return [table[net, seed, step][name] for net in nets]

    def tau(first: list[float], second: list[float]) -> str:
        found = float(kendalltau(first, second).statistic)
        low, high = interval(found, len(nets))
        return f"{found:.2f} [{low:.2f}, {high:.2f}]"

    last = max(STEPS)
    sizes = values("parameters", last)
    print(f"Seed {seed}: {len(nets)} networks of {NETS}, {min(sizes):,.0f} to {max(sizes):,.0f} parameters.\n")
    print(
        "| steps | against steps | " + " | ".join(f"τ of {m}" for m in METRICS) + " | the best by loss is then number |"
    )
    print("|---|---|" + "---|" * (len(METRICS) + 1))
    pairs = {(k, 8 * k) for k in STEPS if 8 * k in STEPS} | {(k, last) for k in STEPS if k < last}
    for few, many in sorted(pairs, key=lambda pair: (pair[1], pair[0])):
        place = sum(
            value <= values("loss", many)[int(np.argmin(values("loss", few)))] for value in values("loss", many)
        )
        cells = [tau(values(m, few), values(m, many)) for m in METRICS]
        print(f"| {few} | {many} | {' | '.join(cells)} | {place} |")
    print(f"\nτ of loss and loss_edm after {last} steps: {tau(values('loss', last), values('loss_edm', last))}")
    print(f"τ of more parameters with lower loss after {last} steps: {tau([-x for x in sizes], values('loss', last))}")


# ---- standard errors -----------------------------------------------------------------------------------------------

Errors = Callable[[Tensor, Tensor, Tensor], list[Tensor]]
REPEATS, NUMBER = 60, 320


def plain_set(data: Dataset, sigmas: Tensor, edm: bool, draw: torch.Generator) -> EvaluationSet:  # noqa: FBT001
    """As many evaluations, each of its own image, timestep and noise, drawn as the metric weights timesteps."""
    images = data.held_out[torch.randint(len(data.held_out), (NUMBER,), generator=draw)]
    if edm:
        weights = torch.tensor(edm_shares(sigmas.tolist()), dtype=torch.float64)
        t = torch.multinomial(weights, NUMBER, replacement=True, generator=draw)
    else:
        t = torch.randint(len(sigmas), (NUMBER,), generator=draw)
    return EvaluationSet(images, t, torch.randn(images.shape, generator=draw), ((0, len(sigmas)),), sigmas, "")


def plain_mean(errors: Tensor, chosen: EvaluationSet, metric: str) -> float:
    """The plain mean of the weighted errors of such a set."""
    sigma = chosen.sigmas[chosen.timesteps]
    weights = 1 / sigma**2 if metric == "loss" else torch.tensor([edm_lambda(s) for s in sigma.tolist()])
    return float((errors * weights).mean())


def error() -> None:
    """Print the spread of the estimates of one loss, and of the difference of two networks, by the way of sampling."""
    data = load(PROTOCOL.data)
    modules: list[nn.Module] = []
    for changes in ({}, {"attn_resolutions": [], "mid_attn": False}):
        trained(unet(ch=8, **changes), data, 0, [200], lambda _, module: modules.append(module))
    sigmas = evaluation_set(data, PROTOCOL.evaluate, PROTOCOL.objective).sigmas

    def both(chosen: EvaluationSet) -> list[Tensor]:
        return [image_errors(module, chosen, PROTOCOL.objective, NUMBER, CPU) for module in modules]

    found: dict[tuple[str, str], list[list[float]]] = {}
    for repeat in range(REPEATS):
        draw = torch.Generator().manual_seed(repeat)
        for metric in METRICS:
            chosen = plain_set(data, sigmas, metric == "loss_edm", draw)
            found.setdefault((metric, "plain"), []).append([plain_mean(e, chosen, metric) for e in both(chosen)])
        for name, strata in (("10 strata", 10), ("20 strata", 20)):
            rows = data.held_out[torch.randperm(len(data.held_out), generator=draw)[: NUMBER // strata]]
            one = Dataset("", data.train, rows, "")
            chosen = evaluation_set(one, Evaluate(strata=strata, images=len(rows), seed=repeat), PROTOCOL.objective)
            each = [judged(e, chosen) for e in both(chosen)]
            for metric in METRICS:
                found.setdefault((metric, name), []).append([getattr(q, metric) for q in each])
    print(
        f"{REPEATS} estimates of {NUMBER} evaluations each; two U-Nets, with and without attention, after 200 steps.\n"
    )
    print(
        "| metric | sampling | mean | SE of one | variance, plain / this | difference | SE, sets apart | SE, one set | "
        "variance of the difference, plain apart / this on one set | wrong sign, apart / one set |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for metric in METRICS:
        _rows(metric, {name: np.array(v) for (m, name), v in found.items() if m == metric})


def _rows(metric: str, samples: dict[str, np.ndarray]) -> None:
    truth = float(np.mean([s[:, 0].mean() - s[:, 1].mean() for s in samples.values()]))
    apart = {name: s[:, 0] - np.roll(s[:, 1], 1) for name, s in samples.items()}
    for name, sample in samples.items():
        one, pair = sample[:, 0], sample[:, 0] - sample[:, 1]
        wrong = [float(np.mean(np.sign(d) != np.sign(truth))) for d in (apart[name], pair)]
        gain = samples["plain"][:, 0].var(ddof=1) / one.var(ddof=1)
        gain_pair = apart["plain"].var(ddof=1) / pair.var(ddof=1)
        cells = [
            *(metric, name, f"{one.mean():.4f}", f"{one.std(ddof=1):.5f}", f"{gain:.1f}"),
            *(f"{pair.mean():+.5f}", f"{apart[name].std(ddof=1):.5f}", f"{pair.std(ddof=1):.5f}", f"{gain_pair:.0f}"),
            f"{wrong[0]:.0%} / {wrong[1]:.0%}",
        ]
        print(f"| {' | '.join(cells)} |")


def main() -> None:
    """Do what the arguments say."""
    torch.set_num_threads(1)
    match sys.argv[1:]:
        case ["train", path, *bounds]:
            train(Path(path), *map(int, bounds))
        case ["ranks", *paths] if paths:
            ranks([Path(path) for path in paths])
        case ["error"]:
            error()
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
