"""How many examples Hypothesis draws: a quarter of what a test names, and all in the profile `thorough`."""

from __future__ import annotations

from typing import Any

from hypothesis import settings


def up_to(number: int, **more: Any) -> settings:
    """The settings of a test for which `number` examples are enough, however long they take."""
    return settings(max_examples=max(10, number * settings.default.max_examples // 100), deadline=None, **more)
