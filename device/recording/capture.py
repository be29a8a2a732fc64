"""The folder that a live run is kept in, so that `lefthand play` gives the same again, and how the run was set."""

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
MEGABYTE = 1_000_000
DEFAULT_MB = 1000
"""An hour and a half of sound at 48 kHz."""


@dataclass(frozen=True)
class CaptureSettings:
    """How a run was set, which `play` has to know to do the same again."""

    clock: Literal["follow", "fixed", "midi"]
    tempo: float | None
    meter: str
    count_in: int | None
    bundle: str
    """The folder of the models, "" for those that came with lefthand."""
    hears_itself: bool
    steering: dict[str, Any] = field(default_factory=dict)
    """The fields of `device.left_hand.player.Steering` at the beginning."""
    split: int = 0
    """The right hand's lowest pitch."""
    confidence: float = AS_FITTED
    """How sure a note had to be."""


def how_captured(path: Path) -> CaptureSettings | None:
    """How the run was set that captured the sound or keys in `path`; None for a file that is no capture.

    Raises UserError where that can no longer be read.
    """
    beside = path.parent / HOW
    if path.name not in (SOUND, KEYS) or not beside.exists():
        return None
    try:
        return CaptureSettings(**json.loads(beside.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{beside} cannot be read ({error}): move {path.name} elsewhere to play it alone.") from None


@dataclass(frozen=True)
class Capture:
    """Where to record, and how much at most."""

    folder: Path
    most_bytes: int = DEFAULT_MB * MEGABYTE

    def next(self) -> Capture:
        """A new folder in this one, for what is left of the bytes."""
        used = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        folder = next(path for i in itertools.count(1) if not (path := self.folder / f"{i:03d}").exists())
        return Capture(folder, max(0, self.most_bytes - used))
