"""Finds the sound data of a sound file, also where the header gives a wrong length.

A recorder writes the length into the header when it starts or when it stops. If it writes to a pipe or is killed, the
length stays a placeholder: 0, 0x7FFFF000, 0x80000000 or 0xFFFFFFFF. A counter of 32 bits wraps at 4 GiB.

libsndfile believes such a length. So the samples of a WAV file are read without its help, and the header of a
compressed or a big-endian WAV, an AIFF, an AU, a CAF or a W64 file is read with the right length in the place of the
wrong one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

from device.files.sound.aiff_chunks import USUAL_AIFF, is_aiff, lacks_filling
from device.files.sound.wav_samples import wav_samples
from device.printable import is_plain_text

_HEADS = (b"RIFF", b"RF64", b"BW64")
"""First four bytes of a little-endian WAV file. In RF64 and BW64 the lengths of 64 bits are in the chunk "ds64"."""
_UNKNOWN_HEAD = b"BW64"
"""Head of a file that libsndfile does not know, although it differs from RF64 in these four bytes alone."""
_IN_DS64 = 0xFFFFFFFF
"""Length in an RF64 file that refers to the chunk "ds64"."""
_TAGS = (b"TAG", b"ID3", b"APETAGEX")
"""Beginnings of the tags that music programs append to a file of any kind."""
_W64_HEAD = b"riff\x2e\x91\xcf\x11"
"""First bytes of a W64 (Sony Wave64) file. Its chunks have names of 16 bytes, and lengths that count both."""
_W64_NAME, _W64_CHUNK = 16, 24
"""Bytes of the name of a chunk of a W64 file, and of name and length. Chunks begin at multiples of 8 bytes."""
_UNKNOWN_AU = 0xFFFFFFFF
"""Length in an AU file that says that the sound goes on to the end of the file."""
_USUAL = (
    *(b"data", b"fmt ", b"fact", b"LIST", b"bext", b"iXML", b"JUNK", b"cue ", b"smpl", b"id3 ", b"PEAK", b"_PMX"),
    *(b"junk", b"PAD ", b"FLLR", b"ID3 ", b"acid", b"inst"),
)
"""Names of usual chunks. Some recorders leave out the byte that has to follow a chunk of an odd length.

The next name then stands one byte earlier, where libsndfile does not find it.
"""
_LOOKED_AT = 4096
"""Bytes behind the sound that are looked at. If they are text, they are no sound."""
_LEAST_SOUND = 512
"""Fewest bytes after the data that can be sound. Fewer are filling or a tag.

This is 3 ms of stereo sound with 16 bits at 44.1 kHz.
"""
_MOST_CHUNKS = 1000
"""Largest number of chunks of sound data that are read. A recorder that is paused writes a few."""
_MOST_PASSED = 10_000
"""Largest number of chunks that are passed over. A header has a few, and one with pictures some hundred."""
_MOST_BEFORE = 4096
"""Most bytes before a WAV or FLAC file that are passed over."""
_LATE = re.compile(rb"RIFF....WAVE|fLaC[\x00\x80]\x00\x00\x22", re.DOTALL)
"""First bytes of a WAV file, and of a FLAC file (RFC 9639, 8.1 and 8.2: the first block has 34 bytes)."""


@dataclass(frozen=True)
class WavHeader:
    """Describes the sound data of a WAV file: `held` bytes from byte `start` on. The header says `stated` bytes."""

    start: int
    stated: int
    held: int
    rate: int
    channels: int
    subtype: str | None
    """Sample format as soundfile names it; None for a format whose data this module does not read."""
    frame_bytes: int
    known: bool = True
    """Whether libsndfile knows the kind of file and reads its samples as they are meant."""
    more: tuple[tuple[int, int], ...] = ()
    """(first byte, number of bytes) of each further chunk of sound data. A recorder that was paused writes several."""
    last_wrong: bool = False
    """Whether the length of the last chunk in `more` is wrong. It is then read to the end of the file."""

    other: bool = False
    """Whether a WAV file of another format, rate or number of channels follows in the same file. It is not read."""
    earlier: int = 0
    """Bytes by which each sample is read earlier than it begins, see `wav_samples`."""

    @property
    def wrong(self) -> bool:
        """Return whether the length of the first chunk of sound data differs from the data by a frame or more."""
        return self.frame_bytes > 0 and abs(self.stated - self.held) >= self.frame_bytes

    @property
    def frames(self) -> int:
        """Return the number of whole frames in the data."""
        return sum(held for _, held in self.pieces) // self.frame_bytes if self.frame_bytes else 0

    @property
    def pieces(self) -> list[tuple[int, int]]:
        """Return (first byte, number of bytes in whole frames) of each chunk of sound data."""
        whole = max(1, self.frame_bytes)
        return [(start - self.earlier, held // whole * whole) for start, held in ((self.start, self.held), *self.more)]


def read_wav_header(path: Path) -> WavHeader | None:
    """Return the header of a WAV file; None if `path` is not a WAV file or ends before its sound data."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] not in _HEADS or head[8:] != b"WAVE":
            return None
        position, form, long_length, padded = 12, b"", 0, True
        for _ in range(_MOST_PASSED):
            if position + 8 > size:
                break
            name, length = _chunk(file, position)
            position += 8
            if name == b"data":
                stated = long_length if head[:4] != b"RIFF" and length == _IN_DS64 else length
                header = _header(file, position, stated, size, form, padded and head[:4] != _UNKNOWN_HEAD)
                if header.wrong:
                    return header
                return _with_further(header, file, position + stated, size, form)
            if name == b"fmt ":
                form = file.read(min(length, 40))
            elif name == b"ds64":
                long_length = int.from_bytes(file.read(16)[8:], "little")
            position += length
            if length % 2 and _is_chunk(file, position, size) and _chunk(file, position + 1)[0] not in _USUAL:
                padded = False
            else:
                position += length % 2
    return None


