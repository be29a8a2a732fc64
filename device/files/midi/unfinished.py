"""Repairs MIDI files that nobody finished: a recording writes its last track as the notes come.

Until the end, the length of that track is UNKNOWN_LENGTH. After a power cut the file may end within a message, or with
zeros.
"""

from __future__ import annotations

UNKNOWN_LENGTH = 0xFFFFFFFF
"""Length of a track, in bytes, that says that the track goes on to the end of the file."""
END_OF_TRACK = b"\x00\xff\x2f\x00"
"""The last event of every track, with its delta time of 0."""
_HEAD = 8
"""Bytes of a chunk's type and length."""
_LONGEST_NUMBER = 4
"""Bytes of a MIDI file's longest variable-length number."""


def complete(content: bytes) -> bytes:
    """Return the MIDI file `content` with a proper end, if its last track has no length yet.

    That track is cut after its last whole event and gets its length and an end. Any other content is returned
    unchanged.
    """
    position = 0
    while position + _HEAD <= len(content):
        kind, length = content[position : position + 4], int.from_bytes(content[position + 4 : position + _HEAD])
        if kind == b"MTrk" and length == UNKNOWN_LENGTH and content.find(b"MTrk", position + _HEAD) < 0:
            track = content[position + _HEAD :]
            track = track[: _whole_events(track)] + END_OF_TRACK
            return content[:position] + b"MTrk" + len(track).to_bytes(4) + track
        position += _HEAD + length
    return content


def _whole_events(track: bytes) -> int:
    """Return the number of bytes up to the end of the track, or up to the first event that is not whole."""
    position = 0
    while True:
        at, delta = _number(track, position)
        if delta is None or at >= len(track):
            return position
        status = track[at]
        if 0x80 <= status < 0xF0:
            data = track[at + 1 : at + (2 if 0xC0 <= status < 0xE0 else 3)]
            end = at + (2 if 0xC0 <= status < 0xE0 else 3)
            if end > len(track) or any(byte > 127 for byte in data):
                return position
        elif status == 0xFF and at + 1 < len(track) and track[at + 1] != 0x2F:
            at, length = _number(track, at + 2)
            if length is None or at + length > len(track):
                return position
            end = at + length
        else:
            return position
        position = end


def _number(track: bytes, position: int) -> tuple[int, int | None]:
    """Return the position after the variable-length number at `position`, and the number.

    Instead of the number, None is returned if the track ends within it or if it is longer than a MIDI file allows.
    """
    number = 0
    for byte in track[position : position + _LONGEST_NUMBER]:
        position += 1
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return position, number
    return position, None
