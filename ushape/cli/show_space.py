"""What `ushape show STUDY` says about a search: its dimensions, its size, and how much of it is worth asking for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.space import Dimension
    from studies.study.study import Study


def search_data(study: Study) -> dict[str, Any] | None:
    """The search as plain data; None if the study has none."""
    from dataclasses import asdict

    from search.objectives import KNOWN_BEFOREHAND, absolute
    from search.samplers import choose
    from search.space import size
    from search.survey import survey

    search = study.file.search
    if search is None:
        return None
    points = size(search.space, study.levels)
    known = absolute(search.budgets, study.known_of_base())
    named, dimensions = search.sampler, len(study.primitives())
    chosen = choose(named.name, named.options, len(search.objectives), dimensions, search.trials)
    found = survey(study.spec, search.space, study.levels, known)
    return {
        "dimensions": {name: dimension_data(dimension) for name, dimension in search.space.items()},
        "points": points if points != float("inf") else None,
        "survey": asdict(found),
        "judged_later": [name for name in search.budgets if name not in KNOWN_BEFOREHAND],
        "objectives": dict(search.objectives),
        "budgets": search.budgets,
        "sampler": chosen.name,
        "trainings": search.trials,
    }


def dimension_data(dimension: Dimension) -> dict[str, str]:
    """A dimension in words: its values, what they go into, and when it matters."""
    when = dimension.when or {}
    return {
        "values": _values(dimension),
        "into": _target(dimension),
        "when": ", ".join(f"{name}: {_text(wanted)}" for name, wanted in when.items()),
    }


def _values(dimension: Dimension) -> str:
    from search.dimension import Categorical, Integer

    if dimension.subset is not None:
        return f"any of {_text(list(dimension.subset))}"
    primitive = dimension.primitive()
    if isinstance(primitive, Categorical):
        values = dimension.choice if dimension.choice is not None else primitive.choices
        words = " | ".join(_text(value) for value in values)
    else:
        step = f" by {primitive.step}" if isinstance(primitive, Integer) and primitive.step > 1 else ""
        kind = "d" if isinstance(primitive, Integer) else "g"
        words = f"{primitive.low:{kind}} to {primitive.high:{kind}}{step}{', log' if primitive.log else ''}"
    if isinstance(dimension.per_level, str):
        return f"{words}, for each of {dimension.per_level}"
    return f"{words}, for each level" if dimension.per_level else words


def _target(dimension: Dimension) -> str:
    from archspec.edits.selector import in_words

    if dimension.nodes is not None:
        return f"{in_words(dimension.nodes)}{f': {dimension.parameter}' if dimension.parameter else ''}"
    if dimension.repeat is not None:
        return f"repeats of {in_words(dimension.repeat)}"
    if dimension.rewire is not None:
        return (
            f"source of {in_words(dimension.rewire.to)}{f' ({dimension.rewire.port})' if dimension.rewire.port else ''}"
        )
    if dimension.edge is not None:
        return f"edge {dimension.edge.source} -> {dimension.edge.target}"
    if dimension.present is not None:
        nodes = dimension.present if isinstance(dimension.present, str) else getattr(dimension.present, "nodes", None)
        return f"presence of {in_words(nodes or dimension.present)}"  # type: ignore[arg-type]
    return "edits" if dimension.edits is not None else dimension.parameter or ""


def _text(value: object) -> str:
    from archspec.edits.edit import flat

    return flat(value)


def print_search(search: dict[str, Any], runs: str) -> None:
    """The search as a table of dimensions and three lines."""
    from rich.markup import escape
    from rich.table import Table

    from ushape.cli.console import out

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("varies", "values", "into", "when"):
        table.add_column(title, overflow="fold")
    for name, dimension in search["dimensions"].items():
        table.add_row(escape(name), *(escape(dimension[key]) for key in ("values", "into", "when")))
    out.print(table)
    points = "infinitely many" if search["points"] is None else f"{search['points']:,.0f}"
    by_way: dict[str, list[str]] = {}
    for name, way in search["objectives"].items():
        by_way.setdefault("minimising" if way == "minimize" else "maximising", []).append(name)
    goals = ", ".join(f"{way} {' and '.join(names)}" for way, names in by_way.items())
    out.print(
        f"search over {len(search['dimensions'])} dimensions: {points} points, {search['trainings']} {runs} by "
        f"{search['sampler']}, {goals}"
    )
    print_survey(search["survey"], search["judged_later"])


def print_survey(survey: dict[str, Any], later: list[str]) -> None:
    """How much of the space is sound and within budget."""
    from rich.markup import escape

    from ushape.cli.console import out

    refused = [f"{rule} {number}" for rule, number in list(survey["rules"].items())[:3]]
    refused += [f"{name} over budget {number}" for name, number in survey["over"].items()]
    why = f" (of the others: {escape(', '.join(refused))})" if refused else ""
    unjudged = f"{' and '.join(later)} {'is' if len(later) == 1 else 'are'}"
    out.print(
        f"of {survey['points']} random points {survey['sound']:.0%} are sound and {survey['within']:.0%} within what "
        f"can be known of the budgets beforehand{why}{f'; {unjudged} not looked at here' if later else ''}"
    )
