"""Colours and type of the pages: one table for CSS, SVG and plotly, in a light and a dark form.

The signal colours are those of Okabe and Ito (2008), which readers with any common colour blindness tell apart,
darkened or lightened until text in them has a contrast of 4.5 (WCAG 2, AA). Nothing is told by colour alone.
"""

from __future__ import annotations

from typing import Any

LIGHT: dict[str, str] = {
    "paper": "#ffffff",
    "panel": "#f5f6f8",
    "ink": "#16191d",
    "muted": "#59626d",
    "line": "#d9dde3",
    "grid": "#e8ebef",
    "accent": "#005f94",
    "better": "#00629b",
    "worse": "#b84a00",
    "neutral": "#667080",
    "good-tint": "#e3f0f8",
    "front": "#0072b2",
    "dominated": "#7d8793",
    "infeasible": "#a85600",
    "lost": "#a8336f",
    "node-res": "#d6e7f5",
    "node-attn": "#fbe2a2",
    "node-down": "#e4daf0",
    "node-up": "#d2ecd9",
    "node-conv": "#e6e9ed",
    "node-line": "#8593a1",
    "skip": "#3a86b8",
    "added": "#00755a",
    "removed": "#a8336f",
    "changed": "#b84a00",
}

DARK: dict[str, str] = {
    "paper": "#14171b",
    "panel": "#1c2026",
    "ink": "#e9ebee",
    "muted": "#a2abb6",
    "line": "#363d46",
    "grid": "#2a3038",
    "accent": "#6cbcec",
    "better": "#61b8ea",
    "worse": "#f0955a",
    "neutral": "#98a2ad",
    "good-tint": "#16303f",
    "front": "#56b4e9",
    "dominated": "#8a949f",
    "infeasible": "#e69f00",
    "lost": "#e08ab8",
    "node-res": "#23435c",
    "node-attn": "#5a4713",
    "node-down": "#43355a",
    "node-up": "#1f4a35",
    "node-conv": "#333a43",
    "node-line": "#78838f",
    "skip": "#5aa5d6",
    "added": "#3fc79b",
    "removed": "#e08ab8",
    "changed": "#f0955a",
}

SERIES: tuple[tuple[str, str, str], ...] = (
    ("#0072b2", "#56b4e9", "solid"),
    ("#d55e00", "#f0955a", "dash"),
    ("#009e73", "#3fc79b", "dot"),
    ("#a8336f", "#e08ab8", "dashdot"),
    ("#a67c00", "#e6c34a", "longdash"),
    ("#5b6470", "#b4bcc6", "solid"),
    ("#4b3fa0", "#a99cf0", "dash"),
    ("#7a4a1e", "#d2a679", "dot"),
)
"""Colour in light, colour in dark, dash: for lines that stand for several things of one kind."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif"

CONFIG: dict[str, Any] = {
    "displaylogo": False,
    "showSendToCloud": False,
    "showEditInChartStudio": False,
    "plotlyServerURL": "",
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
}
"""How every figure behaves: nothing is ever offered for upload."""


def css_variables() -> str:
    """Return the custom properties of both forms as CSS; paper is always light."""
    light, dark = (";".join(f"--{k}:{v}" for k, v in colours.items()) for colours in (LIGHT, DARK))
    return (
        f":root{{color-scheme:light dark;{light};--font:{FONT}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
        "@media print{:root{color-scheme:light}}"
    )


def dark_colours() -> dict[str, str]:
    """Return light colour -> dark colour, for figures that are made in light and shown in dark."""
    swapped = {LIGHT[name]: DARK[name] for name in LIGHT}
    return swapped | {light: dark for light, dark, _ in SERIES}


def chart_layout(**changes: Any) -> dict[str, Any]:
    """Return the layout that every plotly figure starts from."""
    axis = {
        "gridcolor": LIGHT["grid"],
        "linecolor": LIGHT["line"],
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": LIGHT["line"],
        "automargin": True,
        "title": {"standoff": 10, "font": {"size": 12.5}},
    }
    return {
        "font": {"family": FONT, "size": 12.5, "color": LIGHT["ink"]},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 64, "r": 16, "t": 16, "b": 48},
        "hoverlabel": {
            "align": "left",
            "bgcolor": LIGHT["paper"],
            "bordercolor": LIGHT["line"],
            "font": {"color": LIGHT["ink"], "family": FONT, "size": 12.5},
        },
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": LIGHT["muted"], "activecolor": LIGHT["accent"]},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}},
        "xaxis": dict(axis),
        "yaxis": dict(axis),
        **changes,
    }
