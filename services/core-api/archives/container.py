"""The ZIP file of an archive, as a stranger may have made it: what it says of itself is looked at before anything is unpacked."""

from __future__ import annotations

import re
import stat
import struct
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from archives.errors import Problems

MOST_ENTRIES = 80_000  # an hour of video in four sizes and sound has 3,000; the list of 80,000 takes 57 MB
LARGEST_DIRECTORY = 12 * 2**20  # bytes of the list of entries: read before the entries can be counted
MOST_BYTES = 200 * 2**30  # unpacked, all together
MOST_PACKED = 100  # times: text packs so well, video does not; a bomb packs a thousandfold
ALWAYS_FINE = 2**20  # bytes: a small file may be packed as well as it likes
NAME = re.compile(r"(?!.*(?:^|/)\.\.?(?:/|$))[^/\\\x00-\x1f:*?\"<>|]+(?:/[^/\\\x00-\x1f:*?\"<>|]+)*")
LONGEST_NAME = 300  # characters
END = b"PK\x05\x06"
# What zipfile raises for bytes that are no good archive; NotImplementedError for a compression or encryption that it lacks.
READ_ERRORS = (BadZipFile, EOFError, zlib.error, struct.error, NotImplementedError, RuntimeError, ValueError)


@dataclass(frozen=True)
class Container:
    """The entries that may be read, by their names."""

    zip: ZipFile
    entries: dict[str, ZipInfo]

    def open(self, name: str) -> IO[bytes]:
        """Raises READ_ERRORS, there and while reading: a damaged entry is found out by its checksum at its end."""
        return self.zip.open(self.entries[name])

    def read(self, name: str, at_most: int) -> bytes:
        with self.open(name) as file:
            return file.read(at_most + 1)


def open_container(file: IO[bytes], problems: Problems) -> Container | None:
    """None where it is no ZIP file that can be listed; else what is wrong with its entries is among `problems`."""
    try:
        if _directory_size(file) > LARGEST_DIRECTORY:
            problems.add("archive", f"The archive has more than {MOST_ENTRIES} entries.")
            return None
        archive = ZipFile(file)
    except READ_ERRORS:
        problems.add("archive", "The file is not a ZIP archive, or a damaged one.")
        return None
    if len(archive.infolist()) > MOST_ENTRIES:
        problems.add("archive", f"The archive has more than {MOST_ENTRIES} entries.")
        return None
    return Container(archive, dict(_good_entries(archive, problems)))


def _directory_size(file: IO[bytes]) -> int:
    """Bytes that the ZIP says its directory has; 0 where that stands elsewhere (ZIP64), or nowhere."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 65_557))
    tail = file.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) < at + 22:
        return 0
    said: int = struct.unpack_from("<L", tail, at + 12)[0]
    if said != 0xFFFFFFFF:
        return said
    before = tail.rfind(b"PK\x06\x06", 0, at)
    return struct.unpack_from("<Q", tail, before + 40)[0] if 0 <= before <= len(tail) - 56 else 0


def _good_entries(archive: ZipFile, problems: Problems) -> Iterator[tuple[str, ZipInfo]]:
    seen: set[str] = set()
    total = 0
    for entry in archive.infolist():
        name = entry.filename
        if entry.is_dir():
            continue
        said = name.encode("ascii", "backslashreplace").decode()[:LONGEST_NAME]
        total += entry.file_size
        if total > MOST_BYTES:
            problems.add("archive", f"Unpacked, the archive has more than {MOST_BYTES // 2**30} GiB.")
            return
        if reason := _refused(entry):
            problems.add(f"archive: {said}", reason)
            continue
        same = unicodedata.normalize("NFC", name).casefold()
        if same in seen:
            problems.add(f"archive: {said}", "Two entries have this name.")
            continue
        seen.add(same)
        yield name, entry


def _refused(entry: ZipInfo) -> str:
    """Why this entry cannot be used; empty if it can."""
    name, mode = entry.filename, entry.external_attr >> 16
    if len(name) > LONGEST_NAME or not NAME.fullmatch(name) or entry.orig_filename != name:
        return "The name is not a relative one without '..'."
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "The entry is a link or a device, not a file."
    if entry.flag_bits & 1:
        return "The entry is encrypted."
    if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        return "The entry is packed in a way other than deflate."
    if entry.file_size > ALWAYS_FINE and entry.file_size > MOST_PACKED * entry.compress_size:
        return "The entry unpacks to far more than it takes: that is a bomb."
    return ""
