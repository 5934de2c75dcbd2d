"""Where the parameters of a short form were said, and the rules that they break together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from archspec.forms.short_form import MAX_WIDTH, ShortForm
from archspec.forms.unet import UNet
from archspec.forms.unet_parts import at_level
from archspec.text.errors import Problem
from archspec.text.positions import NOWHERE, Place

Places = Mapping[str, Place]


@dataclass(frozen=True)
class Said:
    """Where the parameters of a short form were said: in its own text, or in an edit of it."""

    base: Place = NOWHERE
    edited: Mapping[str, Place] = field(default_factory=dict)

    def at(self, parameter: str, *more: str | int) -> Place:
        """Where a parameter was said last."""
        return self.edited.get(parameter, self.base.at(parameter)).at(*more)

    def width(self, unet: ShortForm, level: int, *others: str) -> Place:
        """Where the width of a level was said.

        That is its multiplier, or `ch` where the multiplier cannot be at fault, or where `ch` alone was edited; but
        another parameter that was edited while the width was not.
        """
        edited = {"ch", "ch_mult"} & self.edited.keys()
        if not edited:
            for other in others:
                if other in self.edited:
                    return self.edited[other]
        by_ch = unet.ch_mult[level] == 1 or "ch_mult" not in unet.model_fields_set or edited == {"ch"}
        return self.at("ch") if by_ch else self.at("ch_mult", level)


def width_problems(unet: ShortForm, said: Said) -> Iterator[Problem]:
    """Rule U207: the width of each level is a whole number, and not absurd."""
    for level, width in enumerate(unet.exact_widths()):
        if width.denominator != 1:
            near = max(round(width), 1)
            message = f"level {level} would have {float(width):g} channels."
            hint = f"ch ({unet.ch}) times the multiplier must be a whole number; {near / unet.ch:g} gives {near}."
            yield said.width(unet, level).problem("U207", message, hint)
        elif width > MAX_WIDTH:
            message = f"level {level} would have {int(width):,} channels."
            yield said.width(unet, level).problem("U207", message, f"At most {MAX_WIDTH:,} are possible.")


def part_problems(unet: UNet, said: Said) -> Iterator[Problem]:
    """Rule U012 for parameters that must suit each other: lists with one number a level, tokens to attend to."""
    levels = len(unet.ch_mult)
    lists = {("num_res_blocks",): unet.num_res_blocks, ("transformer", "depth"): unet.transformer.depth}
    for path, given in lists.items():
        if isinstance(given, tuple) and len(given) != levels:
            message = f"`unet.{'.'.join(path)}` must have one number for each level, {levels}, not {len(given)}."
            yield said.at(*path).problem("U012", message, "Or one number for all levels.")
    yield from _depth_problems(unet, said)
    if unet.transformer.cross_attention and unet.tokens is None:
        message = "`unet.transformer.cross_attention` must have tokens to attend to."
        yield said.at("transformer", "cross_attention").problem("U012", message, "Say tokens: {dim: …}.")


def _depth_problems(unet: UNet, said: Said) -> Iterator[Problem]:
    """A level's list of depths has one for each of its blocks on the way up, where there is one more than down."""
    depths = unet.transformer.depth
    for level, given in enumerate(depths[: len(unet.ch_mult)] if isinstance(depths, tuple) else ()):
        blocks = at_level(unet.num_res_blocks, level) + 1
        if isinstance(given, tuple) and len(given) != blocks:
            message = (
                f"`unet.transformer.depth.{level}` must have one number for each block, {blocks}, not {len(given)}."
            )
            hint = "Count the blocks of the way up; the way down takes all but the last. Or one number for all of them."
            yield said.at("transformer", "depth").at(level).problem("U012", message, hint)
