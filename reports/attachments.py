"""What is told of a trial beside its numbers in another program: a note in Markdown, its U, its spec and its curve."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archspec import UserError, from_document
from reports.analysis.trials import status_of
from reports.figures.standalone import beside, standalone_unet
from reports.figures.unet_svg import unet_pair, unet_svg
from reports.figures.unet_units import Network
from reports.metrics import METRICS, metric_of, percent_text

if TYPE_CHECKING:
    from studies.records.record import TrialRecord
    from studies.records.store import Store

Files = dict[str, Callable[[], bytes]]


class Attachments:
    """Notes and files of one study's trials.

    Args:
        store: the study's records and files.
        kept: record -> the files that it names, by name; see `studies.records.artifacts.files_of`.
    """

    def __init__(self, store: Store, kept: Callable[[TrialRecord], dict[str, Any]]) -> None:
        self._store, self._kept = store, kept

    def note(self) -> str:
        """The study's question and file."""
        document = self._store.remembered_study() or {}
        question = document.get("question")
        source = self._store.folder / "study.yaml"
        text = source.read_text(encoding="utf-8") if source.is_file() else ""
        told = [f"# {_code(self._store.name)}", *([str(_code(question))] if question else [])]
        told.append(
            "Constraints are shares over budget: used / budget − 1; positive is over. Points without a result are "
            "told as infinitely bad. The mark `Best Trial` does not look at constraints; grey points do. Verdicts "
            "with intervals are in the report: `ushape report`."
        )
        return "\n\n".join([*told, *([_fenced(text)] if text else [])])

    def files(self) -> Files:
        """The base's U and the study file."""
        found: Files = {}
        base = self._document(self._store.base_fingerprint())
        if base is not None:
            found["base.svg"] = lambda: _alone(base, "base")
        source = self._store.folder / "study.yaml"
        return {**found, "study.yaml.txt": source.read_bytes} if source.is_file() else found

    def trial_note(self, record: TrialRecord) -> str:
        """What a trial is, what became of it and why."""
        status = status_of(record.status)
        what = f", variant {_code(record.variant)}" if record.variant else ""
        lines = [f"**{status.label}** ({status.meaning}): {record.part} trial {record.trial}{what}, seed {record.seed}"]
        if record.reason:
            lines.append(f"Reason: {_code(record.reason)}")
        if record.replay_of:
            lines.append(f"Result of {_code(record.replay_of)}")
        edits = "\n".join(f"- {_code(edit)}" for edit in record.edits)
        lines.append(f"Differs from the base by:\n\n{edits}" if edits else "The base as it is.")
        lines += [_table("Parameter", record.params)] if record.params else []
        lines += [_table("Metric", _measured(record))] if record.metrics else []
        lines += [_over(record)] if any(excess > 0 for excess in record.violations.values()) else []
        trace = record.detail.get("traceback")
        return "\n\n".join([*lines, *([_fenced(str(trace))] if trace else [])])

    def trial_files(self, record: TrialRecord) -> Files:
        """The U with what differs from the base, the whole spec, the training curve, and what the trial left."""
        found: Files = {}
        mark = record.fingerprint or ""
        if self._path(mark).is_file():
            found["architecture.svg"] = lambda: self._drawn(mark)
            found["architecture.json"] = self._path(mark).read_bytes
        if self._store.curve(record.part, record.trial):
            found["curve.csv"] = lambda: _csv(self._store.curve(record.part, record.trial))
        return found | {name: path.read_bytes for name, path in self._kept(record).items()}

    def _path(self, fingerprint: str) -> Any:
        return self._store.folder / "architectures" / f"{fingerprint}.json"

    def _document(self, fingerprint: str) -> dict[str, Any] | None:
        path = self._path(fingerprint)
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def _drawn(self, fingerprint: str) -> bytes:
        of_base = self._store.base_fingerprint()
        document, base = self._document(fingerprint), self._document(of_base)
        if document is None:
            raise KeyError(fingerprint)
        if base is None or fingerprint == of_base:
            return _alone(document, "base" if fingerprint == of_base else "this trial")
        try:
            ours, theirs = Network(from_document(base)), Network(from_document(document))
        except UserError as error:
            raise KeyError(str(error)) from error
        left, right, _ = unet_pair(ours, theirs, ("base", "this trial"))
        return beside({"base": left, "this trial": right}).encode()


def _alone(document: dict[str, Any], title: str) -> bytes:
    try:
        return standalone_unet(unet_svg(Network(from_document(document)), title)).encode()
    except UserError as error:
        raise KeyError(str(error)) from error


def _csv(curve: list[tuple[int, float]]) -> bytes:
    return "".join(["step,training loss\n", *(f"{step},{loss!r}\n" for step, loss in curve)]).encode()


def _measured(record: TrialRecord) -> dict[str, str]:
    return {metric_of(name, METRICS).label: metric_of(name, METRICS).text(v) for name, v in record.metrics.items()}


def _over(record: TrialRecord) -> str:
    broken = {name: excess for name, excess in record.violations.items() if excess > 0}
    return "Over budget: " + ", ".join(f"{_code(name)} by {percent_text(v * 100)}" for name, v in broken.items())


def _table(head: str, rows: dict[str, Any]) -> str:
    lines = [f"| {_cell(name)} | {_cell(value)} |" for name, value in rows.items()]
    return "\n".join([f"| {head} | |", "|---|---|", *lines])


def _cell(value: object) -> str:
    return _code(str(value).replace("|", "¦"))


def _code(text: object) -> str:
    """Text from a file as it is: in code, Markdown means nothing."""
    plain = " ".join(str(text).split()).replace("`", "'")
    return f"`{plain}`" if plain else ""


def _fenced(text: str) -> str:
    return f"```\n{text.replace('```', chr(39) * 3).rstrip()}\n```"
