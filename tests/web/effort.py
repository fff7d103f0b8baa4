"""How much work a task is in a real browser: keys pressed, clicks and pages loaded, counted.

A journey does everything through this, so that nothing it does goes uncounted.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.async_api import Locator, Page


@dataclass
class Effort:
    """What one person does on one page, and how often."""

    page: Page
    keys: int = 0
    clicks: int = 0
    loads: int = 0
    _begun: bool = field(default=False, repr=False)

    def begin(self) -> None:
        """Count from here on; pages loaded before do not count."""
        if not self._begun:
            self.page.on("load", lambda _page: self._loaded())
            self._begun = True
        self.keys = self.clicks = self.loads = 0

    def _loaded(self) -> None:
        self.loads += 1

    async def click(self, what: Locator) -> None:
        """A click, or a tap."""
        self.clicks += 1
        await what.click()

    async def write(self, words: str) -> None:
        """Type into whatever has the focus, key by key."""
        self.keys += len(words)
        await self.page.keyboard.type(words)

    async def press(self, *keys: str) -> None:
        """Press these keys one after the other: `Tab`, `Enter`, `Control+Enter`."""
        for key in keys:
            self.keys += 1
            await self.page.keyboard.press(key)
