"""Describes a capture: the folder of a recorded live run, which `lefthand play` can repeat exactly."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from device.clock.meter import Meter
from device.engine import TimedAction
from device.errors import UserError
from device.left_hand.phrase_memory import MOST_BYTES, PhraseMemory
from device.recording.actions_csv import MOST_ACTIONS_BYTES, actions_of
from device.recording.losses_csv import MOST_LOSSES_BYTES, losses_of
from device.settings.choices import AS_FITTED, Steering
from device.settings.sections import AudioSettings, ClockSettings, PlaySettings, check_section
from device.system.untrusted_files import read_small

SOUND, KEYS, NOTES, SENT, HOW = "capture.wav", "capture.mid", "notes.csv", "sent.mid", "capture.json"
MEMORY, BEATS, LOSSES, ACTIONS = "phrases.json", "beats.csv", "losses.csv", "actions.csv"
"""The files in the folder: sound or keys, notes heard, messages sent, settings, the phrases known before, beats, the
places at which sound was lost, and the actions of the owner."""
OLD_EVENTS = ".told"
"""A file in which older versions kept the notes until the recording ended. Reading it could run foreign code."""
MEGABYTE = 1_000_000
"""Number of bytes in a megabyte."""
DEFAULT_MB = 1000
"""Size limit of a recording in megabytes. It holds an hour and a half of sound at 48 kHz."""
NUMBER = re.compile(r"[0-9]{3,6}")
"""The name of the folder of a numbered recording."""


@dataclass(frozen=True)
class CaptureSettings:
    """Holds the settings of a recorded run that `lefthand play` needs to repeat it."""

    clock: Literal["follow", "fixed", "midi"]
    tempo: float | None
    meter: str
    count_in: int | None
    bundle: str
    """The folder of the models; "" for the models that came with lefthand."""
    hears_itself: bool
    steering: dict[str, Any] = field(default_factory=dict)
    """The fields of `device.settings.choices.Steering` at the beginning of the run, by name."""
    split: int = 0
    """The right hand's lowest pitch, as a MIDI number."""
    confidence: float = AS_FITTED
    """The confidence that a note needed to be accepted."""
    max_drift: float | None = None
    upbeat: float | None = None
    tuning: float = 0.0
    """Cents above A4 = 440 Hz at which the piano was heard at the beginning."""
    adapts: bool = False
    """Whether the tuning was measured and followed during the run. Older recordings have no such field."""


def how_captured(path: Path) -> CaptureSettings | None:
    """Return the settings of the run that recorded the file `path`; None if `path` is not part of a capture.

    Raises UserError if the settings file beside it cannot be read, or if an older version never finished the recording.
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
        how = CaptureSettings(**json.loads(read_small(beside)))
        _check(how, str(beside))
    except (OSError, ValueError, TypeError, RecursionError, UserError) as error:
        raise UserError(f"{beside} cannot be read ({error}): move {path.name} elsewhere to play it alone.") from None
    return how


def memory_captured(path: Path) -> PhraseMemory | None:
    """Return the phrases that the box knew when it recorded the file `path`; None if none are stored beside it.

    Raises UserError if their file cannot be read.
    """
    beside = path.parent / MEMORY
    if path.name not in (SOUND, KEYS) or not beside.exists():
        return None
    try:
        return PhraseMemory.unpacked(read_small(beside, MOST_BYTES))
    except (OSError, ValueError) as error:
        raise UserError(f"{beside} cannot be read ({error}): move it away to play without them.") from None


def losses_told(path: Path) -> list[int]:
    """Return the places in the recorded sound `path`, as rising numbers of samples, at which a loss was reported.

    These are the losses that the hearing was told of. The list is empty if `path` is not part of a capture.
    Raises UserError if their file cannot be read.
    """
    beside = path.parent / LOSSES
    if path.name != SOUND or not (path.parent / HOW).exists() or not beside.exists():
        return []
    try:
        losses = losses_of(read_small(beside, MOST_LOSSES_BYTES))
    except (OSError, ValueError) as error:
        raise UserError(f"{beside} cannot be read ({error}): move it away to play without the losses.") from None
    return [loss.sample for loss in losses if not loss.found_late]


def actions_taken(path: Path) -> list[TimedAction] | None:
    """Return the owner's actions in the run that recorded the file `path`, in the order of their hops.

    None: `path` is not part of a capture, or an older version recorded it. Raises UserError if their file cannot be
    read.
    """
    beside = path.parent / ACTIONS
    if path.name not in (SOUND, KEYS) or not (path.parent / HOW).exists() or not beside.exists():
        return None
    try:
        return actions_of(read_small(beside, MOST_ACTIONS_BYTES))
    except (OSError, ValueError) as error:
        raise UserError(f"{beside} cannot be read ({error}): move it away to play without the actions.") from None


def _check(how: CaptureSettings, where: str) -> None:
    """Raise UserError if a value in `how` is not allowed in a settings file, and TypeError if it is of a wrong kind.

    `where` names the file in the error message.
    """
    if not isinstance(how.bundle, str) or not isinstance(how.steering, dict):
        raise TypeError("bundle must be a text and steering an object")
    if unknown := set(how.steering) - {field.name for field in fields(Steering)}:
        raise TypeError(f"steering has no {sorted(unknown)[0]}")
    clock = {"mode": how.clock, "tempo": how.tempo, "meter": how.meter, "count_in": how.count_in}
    clock |= {"max_drift": how.max_drift, "upbeat": how.upbeat}
    audio = {"hears_itself": how.hears_itself, "confidence": how.confidence, "tuning": how.tuning}
    if not isinstance(how.adapts, bool):
        raise TypeError("adapts must be true or false")
    check_section(ClockSettings, "clock", {k: v for k, v in clock.items() if v is not None}, where)
    check_section(AudioSettings, "audio", audio, where)
    check_section(PlaySettings, "play", {**how.steering, "split": how.split}, where)
    Meter.parse(how.meter)


@dataclass(frozen=True)
class Capture:
    """Names the folder to record into and the largest size of the recording in bytes."""

    folder: Path
    most_bytes: int = DEFAULT_MB * MEGABYTE

    def next(self) -> Capture:
        """Return a Capture for a new numbered folder inside this one.

        Its number is the one after the highest, so that it is not taken for a recording that was deleted. Its size
        limit is the limit of this one, less the bytes of all files that this folder already holds.
        """
        used = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        names: list[str] = []
        with contextlib.suppress(FileNotFoundError):
            names = [path.name for path in self.folder.iterdir()]
        newest = max((int(name) for name in names if NUMBER.fullmatch(name)), default=0)
        return Capture(self.folder / f"{newest + 1:03d}", max(0, self.most_bytes - used))
