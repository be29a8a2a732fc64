"""The status of the box that runs now: one small file, which `lefthand status` and doctor read.

The file is `status.json` in the run directory, replaced in one go a few times a second, and removed when
the box ends in order; `Status` is its schema.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

FILE = "status.json"
SCHEMA = 1
NOTES_SHOWN = 16
PERIOD_S = 0.25
"""How often a running box rewrites the file."""
STALE_S = 3.0
"""A box whose file is older than this hangs or was killed: twelve periods have passed."""

State: TypeAlias = Literal["starting", "waiting", "playing", "stopping"]


@dataclass(frozen=True)
class BundleStatus:
    """The models: their folder, and the first 12 digits of the SHA-256 of its manifest."""

    path: str = ""
    id: str = ""


@dataclass(frozen=True)
class AudioStatus:
    """The sound input; None where there is none open."""

    port: str | None = None
    rate: int | None = None
    level_db: float | None = None
    """Highest peak since the status before, in dBFS."""
    xruns: int = 0
    """Since the box began."""


@dataclass(frozen=True)
class MidiStatus:
    """The MIDI ports that are open, None for the others."""

    output: str | None = None
    input: str | None = None


@dataclass(frozen=True)
class HopStatus:
    """How long the engine takes for a hop of `length_ms`."""

    count: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    length_ms: float = 0.0


@dataclass(frozen=True)
class NoteStatus:
    """A note heard or played; `age_s` is negative for one that is yet to sound."""

    pitch: int
    velocity: int
    confidence: float
    age_s: float


@dataclass(frozen=True)
class Status:
    """All that the box tells of itself."""

    state: State
    message: str
    """What it waits for or plays, in a sentence."""
    since: str
    """ISO 8601, UTC: when the state or message was new."""
    pid: int
    version: str
    bundle: BundleStatus = field(default_factory=BundleStatus)
    audio: AudioStatus = field(default_factory=AudioStatus)
    midi: MidiStatus = field(default_factory=MidiStatus)
    tempo: float | None = None
    """Beats a minute."""
    beat: int | None = None
    """In the bar, from 0."""
    lock: float | None = None
    chord: str | None = None
    heard: list[NoteStatus] = field(default_factory=list)
    """The last NOTES_SHOWN, oldest first."""
    played: list[NoteStatus] = field(default_factory=list)
    hop: HopStatus = field(default_factory=HopStatus)
    send_p99_ms: float | None = None
    """How late the messages left, None before the first."""
    faults: dict[str, int] = field(default_factory=dict)
    """How often what went wrong, since the box began."""
    rss_mb: float = 0.0
    """Without memory that is shared with a JACK server."""
    fds: int = 0
    clients: int | None = None
    """Of the MIDI systems, that the box has open."""
    schema: int = SCHEMA

    @property
    def alive(self) -> bool:
        """Whether the process that wrote it is there."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def write_status(folder: Path, status: Status) -> None:
    """Replace the file in `folder`, which is made where it is missing. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f".{FILE}.new"
    beside.write_text(json.dumps(asdict(status)) + "\n", encoding="utf-8")
    beside.replace(folder / FILE)


def read_status(folder: Path) -> Status | None:
    """What the box in the run directory `folder` told last, None where there is none that can be read."""
    try:
        data = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if data["schema"] != SCHEMA:
            return None
        known = _known(Status, data)
        parts = {"bundle": BundleStatus, "audio": AudioStatus, "midi": MidiStatus, "hop": HopStatus}
        for name, kind in parts.items():
            if name in known:
                known[name] = kind(**_known(kind, known[name]))
        for name in ("heard", "played"):
            known[name] = [NoteStatus(**_known(NoteStatus, note)) for note in known.get(name, [])]
        return Status(**known)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def remove_status(folder: Path) -> None:
    """The box has ended."""
    with contextlib.suppress(OSError):
        (folder / FILE).unlink(missing_ok=True)


_Part = TypeVar("_Part")


def _known(kind: type[_Part], data: dict[str, Any]) -> dict[str, Any]:
    """What `kind` has a field for: a newer lefthand may have written more."""
    names = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    return {name: value for name, value in data.items() if name in names}