def _with_further(header: WavHeader, file: BinaryIO, position: int, size: int, form: bytes) -> WavHeader:
    """Return `header` with each chunk of sound data behind one that ends at `position`.

    If the last of them has a wrong length, it goes on to the end of the file. WAV files of one format that were joined
    to one file are read one after the other. `form` is the content of the chunk "fmt ".
    """
    found: list[tuple[int, int]] = []
    position += position % 2
    for _ in range(_MOST_PASSED):
        if position + 8 > size or len(found) == _MOST_CHUNKS:
            break
        name, length = _chunk(file, position)
        if name in _HEADS and file.read(4) == b"WAVE":
            position += 12
            continue
        if not _is_chunk(file, position, size):
            break
        if name == b"fmt " and _is_other_form(file, position, form):
            return replace(header, more=tuple(found), other=True)
        start, end = position + 8, position + 8 + length
        position = end + length % 2
        if name == b"data" and (end > size or not _ends_well(file, position, size)):
            return replace(header, more=(*found, (start, size - start)), last_wrong=True)
        if name == b"data":
            found.append((start, length))
    return replace(header, more=tuple(found))


def _is_other_form(file: BinaryIO, position: int, form: bytes) -> bool:
    """Return whether the chunk "fmt " at `position` says another format, rate or number of channels than `form`."""
    file.seek(position + 8)
    return file.read(16) != form[:16]


def _is_chunk(file: BinaryIO, position: int, size: int) -> bool:
    """Return whether a chunk may begin at `position` of a file of `size` bytes: the name of a usual one, or any name.

    A chunk of any other name must end within the file.
    """
    name, length = _chunk(file, position)
    return name in _USUAL or (all(0x20 < byte < 0x7F for byte in name) and position + 8 + length <= size)


