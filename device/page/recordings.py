"""Sends the files of a recording to a browser, whole or only the part of a file that the browser asks for."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import tornado.web

from device.page.box_link import BoxLink
from device.page.checked import Checked

KINDS = {
    "capture.wav": "audio/wav",
    "capture.mid": "audio/midi",
    "sent.mid": "audio/midi",
    "notes.csv": "text/csv",
    "beats.csv": "text/csv",
}
"""The files of a recording that a browser may get, with their media types."""
CHUNK = 64 * 1024
"""Bytes that are read at once."""
_RANGE = re.compile(r"bytes=([0-9]{1,15})-([0-9]{0,15})")


class RecordingFile(Checked):
    """Answers GET /recording/NUMBER/FILE with that file. With ?save in the address, the browser stores the file."""

    async def get(self, number: str, name: str) -> None:
        """Send the file `name` of the recording `number`, or the part that the header Range names.

        Raises HTTPError 404 if the file cannot be read, 416 if there is no such part, and 503 if the box is away.
        """
        if name not in KINDS:
            raise tornado.web.HTTPError(404, reason="There is no such file")
        folder = await folder_of(self._link)
        try:
            descriptor = _opened(folder, number, name)
        except OSError as error:
            raise tornado.web.HTTPError(404, reason=f"The file cannot be read: {error.strerror}") from None
        with os.fdopen(descriptor, "rb") as file:
            size = os.fstat(descriptor).st_size
            first, last = self._range(size)
            self.set_header("Content-Type", KINDS[name])
            self.set_header("Accept-Ranges", "bytes")
            self.set_header("Content-Length", str(last - first + 1))
            if self.get_query_argument("save", None) is not None:
                self.set_header("Content-Disposition", f'attachment; filename="lefthand-{number}-{name}"')
            file.seek(first)
            left = last - first + 1
            while left > 0 and (chunk := file.read(min(CHUNK, left))):
                left -= len(chunk)
                self.write(chunk)
                await self.flush()

    def _range(self, size: int) -> tuple[int, int]:
        """Return the positions of the first and the last byte to send. Without a usable header Range, send all.

        For a part of the file, the status and the header of the answer are set. Raises HTTPError 416 if there is no
        such part.
        """
        asked = _RANGE.fullmatch(self.request.headers.get("Range", ""))
        if asked is None:
            return 0, size - 1
        first, last = int(asked[1]), min(int(asked[2] or size), size - 1)
        if first > last:
            self.set_header("Content-Range", f"bytes */{size}")
            raise tornado.web.HTTPError(416, reason="There is no such part")
        self.set_status(206)
        self.set_header("Content-Range", f"bytes {first}-{last}/{size}")
        return first, last


async def folder_of(link: BoxLink) -> Path:
    """Ask the box for the folder of the recordings and return it. Raises HTTPError 503 if the box is away."""
    said = await link.ask({"look": "recordings"})
    folder = said.get("look", {}).get("folder")
    if not isinstance(folder, str):
        raise tornado.web.HTTPError(503, reason="The box is away")
    return Path(folder)


def _opened(folder: Path, number: str, name: str) -> int:
    """Open a file of a recording and return its descriptor. Raises OSError, also if it is a link or no plain file."""
    inside = os.open(folder / number, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=inside)
    finally:
        os.close(inside)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(2, "it is no file")
    return descriptor
