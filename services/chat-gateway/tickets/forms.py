"""Files come in a multipart form. Neither the form nor its file fills the memory."""

from __future__ import annotations

from typing import IO, Any

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from rest_framework.exceptions import ParseError
from rest_framework.parsers import DataAndFiles, MultiPartParser
from rest_framework.request import Request

from tickets import files
from tickets.attachments import no_room
from tickets.errors import Invalid, MalformedForm

SHAPE = {
    "multipart/form-data": {
        "type": "object",
        "properties": {"file": {"type": "string", "format": "binary"}},
        "required": ["file"],
    }
}  # for the OpenAPI document


class Spooled(FileUploadHandler):
    """For FILE_UPLOAD_HANDLERS: nameless files, so that a killed process leaves none."""

    file: IO[bytes]

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.file = files.spooled()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.file.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile[Any]:
        self.file.seek(0)
        complete = UploadedFile(self.file, self.file_name, self.content_type, file_size, self.charset)
        del self.file  # the request's now, which closes it
        return complete

    def upload_complete(self) -> None:
        if hasattr(self, "file"):  # the form ended in the middle of it
            self.file.close()


class Form(MultiPartParser):
    def parse(self, *args: Any, **kwargs: Any) -> DataAndFiles[Any, Any]:
        try:
            return super().parse(*args, **kwargs)
        except (ParseError, SuspiciousOperation) as error:
            raise MalformedForm from error
        except OSError as error:
            raise no_room(error) from error


def the_file(request: Request) -> UploadedFile[Any]:
    """The one file of the form. Raises Invalid, and what Form raises."""
    found: list[UploadedFile[Any]] = request.FILES.getlist("file")
    if len(found) != 1 or len(request.FILES) != 1:
        raise Invalid({"file": ["Send one file, in the field `file` of a multipart form."]})
    return found[0]
