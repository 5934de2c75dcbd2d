"""Which figures a study has: one drawing for each thing that the dashboard shows and a paper may want."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from reports.analysis.ablation import Effect, compare, compared_metrics
from reports.analysis.ablation_notes import factorial_effects
from reports.analysis.answer import best_trial, best_variant
from reports.analysis.curves import loss_by_level, trial_curves, variant_curves
from reports.analysis.factorial import words_of
from reports.analysis.importance import importances
from reports.analysis.interaction import Cells, cells_of
from reports.analysis.pareto import first_objective, objectives_of
from reports.analysis.rules import rules_of
from reports.analysis.samples import JUDGED_BY
from reports.analysis.search import objective_pairs, search_points
from reports.analysis.trials import part
from reports.figures.curves import level_figure, trial_figure, variant_figure
from reports.figures.escaped import escaped
from reports.figures.forest import CLASSES, SHAPES, effect_text, forest_axis, shown_unit
from reports.figures.scatter import history_figure, pareto_figure
from reports.figures.standalone import beside, standalone_unet
from reports.figures.unet_svg import unet_pair, unet_svg
from reports.figures.unet_units import kept_network
from reports.metrics import Metric, interval_text, metric_of, metrics_of, signed_significant
from reports.paper.drawing import DOUBLE, Drawing
from reports.paper.rows import Row, Scale, rows_svg
from reports.theme import LIGHT, SERIES, chart_layout

if TYPE_CHECKING:
    from studies.frame import StudyResults

_COLOURS = {"better": LIGHT["better"], "worse": LIGHT["worse"]}
_MOST_PAIRS = 6
#: Inches at which the type of one U is as large as that of the other figures.
_NATURAL = 5.2


def drawings(results: StudyResults) -> list[Drawing]:
    """Every figure of a study, in the order of the dashboard; empty if there is nothing to draw."""
    return [*_forests(results), *_factorial(results), *_curves(results), *_search(results), *_architectures(results)]


def _forests(results: StudyResults) -> Iterator[Drawing]:
    metrics = metrics_of(results.trials)
    for name in compared_metrics(results.trials):
        metric = metric_of(name, metrics)
        effects = [e for e in compare(results.trials, name, rules_of(results)) if e.n]
        if not metric.counted and effects:
            svg = partial(_forest, effects, metric)
            yield Drawing(f"forest-{name}", svg=svg, width=DOUBLE)


def _forest(effects: Sequence[Effect], metric: Metric, width: float) -> str:
    axis = forest_axis(effects, metric)
    assert axis is not None
    factor, unit = shown_unit(effects[0], metric)
    ordered = sorted(effects, key=lambda e: -e.mean)
    margin = next((e.margin * factor for e in effects if e.margin is not None), None)
    what = f"difference in {metric.label} to the base{f' ({unit})' if unit else ''}, lower is better"
    rows = [_effect_row(e, metric, beyond=e.variant in axis.beyond) for e in ordered]
    return rows_svg(rows, Scale(axis.low, axis.high, what, margin=margin), f"Forest plot: {what}.", width)


def _effect_row(effect: Effect, metric: Metric, *, beyond: bool) -> Row:
    factor, unit = shown_unit(effect, metric)
    told = effect.n > 1 and math.isfinite(effect.low)
    return Row(
        effect.variant, effect.mean * factor, effect.low * factor, effect.high * factor,
        (effect.low_adjusted * factor, effect.high_adjusted * factor) if told else (math.nan, math.nan),
        tuple(d * factor for d in effect.differences), effect_text(effect, metric),
        str(effect.verdict), _COLOURS.get(CLASSES[effect.verdict], LIGHT["muted"]), SHAPES[effect.verdict],
        f"{signed_significant(effect.mean * factor)} {unit}".strip() if beyond else "",
    )  # fmt: skip


def _factorial(results: StudyResults) -> Iterator[Drawing]:
    metric = metrics_of(results.trials)[JUDGED_BY]
    tested = factorial_effects(results.trials, metric.name, rules_of(results))
    if not tested:
        return
    rows = []
    for one in tested:
        mean, low, high = (metric.shown(x) for x in (one.term.estimate, one.term.low, one.term.high))
        css = ("better" if one.term.estimate < 0 else "worse") if one.found else "open"
        rows.append(
            Row(words_of(one.term).replace(" x ", " × "), mean, low, high, text=interval_text(mean, low, high),
                verdict=css if one.found else "inconclusive", colour=_COLOURS.get(css, LIGHT["muted"]))
        )  # fmt: skip
    scale = _around(rows, f"effect on {metric.title}, lower is better")
    title = f"Effects of factors and their interactions on {metric.label}."
    yield Drawing("factorial-effects", svg=lambda width: rows_svg(rows, scale, title, width))
    cells = cells_of(results.trials, metric.name)
    for first, second in list(itertools.combinations(cells.factors, 2))[:_MOST_PAIRS]:
        name = f"interaction-{_plain(first)}-{_plain(second)}"
        yield Drawing(name, figure=_interaction(cells, first, second, metric))


def _around(rows: Sequence[Row], title: str) -> Scale:
    ends = [0.0, *(x for row in rows for x in (row.low, row.high, row.mean) if math.isfinite(x))]
    pad = 0.06 * (max(ends) - min(ends)) or 1.0
    return Scale(min(ends) - pad, max(ends) + pad, title)


def _interaction(cells: Cells, one: str, other: str, metric: Metric) -> go.Figure:
    figure = go.Figure(layout=chart_layout())
    for number, (level, line) in enumerate(cells.lines(one, other).items()):
        colour, _, dash = SERIES[number % len(SERIES)]
        figure.add_scatter(
            x=[escaped(name) for name, _, _ in line], y=[metric.shown(mean) for _, mean, _ in line],
            mode="lines+markers",
            error_y={"array": [metric.shown(half) for _, _, half in line], "thickness": 1, "width": 3},
            line={"color": colour, "dash": dash, "width": 1.5}, marker={"size": 8}, name=escaped(f"{other}: {level}"),
        )  # fmt: skip
    figure.update_layout(xaxis_title_text=escaped(one), yaxis_title_text=metric.title, xaxis_type="category")
    return figure


def _curves(results: StudyResults) -> Iterator[Drawing]:
    if curves := variant_curves(results):
        yield Drawing("training-curves-ablation", figure=variant_figure(curves))
    if levels := loss_by_level(results):
        yield Drawing("loss-by-noise-level", figure=level_figure(levels))


def _search(results: StudyResults) -> Iterator[Drawing]:
    points = search_points(results) if len(part(results.trials, "search")) else []
    if not any(point.kind != "no result" for point in points):
        return
    metrics, pairs = metrics_of(results.trials), objective_pairs(results)
    for cost, first in pairs:
        x, y = metric_of(cost, metrics), metric_of(first, metrics)
        yield Drawing(
            f"pareto-{first}-{cost}", figure=pareto_figure(points, x, y, results.budgets, connect=len(pairs) == 1)
        )
    if not pairs:
        metric = metric_of(first_objective(results), metrics)
        more = metric.name in results.maximised
        yield Drawing("history", figure=history_figure(points, metric, results.budgets, more_is_better=more))
    for name in objectives_of(results):
        yield from _importance(results, name)
    if curves := trial_curves(results, points):
        yield Drawing("training-curves-search", figure=trial_figure(curves))


def _importance(results: StudyResults, objective: str) -> Iterator[Drawing]:
    found = importances(part(results.trials, "search"), objective)
    label = metric_of(objective, metrics_of(results.trials)).label
    rows = [
        Row(one.parameter, one.share, 0.0, one.share, (0.0, one.chance), text=f"{one.share:.2f}",
            verdict="" if one.share > one.chance else "not above chance",
            colour=LIGHT["front"] if one.share > one.chance else LIGHT["muted"])
        for one in found.rows if math.isfinite(one.share)
    ]  # fmt: skip
    if rows:
        what = f"share of the variance of ranks of {label} (n = {found.n})"
        scale = Scale(0.0, max(1e-3, *(max(row.mean, row.outer[1]) for row in rows)) * 1.06, what)
        title = f"Importances for {label}; the thin line is what chance reaches."
        yield Drawing(f"importance-{_plain(objective)}", svg=lambda width: rows_svg(rows, scale, title, width))


def _architectures(results: StudyResults) -> Iterator[Drawing]:
    base = kept_network(results.architectures, results.base)
    if base is None:
        return
    yield Drawing("architecture-base", svg=lambda width: standalone_unet(unet_svg(base, "base"), width), width=_NATURAL)
    mark, label = _winner(results)
    winner = kept_network(results.architectures, mark)
    if winner is not None and mark != results.base:
        left, right, _ = unet_pair(base, winner, ("base", label))
        yield Drawing("architectures", svg=partial(beside, {"base": left, label: right}), width=DOUBLE)


def _winner(results: StudyResults) -> tuple[str, str]:
    """(fingerprint, what it is called) of the best of the search, else of the variant with the smallest mean."""
    best = best_trial(results) if len(part(results.trials, "search")) else None
    if best is not None:
        return str(best["fingerprint"]), f"best of the search (trial {best['trial']})"
    return best_variant(results) or ("", "")


def _plain(name: str) -> str:
    """A name as part of a file's."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.") or "x"
