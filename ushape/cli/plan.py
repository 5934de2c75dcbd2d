"""`ushape plan`: what an ablation will train, what it will take, and what it will be able to see."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from archspec import ArchGraph
    from studies.driver.forecast import Pilot, PredictsMemory
    from studies.driver.plan import Variant
    from studies.sections.protocol import Measure, Protocol
    from studies.study.study import Study


def plan(
    study: Annotated[Path, typer.Argument(help="The study file.", show_default=False)],
    *,
    pilot: Annotated[
        Path | None, typer.Option("--pilot", help="Earlier results to predict from; default the study's own.")
    ] = None,
    spread: Annotated[
        float | None, typer.Option("--spread", min=0.0, help="SD of the paired difference of the loss, if it is known.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON on standard output.")] = False,
) -> None:
    """Show what an ablation will train before anything runs: variants, trainings, time, what it can find, doubts.

    Time and the smallest effect that it finds are predicted from earlier trainings of this study, or of a pilot.
    """
    from studies.study.load import load_study
    from ushape.cli.console import print_json, show_problems

    loaded = load_study(study)
    data = plan_data(loaded, pilot, spread, _training_memory)
    if json:
        print_json(data)
        return
    show_problems(loaded.warnings)
    _print(data)


def plan_data(
    study: Study, pilot: Path | None = None, spread: float | None = None, predict: PredictsMemory | None = None
) -> dict[str, Any]:
    """The plan as plain data; `UserError` for a study without an ablation.

    Args:
        study: the study.
        pilot: folder of earlier results, or their study; default the study's own.
        spread: standard deviation of the paired difference of the loss, where it is known.
        predict: who can say the peak memory of a training; without, memory is not predicted.
    """
    from archspec import user_error
    from studies.driver.forecast import predict_seconds, trainings_left
    from studies.driver.plan import most_cells, variants
    from studies.driver.plan_doubts import alias_groups, plan_doubts
    from studies.driver.tuning import grid
    from ushape.cli.report import folder_of

    if study.file.ablation is None:
        hint = "`ushape show` says what its search will do, `ushape profile` what memory a step of its base takes."
        raise user_error("the study has no ablation to plan.", hint, file=str(study.path))
    planned = variants(study)
    earlier = _pilot(folder_of(pilot) if pilot else study.folder, asked=pilot is not None)
    seconds = predict_seconds(study, study.folder, earlier) if earlier else None
    return {
        "name": study.name,
        "question": study.file.question,
        "variants": [_variant(planned[0], one) for one in planned],
        "same": study.expansion().same,
        "seeds": list(study.seeds),
        "sequential": study.file.ablation.until is not None,
        "trainings": most_cells(study),
        "runs": study.protocol.runs,
        "tuning_trainings": len(grid(study)) * len(planned),
        "left": trainings_left(study, study.folder),
        "seconds": None if seconds is None else {"total": seconds.total, "how": seconds.how},
        "memory": None if predict is None or not study.protocol.train.steps else max(
            predict(one.graph, study.protocol, study.file.measure) for one in planned
        ),
        "power": _power(study, planned, earlier, spread),
        "aliases": alias_groups(study),
        "doubts": list(plan_doubts(study)),
    }  # fmt: skip


def _training_memory(graph: ArchGraph, protocol: Protocol, measure: Measure) -> int:
    """Bytes at the peak of a training step, by the static prediction."""
    from studies.trial.predicted import MemoryPredictor

    return int(MemoryPredictor(protocol, measure)(graph, frozenset({"train_memory"}))["train_memory"].value)


def _pilot(folder: Path, *, asked: bool) -> Pilot | None:
    from studies.driver.forecast import read_pilot

    return read_pilot(folder) if asked or (folder / "study.db").is_file() else None


def _variant(base: Variant, one: Variant) -> dict[str, Any]:
    from archspec.edits.diff import difference

    found = difference(base.graph, one.graph)
    before, after = found.prices
    return {
        "variant": one.name,
        "design": one.design if one.name != "base" else None,
        "reference": one.reference if one.name != "base" else None,
        "edits": list(one.edits),
        "nodes": {"removed": len(found.removed), "added": len(found.added), "changed": len(found.changed)},
        "parameters": after.parameters,
        "parameters_change": after.parameters / before.parameters - 1,
        "macs": after.macs,
        "macs_change": after.macs / before.macs - 1,
    }


def _power(study: Study, planned: list[Variant], pilot: Pilot | None, spread: float | None) -> dict[str, Any]:
    """What the study finds with 80 % power, in SDs of the paired difference and, where a spread is known, in loss."""
    import statistics

    from reports.analysis.statistics import detectable
    from studies.driver.forecast import base_mean, paired_spreads

    family = sum(one.design not in ("factorial", "path") for one in planned[1:]) + _num_effects(study)
    found = paired_spreads(pilot.records) if pilot else {}
    known = spread if spread is not None else statistics.median(found.values()) if found else None
    smallest = detectable(len(study.seeds), max(1, family))
    mean = base_mean(pilot.records) if pilot else None
    effect = None if known is None else smallest * known
    return {
        "comparisons": family,
        "sds": smallest if smallest == smallest else None,  # noqa: PLR0124 - NaN for one or two seeds
        "spread": known,
        "source": "stated" if spread is not None else f"median of {len(found)} variants of {pilot.name}"
        if pilot and found else None,
        "effect": effect,
        "percent": effect / mean * 100 if effect is not None and mean else None,
    }  # fmt: skip


def _num_effects(study: Study) -> int:
    """How many effects of the study's factorial are tested."""
    from itertools import combinations

    from studies.driver.plan import variants
    from studies.driver.plan_doubts import alias_groups

    ablation = study.file.ablation
    if ablation is None or ablation.factorial is None:
        return 0
    factors = list(ablation.factorial.factors)
    cells = [one.factors for one in variants(study) if one.factors.keys() == set(factors)]
    sizes = [len({cell[name] for cell in cells}) - 1 for name in factors]
    every = sum(sizes) + sum(a * b for a, b in combinations(sizes, 2))
    return every - sum(group.count(" = ") for group in alias_groups(study))


