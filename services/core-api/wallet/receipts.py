"""Receipts as PDF: what an order was, in credits, and what of it was refunded. Importing this loads fonts and costs 0.5 s.

The same order in the same state gives the same bytes, on every machine.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from django.conf import settings
from pymupdf_fonts import myfont
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from wallet.models import Order, OrderLine

FONT, BOLD = "Noto Sans", "Noto Sans Bold"
# Once, while this module is imported: a font registered again would take the glyphs from a document that is being made.
FACE = TTFont(FONT, io.BytesIO(myfont("notos")))
pdfmetrics.registerFont(FACE)
pdfmetrics.registerFont(TTFont(BOLD, io.BytesIO(myfont("notosbo"))))

NO_GLYPH = "\ufffd"
NOTE = "Paid with credits of a prepaid balance. This receipt is not a tax invoice."
GREY = HexColor(0x666666)
TEXT = ParagraphStyle("text", fontName=FONT, fontSize=9, leading=13, splitLongWords=True)
SMALL = ParagraphStyle("small", TEXT, fontSize=8, leading=11, textColor=GREY)
TITLE = ParagraphStyle("title", TEXT, fontName=BOLD, fontSize=18, leading=24)
MARGIN = 20 * mm
FRAME_PADDING = 6  # points, ReportLab's
COLUMNS = [90 * mm, 27 * mm, 26 * mm, 27 * mm]  # together A4's width between the margins


def receipt(order: Order) -> bytes:
    """The PDF for an order; its `user`, and its `lines` with their `course`, are read. Any Unicode becomes some text."""
    file = io.BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=MARGIN - FRAME_PADDING,
        rightMargin=MARGIN - FRAME_PADDING,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=f"Receipt {order.pk}",
        author=_issuer(),
        subject=NOTE,
        creator="Lectern",
        producer="Lectern",
        lang="en",
        initialFontName=FONT,
        invariant=True,  # neither this moment nor a random id
    )

    def decorate(canvas: Canvas, document: BaseDocTemplate) -> None:
        canvas.setDateFormatter(lambda *now: f"D:{order.created_at.astimezone(UTC):%Y%m%d%H%M%S}Z")
        canvas.setFont(FONT, 8)
        canvas.setFillColor(GREY)
        canvas.drawString(MARGIN, MARGIN / 2, f"Receipt {order.pk}")
        canvas.drawRightString(A4[0] - MARGIN, MARGIN / 2, f"Page {document.page}")

    document.build(_story(order, list(order.lines.all())), onFirstPage=decorate, onLaterPages=decorate)
    return file.getvalue()


def drawable(text: str) -> str:
    """The text in one line, as far as the font has glyphs for it; a replacement sign for each character that it lacks."""
    composed = unicodedata.normalize("NFC", " ".join(text.split()))
    return "".join(char if ord(char) in FACE.face.charToGlyph else NO_GLYPH for char in composed)


def _story(order: Order, lines: Sequence[OrderLine]) -> list[Flowable]:
    person = order.user
    buyer = f"{person.name} ({person.username})" if person.name else person.username
    facts = {"Issued by": _issuer(), "Receipt number": str(order.pk), "Date": _moment(order.created_at), "Buyer": buyer}
    if order.coupon:
        facts["Coupon"] = order.coupon
    about = Table(
        [[name, _paragraph(value)] for name, value in facts.items()], colWidths=[35 * mm, sum(COLUMNS) - 35 * mm]
    )
    about.setStyle(TableStyle([*PLAIN, ("TEXTCOLOR", (0, 0), (0, -1), GREY)]))
    return [
        Paragraph("Receipt", TITLE),
        Spacer(0, 4 * mm),
        about,
        Spacer(0, 8 * mm),
        _table(order, lines),
        Spacer(0, 8 * mm),
        _paragraph(NOTE, SMALL),
    ]


PLAIN: list[Any] = [
    ("FONT", (0, 0), (-1, -1), FONT, 9, 13),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LEFTPADDING", (0, 0), (0, -1), 0),
    ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
]


def _table(order: Order, lines: Sequence[OrderLine]) -> Table:
    refunded = sum(line.price for line in lines if line.refunded_at)
    sums = [["Sum in credits", "", "", str(order.price)]]
    if any(line.refunded_at for line in lines):
        sums += [["Refunded", "", "", _taken(refunded)], ["Paid after refunds", "", "", str(order.price - refunded)]]
    heads = ["Course", "List price", "Discount", "Price in credits"]
    rows = [[_what(line), str(line.list_price), _taken(line.discount), str(line.price)] for line in lines]
    table = Table([heads, *rows, *sums], colWidths=COLUMNS, repeatRows=1)
    table.setStyle(
        TableStyle(
            [
                *PLAIN,
                ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
                ("FONT", (0, 0), (-1, 0), BOLD, 9, 13),
                ("LINEBELOW", (0, 0), (-1, 0), 0.75, GREY),
                ("LINEABOVE", (0, -len(sums)), (-1, -len(sums)), 0.75, GREY),
                ("FONT", (0, -len(sums)), (-1, -1), BOLD, 9, 13),
                ("NOSPLIT", (0, -len(sums) - 1), (-1, -1)),  # no page with the sum alone
            ]
        )
    )
    return table


def _what(line: OrderLine) -> list[Paragraph]:
    """The course's title, by what else it is known where the title cannot be written, and when it was refunded."""
    told = [_paragraph(line.course.title)]
    if NO_GLYPH in drawable(line.course.title):
        told.append(_paragraph(line.course.slug, SMALL))
    if line.refunded_at:
        told.append(_paragraph(f"Refunded on {_moment(line.refunded_at)}", SMALL))
    return told


def _paragraph(text: str, style: ParagraphStyle = TEXT) -> Paragraph:
    return Paragraph(escape(drawable(text)), style)


def _taken(credits: int) -> str:
    return f"-{credits}" if credits else "0"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _issuer() -> str:
    return f"Lectern, {urlsplit(settings.PUBLIC_URL).netloc}"
