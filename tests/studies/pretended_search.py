"""A search whose trainings are pretended: a result is a function of the size, at once."""

from __future__ import annotations

from pathlib import Path

from archspec import from_document, total_price
from studies.driver.ledger import Ledger
from studies.driver.loop import drive
from studies.driver.searching import SearchQuestion
from studies.records.record import TrialRecord
from studies.records.store import Store
from studies.study.load import load_study
from studies.trial.job import Job, Outcome
from tests.studies.test_studies_loop import Pretended, Silent, nothing

SEARCH = """
search:
  space:
    num_res_blocks: [1, 2]
    attn_type: [vanilla, linear, none]
    skip: [concat, add]
    num_groups: [8, 16, 32]
    heads: {nodes: attention, choice: [1, 2, 5], when: {attn_type: vanilla}}
  objectives: OBJECTIVES
  trials: 8
"""


class Heard(Silent):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def said(self, text: str) -> None:
        self.lines.append(text)


def trained(job: Job) -> Outcome:
    """Loss and latency as functions of size, and of how far the training went."""
    size = float(total_price(from_document(job.document)).parameters)
    part = (job.until or job.protocol.train.steps) / job.protocol.train.steps
    metrics = {"loss": 1e5 / size + 0.1 / part}
    if job.costs:
        metrics["latency"] = size / 1e8
    if job.state is not None:
        job.state.parent.mkdir(parents=True, exist_ok=True)
        job.state.write_bytes(b"")
    return Outcome(
        status="finished", reason=None, metrics=metrics, detail={"steps": job.until}, curve=(), environment={}, data={},
        wall=1.0,
    )  # fmt: skip


def run(path: Path, places: int = 1) -> tuple[list[TrialRecord], Pretended, Heard]:
    study, heard = load_study(path), Heard()
    ledger = Ledger(study, Store(study.folder, study.name, create=True), heard)
    ledger.settle()
    launcher = Pretended(places, trained)
    assert study.file.search is not None
    drive(SearchQuestion(study, study.file.search, ledger), launcher, nothing)
    return ledger.store.records("search"), launcher, heard


def search(more: str = "", objectives: str = "[loss, parameters]") -> str:
    return SEARCH.replace("OBJECTIVES", objectives) + more
