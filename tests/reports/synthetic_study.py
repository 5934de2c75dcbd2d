"""A made-up study with every kind of trial, built without training anything."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import archspec
from studies.frame import StudyResults

BASE = """
version: 1
name: base
unet:
  ch: 32
  out_ch: 1
  ch_mult: {mult}
  num_res_blocks: {blocks}
  attn_resolutions: {attn}
  attn_type: {kind}
  in_channels: 1
  resolution: 8
  skip: {skip}
  mid_attn: {mid}
"""

DEFAULTS = {"mult": "[1, 2]", "blocks": 2, "attn": "[4]", "kind": "vanilla", "skip": "concat", "mid": "true"}

VARIANTS: dict[str, tuple[dict[str, Any], str, float]] = {
    "no-skips": ({"skip": "none"}, "remove up.*.skip.*", 0.16),
    "skip-add": ({"skip": "add"}, "replace up.*.skip.* by add", 0.0002),
    "no-attention": (
        {"attn": "[]", "mid": "false"},
        "remove down.*.attn.*; remove mid.attn_1; remove up.*.attn.*",
        0.006,
    ),
    "linear-attention": ({"kind": "linear"}, "set type=linear on *.attn*", 0.0028),
    "attention-at-8": ({"attn": "[8, 4]"}, "attn_resolutions 8, 4", -0.0055),
}
"""Name -> (parameters changed, edits as text, true difference in loss)."""


def graph_of(**changes: Any) -> archspec.ArchGraph:
    return archspec.build(archspec.loads(BASE.format(**{**DEFAULTS, **changes}), "base.yaml"))


COLUMNS = (
    "part", "trial", "variant", "seed", "status", "reason", "replay_of", "feasible", "fingerprint", "loss", "latency",
    "train_latency", "memory", "train_memory", "parameters", "macs", "latency_p10", "latency_p90", "train_latency_p10",
    "train_latency_p90", "latency_ratio", "train_latency_ratio", "wall", "started", "device", "edits",
)  # fmt: skip


class Maker:
    """Collects rows, curves and architectures from one random generator."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.rows: list[dict[str, Any]] = []
        self.curves: dict[tuple[str, int], list[tuple[int, float]]] = {}
        self.bins: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
        self.architectures: dict[str, dict[str, Any]] = {}

    def architecture(self, **changes: Any) -> tuple[str, archspec.Price]:
        graph = graph_of(**changes)
        fingerprint = archspec.fingerprint(graph)
        self.architectures[fingerprint] = archspec.to_document(graph)
        return fingerprint, archspec.total_price(graph)

    def row(self, part: str, **values: Any) -> dict[str, Any]:
        row: dict[str, Any] = dict.fromkeys(COLUMNS)
        number = sum(1 for r in self.rows if r["part"] == part)
        row |= {"part": part, "trial": number, "feasible": False, "wall": 6.1, "device": "cpu", "edits": ""}
        row |= {"started": f"2026-11-03T10:{number // 2 % 60:02d}:{number % 2 * 30:02d}+00:00", **values}
        self.rows.append(row)
        return row

    def finish(self, row: dict[str, Any], price: archspec.Price, loss: float) -> None:
        noise = self.random.normal(1, 0.05)
        latency = (1.1e-3 + price.macs * 2.2e-11) * noise
        row |= {
            "status": "finished",
            "feasible": True,
            "loss": loss,
            "latency": latency,
            "latency_p10": latency * 0.97,
            "latency_p90": latency * 1.09,
            "latency_ratio": latency / 2e-3 / noise * self.random.normal(1, 0.004),
            "train_latency": latency * 3.4,
            "train_latency_p10": latency * 3.3,
            "train_latency_p90": latency * 3.7,
            "train_latency_ratio": latency * 3.4 / 7e-3 / noise * self.random.normal(1, 0.004),
            "memory": 4.0 * price.parameters + 2**20,
            "train_memory": 22.0 * price.parameters + 2**23,
            "parameters": float(price.parameters),
            "macs": float(price.macs),
        }
        steps = range(1, 301, 10)
        key = (row["part"], row["trial"])
        self.curves[key] = [
            (s, loss * 0.95 + 0.9 * math.exp(-s / 45) + abs(self.random.normal(0, 0.012))) for s in steps
        ]
        self.bins[key] = [(i * 100, i * 100 + 100, loss * (2.2 - 0.24 * i)) for i in range(10)]

    def ablation(self, seeds: int) -> None:
        base, base_price = self.architecture()
        drift = self.random.normal(0, 0.006, seeds)
        for seed in range(seeds):
            row = self.row("ablation", variant="base", seed=seed, fingerprint=base)
            self.finish(row, base_price, 0.1240 + drift[seed] + self.random.normal(0, 0.001))
            for name, (changes, edits, effect) in VARIANTS.items():
                fingerprint, price = self.architecture(**changes)
                row = self.row("ablation", variant=name, seed=seed, fingerprint=fingerprint, edits=edits)
                noise = self.random.normal(0, 0.0016)
                self.finish(row, price, 0.1240 + drift[seed] + effect + noise)
        self._lose("no-skips", min(6, seeds - 1))

    def _lose(self, variant: str, seed: int) -> None:
        for row in self.rows:
            if row["variant"] == variant and row["seed"] == seed:
                kept = {k: row[k] for k in ("part", "trial", "variant", "seed", "fingerprint", "edits", "started")}
                row |= {**dict.fromkeys(COLUMNS), **kept, "feasible": False, "device": "cpu", "wall": 2.0}
                row |= {"status": "diverged", "reason": "loss became NaN at step 112"}
                self.curves[(row["part"], row["trial"])] = [(s, 0.9 + s * 0.01) for s in range(1, 112, 10)]

    def search(self, trials: int, budgets: dict[str, float]) -> None:
        mults, kinds, attns = (
            ("[1, 2]", "[1, 1]", "[1, 2, 2]", "[2, 2]"),
            ("vanilla", "linear"),
            ("[]", "[4]", "[8, 4]"),
        )
        for number in range(trials):
            choice: dict[str, Any] = dict(DEFAULTS)
            if number:
                choice |= {
                    "mult": mults[self.random.integers(4)],
                    "blocks": int(self.random.integers(1, 4)),
                    "attn": attns[self.random.integers(3)],
                    "kind": kinds[self.random.integers(2)],
                }
            fingerprint, price = self.architecture(**choice)
            known = next((r for r in self.rows if r["part"] == "search" and r["fingerprint"] == fingerprint), None)
            row = self.row("search", seed=0, fingerprint=fingerprint, edits="" if not number else "unet parameters")
            row["param:ch_mult"] = choice["mult"].strip("[]").replace(" ", "")
            row["param:num_res_blocks"] = choice["blocks"]
            row["param:attn_resolutions"] = choice["attn"].strip("[]").replace(" ", "") or "none"
            row["param:attn_type"] = choice["kind"]
            if known is not None and known["status"] == "finished":
                kept = {k: known[k] for k in COLUMNS[7:22]}
                row |= {**kept, "status": "replayed", "replay_of": f"search/{known['trial']}", "wall": 0.0}
                continue
            self._end(row, price, number, budgets)

    def _end(self, row: dict[str, Any], price: archspec.Price, number: int, budgets: dict[str, float]) -> None:
        row |= {"parameters": float(price.parameters), "macs": float(price.macs)}
        if row["parameters"] > budgets.get("parameters", math.inf):
            used = f"parameters {price.parameters:,} of {budgets['parameters']:,.0f} allowed"
            row |= {"status": "refused", "reason": used}
            return
        if number in (11, 12):
            status = {11: "oom", 12: "failed"}[number]
            reason = {11: "CUDA out of memory: tried to allocate 2.0 GiB", 12: "RuntimeError: boom"}[number]
            row |= {"status": status, "reason": reason}
            return
        size = math.log10(price.parameters) - 5
        loss = 0.150 - 0.030 * size + 0.003 * (row["param:attn_type"] == "linear") + self.random.normal(0, 0.002)
        self.finish(row, price, loss)
        row["feasible"] = all(row[name] <= limit for name, limit in budgets.items())


