"""A study of many recorded trials, made without training: records of the size that real ones have.

python benchmarks/scale/make.py FOLDER [TRIALS]
"""

from __future__ import annotations

import json
import random
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    distribution_to_json,
)

from archspec import fingerprint, to_document
from studies.records.packing import packed
from studies.records.reader import RECORD
from studies.records.record import TrialRecord
from studies.records.store import Store, now
from studies.study.load import load_study
from studies.study.study import Study

STUDY = """
version: 1
name: many
base: {name: tiny, unet: {ch: 32, out_ch: 1, ch_mult: [1, 1], num_res_blocks: 1, attn_resolutions: [], in_channels: 1,
  resolution: 8}}
protocol: {data: digits, train: {steps: 2, batch: 4}, seeds: 1}
measure: {device: cpu, threads: 1, latency: false, memory: false}
search:
  space:
    ch: [32, 64, 96, 128]
    ch_mult: {choice: [1, 2, 3, 4], per_level: true}
    num_res_blocks: [1, 2, 3]
    attn_resolutions: {subset: [8, 4]}
    attn_type: [vanilla, linear, none]
    skip: [concat, add]
    dropout: {float: [0.0, 0.3]}
  objectives: [loss, parameters]
  budgets: {parameters: 50M, macs: 10G}
  trials: TRIALS
"""

_DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "ch": CategoricalDistribution([32, 64, 96, 128]),
    "ch_mult[0]": CategoricalDistribution([1, 2, 3, 4]),
    "ch_mult[1]": CategoricalDistribution([1, 2, 3, 4]),
    "num_res_blocks": CategoricalDistribution([1, 2, 3]),
    "attn_resolutions[8]": CategoricalDistribution([False, True]),
    "attn_resolutions[4]": CategoricalDistribution([False, True]),
    "attn_type": CategoricalDistribution(["vanilla", "linear", "none"]),
    "skip": CategoricalDistribution(["concat", "add"]),
    "dropout": FloatDistribution(0.0, 0.3),
}


def records(study: Study, number: int) -> Iterator[TrialRecord]:
    """Finished records with every field that a real one on the digits has."""
    draw = random.Random(0)
    for trial in range(number):
        chosen = {
            name: draw.choice(d.choices) if isinstance(d, CategoricalDistribution) else draw.uniform(0.0, 0.3)
            for name, d in _DISTRIBUTIONS.items()
        }
        latency = draw.uniform(0.005, 0.05)
        spread = {
            "median": latency, "p10": latency * 0.9, "p90": latency * 1.2, "rounds": 10, "ratio": latency * 70,
            "reference": 0.0144, "warmup": 7, "stable": True,
        }  # fmt: skip
        yield TrialRecord(
            part="search", trial=trial, seed=0, status="finished", fingerprint=f"{draw.getrandbits(128):032x}",
            protocol_hash=study.protocol_hash(), started=now(), wall=draw.uniform(10, 40),
            params={name.partition("[")[0]: value for name, value in chosen.items()},
            edits=("ch_mult: [2, 2], attn_type: linear",),
            metrics={
                "parameters": draw.uniform(1e5, 4e7), "macs": draw.uniform(1e6, 1e9), "loss": draw.uniform(0.1, 0.3),
                "latency": latency, "memory": 5143876.0, "train_latency": 3 * latency, "train_memory": 22103880.0,
            },
            detail={
                "chosen": chosen, "rules_broken": 0,
                "seconds": {"load": 0.0065, "build": 0.0615, "train": 23.0448, "evaluate": 2.03, "measure": 5.4},
                "evaluation": {"hash": "c6615277f191305790565149d7b5e5ad47f1f40fbc0fc8c686e8f8e971028b1d",
                               "evaluations": 640, "images": 64, "strata": 10},
                "loss_bins": [[low, low + 100, draw.random()] for low in range(0, 1000, 100)],
                "latency": spread, "train_latency": spread, "load_average": [5.04, 5.28],
            },
            violations={"parameters": -0.35, "macs": -0.16},
            environment={
                "ushape": "0.1.0", "code": "f9fe4314d806e91369c2c929ac2a1df2555ea999", "code_dirty": False,
                "torch": "2.13.0+cpu", "numpy": "2.4.6", "optuna": "5.0.0", "networkx": "3.6.1", "python": "3.11.7",
                "os": "Linux 6.18 x86_64", "device": "AMD EPYC", "device_type": "cpu", "cores": 2, "threads": 1,
            },
            data={
                "name": "digits", "images": 1797, "train": 1617, "held_out": 180, "shape": [1, 8, 8],
                "hash": "654a834d0bb9b922dba5df791b4f04dd715c3f5bd2f853c9f8ab7eb9a491b492",
            },
        )  # fmt: skip


def make(folder: Path, number: int) -> Path:
    """The study's file; its results lie beside it as a run would have left them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "study.yaml"
    path.write_text(STUDY.replace("TRIALS", str(number)), encoding="utf-8")
    study = load_study(path)
    store = Store(study.folder, study.name, create=True)
    assert study.file.search is not None
    optuna_study = store.open("search", study.file.search.objectives)
    mark = fingerprint(study.base)
    store.write_architecture(mark, to_document(study.base))
    store.remember_study(optuna_study, study.document(), mark, study.source)
    _insert(study.folder / "study.db", list(records(study, number)))
    return path


def _insert(database: Path, records: list[TrialRecord]) -> None:
    """Rows as Optuna writes them, without its transaction for each; a test compares what Optuna reads of them."""
    values: list[tuple[object, ...]] = []
    params: list[tuple[object, ...]] = []
    attributes: list[tuple[object, ...]] = []
    constraints: list[tuple[object, ...]] = []
    when = "2026-11-24 20:54:25.029842"
    for index, record in enumerate(records, 1):
        values += [(index, 0, record.metrics["loss"], "FINITE"), (index, 1, record.metrics["parameters"], "FINITE")]
        attributes.append((index, RECORD, json.dumps(packed(record))))
        for name, excess in {"rules": 0.0, "trained": 0.0, **record.violations}.items():
            constraints.append((index, f"constraints:{name}", json.dumps(excess)))
        for name, value in record.detail["chosen"].items():
            distribution = _DISTRIBUTIONS[name]
            stored = distribution.to_internal_repr(value)
            params.append((index, name, stored, distribution_to_json(distribution)))
    with sqlite3.connect(database) as connection:
        trials = [(index, index - 1, 1, "COMPLETE", when, when) for index in range(1, len(records) + 1)]
        connection.executemany(
            "insert into trials(trial_id, number, study_id, state, datetime_start, datetime_complete) "
            "values (?, ?, ?, ?, ?, ?)", trials,
        )  # fmt: skip
        for table, columns, rows in (
            ("trial_values", "trial_id, objective, value, value_type", values),
            ("trial_params", "trial_id, param_name, param_value, distribution_json", params),
            ("trial_user_attributes", "trial_id, key, value_json", attributes),
            ("trial_system_attributes", "trial_id, key, value_json", constraints),
        ):
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f"insert into {table}({columns}) values ({marks})", rows)


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10_000))
