"""The architectures: base and best side by side, and any other two of the study on request.

Pairs with the base are drawn together, so that rows line up; of any other pair the page's script draws the two from the
catalogue and marks what differs. An architecture stands there once, however many trials trained it.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from archspec import Price, total_price
from archspec.text.wording import first_few
from reports.analysis.ablation import BASE
from reports.analysis.answer import best_trial, best_variant
from reports.analysis.samples import JUDGED_BY
from reports.analysis.trials import USABLE, as_records, part
from reports.figures.unet_catalogue import Catalogue
from reports.figures.unet_svg import LEGEND, unet_pair, unet_svg
from reports.figures.unet_units import Network, kept_network
from reports.metrics import metrics_of, metrics_up_to, percent_text
from reports.pages.charts import Charts, safe_json
from reports.pages.search_data import packed

if TYPE_CHECKING:
    from studies.frame import StudyResults

MAX_PAIRS = 24
"""Architectures that are drawn together with the base; each takes about 4 kB of the file and 60 ms."""
MAX_LISTED = 300
"""Architectures in the lists; others are chosen by the number of a trial, or from its row in the table."""

_COUNTED: dict[str, str] = {
    "changed": "changed", "follows": "with other channels only", "added": "added", "removed": "removed",
}  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """One architecture of the study and what it is called."""

    fingerprint: str
    label: str


def context(results: StudyResults, charts: Charts) -> dict[str, Any] | None:
    """Draw base and best; None if the base's architecture is not on record."""
    del charts
    base = kept_network(results.architectures, results.base)
    if base is None:
        return None
    choices = [c for c in _choices(results) if c.fingerprint in results.architectures and c.fingerprint != results.base]
    catalogue = Catalogue()
    entries = _entries(results, catalogue, [Choice(results.base, "base"), *choices])
    shown = [c for c in choices if c.fingerprint in entries]
    # Only what is drawn here is read in full: a large study has thousands.
    read = ((c, kept_network(results.architectures, c.fingerprint)) for c in shown)
    pairs = ((c, network) for c, network in read if network is not None)
    drawn = {c.fingerprint: _pair(base, network, c.label) for c, network in islice(pairs, MAX_PAIRS)}
    first = shown[0] if shown else None
    return {
        "base": results.base,
        "choices": shown[:MAX_LISTED],
        "drawable": len(shown),
        "all": len(choices),
        "trials": len(_trials(results, entries)) if len(shown) > MAX_LISTED else 0,
        "first": first,
        "pair": drawn[first.fingerprint] if first else _alone(base),
        "pictures": safe_json({key: _packed(pair) for key, pair in drawn.items()}),
        "alone": packed(
            {
                "blocks": catalogue.blocks,
                "forms": catalogue.forms,
                "entries": entries,
                "trials": _trials(results, entries),
            }
        ),
        "legend": LEGEND,
    }


def _entries(results: StudyResults, catalogue: Catalogue, choices: Sequence[Choice]) -> dict[str, list[Any]]:
    """Fingerprint -> [label, caption, form, blocks] of every architecture that can be drawn, the base first."""
    found: dict[str, list[Any]] = {}
    base: Price | None = None
    for choice in choices:
        entry = catalogue.add(results.architectures[choice.fingerprint])
        if entry is not None:
            found[choice.fingerprint] = [choice.label, _price(entry.price, base), entry.form, entry.blocks]
        if choice.fingerprint == results.base and entry is not None:
            base = entry.price
    return found


def _trials(results: StudyResults, entries: Mapping[str, object]) -> list[list[int]]:
    """[trial, place of its architecture among the entries] of every trial of the search that can be drawn."""
    place = {fingerprint: at for at, fingerprint in enumerate(entries)}
    rows = part(results.trials, "search")
    return [
        [int(trial), place[fingerprint]]
        for trial, fingerprint in zip(rows["trial"], rows["fingerprint"], strict=True)
        if fingerprint in place
    ]


def _choices(results: StudyResults) -> list[Choice]:
    """Best first, then the variants of the ablation, then the search from small loss to large."""
    ablation = part(results.trials, "ablation")
    variants = {
        str(f): f"variant {v}"
        for f, v in zip(ablation["fingerprint"], ablation["variant"], strict=True)
        if isinstance(f, str) and v != BASE
    }
    trials = _search_labels(results)
    best = best_trial(results)
    # The best variant where there is no search to choose from.
    first = [str(best["fingerprint"])] if best is not None else list(best_variant(results) or ())[:1]
    names = dict.fromkeys([*first, *variants, *trials])
    labels = {f: "; ".join(x for x in (variants.get(f), trials.get(f)) if x) for f in names}
    if best is not None:
        labels[str(best["fingerprint"])] = f"best: {labels[str(best['fingerprint'])]}"
    return [Choice(f, label) for f, label in labels.items() if label]


def _search_labels(results: StudyResults) -> dict[str, str]:
    metric = metrics_of(results.trials)[JUDGED_BY]
    rows = part(results.trials, "search").sort_values([JUDGED_BY, "trial"])
    found: dict[str, str] = {}
    again: dict[str, list[str]] = {}
    for row in as_records(rows):
        mark = row["fingerprint"]
        if not isinstance(mark, str):
            continue
        if mark in found:
            again.setdefault(mark, []).append(str(row["trial"]))
            continue
        value = metric.text(row[JUDGED_BY]) if row["status"] in USABLE else str(row["status"])
        found[mark] = f"trial {row['trial']} ({value})"
    return {mark: f"{label}{_also(again.get(mark, []))}" for mark, label in found.items()}


def _also(trials: Sequence[str]) -> str:
    """The other trials of an architecture, which replayed its result."""
    return f", also {first_few(trials, 6)}" if trials else ""


def _pair(base: Network, other: Network, label: str) -> dict[str, str]:
    left, right, found = unet_pair(base, other, ("The base architecture", f"Architecture: {label}"))
    counts = {} if found is None else found.counts
    words = [f"{number} {_COUNTED[mark]}" for mark, number in counts.items() if number]
    difference = f"Nodes: {', '.join(words)}." if words else "No node differs."
    if found is None:
        difference = "The two name their nodes too differently to be compared one by one."
    return {
        "left": str(left),
        "right": str(right),
        "left_caption": _price(total_price(base.graph)),
        "right_title": label,
        "right_caption": _price(total_price(other.graph), total_price(base.graph)),
        "difference": difference,
    }


def _alone(base: Network) -> dict[str, str]:
    return {"left": str(unet_svg(base, "The base architecture")), "left_caption": _price(total_price(base.graph))}


def _price(price: Price, base: Price | None = None) -> str:
    metrics = metrics_up_to(price.macs)
    texts = []
    for name, value, reference in (
        ("parameters", price.parameters, base.parameters if base is not None else 0),
        ("macs", price.macs, base.macs if base is not None else 0),
    ):
        change = f" ({percent_text((value / reference - 1) * 100)})" if reference and value != reference else ""
        texts.append(f"{metrics[name].text(value)} {metrics[name].label}{change}")
    return ", ".join(texts)


def _packed(pictures: object) -> str:
    """Compress pictures; the browser unpacks them by itself."""
    return base64.b64encode(zlib.compress(json.dumps(pictures).encode(), 9)).decode("ascii")
