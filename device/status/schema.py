"""Defines, writes and reads the status file of the running box, for `lefthand status` and `lefthand doctor`.

The file is `status.json` in the run directory. The box replaces it atomically every PERIOD_S seconds and removes it at
a normal end. `Status` is its schema.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from device.events import DoubtKind
from device.status.decode import decode
from device.system.untrusted_files import own_folder, read_small, replace_file

FILE = "status.json"
SCHEMA = 1
NOTES_SHOWN = 16
PERIOD_S = 0.25
"""Seconds between two writes of the file by a running box."""
STALE_S = 3.0
"""A box whose file is older than this, in seconds, hangs or was killed. It is twelve write periods."""

LARGEST_PID = 2**31 - 1
"""Largest number of the C type pid_t. A larger number is not that of a process."""

State: TypeAlias = Literal["starting", "waiting", "playing", "stopping"]


@dataclass(frozen=True)
class BundleStatus:
    """Names the models: the folder of their bundle, and the first 12 hex digits of the SHA-256 of its manifest."""

    path: str = ""
    id: str = ""


@dataclass(frozen=True)
class AudioStatus:
    """Describes the sound input. `port`, `rate` (Hz) and `level_db` are None if no sound input is open."""

    port: str | None = None
    rate: int | None = None
    level_db: float | None = None
    """Highest peak in dBFS since the previous status."""
    xruns: int = 0
    """Number of lost input blocks since the box started."""
    tuning_cents: float | None = None
    """Cents above A4 = 440 Hz at which the piano is heard. None if no sound input is open."""


@dataclass(frozen=True)
class MidiStatus:
    """Holds the names of the open MIDI ports. None for a port that is not open."""

    output: str | None = None
    input: str | None = None


@dataclass(frozen=True)
class HopStatus:
    """Describes how long the engine takes for a hop, which is a block of sound of `length_ms`.

    `count` is the number of hops, and the other fields are the median and the 99th percentile in ms.
    """

    count: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    length_ms: float = 0.0


@dataclass(frozen=True)
class SteeringStatus:
    """Describes how the left hand plays now, after the owner's last action.

    `counting_in` is true while the player's count-in is not complete. Until then the left hand does not play.
    """

    armed: bool = True
    hold: bool = False
    counting_in: bool = False
    style: str = "auto"
    density: float = 1.0
    register: int = 0
    tempo_held: bool = False
    variation: int = 1


@dataclass(frozen=True)
class DoubtStatus:
    """Says why the lock is low, which means that the box is not sure of the beat.

    `beats` is the number of beats without an onset, None unless `kind` is "silence".
    """

    kind: DoubtKind
    beats: int | None = None


ErrandKind: TypeAlias = Literal["calibration", "learning"]


@dataclass(frozen=True)
class ErrandStatus:
    """Describes the present or last errand, a task of the box besides playing.

    "calibration" measures how late the outputs sound. "learning" waits for a press of a foot switch.
    """

    kind: ErrandKind
    state: Literal["running", "done", "failed"]
    text: str
    """A sentence that describes the present step, the result, or the reason of a failure."""
    done: int = 0
    """Number of steps that are done, such as played notes."""
    of: int = 0
    """Number of all steps. 0 if it is not known."""


@dataclass(frozen=True)
class NoteStatus:
    """Describes a note heard or played.

    `age_s` is the time since its onset in seconds, negative for a note still to come.
    """

    pitch: int
    velocity: int
    confidence: float
    age_s: float


@dataclass(frozen=True)
class Status:
    """Holds everything that the box reports about itself."""

    state: State
    message: str
    """A sentence that names the ports that the box plays on or waits for."""
    since: str
    """Time of the last change of state or message, ISO 8601 in UTC."""
    pid: int
    version: str
    bundle: BundleStatus = field(default_factory=BundleStatus)
    audio: AudioStatus = field(default_factory=AudioStatus)
    midi: MidiStatus = field(default_factory=MidiStatus)
    tempo: float | None = None
    """Beats per minute."""
    beat: int | None = None
    """Index of the current beat in the bar, from 0."""
    lock: float | None = None
    doubt: DoubtStatus | None = None
    """Why the lock is low. None if it is not, or if there is no beat."""
    chord: str | None = None
    steering: SteeringStatus | None = None
    """None if no session is open, or if the box only listens."""
    heard: list[NoteStatus] = field(default_factory=list)
    """The last NOTES_SHOWN notes heard, oldest first."""
    played: list[NoteStatus] = field(default_factory=list)
    hop: HopStatus = field(default_factory=HopStatus)
    send_p99_ms: float | None = None
    """Delay in ms between the time at which a message should leave and the time at which it left: 99th percentile.

    None before the first message.
    """
    faults: dict[str, int] = field(default_factory=dict)
    """Number of times that each fault happened since the box started."""
    rss_mb: float = 0.0
    """Resident memory in MiB, without memory that is shared with a JACK server."""
    fds: int = 0
    clients: int | None = None
    """Number of MIDI clients that the box has open."""
    recording: str | None = None
    """Number of the recording that is being made; None if there is none."""
    errand: ErrandStatus | None = None
    """The present or last errand since the box started. None if there was none."""
    schema: int = SCHEMA

    @property
    def alive(self) -> bool:
        """Return whether the process that wrote the status still exists."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def write_status(folder: Path, status: Status) -> None:
    """Write `status` to status.json in `folder`, in place of the old file. Makes the folder if it is missing.

    Raises OSError, also if the folder belongs to another account: that account could put a link in place of the file.
    """
    descriptor = own_folder(folder)
    try:
        # `vars` of each dataclass: `asdict` would copy every note first, four times a second
        replace_file(descriptor, FILE, json.dumps(status, default=vars).encode() + b"\n")
    finally:
        os.close(descriptor)


def read_status(folder: Path | None) -> Status | None:
    """Return the last status in the run directory `folder`.

    Returns None if there is no file or folder, or if the file cannot be read or is not a status of this schema.
    """
    if folder is None:
        return None
    try:
        return parsed_status(json.loads(read_small(folder / FILE)))
    except (OSError, ValueError, RecursionError):
        return None


def parsed_status(data: Any) -> Status | None:
    """Return the status that was written as the JSON value `data`. None if it is not a status of this schema."""
    try:
        status: Status = decode(Status, data)
    except (ValueError, RecursionError):
        return None
    return status if status.schema == SCHEMA and 0 < status.pid <= LARGEST_PID else None


def status_age_s(folder: Path | None) -> float | None:
    """Return the age in seconds, at least 0, of the status file in `folder`. None if there is no file."""
    try:
        return None if folder is None else max(0.0, time.time() - (folder / FILE).lstat().st_mtime)
    except OSError:
        return None


def remove_status(folder: Path) -> None:
    """Remove status.json from `folder`, because the box has ended. An error of the disk is ignored."""
    with contextlib.suppress(OSError):
        (folder / FILE).unlink(missing_ok=True)
