"""A page in a real browser that remembers everything it should not do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Request

#: The browser's own: the driver's waits until nothing moves, which takes long on a busy machine while plots are drawn.
SCROLL = "e => e.scrollIntoView({block: 'center'})"


class Watched:
    """A page that remembers everything it should not do."""

    def __init__(self, browser: Browser, path: Path, width: int = 1440, scheme: str = "light") -> None:
        # The browser takes "light" and "dark" as literals.
        options: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
        self.page: Page = browser.new_page(**options)
        self.complaints: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", self._request)
        self.page.goto(path.as_uri())

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            self.complaints.append(f"request: {request.url}")

    def scroll_through(self) -> None:
        """Bring every plot into view, so that all are drawn."""
        for plot in self.page.query_selector_all("[data-chart]"):
            plot.evaluate(SCROLL)
            self.page.wait_for_function("e => e.querySelector('.main-svg') !== null", arg=plot)

    def draw(self, *keys: str) -> None:
        """Bring some plots into view, so that these are drawn."""
        for key in keys:
            self.page.locator(f"#plot-{key}").evaluate(SCROLL)
            self.page.wait_for_selector(f"#plot-{key} .main-svg", state="attached")

    def overflow(self) -> int:
        found: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return found
