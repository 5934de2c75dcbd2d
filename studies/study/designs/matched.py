"""Matched controls: a variant that loses (or gains) size gets a partner brought back to the base's size.

The partner has the variant's edits and another width or depth, so that "the part" and "the size" are told apart: the
variant differs from the base in both, its partner (as nearly as whole blocks and groups allow) in the part alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, product
from math import sqrt
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from archspec import total_price
from archspec.build import check_spec
from archspec.edits.edit import Edit
from archspec.text.suggest import did_you_mean
from studies.sections.protocol import Section
from studies.study.designs.forms import Fault, Label, Origin, Proposal, Proposed
from studies.study.designs.levels import in_order

Size = Literal["parameters", "macs"]

#: Architectures that are priced at most in the search for one partner.
MOST_TRIES = 40


class Matched(Section):
    """Partners of the base's size."""

    by: Size = Field("parameters", description="what is made equal to the base's: parameters or macs")
    adjust: Literal["width", "depth"] = Field("width", description="by the levels' channels, or by residual blocks")
    of: tuple[Label, ...] | None = Field(None, description="names of the variants; null: all that lose a part")
    tolerance: Annotated[float, Field(gt=0, le=1)] = Field(
        0.05, description="share by which a partner may miss the base's size, and from which a variant needs one"
    )


def _matched(value: Any) -> Any:
    return {"by": value} if isinstance(value, str) else value


AnyMatched = Annotated[Matched, BeforeValidator(_matched, json_schema_input_type=Size | Matched)]


@dataclass(frozen=True)
class _Goal:
    """What a partner is to cost, and how it is priced."""

    origin: Origin
    edits: tuple[Edit, ...]
    by: Size

    @property
    def size(self) -> int:
        return _size(self.origin.graph, self.by)

    def miss(self, changes: dict[str, Any]) -> float | None:
        """Relative distance from the base's size with these parameters of the short form; None if it is unsound."""
        graph = check_spec(self.origin.spec.with_edits(self.partner(changes))).graph
        return None if graph is None else _size(graph, self.by) / self.size - 1

    def partner(self, changes: dict[str, Any]) -> tuple[Edit, ...]:
        """The variant's edits and these parameters."""
        return in_order([*self.edits, Edit.model_validate({_key(self.origin): changes})])


def partner_name(variant: str, by: Size) -> str:
    """What the partner of a variant is called."""
    return f"{variant}, same {'MACs' if by == 'macs' else by}"


def matched(section: Matched, origin: Origin, proposals: Sequence[Proposal]) -> Proposed:
    """A partner for each of the variants that needs one."""
    names = [one.name for one in proposals]
    for index, name in enumerate(section.of or ()):
        if name not in names:
            hint = did_you_mean(name, names) or f"The variants: {', '.join(names)}."
            yield Fault(("matched", "of", index), f"the study has no variant `{name}`.", hint)
    if origin.short_form is None:
        message = "the base is a graph, and has no width or depth to adjust."
        yield Fault(("matched",), message, "Write the partners as variants, by `resize`.")
        return
    for one in proposals:
        if one.name in section.of if section.of is not None else _loses_a_part(origin, one, section):
            yield from _partner(section, origin, one)


