"""Colours: contrasts of the web's rules, and told apart by readers with the common kinds of colour blindness."""

from __future__ import annotations

import itertools
import re

import numpy as np
import numpy.typing as npt
import pytest

from reports.figures.kinds import KINDS
from reports.theme import DARK, LIGHT, SERIES, chart_layout, css_variables, dark_colours

Colour = npt.NDArray[np.float64]


def linear(colour: str) -> Colour:
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


PALETTES = {"light": LIGHT, "dark": DARK}


@pytest.fixture(params=PALETTES)
def palette(request: pytest.FixtureRequest) -> dict[str, str]:
    return PALETTES[request.param]


def test_the_contrast_is_that_of_the_rules() -> None:
    # The ends of the scale, and the grey that guides to the rules name as the first with 4.5 on white.
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
    assert contrast("#777777", "#ffffff") < 4.5


def test_texts_have_the_contrast_that_readers_need(palette: dict[str, str]) -> None:
    for name in ("ink", "muted", "accent", "better", "worse", "neutral", "infeasible", "lost", "changed", "added"):
        for background in ("paper", "panel"):
            assert contrast(palette[name], palette[background]) >= 4.5, (name, background)
    for node in ("node-res", "node-attn", "node-down", "node-up", "node-conv"):
        assert contrast(palette["ink"], palette[node]) >= 4.5, node


def test_marks_and_lines_stand_out_from_the_paper(palette: dict[str, str]) -> None:
    # What is no text needs three to one (WCAG 2.1, 1.4.11).
    for name in ("front", "dominated", "infeasible", "lost", "node-line", "skip", "added", "removed", "changed"):
        assert contrast(palette[name], palette["paper"]) >= 3.0, name


def test_signs_of_what_differs_can_be_read_on_their_badges(palette: dict[str, str]) -> None:
    for name in ("changed", "added", "removed"):
        assert contrast(palette["paper"], palette[name]) >= 4.5, name


def test_lines_of_a_series_stand_out_on_both_grounds() -> None:
    for light, dark, _ in SERIES:
        assert contrast(light, LIGHT["paper"]) >= 3.0, light
        assert contrast(dark, DARK["paper"]) >= 3.0, dark


def test_lines_of_a_series_differ_by_colour_and_neighbours_by_dash_too() -> None:
    assert len({light for light, _, _ in SERIES}) == len({dark for _, dark, _ in SERIES}) == len(SERIES)
    assert all(one[2] != other[2] for one, other in itertools.pairwise(SERIES))


# In the space of Hunt, Pointer and Estevez, in which protanopes lack the first cone, deuteranopes the second; what they
# see lies in the plane of white and blue (Viénot, Brettel and Mollon 1999).
_TO_CONES = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
_SEEN = {
    "protanope": np.array([[0.0, 2.02344, -2.52581], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    "deuteranope": np.array([[1.0, 0.0, 0.0], [0.494207, 0.0, 1.24827], [0.0, 0.0, 1.0]]),
    "everyone": np.eye(3),
}


def seen(colour: str, by: str) -> Colour:
    """The colour as a reader sees it, in CIELAB."""
    rgb = np.linalg.inv(_TO_CONES) @ _SEEN[by] @ _TO_CONES @ linear(colour)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(rgb, 0, 1)
    f = np.cbrt(xyz / [0.9505, 1.0, 1.089])
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("by", _SEEN)
def test_better_and_worse_and_the_kinds_of_trials_differ_for_every_reader(palette: dict[str, str], by: str) -> None:
    pairs = [("better", "worse"), *itertools.combinations(("front", "infeasible"), 2), ("front", "dominated")]
    for one, other in pairs:
        # A difference of 2.3 is the least that is noticed; ten is plain.
        assert np.linalg.norm(seen(palette[one], by) - seen(palette[other], by)) > 10, (one, other)


def test_kinds_are_told_apart_without_colour_too() -> None:
    assert len({kind.symbol for kind in KINDS.values()}) == len({kind.sign for kind in KINDS.values()}) == len(KINDS)
    assert all(kind.colour in LIGHT.values() for kind in KINDS.values())


# ---- light and dark


def test_both_palettes_name_the_same_things_and_dark_can_be_swapped_for_light() -> None:
    assert LIGHT.keys() == DARK.keys()
    used: dict[str, str] = {}
    for name, colour in LIGHT.items():
        assert used.get(colour, DARK[name]) == DARK[name], f"{name}: one light colour with two dark ones"
        used[colour] = DARK[name]


def test_every_colour_of_a_figure_has_a_dark_one() -> None:
    swapped = dark_colours()
    asked = set(re.findall(r"#[0-9a-f]{6}", str(chart_layout()))) | {light for light, _, _ in SERIES}
    assert asked <= set(swapped)
    for light, dark, _ in SERIES:
        assert swapped[light] == dark or light in LIGHT.values()


def test_paper_is_light_even_where_the_screen_is_dark() -> None:
    css = css_variables()
    assert css.count("--paper:#ffffff") == 1
    assert css.count("@media screen and (prefers-color-scheme:dark)") == 1
    assert dark_colours()[LIGHT["ink"]] == DARK["ink"]


def test_axes_of_a_figure_are_its_own() -> None:
    layout = chart_layout(height=123)
    layout["xaxis"]["type"] = "log"
    assert "type" not in layout["yaxis"]
    assert layout["height"] == 123
    assert "type" not in chart_layout()["xaxis"]
