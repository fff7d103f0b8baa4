"""A page and its letters. Lengths are in millimetres, letters in points.

Text is set in Atkinson Hyperlegible Next; letters it has not come from DejaVu Sans, and what
neither has is shown as a box. All figures are equally wide, so that columns of them line up.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

_FONTS = Path(__file__).parent / "fonts"
_TEXT, _OTHER = "atkinson", "dejavu"
_FACES = {
    "": "AtkinsonHyperlegibleNext_400Regular.ttf",
    "B": "AtkinsonHyperlegibleNext_700Bold.ttf",
}
_OTHER_FACE = "DejaVuSans.ttf"
_BOX = "\N{WHITE SQUARE}"
_POINT = 25.4 / 72  # millimetres
_LEADING = 1.28  # a line's height, in heights of its letters

MARGIN = 16.0


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, its width, and whether it is set to the right."""

    heading: str
    width: float
    right: bool = False


class Paper:
    """A document of A4 pages, written from top to bottom.

    `size` is that of ordinary text. `overleaf` is called on each page that begins because the one
    before was full.
    """

    def __init__(
        self, title: str, language: str, *, size: float, at: datetime, landscape: bool = False
    ) -> None:
        self._pdf = _blank("landscape" if landscape else "portrait")
        self._pdf.set_title(title)
        self._pdf.set_lang(language)
        self._pdf.set_creation_date(at)
        self._pdf.set_margins(MARGIN, MARGIN)
        self._pdf.set_auto_page_break(False)
        self._pdf.c_margin = 0
        for style, file in _FACES.items():
            self._pdf.add_font(_TEXT, style, _FONTS / file)
            _widen_figures(self._pdf.fonts[_TEXT + style])
        self._known = set(self._pdf.fonts[_TEXT].cmap)
        self._others: set[int] | None = None  # letters of the other font, once it was needed
        self.size = size
        self.overleaf: Callable[[], None] = lambda: None

    @property
    def width(self) -> float:
        """The width that can be written on."""
        return float(self._pdf.epw)

    @property
    def pages(self) -> int:
        """How many pages there are so far."""
        return int(self._pdf.pages_count)

    @property
    def room(self) -> float:
        """What is left of this page, down to the margin."""
        return float(self._pdf.h - MARGIN - self._pdf.get_y())

    def page(self) -> None:
        """Begin a page."""
        self._pdf.add_page()

    def need(self, height: float) -> None:
        """See to it that this much fits on the page: else it goes on overleaf."""
        if height > self.room:
            self._pdf.add_page()
            self.overleaf()

    def gap(self, height: float) -> None:
        """Leave some space."""
        self._pdf.set_y(self._pdf.get_y() + height)

    def to(self, y: float) -> None:
        """Go on this far below the upper edge of the page; from the lower one if negative."""
        self._pdf.set_y(y)

    def rule(self, *, grey: int = 120) -> None:
        """A thin line across the page."""
        self._pdf.set_draw_color(grey)
        self._pdf.set_line_width(0.2)
        y = self._pdf.get_y()
        self._pdf.line(MARGIN, y, MARGIN + self.width, y)

    def box(self, width: float, height: float) -> None:
        """A frame from here on, which changes nothing of where one writes."""
        self._pdf.set_draw_color(120)
        self._pdf.set_line_width(0.2)
        self._pdf.rect(self._pdf.get_x(), self._pdf.get_y(), width, height)

    def words(self, text: str, *, size: float | None = None, bold: bool = False) -> None:
        """A paragraph as wide as the page; it is not torn apart between two pages."""
        size = size or self.size
        lines = self._wrapped(text, self.width, size, bold=bold)
        self.need(len(lines) * _line(size))
        self._font(size, bold=bold)
        self._write(lines, MARGIN, self.width, size, "L")

    def heads(self, columns: Sequence[Column]) -> None:
        """The headings of a table, with a line below them."""
        self.row(columns, [column.heading for column in columns], bold=True)

    def row(
        self,
        columns: Sequence[Column],
        texts: Sequence[str],
        *,
        bold: bool = False,
        struck: Sequence[int] = (),
        size: float | None = None,
        least: float = 0,
        padding: float = 1.2,
    ) -> None:
        """One row of a table and the line below it; long texts go on within their column.

        The columns numbered in `struck` are struck out. `least` is the least height of the row.
        """
        size = size or self.size
        wrapped = [
            self._wrapped(text, column.width - 2, size, bold=bold)
            for column, text in zip(columns, texts, strict=True)
        ]
        height = max(max(map(len, wrapped)) * _line(size) + 2 * padding, least)
        self.need(height)
        top, x = self._pdf.get_y(), MARGIN
        for number, (column, lines) in enumerate(zip(columns, wrapped, strict=True)):
            self._font(size, bold=bold, struck=number in struck)
            self._pdf.set_y(top + padding)
            self._write(lines, x, column.width - 2, size, "R" if column.right else "L")
            x += column.width
        self._pdf.set_y(top + height)
        self.rule(grey=190)

    def fill_in(self, label: str, height: float) -> None:
        """A label and a line to write on, to the right of it."""
        self.need(height)
        (text, *_), top = self._wrapped(label, self.width, self.size, bold=True), self._pdf.get_y()
        self._font(self.size, bold=True)
        self._pdf.set_xy(MARGIN, top + height - _line(self.size) - 1)
        self._pdf.cell(self.width, _line(self.size), text)
        self._pdf.set_y(top + height)
        begin = MARGIN + self._widths(bold=True)(text) * self.size * _POINT / 1000 + 3
        self._pdf.set_draw_color(120)
        self._pdf.line(begin, top + height, MARGIN + self.width, top + height)

    def cells(self, widths: Sequence[float], height: float, label: str = "") -> None:
        """A row of empty boxes to write in by hand; the first may hold a label."""
        self.need(height)
        top, x = self._pdf.get_y(), MARGIN
        self._font(self.size, bold=False)
        for number, width in enumerate(widths):
            self._pdf.set_xy(x, top)
            self.box(width, height)
            if label and not number:
                self._pdf.cell(width - 2, height, label, align="R")
            x += width
        self._pdf.set_y(top + height)

    def bytes(self) -> bytes:
        """The document as a file."""
        return bytes(self._pdf.output())

    def _font(self, size: float, *, bold: bool, struck: bool = False) -> None:
        self._pdf.set_font(_TEXT, ("B" if bold else "") + ("S" if struck else ""), size)

    def _write(self, lines: Sequence[str], x: float, width: float, size: float, align: str) -> None:
        for line in lines:
            self._pdf.set_x(x)
            if line:
                self._pdf.cell(width, _line(size), line, align=align)
            self._pdf.set_y(self._pdf.get_y() + _line(size))

    def _wrapped(self, text: str, width: float, size: float, *, bold: bool) -> list[str]:
        """The lines that a text takes; a word that is wider than a line goes on in the next one."""
        text = self._clean(text)
        widths = self._widths(bold=bold)
        most = width / (size * _POINT / 1000)
        space = widths(" ")
        lines = []
        for paragraph in text.split("\n"):
            line, filled = "", 0.0
            for word in paragraph.split(" "):
                wide = widths(word)
                if line and filled + space + wide > most:
                    lines.append(line)
                    line, filled = "", 0.0
                while wide > most and len(word) > 1:
                    fits = _fitting(word, most, widths)
                    lines.append(word[:fits])
                    word, wide = word[fits:], widths(word[fits:])
                line, filled = (f"{line} {word}", filled + space + wide) if line else (word, wide)
            lines.append(line)
        return lines

    def _widths(self, *, bold: bool) -> Callable[[str], float]:
        """How wide a text is, in thousandths of the letters' size."""
        own = self._pdf.fonts[_TEXT + ("B" if bold else "")]
        other = self._pdf.fonts[_OTHER].cw if self._others is not None else own.cw
        known, cw = own.cmap, own.cw

        def width(text: str) -> float:
            letters = map(ord, text)
            return float(sum((cw if one in known else other)[one] for one in letters))

        return width

    def _clean(self, text: str) -> str:
        """The text with letters we have only; the other font is read when it is needed first."""
        text = unicodedata.normalize("NFC", text)
        strange = {ord(letter) for letter in text} - self._known - {10}
        if not strange:
            return text
        if self._others is None:
            self._pdf.add_font(_OTHER, "", _FONTS / _OTHER_FACE)
            self._pdf.set_fallback_fonts([_OTHER], exact_match=False)
            self._others = set(self._pdf.fonts[_OTHER].cmap)
        return text.translate(dict.fromkeys(strange - self._others, _BOX))


