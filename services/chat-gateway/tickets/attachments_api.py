"""Attachments: uploaded to a ticket, then named by a message; downloaded by the ticket's people."""

from __future__ import annotations

import re
import unicodedata
import uuid
from urllib.parse import quote

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from tickets import attachments, files, forms
from tickets.api import ChatView
from tickets.errors import AttachmentNotReady, FileTooLarge, NoRoom, NotAForm, QuotaExceeded, TicketClosed
from tickets.pagination import Pages
from tickets.serializers import AttachmentSerializer


class Attachments(ChatView):
    pagination_class = Pages
    parser_classes = (forms.Form,)
    conflicts = (TicketClosed, FileTooLarge, QuotaExceeded, NoRoom)

    @extend_schema(operation_id="list_attachments", responses=AttachmentSerializer(many=True))
    def get(self, request: Request, ticket: uuid.UUID) -> Response:
        """The files of the conversation, and those that one has uploaded and not sent yet; newest first."""
        return self.page(attachments.of_ticket(self.person(), ticket), AttachmentSerializer)

    @extend_schema(operation_id="add_attachment", request=forms.SHAPE, responses={201: AttachmentSerializer})
    def post(self, request: Request, ticket: uuid.UUID) -> Response:
        """Uploads a file of at most 20 MiB: a picture (PNG, JPEG, GIF, WebP), a PDF, a text in UTF-8 or a ZIP archive.

        Which of these it is, its bytes decide. Send it with a message's `attachment`, within a day, once its state is `ready`:
        where files are scanned that is a moment later.
        """
        attachments.check_can_add(self.person(), ticket)
        file = forms.the_file(request)
        added = attachments.add(self.person(), ticket, file.name or "", file.size or 0, file.chunks)
        return Response(AttachmentSerializer(added).data, status.HTTP_201_CREATED)

    def handle_exception(self, exc: Exception) -> Response:
        return super().handle_exception(NotAForm() if isinstance(exc, UnsupportedMediaType) else exc)


class WhateverIsAccepted(JSONRenderer):
    """Of refusals. The file has its own type, and a client may well say that it wants a picture."""

    media_type = "*/*"


class OneAttachment(ChatView):
    renderer_classes = (WhateverIsAccepted,)
    conflicts = (AttachmentNotReady,)

    @extend_schema(
        operation_id="download_attachment", responses={(200, "application/octet-stream"): OpenApiTypes.BINARY}
    )
    def get(self, request: Request, attachment: uuid.UUID) -> HttpResponse:
        """The file, to be saved. Ranges are understood."""
        found = attachments.for_download(self.person(), attachment)
        return HttpResponse(
            content_type=found.content_type,
            headers={
                "Content-Disposition": disposition(found.name),
                "Cache-Control": "private, no-cache",
                "X-Accel-Redirect": f"/_attachments/{files.place(found.id)}",  # nginx sends it
            },
        )


def disposition(name: str) -> str:
    """RFC 6266: the name as it is for who reads `filename*` (RFC 8187), and something like it for who does not."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9 ._()+-]", "_", plain).strip() or "file"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
