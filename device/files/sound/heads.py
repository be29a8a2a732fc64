"""Knows the first bytes of sound files, and of containers that may hold sound."""

from __future__ import annotations

from pathlib import Path

SOUND_HEADS = (b"fLaC", b"OggS", b"ID3", b"FORM", b"caff", b".snd", b"RIFX", b"RF64", b"BW64")
"""First bytes of FLAC, Ogg, MP3 with a tag, AIFF, CAF, AU, big-endian WAV and long WAV files."""
_MATROSKA = b"\x1a\x45\xdf\xa3"
"""First bytes of a Matroska or WebM file."""


def is_container(path: Path) -> bool:
    """Return whether the file begins as one of a kind that may hold frames of an MP3 among other things."""
    with path.open("rb") as file:
        head = file.read(12)
    kinds = [kind for kind in SOUND_HEADS if kind != b"ID3"]
    return head.startswith((*kinds, b"RIFF", b"MThd", _MATROSKA)) or head[4:8] == b"ftyp"
