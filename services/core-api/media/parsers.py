"""How files come: as the body itself (`curl -T poster.png`), or as the one file of a multipart form. Neither fills the memory."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, TemporaryFileUploadHandler
from django.utils.datastructures import MultiValueDict
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, DataAndFiles, MultiPartParser
from rest_framework.request import Request

from config.problems import Invalid, Malformed, Unavailable
from media.folders import PIECE, make_folder

NO_ROOM = "The server has no room for the file. Tell its operator, then try again."
ABANDONED_S = 24 * 3600
SUFFIX = ".upload"


class RoomyFile(TemporaryUploadedFile):
    """Django's, in a folder beside the uploads: a container's /tmp is small. What a killed process left goes after a day."""

    def __init__(self, name: str | None, content_type: str | None, size: int, charset: str | None, extra: Any = None):
        file = tempfile.NamedTemporaryFile(suffix=SUFFIX, dir=_room())  # noqa: SIM115  closed with this one
        UploadedFile.__init__(self, file, name, content_type, size, charset, extra)


class RoomyFiles(TemporaryFileUploadHandler):
    """For FILE_UPLOAD_HANDLERS."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        FileUploadHandler.new_file(self, *args, **kwargs)
        self.file = RoomyFile(self.file_name, self.content_type, 0, self.charset, self.content_type_extra)


def _room() -> Path:
    folder = Path(settings.UPLOADS_ROOT) / ".incoming"
    make_folder(folder)
    for file in folder.glob(f"*{SUFFIX}"):
        with suppress(FileNotFoundError):  # another one was quicker
            if file.stat().st_mtime < time.time() - ABANDONED_S:
                file.unlink()
    return folder


class Form(MultiPartParser):
    def parse(self, *args: Any, **kwargs: Any) -> DataAndFiles[Any, Any]:
        try:
            return super().parse(*args, **kwargs)
        except ParseError as error:
            raise Malformed("The body is not a multipart form that can be read.") from error
        except OSError as error:
            raise Unavailable(NO_ROOM) from error


class WholeBody(BaseParser):
    """Whatever the type: what the file is, its bytes say."""

    media_type = "*/*"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> DataAndFiles[Any, Any]:
        try:
            file = RoomyFile("body", media_type, 0, None)
            files = MultiValueDict({"file": [file]})
            (parser_context or {})["request"]._request._files = files  # which Django closes at the request's end
            while piece := stream.read(PIECE):
                file.write(piece)
        except OSError as error:
            raise Unavailable(NO_ROOM) from error
        file.size = file.tell()
        file.seek(0)
        return DataAndFiles({}, files)


FILE = (Form, WholeBody)


def the_file(request: Request) -> UploadedFile[Any]:
    """The only file of the request, whatever its field is called. Raises Invalid."""
    files: list[UploadedFile[Any]] = list(request.FILES.values())
    if len(files) != 1:
        raise Invalid(errors={"file": ["Send one file: as the body, or in the field `file` of a multipart form."]})
    return files[0]


def described(*types: str) -> dict[str, Any]:
    """The request body for the OpenAPI document: a form, or a body of one of `types`."""
    binary = {"type": "string", "format": "binary"}
    form = {"type": "object", "properties": {"file": binary}, "required": ["file"]}
    return {"multipart/form-data": form} | dict.fromkeys(types, binary)
