"""Finds out whether an input of `lefthand play` is MIDI or sound. The content decides, not the name."""

from __future__ import annotations

from pathlib import Path

from device.errors import UserError
from device.files.foreign_kinds import foreign_form, foreign_kind, is_text
from device.files.midi.bytes import HEADER_WITHIN
from device.files.sound.heads import SOUND_HEADS
from device.files.sound.ogg_links import starts_late

MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
_MIDI_HEADER = b"MThd\x00\x00\x00\x06"
"""First bytes of a MIDI file. A container may stand before them."""


def is_midi(path: Path) -> bool:
    """Return whether the file is read as MIDI. The name decides only where the content is neither MIDI nor sound.

    Raises UserError if it is of a kind that is neither, such as a score, and OSError if it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(12)
    if head.startswith(b"MThd") or (head[:4] in (b"RIFF", b"RIFX") and head[8:] == b"RMID"):
        return True
    is_sound = head.startswith(SOUND_HEADS) or (head[:4] == b"RIFF" and head[8:] == b"WAVE") or head[4:8] == b"ftyp"
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
