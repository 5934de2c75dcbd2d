"""The page of several studies: their answers, what differs in how they were made, shared axes, common architectures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from reports.analysis.answer import answer, counts_text
from reports.analysis.pareto import ratios_in_words
from reports.analysis.progress import progress_together
from reports.analysis.search import search_points
from reports.analysis.studies import (
    Common,
    Mean,
    common_architectures,
    differences,
    searches,
    shared_metrics,
)
from reports.figures.progress import together_figure
from reports.figures.studies import studies_figure
from reports.metrics import MISSING, Metric, join_words, metric_of, metrics_of
from reports.pages.answer import SIGNS, TITLES
from reports.pages.charts import Charts

if TYPE_CHECKING:
    from studies.frame import StudyResults

_SHOWN = ("loss", "latency", "train_latency", "memory", "parameters", "macs")
_COSTS = ("latency", "parameters", "macs", "memory")


def answers(studies: Sequence[StudyResults], charts: Charts) -> dict[str, Any] | None:
    """What each study found, in its own words."""
    del charts
    told = []
    for study in studies:
        said = answer(study)
        sentences = [sentence for name in TITLES for sentence in getattr(said, name)]
        counts = [f"{TITLES[name]}: {counts_text(number)}" for name, number in said.counts.items()]
        told.append(
            {"name": study.name, "question": study.question, "sentences": sentences, "counts": counts,
             "warnings": study.warnings}
        )  # fmt: skip
    return {"studies": told, "signs": SIGNS}


def protocols(studies: Sequence[StudyResults], charts: Charts) -> dict[str, Any] | None:
    """Every difference in how the studies were made, and what does not compare because of it."""
    del charts
    found = differences(studies)
    spoilt = list(dict.fromkeys(one.spoils for one in found))
    return {
        "names": [study.name for study in studies],
        "rows": [(one.setting, [_text(value) for value in one.values], one.spoils) for one in found],
        "spoilt": join_words(spoilt),
    }


def plane(studies: Sequence[StudyResults], charts: Charts) -> dict[str, Any] | None:
    """Quality against cost on shared axes; None if the studies share no two metrics."""
    metrics = metrics_of(pd.concat([study.trials for study in studies]))
    shared = shared_metrics(studies, ("loss", *_COSTS))
    costs = [name for name in _COSTS if name in shared]
    if "loss" not in shared or not costs:
        return None
    y = metric_of("loss", metrics)
    plots = []
    for name in costs[:2]:
        x = metric_of(name, metrics)
        label = f"{y.label} against {x.label} of every trial of {join_words(study.name for study in studies)}"
        plots.append(charts.add(f"studies-{name}", studies_figure(studies, x, y), label))
    return {"plots": plots}


def progress(studies: Sequence[StudyResults], charts: Charts) -> dict[str, Any] | None:
    """How the searches went, on one scale, with random search as a band where a study has it; None without two."""
    found = searches(studies)
    followed = progress_together(found.alike, [search_points(study) for study in found.alike])
    shown = [(study, one) for study, one in zip(found.alike, followed, strict=True) if one is not None]
    if len(found.alike) + len(found.apart) < 2:
        return None
    plot = None
    if len(shown) > 1:
        label = f"Dominated volume over trainings of {join_words(study.name for study, _ in shown)}"
        figure = together_figure([study.name for study, _ in shown], [one for _, one in shown])
        plot = charts.add("studies-progress", figure, label)
    return {
        "plot": plot,
        "ends": [(study.name, one.trainings[-1], one.volumes[-1]) for study, one in shown],
        "apart": found.apart,
        "first": found.alike[0].name,
        "few": [study.name for study, one in zip(found.alike, followed, strict=True) if one is None],
        "ratios": ratios_in_words(*found.alike),
        "random": next(((study.name, one.random) for study, one in shown if one.band), None),
    }


def common(studies: Sequence[StudyResults], charts: Charts) -> dict[str, Any] | None:
    """The architectures that several studies trained, lined up."""
    del charts
    metrics = metrics_of(pd.concat([study.trials for study in studies]))
    names = shared_metrics(studies, _SHOWN)
    found = common_architectures(studies, names)
    measured = [metric_of(name, metrics) for name in names]
    return {
        "studies": [study.name for study in studies],
        "metrics": measured,
        "rows": [_row(one, measured) for one in found],
        "spoilt": {one.spoils for one in differences(studies)},
    }


def _row(one: Common, metrics: Sequence[Metric]) -> dict[str, Any]:
    lines = [
        (name or MISSING, [_cell(one.values[metric.name][number], metric) for metric in metrics])
        for number, name in enumerate(one.names)
    ]
    return {"fingerprint": one.fingerprint, "lines": lines}


def _cell(mean: Mean | None, metric: Metric) -> str:
    if mean is None:
        return MISSING
    count = f" (n={mean.trials})" if mean.trials > 1 and not metric.counted else ""
    return f"{metric.text(mean.value)}{count}"


def _text(value: Any) -> str:
    return MISSING if value is None or value == "" else str(value)
