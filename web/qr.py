"""QR codes as pictures in the page: they need no request of their own, and print sharply."""

from __future__ import annotations

import segno
from markupsafe import Markup


def picture(address: str, words: str) -> Markup:
    """An SVG that a phone's camera reads as `address`; `words` is what it is called.

    Medium error correction: a coffee ring on a printed card does no harm.
    """
    svg: str = segno.make(address, error="m", micro=False).svg_inline(
        omitsize=True, border=4, svgclass="qr", lineclass=None, title=words
    )
    # segno escapes the title; everything else in it are numbers.
    return Markup(svg.replace("<svg", '<svg role="img"', 1))  # noqa: S704
