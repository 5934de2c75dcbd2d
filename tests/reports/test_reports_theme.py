import pytest

from reports.theme import DARK, LIGHT, css_variables, dark_colours


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(a: str, b: str) -> float:
    high, low = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_texts_have_the_contrast_that_readers_need(palette: dict[str, str]) -> None:
    for name in ("ink", "muted", "accent", "better", "worse", "neutral", "infeasible", "lost", "changed", "added"):
        for background in ("paper", "panel"):
            assert _contrast(palette[name], palette[background]) >= 4.5, (name, background)
    for node in ("node-res", "node-attn", "node-down", "node-up", "node-conv"):
        assert _contrast(palette["ink"], palette[node]) >= 4.5, node


def test_both_palettes_name_the_same_things_and_dark_can_be_swapped_for_light() -> None:
    assert LIGHT.keys() == DARK.keys()
    used: dict[str, str] = {}
    for name, colour in LIGHT.items():
        assert used.get(colour, DARK[name]) == DARK[name], f"{name}: one light colour with two dark ones"
        used[colour] = DARK[name]


def test_paper_is_light_even_where_the_screen_is_dark() -> None:
    css = css_variables()
    assert css.count("--paper:#ffffff") == 1
    assert css.count("@media screen and (prefers-color-scheme:dark)") == 1
    assert dark_colours()[LIGHT["ink"]] == DARK["ink"]