def _blank(orientation: Any) -> Any:
    from fpdf import FPDF  # takes half a second, for which only those who print have to wait

    return FPDF(orientation, format="A4")


def _fitting(word: str, most: float, widths: Callable[[str], float]) -> int:
    """How many letters of a long word fit; at least one."""
    return next((n for n in range(len(word), 1, -1) if widths(word[:n]) <= most), 1)


def _line(size: float) -> float:
    """The height of a line with letters of this size."""
    return size * _POINT * _LEADING


def _widen_figures(font: Any) -> None:
    """Take the figures that are all equally wide, where the font also has narrow ones."""
    for letter, name in _tabular(font.ttfont, font.cmap).items():
        font.cmap[letter] = name
        font.glyph_ids[letter] = font.ttfont.getGlyphID(name)
        font.cw[letter] = round(font.scale * font.ttfont["hmtx"].metrics[name][0] + 0.001)


def _tabular(font: Any, cmap: dict[int, str]) -> dict[int, str]:
    """The glyphs that the font's feature `tnum` puts in the place of others, by letter."""
    table = font["GSUB"].table
    wanted = {
        lookup
        for record in table.FeatureList.FeatureRecord
        if record.FeatureTag == "tnum"
        for lookup in record.Feature.LookupListIndex
    }
    swaps: dict[str, str] = {}
    for index in wanted:
        for subtable in table.LookupList.Lookup[index].SubTable:
            swaps |= getattr(getattr(subtable, "ExtSubTable", subtable), "mapping", {})
    return {letter: swaps[name] for letter, name in cmap.items() if name in swaps}