def make_study(
    *,
    seeds: int = 8,
    trials: int = 20,
    objectives: tuple[str, ...] = ("loss", "latency"),
    budgets: dict[str, float] | None = None,
    folder: Path = Path("runs/digits"),
    seed: int = 3,
) -> StudyResults:
    """A study with an ablation of `seeds` seeds and a search of `trials` trials; 0 leaves a part out."""
    maker = Maker(seed)
    base, _ = maker.architecture()
    limits = {"latency": 1.75e-3, "parameters": 1.5e6} if budgets is None else budgets
    if seeds:
        maker.ablation(seeds)
    if trials:
        maker.search(trials, limits)
    frame = pd.DataFrame(maker.rows, columns=None if maker.rows else list(COLUMNS))
    frame["feasible"] = frame["feasible"].astype(bool)
    numeric = ["loss", *(c for c in COLUMNS if c.startswith(("latency", "train_", "memory", "param", "macs", "wall")))]
    frame[numeric] = frame[numeric].astype(float)
    return StudyResults(
        name="digits",
        question="Which parts of a small U-Net earn their cost on 8×8 digits?",
        folder=folder,
        source="version: 1\nname: digits\n# a comment\n",
        document=_document(seeds),
        trials=frame,
        curves=maker.curves,
        loss_bins=maker.bins,
        architectures=maker.architectures,
        base=base,
        objectives=objectives,
        budgets=limits,
        environment=[_ENVIRONMENT],
        protocol_hash="a1b2c3d4e5f60718",
        data={
            "name": "digits",
            "images": 1797,
            "train": 1617,
            "held_out": 180,
            "hash": "9f8e7d6c5b4a",
            "shape": [1, 8, 8],
        },
        warnings=("attn_resolutions: 16 is never reached by any level (base.yaml:9)",),
    )