def _print(data: dict[str, Any]) -> None:
    from rich.markup import escape

    from ushape.cli.console import mebibytes, out
    from ushape.cli.console import seconds as seconds_text

    out.print(f"[bold]{escape(data['name'])}[/bold]  {escape(data['question'] or '')}")
    _print_variants(data["variants"])
    for name, other in data["same"].items():
        out.print(f"{escape(name)} is the same architecture as {escape(other)}, and is not trained twice.")
    tuning = f", {data['tuning_trainings']} more to tune" if data["tuning_trainings"] else ""
    most = "at most " if data["sequential"] else ""
    seeds = f"{len(data['seeds'])} seed{'s' * (len(data['seeds']) != 1)}"
    out.print(f"{data['runs']}: {most}{data['trainings']} ({seeds}){tuning}; {data['left']} left")
    trained = data["runs"] == "trainings"
    time, unknown = data["seconds"], _NO_TIME if trained else _NO_TIME_UNTRAINED
    if data["left"]:
        out.print(f"time: about {seconds_text(time['total'])}, {time['how']}" if time else unknown, markup=False)
    else:
        out.print("time: none, all is done")
    memory = data["memory"]
    said = "not predicted" if memory is None else f"at most {mebibytes(memory)} for a training step"
    out.print(
        f"memory: {said}" if trained else "nothing is trained: each variant is evaluated with the weights it keeps"
    )
    out.print(_power_text(data["power"], len(data["seeds"])), markup=False)
    for doubt in data["doubts"]:
        out.print(f"[yellow]doubt[/yellow]: {escape(doubt)}")


_NO_TIME_UNTRAINED = "time: unknown, nothing is recorded yet"
_NO_TIME = (
    "time: unknown, no training is recorded yet; start `ushape run`, stop it after a training and ask again, or name "
    "other results by --pilot"
)


def _power_text(power: dict[str, Any], seeds: int) -> str:
    family = f"{power['comparisons']} comparison{'s' * (power['comparisons'] != 1)}"
    if power["sds"] is None:
        return f"finds: nothing can be promised of {seeds} seeds"
    text = f"finds with 80 % power: {power['sds']:.2f} SD of the paired difference ({seeds} seeds, {family}, Holm)"
    if power["effect"] is None:
        return f"{text}; in loss unknown without a pilot or --spread"
    share = f", {power['percent']:.2g} % of the base" if power["percent"] is not None else ""
    return f"{text}, or {power['effect']:.3g} of the loss{share} (SD {power['spread']:.3g}, {power['source']})"


def _print_variants(rows: list[dict[str, Any]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from ushape.cli.console import change, count, out

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("variant", "design", "against", "nodes", "parameters", "", "MACs", "", "edits"):
        table.add_column(title, justify="right" if title in ("parameters", "MACs", "") else "left")
    for row in rows:
        nodes = row["nodes"]
        signs = {"removed": "-", "added": "+", "changed": "~"}
        told = " ".join(f"{sign}{nodes[kind]}" for kind, sign in signs.items() if nodes[kind])
        table.add_row(
            escape(row["variant"]), row["design"] or "", escape(row["reference"] or ""), told, f"{row['parameters']:,}",
            change(row["parameters_change"]), count(row["macs"]), change(row["macs_change"]),
            escape("; ".join(row["edits"])),
        )  # fmt: skip
    out.print(table)
