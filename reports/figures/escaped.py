"""Texts of users as plotly may show them."""

from __future__ import annotations

import re


def escaped(text: str) -> str:
    """Write what plotly would take for markup or for a place in a template as numbered entities.

    It shows named ones such as that of a quotation mark as they are spelled.
    """
    return re.sub(r'[&<>"{}]', lambda sign: f"&#{ord(sign[0])};", text)