def _partner(section: Matched, origin: Origin, variant: Proposal) -> Proposed:
    goal = _Goal(origin, variant.edits, section.by)
    graph = check_spec(origin.spec.with_edits(variant.edits)).graph
    if graph is None or abs(_size(graph, section.by) / goal.size - 1) <= section.tolerance:
        return
    ratio = goal.size / _size(graph, section.by)
    changes = _WAYS[section.adjust](goal, _form_of(origin, variant), ratio)
    known = {tuple(sorted((k, str(v)) for k, v in one.items())): one for one in islice(changes, MOST_TRIES)}
    tried = [(abs(miss), miss, one) for one in known.values() if (miss := goal.miss(one)) is not None]
    best = min(tried, key=lambda one: one[0], default=None)
    if best is None or best[0] > section.tolerance:
        closest = f" the closest misses it by {best[1]:+.1%} ({_words(best[2])})." if best else ""
        message = f"no {section.adjust} gives `{variant.name}` the base's {section.by} within {section.tolerance:.0%}:"
        other = "depth" if section.adjust == "width" else "width"
        hint = f"State a larger tolerance, adjust the {other}, or name in `of` the variants that get a partner."
        message = message.rstrip(":") + (f":{closest}" if closest else ".")
        yield Fault(("matched",), message, hint, doubt=section.of is None)
        return
    name = partner_name(variant.name, section.by)
    yield Proposal(name, goal.partner(best[2]), ("matched",), "matched", variant.reference)


def _loses_a_part(origin: Origin, variant: Proposal, section: Matched) -> bool:
    """Whether a variant is smaller than the base by something else than width and depth, which a partner undoes."""
    if variant.design not in ("variants", "leave_one_out", "one_factor"):
        return False
    if any((edit.changes or {}).keys() & {"ch", "ch_mult", "num_res_blocks"} for edit in variant.edits):
        return False
    graph = check_spec(origin.spec.with_edits(variant.edits)).graph
    return graph is not None and _size(graph, section.by) < _size(origin.graph, section.by)


def _words(changes: dict[str, Any]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in changes.items())


def _form_of(origin: Origin, variant: Proposal) -> Any:
    """The short form with what the variant says of it."""
    assert origin.short_form is not None
    key, form = origin.short_form
    data = form.model_dump(exclude_unset=True)
    for edit in variant.edits:
        data |= (edit.changes or {}) if edit.kind == key else {}
    return type(form).model_validate(data)


def _key(origin: Origin) -> str:
    assert origin.short_form is not None
    return origin.short_form[0]


def _size(graph: Any, by: Size) -> int:
    price = total_price(graph)
    return price.parameters if by == "parameters" else price.macs


def _widths(goal: _Goal, form: Any, ratio: float) -> Iterator[dict[str, Any]]:
    """Widths around the root of the size ratio, in whole groups: of all levels together, then level by level."""
    del goal
    groups = getattr(form, "num_groups", None)
    step = groups if isinstance(groups, int) else 4
    scale = sqrt(ratio)
    for offset in (0, 1, -1, 2, -2):
        ch = (round(form.ch * scale / step) + offset) * step
        if ch > 0 and ch != form.ch:
            yield {"ch": ch}
    choices = []
    for width in form.exact_widths():
        near = int(width * Fraction(scale) / step)
        choices.append(sorted({max(1, near + more) * step for more in (0, 1)} | {int(width)}))
    for widths in product(*choices):
        mults = [width / form.ch for width in widths]
        whole = all(form.ch * Fraction(repr(mult)) == width for mult, width in zip(mults, widths, strict=True))
        if whole and mults != list(form.ch_mult):
            yield {"ch_mult": [int(mult) if mult == int(mult) else mult for mult in mults]}


def _depths(goal: _Goal, form: Any, ratio: float) -> Iterator[dict[str, Any]]:
    """Blocks per level, one more (or fewer) at a time, where it brings the size closest."""
    given = form.num_res_blocks
    blocks = list(given) if isinstance(given, tuple | list) else [given] * len(form.ch_mult)
    step = 1 if ratio > 1 else -1
    closest: float | None = None
    while True:
        options = [[n + step * (k == level) for k, n in enumerate(blocks)] for level in range(len(blocks))]
        missed = [
            (abs(miss), option)
            for option in options
            if min(option) >= 1 and (miss := goal.miss({"num_res_blocks": option})) is not None
        ]
        best = min(missed, default=None)
        if best is None or (closest is not None and best[0] >= closest):
            return
        closest, blocks = best
        yield {"num_res_blocks": blocks}


_WAYS = {"width": _widths, "depth": _depths}