def right_length(path: Path) -> tuple[int, bytes] | None:
    """Return (place, bytes): the length of the sound data as the header should have it, and where it stands.

    Returns None if the header is right, or if `path` is not an AIFF, a CAF, an AU, a W64, a big-endian or a compressed
    WAV file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if is_aiff(head):
            return _right_chunk(file, 12, size, b"SSND", 4)
        if head[:4] == b"RIFX" and head[8:] == b"WAVE":
            return _right_chunk(file, 12, size, b"data", 4)
        if head[:4] == b"caff":
            return _right_chunk(file, 8, size, b"data", 8)
        if head.startswith(_W64_HEAD):
            return _right_in_w64(file, size)
        if head[:4] == b".snd":
            start, stated = int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:12], "big")
            right = stated == _UNKNOWN_AU or 0 <= size - start - stated < _LEAST_SOUND
            return None if right else (8, _UNKNOWN_AU.to_bytes(4, "big"))
    wav = read_wav_header(path)
    if wav is None or not wav.wrong or wav.subtype is not None:
        return None
    return wav.start - 4, min(wav.held, 0xFFFFFFFF).to_bytes(4, "little")


def _right_chunk(file: BinaryIO, position: int, size: int, wanted: bytes, width: int) -> tuple[int, bytes] | None:
    """Return what `right_length` does for a file of big-endian chunks, whose lengths have `width` bytes."""
    head = 4 + width
    for _ in range(_MOST_PASSED):
        if position + head > size:
            break
        name, length = _chunk(file, position, width, "big")
        start, end = position + head, position + head + length
        if name == wanted:
            right = end <= size and _ends_well(file, end + (length % 2 if width == 4 else 0), size, width, "big")
            return None if right else (position + 4, min(size - start, (1 << 8 * width) - 1).to_bytes(width, "big"))
        position = end + (length % 2 if width == 4 and not lacks_filling(file, end) else 0)
    return None


def _right_in_w64(file: BinaryIO, size: int) -> tuple[int, bytes] | None:
    """Return what `right_length` does for a W64 file of `size` bytes."""
    position = _W64_CHUNK + _W64_NAME
    for _ in range(_MOST_PASSED):
        if position + _W64_CHUNK > size:
            break
        file.seek(position)
        head = file.read(_W64_CHUNK)
        length = int.from_bytes(head[_W64_NAME:], "little")
        following = position + length + -length % 8
        if head[:4] == b"data":
            # the length may be any number of 64 bits: a place beyond the end of the file is not looked for
            if length >= _W64_CHUNK and position + length <= size:
                file.seek(following + _W64_NAME)
                is_chunk = _W64_CHUNK <= int.from_bytes(file.read(8), "little") <= size - following
                if is_chunk or following + _LEAST_SOUND > size:
                    return None
            return position + _W64_NAME, (size - position).to_bytes(8, "little")
        if length < _W64_CHUNK:
            return None
        position = following
    return None


def late_sound(path: Path) -> list[tuple[int, int]]:
    """Return (first byte, number of bytes) of a WAV or FLAC file behind a few other bytes; nothing for other files.

    Such bytes are the head of an answer of a web server, a byte order mark, or the end of a line.
    """
    with path.open("rb") as file:
        found = _LATE.search(file.read(_MOST_BEFORE))
    return [(found.start(), path.stat().st_size - found.start())] if found is not None and found.start() > 0 else []


def is_cut_wav(path: Path) -> bool:
    """Return whether `path` begins as a WAV file and ends before its sound data."""
    with path.open("rb") as file:
        head = file.read(12)
    return head[:4] in _HEADS and head[8:] == b"WAVE"[: len(head[8:])] and read_wav_header(path) is None


def _header(file: BinaryIO, start: int, stated: int, size: int, form: bytes, known: bool) -> WavHeader:
    end = start + stated
    right = end <= size and _ends_well(file, end + stated % 2, size)
    held = stated if right else size - start
    samples = wav_samples(form, file, start, held)
    return WavHeader(
        start=start,
        stated=stated,
        held=held,
        rate=int.from_bytes(form[4:8], "little"),
        channels=int.from_bytes(form[2:4], "little"),
        subtype=samples.subtype,
        frame_bytes=samples.frame_bytes,
        known=known and not samples.misread,
        earlier=samples.earlier,
    )


def _ends_well(
    file: BinaryIO, position: int, size: int, width: int = 4, order: Literal["little", "big"] = "little"
) -> bool:
    """Return whether the file holds nothing but chunks, a tag or a little filling from `position` on.

    A further chunk of sound data in a WAV file, or another WAV file, ends the search, because its own length may be
    wrong. Text is passed over: some programs append it without the head of a chunk.
    """
    file.seek(position)
    if file.read(8).startswith(_TAGS):
        return True
    while position + _LEAST_SOUND <= size:
        name, length = _chunk(file, position, width, order)
        if name in (b"data", *_HEADS) and order == "little":
            return True
        if not all(0x20 <= byte < 0x7F for byte in name):
            return _is_text(file, position)
        if position + 4 + width + length > size:
            # a file that was cut may end within its tags or a picture
            usual = _USUAL if order == "little" else USUAL_AIFF if width == 4 else ()
            return name in usual or _is_text(file, position)
        position += 4 + width + length + (length % 2 if width == 4 else 0)
    return True


def _is_text(file: BinaryIO, position: int) -> bool:
    """Return whether the bytes from `position` on are text, which no sound is."""
    file.seek(position)
    return is_plain_text(file.read(_LOOKED_AT).decode(errors="replace"))


def _chunk(
    file: BinaryIO, position: int, width: int = 4, order: Literal["little", "big"] = "little"
) -> tuple[bytes, int]:
    """Return the name of the chunk at `position` and its length in bytes, a number of `width` bytes."""
    file.seek(position)
    head = file.read(4 + width)
    return head[:4], int.from_bytes(head[4:], order)
