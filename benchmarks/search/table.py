"""Train every point of the space in ``table.yaml`` with two seeds and keep the results: ``table.csv``.

    python benchmarks/search/table.py [SEED [OUT.csv]]

Goes on where it was stopped; with a seed only the trainings of that one. The loss of the averaged weights is taken at
each rung of training steps, on the fixed evaluation set of the protocol; memory is that of a training step, by the
allocator's own events.
"""

from __future__ import annotations

import csv
import itertools
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RUNGS = (12, 24, 48, 96)
MEASURED = (*(f"loss_{rung}" for rung in RUNGS), "parameters", "macs", "train_memory")


def architectures() -> dict[str, tuple[dict[str, Any], Any]]:
    """Fingerprint -> (first point that decodes to it, graph), for every sound point of the space."""
    from archspec import check_spec, fingerprint
    from search.decode import decode
    from search.space import point
    from studies.study.load import load_study

    study = load_study(HERE / "table.yaml")
    primitives = study.primitives()
    found: dict[str, tuple[dict[str, Any], Any]] = {}
    for choice in itertools.product(*(primitive.choices for primitive in primitives.values())):
        chosen = dict(zip(primitives, choice, strict=True))
        values = point(study.file.search.space, chosen, study.levels)
        graph = check_spec(study.spec.with_edits(decode(study.spec, study.file.search.space, values))).graph
        if graph is not None:
            found.setdefault(fingerprint(graph), (chosen, graph))
    return found


def train(graph: Any, seed: int, protocol: Any, measure: Any) -> dict[str, float]:
    """What one training gives."""
    import torch

    from archspec import total_price
    from builder import assemble, initialise
    from studies.measure.calls import sample_batch, training
    from studies.measure.memory import peak_bytes
    from studies.training.data.dataset import load
    from studies.training.quality import denoising_loss, evaluation_set
    from studies.training.train import TrainingStep, fit

    device, data, result = torch.device("cpu"), load(protocol.data), {}
    module = assemble(graph)
    initialise(module, seed)
    step = TrainingStep(module, protocol, device)
    chosen = evaluation_set(data, protocol.evaluate, protocol.objective)

    def report(number: int, _: float) -> None:
        if number in RUNGS:
            loss = denoising_loss(step.evaluated, chosen, protocol.objective, protocol.evaluate.batch, device).loss
            result[f"loss_{number}"] = round(loss, 6)

    fit(step, data.train, protocol, seed, report)
    price = total_price(graph)
    batch = sample_batch(tuple(data.train.shape[1:]), measure.batch, protocol.objective.timesteps, device)
    memory = peak_bytes(training(module, batch, protocol, device), device)
    return {**result, "parameters": price.parameters, "macs": price.macs, "train_memory": memory}


def main() -> None:
    import torch

    from studies.study.load import load_study

    torch.set_num_threads(1)
    study = load_study(HERE / "table.yaml")
    seeds = [int(sys.argv[1])] if len(sys.argv) > 1 else study.protocol.seed_list()
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else HERE / "table.csv"
    done = set()
    if out.exists():
        with out.open(newline="") as file:
            done = {(row["fingerprint"], int(row["seed"])) for row in csv.DictReader(file)}
    found = architectures()
    names = list(study.primitives())
    print(f"{len(found)} architectures, {len(done)} trainings are there", flush=True)
    with out.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not done:
            writer.writerow(["fingerprint", "seed", *names, *MEASURED, "cpu_seconds"])
        for seed in seeds:
            for mark, (chosen, graph) in found.items():
                if (mark, seed) in done:
                    continue
                start = time.process_time()
                result = train(graph, seed, study.protocol, study.file.measure)
                spent = round(time.process_time() - start, 2)
                row = [mark, seed, *(chosen[name] for name in names), *(result[name] for name in MEASURED), spent]
                writer.writerow(row)
                file.flush()


if __name__ == "__main__":
    main()
