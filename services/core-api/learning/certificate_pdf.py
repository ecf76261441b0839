"""Certificates as PDF, a page to hang up, with a QR code to where anybody checks it. Importing this costs 0.5 s (config.paper).

The same certificate gives the same bytes, on every machine.
"""

from __future__ import annotations

import io

from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib.enums import TA_CENTER
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, KeepInFrame, SimpleDocTemplate, Spacer

from config.paper import BOLD, GREY, NO_GLYPH, SMALL, TEXT, about_the_file, date, drawable, issuer, paragraph
from learning.certificates import page_of
from learning.codes import readable
from learning.models import Certificate

PAGE = landscape(A4)
MARGIN = 25 * mm
QR_SIZE = 32 * mm
CENTRED = ParagraphStyle("centred", TEXT, fontSize=13, leading=18, alignment=TA_CENTER)
HEADING = ParagraphStyle("heading", CENTRED, fontName=BOLD, fontSize=28, leading=36)
NAME = ParagraphStyle("name", CENTRED, fontName=BOLD, fontSize=24, leading=30)
COURSE = ParagraphStyle("course", CENTRED, fontName=BOLD, fontSize=18, leading=24)
FINE = ParagraphStyle("fine", SMALL, alignment=TA_CENTER)


def certificate_pdf(certificate: Certificate) -> bytes:
    """The PDF; its `user` and `course` are read where a name cannot be written. Any Unicode becomes some text."""
    file = io.BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=PAGE,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=f"Certificate {readable(certificate.code)}",
        subject=drawable(certificate.title),
        **about_the_file(),
    )

    def decorate(canvas: Canvas, document: BaseDocTemplate) -> None:
        date(canvas, certificate.completed_at)
        canvas.setStrokeColor(GREY)
        canvas.rect(MARGIN / 2, MARGIN / 2, PAGE[0] - MARGIN, PAGE[1] - MARGIN)

    page = KeepInFrame(PAGE[0] - 2 * MARGIN - 12, PAGE[1] - 2 * MARGIN - 12, _story(certificate), mode="shrink")
    document.build([page], onFirstPage=decorate, onLaterPages=decorate)
    return file.getvalue()


def _story(certificate: Certificate) -> list[Flowable]:
    return [
        Spacer(0, 10 * mm),
        paragraph("Certificate of completion", HEADING),
        Spacer(0, 14 * mm),
        paragraph("This is to certify that", CENTRED),
        Spacer(0, 3 * mm),
        *_called(certificate.name, certificate.user.username, NAME),
        Spacer(0, 3 * mm),
        paragraph("has completed the course", CENTRED),
        Spacer(0, 3 * mm),
        *_called(certificate.title, certificate.course.slug, COURSE),
        Spacer(0, 3 * mm),
        paragraph(f"on {certificate.completed_at:%Y-%m-%d}", CENTRED),
        Spacer(0, 12 * mm),
        _qr_code(page_of(certificate)),
        paragraph(page_of(certificate), FINE),
        paragraph(f"Code {readable(certificate.code)}. Issued by {issuer()}.", FINE),
    ]


def _called(name: str, otherwise: str, style: ParagraphStyle) -> list[Flowable]:
    """A name, and by what else it is known where the name cannot be written."""
    return [paragraph(name, style), *([paragraph(otherwise, FINE)] if NO_GLYPH in drawable(name) else [])]


def _qr_code(address: str) -> Drawing:
    drawn = Drawing(QR_SIZE, QR_SIZE, QrCodeWidget(address, barWidth=QR_SIZE, barHeight=QR_SIZE, barLevel="M"))
    drawn.hAlign = "CENTER"
    return drawn
