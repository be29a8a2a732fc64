"""Finds out whether an input of `lefthand play` is MIDI or sound. The content decides, not the name."""

from __future__ import annotations

from pathlib import Path

from device.errors import UserError
from device.files.foreign_kinds import foreign_form, foreign_kind, is_text
from device.files.midi_bytes import HEADER_WITHIN
from device.files.ogg_links import starts_late

MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
_SOUND_HEADS = (b"fLaC", b"OggS", b"ID3", b"FORM", b"caff", b".snd", b"RIFX", b"RF64", b"BW64")
"""First bytes of FLAC, Ogg, MP3 with a tag, AIFF, CAF, AU, big-endian WAV and long WAV files."""
_MIDI_HEADER = b"MThd\x00\x00\x00\x06"
"""First bytes of a MIDI file. A container may stand before them."""
_MATROSKA = b"\x1a\x45\xdf\xa3"
"""First bytes of a Matroska or WebM file."""


def is_container(path: Path) -> bool:
    """Return whether the file begins as one of a kind that may hold frames of an MP3 among other things."""
    with path.open("rb") as file:
        head = file.read(12)
    kinds = [kind for kind in _SOUND_HEADS if kind != b"ID3"]
    return head.startswith((*kinds, b"RIFF", b"MThd", _MATROSKA)) or head[4:8] == b"ftyp"


def is_midi(path: Path) -> bool:
    """Return whether the file is read as MIDI. The name decides only where the content is neither MIDI nor sound.

    Raises UserError if it is of a kind that is neither, such as a score, and OSError if it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(12)
    if head.startswith(b"MThd") or (head[:4] in (b"RIFF", b"RIFX") and head[8:] == b"RMID"):
        return True
    is_sound = head.startswith(_SOUND_HEADS) or (head[:4] == b"RIFF" and head[8:] == b"WAVE") or head[4:8] == b"ftyp"
    if is_sound and foreign_form(head) is None:
        return False
    if (kind := foreign_kind(path)) is not None:
        raise UserError(f"{path} {kind}")
    if starts_late(path):
        return False
    with path.open("rb") as file:
        within = file.read(HEADER_WITHIN)
    if path.suffix.lower() in MIDI_SUFFIXES or _MIDI_HEADER in within:
        return True
    if is_text(path):
        raise UserError(f"{path} is a text, not a MIDI file or a sound: export its music as a MIDI file (.mid).")
    return False
