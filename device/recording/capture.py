"""The folder that holds a recorded live run and its settings, so that `lefthand play` repeats the run exactly."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from device.errors import UserError
from device.settings.choices import AS_FITTED

SOUND, KEYS, NOTES, SENT, HOW = "capture.wav", "capture.mid", "notes.csv", "sent.mid", "capture.json"
"""The files in the folder: sound or keys, notes heard, messages sent, settings."""
OLD_EVENTS = ".told"
"""A file in which older versions kept the notes until the recording ended. Reading it could run foreign code."""
MEGABYTE = 1_000_000
"""Bytes."""
DEFAULT_MB = 1000
"""Size limit of a recording in megabytes. It holds an hour and a half of sound at 48 kHz."""


@dataclass(frozen=True)
class CaptureSettings:
    """The settings of a run that `play` needs to repeat it."""

    clock: Literal["follow", "fixed", "midi"]
    tempo: float | None
    meter: str
    count_in: int | None
    bundle: str
    """The folder of the models; "" for the models that came with lefthand."""
    hears_itself: bool
    steering: dict[str, Any] = field(default_factory=dict)
    """The fields of `device.left_hand.player.Steering` at the beginning."""
    split: int = 0
    """The right hand's lowest pitch, as a MIDI number."""
    confidence: float = AS_FITTED
    """The confidence that a note needed to be accepted."""


def how_captured(path: Path) -> CaptureSettings | None:
    """Return the settings of the run that recorded `path`; None if `path` is not part of a capture.

    Raises UserError if the settings file cannot be read.
    """
    beside = path.parent / HOW
    if path.name not in (SOUND, KEYS) or not beside.exists():
        return None
    if not path.exists() and (path.parent / OLD_EVENTS).exists():
        raise UserError(
            f"{path} was never written: an older lefthand was cut off while it recorded, and {OLD_EVENTS} beside it "
            f"cannot be read: record again."
        )
    try:
        return CaptureSettings(**json.loads(beside.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{beside} cannot be read ({error}): move {path.name} elsewhere to play it alone.") from None


@dataclass(frozen=True)
class Capture:
    """The folder to record into, and the largest size in bytes."""

    folder: Path
    most_bytes: int = DEFAULT_MB * MEGABYTE

    def next(self) -> Capture:
        """Return a capture in a new folder inside this one. Its size limit is the number of bytes that are left."""
        used = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        folder = next(path for i in itertools.count(1) if not (path := self.folder / f"{i:03d}").exists())
        return Capture(folder, max(0, self.most_bytes - used))
