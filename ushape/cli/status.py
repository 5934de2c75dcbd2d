"""`ushape status`: how far a study is."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from studies.records.reader import Reader
    from studies.records.record import Glance


def status(
    study: Annotated[Path, typer.Argument(help="The study file, or the folder of its results.", show_default=False)],
    *,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where the results lie, if `ushape run --out` put them elsewhere.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON on standard output.")] = False,
) -> None:
    """Show how far a study is: trials by status, best so far, what failed and why. Works while it runs."""
    from ushape.cli.console import out, print_json
    from ushape.cli.report import folder_of

    data = status_data(folder or folder_of(study))
    if json:
        print_json(data)
        return
    state = "running" if data["running"] else "not running"
    out.print(f"[bold]{data['name']}[/bold]  {data['folder']}  ({state})")
    for part in data["parts"]:
        _print_part(part, data)


def _print_part(part: str, data: dict[str, Any]) -> None:
    from ushape.cli.console import out

    found = data["parts"][part]
    # What runs is to do still: counted once, or the numbers would come to more than there is.
    counts = [f"{number} {name}" for name, number in found["statuses"].items() if name != "running"]
    now = f" ({len(found['running'])} of them running)" if found["running"] else ""
    counts += [f"{found['left']} to do{now}"] if found["left"] or now else []
    counts += ["ended before that"] if found["ended"] else []
    trainings = f", {found['planned']} {data['runs']}" if found["planned"] else ""
    out.print(f"{part}{trainings}: {', '.join(counts) or 'nothing yet'}")
    if found["ended"]:
        out.print(f"  {found['ended']}", markup=False)
    best = found["best"]
    for one in found["variants"]:
        out.print(f"  {_told(one)}", markup=False)
    if best is not None and not found["variants"]:
        out.print(f"  best loss {best['loss']:.4f}: trial {best['trial']}, {best['what']}", markup=False)
        if part == "search":
            file = f"{data['folder']}/architectures/{best['fingerprint']}.json"
            export = f"ushape export {shlex.quote(data['folder'])} --trial {best['trial']}"
            out.print(f"  its architecture: {file} (`{export}`)", markup=False)
    if part == "search" and data["screening"]:
        out.print(f"  screening by predicted latency: {data['screening']}", markup=False)
    for under_way in found["running"]:
        since = f"since {under_way['started']}"
        out.print(f"  trial {under_way['trial']} running {since}: {under_way['what']}", markup=False)
    for failure in found["failures"]:
        out.print(f"  trial {failure['trial']} {failure['status']}: {failure['reason']}", markup=False)


def status_data(folder: Path) -> dict[str, Any]:
    """A study's progress as plain data."""
    from studies.latency.account import account_of
    from studies.records.judged import judged
    from studies.records.record import current

    account = account_of(folder)
    with _reading(folder) as (reader, running):
        document = reader.remembered_study() or {}
        parts, base = reader.parts(), reader.base_fingerprint()
        ended = reader.ended()
        everything = judged([one for part in parts for one in current(reader.glances(part))], document, base)
    found = {part: [one for one in everything if one.part == part] for part in parts}
    data = {part: _part_data(records, document, part, running=running) for part, records in found.items()}
    if ended and not running and data["search"]["left"]:
        data["search"].update(left=0, ended=ended)
    return {
        "name": reader.name,
        "folder": str(folder),
        "running": running,
        "runs": "evaluations" if _steps(document) == 0 else "trainings",
        "screening": account.text() if account is not None else None,
        "parts": data,
    }


@contextmanager
def _reading(folder: Path) -> Iterator[tuple[Reader, bool]]:
    """What reads the study, and whether a run is working on it."""
    from studies.records.locks import is_driven
    from studies.records.reader import sqlite_reader

    with sqlite_reader(folder) as reader:
        if reader is not None:
            yield reader, is_driven(folder)
            return
    # A server, or a database that only a store can say what is wrong with.
    from studies.records.store import Store

    store = Store(folder)
    yield store.reader, store.is_driven()


def _part_data(records: list[Glance], document: dict[str, Any], part: str, *, running: bool) -> dict[str, Any]:
    from studies.records.record import SETTLED, TRAINED, WITH_RESULT

    statuses: dict[str, int] = {}
    for record in records:
        # What a killed run left behind does not run any more.
        status = "interrupted" if record.status == "running" and not running else record.status
        statuses[status] = statuses.get(status, 0) + 1
    done = [r for r in records if r.status in WITH_RESULT and r.feasible and "loss" in r.metrics]
    best = min(done, key=lambda r: r.metrics["loss"], default=None)
    failures = [r for r in records if r.status in ("failed", "oom", "diverged")]
    planned = _planned(document, part)
    # Only what was trained uses up a search's budget; an ablation's cell is done whatever became of it.
    over = TRAINED if part == "search" else SETTLED
    return {
        "statuses": statuses,
        "planned": planned,
        "left": max(0, planned - sum(record.status in over for record in records)),
        "ended": None,
        "best": None if best is None else {
            "trial": best.trial, "loss": best.metrics["loss"],
            "what": _what(best), "fingerprint": best.fingerprint,
        },
        "variants": _variants(done) if part in ("ablation", "confirmation") else [],
        "running": [
            {"trial": r.trial, "started": r.started, "what": _what(r)}
            for r in records
            if running and r.status == "running"
        ],
        "failures": [{"trial": r.trial, "status": r.status, "reason": r.reason} for r in failures],
    }  # fmt: skip


def _variants(done: list[Glance]) -> list[dict[str, Any]]:
    """Mean loss of each variant, and its mean difference to the base over the seeds that both have; no verdict."""
    losses: dict[str, dict[int, float]] = {}
    for record in done:
        losses.setdefault(record.variant or "base", {})[record.seed] = record.metrics["loss"]
    base, rows = losses.get("base", {}), []
    for name, by_seed in losses.items():
        pairs = [loss - base[seed] for seed, loss in by_seed.items() if seed in base] if name != "base" else []
        rows.append({
            "variant": name, "seeds": len(by_seed), "loss": fmean(by_seed.values()),
            "pairs": len(pairs), "difference": fmean(pairs) if pairs else None,
        })  # fmt: skip
    return rows


def _told(row: dict[str, Any]) -> str:
    text = f"{row['variant']}: mean loss {row['loss']:.4f} of {row['seeds']} seed{'s' * (row['seeds'] != 1)}"
    if row["difference"] is None:
        return text
    return f"{text}, {row['difference']:+.2g} against the base in {row['pairs']} pair{'s' * (row['pairs'] != 1)}"


def _what(record: Glance) -> str:
    if record.variant is not None:
        return f"{record.variant}, seed {record.seed}"
    return "; ".join(record.edits) or "the base"


def _steps(document: dict[str, Any]) -> int | None:
    steps: int | None = ((document.get("protocol") or {}).get("train") or {}).get("steps")
    return steps


def _planned(document: dict[str, Any], part: str) -> int:
    section = document.get(part) or {}
    if part == "search":
        return int(section.get("trials", 0))
    seeds = (section.get("until") or {}).get("max_seeds") or (document.get("protocol") or {}).get("seeds", 0)
    planned = section.get("planned") or section.get("variants", {})
    return (len(planned) + 1) * (seeds if isinstance(seeds, int) else len(seeds)) if section else 0
