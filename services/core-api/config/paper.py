"""What the PDFs that we make have in common: fonts, texts in any script, metadata. Importing this loads fonts and costs 0.5 s."""

from __future__ import annotations

import io
import unicodedata
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from django.conf import settings
from pymupdf_fonts import myfont
from reportlab.lib.colors import HexColor
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph

FONT, BOLD = "Noto Sans", "Noto Sans Bold"
# Once, while this module is imported: a font registered again would take the glyphs from a document that is being made.
FACE = TTFont(FONT, io.BytesIO(myfont("notos")))
pdfmetrics.registerFont(FACE)
pdfmetrics.registerFont(TTFont(BOLD, io.BytesIO(myfont("notosbo"))))

NO_GLYPH = "\ufffd"
GREY = HexColor(0x666666)
TEXT = ParagraphStyle("text", fontName=FONT, fontSize=9, leading=13, splitLongWords=True)
SMALL = ParagraphStyle("small", TEXT, fontSize=8, leading=11, textColor=GREY)


def about_the_file() -> dict[str, Any]:
    """For ReportLab's document templates: metadata that name no machine, and the same bytes each time."""
    return {
        "author": issuer(),
        "creator": "Lectern",
        "producer": "Lectern",
        "lang": "en",
        "initialFontName": FONT,
        "invariant": True,  # neither this moment nor a random id
    }


def date(canvas: Canvas, at: datetime) -> None:
    """Says when the document was made, as its metadata have it."""
    canvas.setDateFormatter(lambda *now: f"D:{at.astimezone(UTC):%Y%m%d%H%M%S}Z")


def drawable(text: str) -> str:
    """The text in one line, as far as the font has glyphs for it; a replacement sign for each character that it lacks."""
    composed = unicodedata.normalize("NFC", " ".join(text.split()))
    return "".join(char if ord(char) in FACE.face.charToGlyph else NO_GLYPH for char in composed)


def paragraph(text: str, style: ParagraphStyle = TEXT) -> Paragraph:
    return Paragraph(escape(drawable(text)), style)


def moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def issuer() -> str:
    return f"Lectern, {urlsplit(settings.PUBLIC_URL).netloc}"