_ENVIRONMENT = {
    "ushape": "0.1.0",
    "code": "0123456789abcdef0123456789abcdef01234567",
    "torch": "2.13.0+cpu",
    "optuna": "5.0.0",
    "python": "3.11.9",
    "os": "Linux 6.1 x86_64",
    "device": "cpu",
    "cpu": "Example CPU @ 2.5 GHz",
    "threads": 2,
}


def _document(seeds: int) -> dict[str, Any]:
    return {
        "version": 1,
        "name": "digits",
        "base": "base.yaml",
        "protocol": {
            "data": {"digits": True, "holdout": 0.1, "split_seed": 0},
            "objective": {"schedule": "linear", "prediction": "eps", "timesteps": 1000},
            "train": {"steps": 300, "batch": 32, "lr": 1e-3, "warmup": 20, "ema": 0.999, "dtype": "float32"},
            "evaluate": {"strata": 10, "images": 64, "batch": 64, "seed": 0},
            "seeds": seeds,
        },
        "measure": {"device": "auto", "threads": 2, "batch": 8, "latency": True, "memory": True, "rounds": 10},
    }


@cache
def full_study() -> StudyResults:
    """The study of `make_study` as it comes, made once; its frame must not be changed."""
    return make_study()


@cache
def full_page() -> str:
    """The page of `full_study`, rendered once in a process."""
    from reports.dashboard import render

    return render(full_study())


def without(results: StudyResults, part: str) -> StudyResults:
    """The same study without one of its parts."""
    return replace(results, trials=results.trials[results.trials["part"] != part].reset_index(drop=True))


def with_status(results: StudyResults, status: str, reason: str | None) -> StudyResults:
    """The same study with every trial ended in one way, without results."""
    frame = results.trials.copy()
    metrics = [c for c in frame.columns if c in COLUMNS[9:22]]
    frame[metrics] = np.nan
    frame = frame.assign(status=status, reason=reason, feasible=False)
    return replace(results, trials=frame, curves={}, loss_bins={})


def read_exactly(path: Path) -> pd.DataFrame:
    """A CSV file whose numbers are read to the last digit, by any version of pandas."""
    frame = pd.read_csv(path, dtype=str)
    for column in frame:
        whole = pd.read_csv(path, usecols=[column])[column]
        frame[column] = [float(text) for text in frame[column]] if whole.dtype == float else whole
    return frame
