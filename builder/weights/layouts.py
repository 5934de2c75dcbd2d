"""The layouts that weights come in, and which one a file has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import Tensor

from archspec import ArchGraph, Problem, UserError, user_error
from archspec.text.errors import merged
from archspec.text.suggest import did_you_mean
from builder.weights import diffusers, openai
from builder.weights.piece import Piece, State, expected, misfits, own_shapes, packed, plain, unpacked

#: Before the U-Net's names in files of LDM and Stable Diffusion.
LDM_PREFIX = "model.diffusion_model."


@dataclass(frozen=True)
class Layout:
    """A way to name and to store weights.

    Attributes:
        name: what it is called here.
        about: whose it is.
        pieces: how an architecture's weights stand in it; `UserError` where it has no place for them.
        prefix: before every key in a file.
    """

    name: str
    about: str
    pieces: Callable[[ArchGraph], list[Piece]]
    prefix: str = ""

    def pack(self, architecture: ArchGraph, state: State) -> dict[str, Tensor]:
        """Our weights in this layout."""
        found = packed(self.pieces(architecture), own_shapes(architecture), state)
        return {self.prefix + key: value for key, value in found.items()}


def _own(architecture: ArchGraph) -> list[Piece]:
    return [plain(key, key, shape) for key, shape in own_shapes(architecture).items()]


def _layouts(*layouts: Layout) -> dict[str, Layout]:
    return {layout.name: layout for layout in layouts}


LAYOUTS: dict[str, Layout] = _layouts(
    Layout("compvis", "our own names, which for the reference U-Net are those of CompVis' `Model`", _own),
    Layout("ldm", "LDM and Stable Diffusion, in one file with the rest of the model",
           lambda graph: openai.pieces(graph, per_head=True), LDM_PREFIX),
    Layout("adm", "iDDPM and ADM; qkv rows head by head", lambda graph: openai.pieces(graph, per_head=True)),
    Layout("adm-new-order", "ADM with use_new_attention_order; qkv rows as q | k | v",
           lambda graph: openai.pieces(graph, per_head=False)),
    Layout("diffusers", "UNet2DModel and UNet2DConditionModel; a vector as in SDXL", diffusers.pieces),
    Layout("diffusers-projection", "the same; a vector enters as it is (class_embed_type: projection)",
           lambda graph: diffusers.pieces(graph, "projection")),
)  # fmt: skip


def layout(name: str) -> Layout:
    """A layout by its name; `UserError` if there is none of that name."""
    if name not in LAYOUTS:
        hint = did_you_mean(name, LAYOUTS) or f"Layouts: {', '.join(LAYOUTS)}."
        raise user_error(f"there is no layout `{name}`.", hint)
    return LAYOUTS[name]


def detect(architecture: ArchGraph, state: State, *, wrapped: bool, file: str | None = None) -> Layout:
    """The layout of weights for an architecture.

    Args:
        architecture: what they are for.
        state: the weights, without a prefix.
        wrapped: whether there was LDM's prefix.
        file: its name for messages.

    Raises:
        UserError: no layout fits, with what is missing, has no place or another shape in the nearest one; or it cannot
            be told from the file in which order the rows of qkv are.
    """
    sayable = dict(_sayable(architecture))
    fitting = [name for name, pieces in sayable.items() if not any(misfits(expected(pieces), state))]
    if not fitting:
        raise _nearest(sayable, state, file)
    if wrapped and "ldm" in fitting:
        return LAYOUTS["ldm"]
    fitting = [name for name in fitting if name != "ldm"]
    if "adm" in fitting and "adm-new-order" in fitting and openai.has_qkv_of_many_heads(architecture):
        message = "a file does not say in which order ADM's qkv rows are: head by head, or q | k | v."
        hint = "Say `adm`, or `adm-new-order` for a model that was made with use_new_attention_order."
        raise user_error(message, hint, file=file)
    return LAYOUTS[fitting[0]]


def _sayable(architecture: ArchGraph) -> Iterable[tuple[str, list[Piece]]]:
    for name, one in LAYOUTS.items():
        try:
            yield name, one.pieces(architecture)
        except UserError:
            continue


def _nearest(sayable: dict[str, list[Piece]], state: State, file: str | None) -> UserError:
    common = {name: len(expected(pieces).keys() & state.keys()) for name, pieces in sayable.items()}
    best = max(common, key=lambda name: common[name])
    if not common[best]:
        hint = f"Its first names: {', '.join(list(state)[:3])}."
        return user_error("these are weights of another architecture: no name of any layout fits.", hint, file=file)
    message = f"these weights do not fit; they come nearest to the layout `{best}`:"
    first = Problem(code="U090", message=message, file=file)
    return UserError([first, *merged(misfits(expected(sayable[best]), state))])


def from_layout(architecture: ArchGraph, state: State, one: Layout, *, file: str | None = None) -> dict[str, Tensor]:
    """Weights in a layout, without its prefix, as ours; `UserError` with all that does not fit it."""
    pieces = one.pieces(architecture)
    wrong = list(misfits(expected(pieces), state))
    if wrong:
        message = f"these weights do not fit the layout `{one.name}`:"
        raise UserError([Problem(code="U090", message=message, file=file), *merged(wrong)])
    return unpacked(pieces, own_shapes(architecture), state)
