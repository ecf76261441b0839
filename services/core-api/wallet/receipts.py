"""Receipts as PDF: what an order was, in credits, and what of it was refunded. Importing this costs 0.5 s (config.paper).

The same order in the same state gives the same bytes, on every machine.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from config.paper import (
    BOLD,
    FONT,
    GREY,
    NO_GLYPH,
    SMALL,
    TEXT,
    about_the_file,
    date,
    drawable,
    issuer,
    moment,
    paragraph,
)
from wallet.models import Order, OrderLine

NOTE = "Paid with credits of a prepaid balance. This receipt is not a tax invoice."
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
        subject=NOTE,
        **about_the_file(),
    )

    def decorate(canvas: Canvas, document: BaseDocTemplate) -> None:
        date(canvas, order.created_at)
        canvas.setFont(FONT, 8)
        canvas.setFillColor(GREY)
        canvas.drawString(MARGIN, MARGIN / 2, f"Receipt {order.pk}")
        canvas.drawRightString(A4[0] - MARGIN, MARGIN / 2, f"Page {document.page}")

    document.build(_story(order, list(order.lines.all())), onFirstPage=decorate, onLaterPages=decorate)
    return file.getvalue()


def _story(order: Order, lines: Sequence[OrderLine]) -> list[Flowable]:
    person = order.user
    buyer = f"{person.name} ({person.username})" if person.name else person.username
    facts = {"Issued by": issuer(), "Receipt number": str(order.pk), "Date": moment(order.created_at), "Buyer": buyer}
    if order.coupon:
        facts["Coupon"] = order.coupon
    about = Table(
        [[name, paragraph(value)] for name, value in facts.items()], colWidths=[35 * mm, sum(COLUMNS) - 35 * mm]
    )
    about.setStyle(TableStyle([*PLAIN, ("TEXTCOLOR", (0, 0), (0, -1), GREY)]))
    return [
        Paragraph("Receipt", TITLE),
        Spacer(0, 4 * mm),
        about,
        Spacer(0, 8 * mm),
        _table(order, lines),
        Spacer(0, 8 * mm),
        paragraph(NOTE, SMALL),
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
    """The title that the course had, by what else it is known where the title cannot be written, and when it was refunded."""
    told = [paragraph(line.title)]
    if NO_GLYPH in drawable(line.title):
        told.append(paragraph(line.course.slug, SMALL))
    if line.refunded_at:
        told.append(paragraph(f"Refunded on {moment(line.refunded_at)}", SMALL))
    return told


def _taken(credits: int) -> str:
    return f"-{credits}" if credits else "0"
