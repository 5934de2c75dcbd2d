"""The short forms in one table: the key that they stand under, their parameters, and how they are written out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from archspec.forms import edm2, song, template
from archspec.forms.template import Said, UNet, part_problems, width_problems
from archspec.graphs.graph import ArchGraph
from archspec.lints import attention_lints, unet_lints
from archspec.text.errors import Problem
from archspec.text.fields import Form


@dataclass(frozen=True)
class Template:
    """A short form.

    Attributes:
        model: its parameters; has what `archspec.forms.short_form.ShortForm` asks for.
        expand: parameters, name of the network and the places of the parameters -> graph.
        problems: rules that parameters break together; the graph is not to be checked then.
        lints: doubts about the parameters.
    """

    model: type[Form]
    expand: Callable[[Any, str, Said], ArchGraph]
    problems: Callable[[Any, Said], Iterator[Problem]]
    lints: Callable[[Any, Said], Iterator[Problem]]


def _unet_problems(unet: UNet, said: Said) -> Iterator[Problem]:
    yield from width_problems(unet, said)
    yield from part_problems(unet, said)


#: key in an architecture file (and in an edit) -> what it means
SHORT_FORMS: dict[str, Template] = {
    "unet": Template(UNet, template.expand, _unet_problems, unet_lints),
    "edm2": Template(edm2.Edm2, edm2.expand, width_problems, attention_lints),
    "song": Template(song.Song, song.expand, song.song_problems, attention_lints),
}
