"""One trial of a study, as a command's user names it: its architecture, and its weights if they were kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec import ArchGraph
    from studies.frame import StudyResults

_NAMED = re.compile(r"(?:(?P<part>[a-z]+)/)?(?P<number>\d+)")


@dataclass(frozen=True)
class Chosen:
    """A trial's architecture.

    Attributes:
        name: of the study, the part and the trial, such as ``half/search/7``.
        graph: the architecture.
        loss: what the trial came to; None without a result.
        weights: the file that holds what it was trained to; None if that was not kept.
    """

    name: str
    graph: ArchGraph
    loss: float | None
    weights: Path | None


def chosen_trial(study: Path, trial: str) -> Chosen:
    """The trial that is meant.

    Args:
        study: the study file, or the folder of its results.
        trial: ``best`` (within the budgets, as the dashboard has it), a number, or ``PART/NUMBER``. A number alone
            is of the search, or of the ablation where there is no search.

    Raises:
        UserError: there is no such trial, or it has no sound architecture.
    """
    from archspec import from_document, user_error
    from studies.frame import load_results
    from studies.records.weights import NAME
    from ushape.cli.report import folder_of

    results = load_results(folder_of(study))
    row = _best(results) if trial == "best" else _numbered(results, trial)
    key = (str(row["part"]), int(row["trial"]))
    name = f"{results.name}/{key[0]}/{key[1]}"
    document = results.architectures.get(str(row["fingerprint"]))
    if document is None:
        raise user_error(f"{name} has no architecture: {row['status']}, {row['reason']}.", "Name another trial.")
    loss = float(row["loss"])
    graph = from_document(document)
    return Chosen(name, graph, loss if loss == loss else None, results.files.get(key, {}).get(NAME))  # noqa: PLR0124


def _best(results: StudyResults) -> Any:
    from archspec import user_error
    from reports.analysis.answer import best_trial

    found = best_trial(results)
    if found is None:
        hint = "`ushape status` lists its trials; name one of an ablation by --trial ablation/0."
        raise user_error(f"no trial of a search in {results.name} has a result within the budgets.", hint)
    return found


def _numbered(results: StudyResults, trial: str) -> Any:
    from archspec import user_error

    trials = results.trials
    match = _NAMED.fullmatch(trial)
    if match is None:
        raise user_error(f"`{trial}` names no trial.", "Write best, a number such as 7, or PART/NUMBER: ablation/0.")
    parts = list(dict.fromkeys(trials["part"]))
    part = match["part"] or ("search" if "search" in parts else "ablation")
    found = trials[(trials["part"] == part) & (trials["trial"] == int(match["number"]))]
    if found.empty:
        have = [f"{one} has 0 to {int(trials[trials['part'] == one]['trial'].max())}" for one in parts]
        raise user_error(f"{results.name} has no trial {part}/{match['number']}.", f"{'; '.join(have) or 'None yet'}.")
    return found.iloc[0]
