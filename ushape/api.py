"""The command line's work from Python, in scripts and notebooks: run a study, load its results.

Loading needs no torch; nothing here prints but what an observer is asked to.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from studies.frame import StudyResults
    from studies.study.study import Study
    from studies.trial.observe import Observer


class Results:
    """The results of a study, as they were when they were loaded.

    Args:
        folder: the study's folder.
    """

    def __init__(self, folder: Path) -> None:
        from studies.frame import load_results

        self.folder = folder
        self._data: StudyResults = load_results(folder)

    @property
    def data(self) -> StudyResults:
        """Everything that reports read: trials, curves, architectures, the study's document."""
        return self._data

    def frame(self) -> pd.DataFrame:
        """One row for each trial: seconds, bytes and counts; see `studies.frame.trial_row`. A copy, to be changed."""
        return self._data.trials.copy()

    def best(self, metric: str = "loss") -> dict[str, Any]:
        """The feasible trial with the smallest value of a metric, as a row; empty if there is none."""
        trials = self._data.trials
        feasible = trials[trials["feasible"].astype(bool) & trials[metric].notna()]
        if feasible.empty:
            return {}
        return {str(name): value for name, value in feasible.sort_values(metric).iloc[0].items()}

    def architecture(self, fingerprint: str) -> dict[str, Any]:
        """An architecture in full, as `archspec.from_document` takes it; KeyError if no trial has it."""
        return self._data.architectures[fingerprint]

    def report(self, html: str | Path | None = None) -> Path:
        """Write the dashboard and ``results.csv``; returns the dashboard's path."""
        from ushape.cli.report import write_report

        return write_report(self.folder, None if html is None else Path(html))

    def counts(self) -> dict[str, dict[str, int]]:
        """For each part the number of trials by status."""
        found: dict[str, dict[str, int]] = {}
        for part, status in zip(self._data.trials["part"], self._data.trials["status"], strict=True):
            by_status = found.setdefault(part, {})
            by_status[status] = by_status.get(status, 0) + 1
        return found

    def __repr__(self) -> str:
        parts = "; ".join(f"{part}: {_words(counts)}" for part, counts in self.counts().items())
        return f"<Results of {self._data.name!r} in {self.folder}: {parts or 'nothing yet'}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: name, question, what is there, warnings, and the first trials by loss."""
        lines = [f"<h4>{escape(self._data.name)}</h4>"]
        if self._data.question:
            lines.append(f"<p><em>{escape(self._data.question)}</em></p>")
        items = "".join(f"<li>{escape(part)}: {escape(_words(c))}</li>" for part, c in self.counts().items())
        lines.append(f"<ul>{items or '<li>nothing yet</li>'}</ul>")
        lines += [f"<p><strong>Warning:</strong> {escape(text)}</p>" for text in self._data.warnings]
        columns = ["part", "trial", "variant", "seed", "status", "loss", "latency", "parameters", "edits"]
        table = self._data.trials[columns].sort_values("loss").head(10)
        lines.append(table.to_html(index=False, na_rep="", border=0, escape=True))
        return "\n".join(lines)


def run(
    study: str | Path | Study,
    folder: str | Path | None = None,
    *,
    observer: Observer | None = None,
    workers: int | None = None,
    retry_failed: bool = False,
) -> Results:
    """Run a study from wherever it is to its end.

    Args:
        study: a study file, or a loaded study.
        folder: where its results lie or will lie; None: where the command line puts them.
        observer: told what happens; None: nobody.
        workers: trials at once; None: as the study says.
        retry_failed: run failed trials of the ablation again.

    Raises:
        archspec.UserError: the study is not sound, or cannot be run; see `studies.driver.run.run_study`.
    """
    from studies.driver.run import run_study
    from studies.study.load import load_study
    from studies.study.study import with_workers

    loaded = with_workers(load_study(study) if isinstance(study, str | Path) else study, workers)
    place = loaded.folder if folder is None else Path(folder)
    run_study(loaded, place, observer or _Silent(), retry_failed=retry_failed)
    return Results(place)


def load(study: str | Path) -> Results:
    """The results of a study, by its file or its folder, also while it runs; `archspec.UserError` if there are none."""
    from ushape.cli.report import folder_of

    return Results(folder_of(Path(study)))


class _Silent:
    """An observer that does nothing."""

    def planned(self, part: str, done: int, total: int) -> None:
        """A part begins."""

    def began(self, record: object) -> None:
        """A training begins."""

    def progressed(self, record: object, progress: object) -> None:
        """A training went on."""

    def ended(self, record: object) -> None:
        """A trial is recorded."""

    def said(self, text: str) -> None:
        """Something that a person should know."""


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {status}" for status, number in counts.items())
