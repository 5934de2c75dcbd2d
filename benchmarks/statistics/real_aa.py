"""One real A/A study: eight variants that are the base, trained on the digits with five seeds.

    python benchmarks/statistics/real_aa.py    # minutes of CPU; keeps aa_results.csv, and goes on where it was

The harness refuses variants that change nothing and replays known architectures, so both are left out here on purpose:
each variant is the base with its nodes renamed. The computation is the same, and so are data order, timesteps, noise
and evaluation set of a seed; but initial values are drawn for each module path, so that a renamed network starts
elsewhere, as a variant that shares no module with the base would.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from archspec import fingerprint, from_document, to_document
from archspec.text.atomic import write_text
from reports.analysis.ablation import compare
from reports.metrics import METRICS, interval_text, p_text
from studies.study.load import load_study
from studies.trial.job import Job
from studies.trial.run import run_trial

HERE = Path(__file__).parent
VARIANTS = 8


def renamed(document: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The same architecture with a prefix before every node id."""
    graph = document["graph"]
    nodes = {f"{prefix}.{node}": op for node, op in graph["nodes"].items()}
    edges = [[f"{prefix}.{source}", f"{prefix}.{target}", *port] for source, target, *port in graph["edges"]]
    return {**document, "graph": {**graph, "nodes": nodes, "edges": edges}}


def main() -> None:
    study = load_study(HERE / "aa.yaml")
    base = to_document(study.base)
    documents = {"base": base} | {f"same {n}": renamed(base, f"copy{n}") for n in range(1, VARIANTS + 1)}
    marks = {fingerprint(from_document(document)) for document in documents.values()}
    assert len(marks) == 1, "the variants are not the same computation"
    path = HERE / "aa_results.csv"
    rows = pd.read_csv(path).to_dict("records") if path.exists() else []
    done = {(row["variant"], row["seed"]) for row in rows}
    for seed, name in product(study.seeds, documents):
        if (name, seed) not in done:
            job = Job(document=documents[name], protocol=study.protocol, measure=study.file.measure, seed=seed)
            outcome = run_trial(job, lambda progress: None)
            rows.append(
                {"part": "ablation", "variant": name, "seed": seed, "status": outcome.status,
                 "loss": outcome.metrics.get("loss"), "evaluation": outcome.detail["evaluation"]["hash"][:16]}
            )  # fmt: skip
            write_text(path, pd.DataFrame(rows).to_csv(index=False))
    report(pd.DataFrame(rows))


def report(frame: pd.DataFrame) -> None:
    """The table of README.md."""
    print("| variant | Δ held-out loss [95 %] | of base | SD | p (Holm) | verdict |\n|---|---|---|---|---|---|")
    for effect in compare(frame, "loss"):
        text = interval_text(*(METRICS["loss"].shown(x) for x in (effect.mean, effect.low, effect.high)))
        share, sds = f"{effect.percent:+.1f} %".replace("-", "−"), f"{effect.sds:+.2f}".replace("-", "−")
        print(f"| {effect.variant} | {text} | {share} | {sds} | {p_text(effect.p_holm)} | {effect.verdict_text} |")


if __name__ == "__main__":
    main()
