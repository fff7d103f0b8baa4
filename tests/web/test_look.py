"""The look: colours are readable in both schemes, targets are large, nothing scrolls sideways."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from tests.web.conftest import served
from timebank.config import Settings

CSS = (Path(__file__).parent.parent.parent / "web" / "static" / "timebank.css").read_text()
PATHS = ("/", "/sign-in", "/sign-in/link", "/password/forgotten", "/nowhere", "/mail")

TEXT = [  # what is read on what
    *(
        (ink, ground)
        for ink in ("ink", "soft", "leaf", "leaf-deep")
        for ground in ("paper", "card")
    ),
    *(("ink", ground) for ground in ("leaf-soft", "tea-soft", "plum-soft")),
    ("leaf", "leaf-soft"),
    ("leaf-deep", "leaf-soft"),
    ("tea", "tea-soft"),
    ("plum", "plum-soft"),
    ("plum", "paper"),
    ("plum", "card"),
    ("on-leaf", "leaf"),
    ("on-leaf", "leaf-deep"),
]
SHAPES = [("edge", "paper"), ("edge", "card"), ("leaf", "paper"), ("leaf", "card")]


def schemes() -> dict[str, dict[str, str]]:
    light, dark = CSS.partition("@media (prefers-color-scheme: dark)")[::2]
    found = re.compile(r"--([a-z-]+): (#[0-9a-f]{6});")
    return {
        "light": dict(found.findall(light)),
        "dark": dict(found.findall(dark.partition(":root:not([data-theme])")[0])),
    }


def brightness(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((brightness(one), brightness(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT)
def test_text_stands_out_from_its_ground(scheme: str, ink: str, ground: str) -> None:
    colours = schemes()[scheme]
    assert contrast(colours[ink], colours[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("line", "ground"), SHAPES)
def test_edges_of_what_one_presses_stand_out(scheme: str, line: str, ground: str) -> None:
    colours = schemes()[scheme]
    assert contrast(colours[line], colours[ground]) >= 3


def test_both_schemes_name_the_same_colours() -> None:
    light, dark = schemes()["light"], schemes()["dark"]
    assert set(light) == set(dark) != set()


SMALL = """() => [...document.querySelectorAll("a[href], button, input, select, summary, textarea")]
    .filter(e => e.checkVisibility() && !e.matches(".skip, .visually-hidden"))
    .filter(e => !(e.matches("a") && getComputedStyle(e).display === "inline"))
    .map(e => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
    .filter(([_, box]) => box.height < 44)
    .map(([html, box]) => `${html} is ${box.height} high`)"""


async def show(browser: Browser, address: str, width: int) -> Page:
    page = await browser.new_page(viewport={"width": width, "height": 800})
    await page.goto(address)
    return page


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("path", PATHS)
async def test_pages_fit_a_small_phone_and_fingers(
    browser: Browser, sqlite_settings: Settings, path: str
) -> None:
    async with served(sqlite_settings) as address:
        for width in (320, 640):  # 640 at double size is a desk's screen zoomed in
            page = await show(browser, address + path, width)
            if width == 640:
                await page.evaluate("document.documentElement.style.fontSize = '225%'")
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{path} is {wide} wide on {width}"
            small = await page.evaluate(SMALL)
            assert small == []
            size = await page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)")
            assert size >= 18
            await page.close()
