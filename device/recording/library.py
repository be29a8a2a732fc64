"""Lists and deletes the recordings of a box. Each has a numbered folder, and all these folders lie in one folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from device.errors import UserError
from device.files.sound.wav_header import read_wav_header
from device.recording.capture import ACTIONS, BEATS, HOW, KEYS, LOSSES, MEMORY, NOTES, NUMBER, SENT, SOUND
from device.recording.recorder import KEPT_FREE
from device.system.durable_files import PRIVATE, write_durably
from device.system.untrusted_files import read_small

FOLDER = "recordings"
"""Name of the folder of all recordings. It lies in the state directory."""
BEGAN = "began.txt"
"""The file in a recording with the time at which it began. It exists only if the box knew the time."""
FILES = (SOUND, KEYS, NOTES, SENT, HOW, MEMORY, BEATS, LOSSES, ACTIONS, BEGAN)
"""All files that a recording can have."""
SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd makes this file when the clock is right. A Pi has no clock of its own."""
BYTES_A_SECOND = 4 * 48_000
"""Bytes of a second of sound at the usual rate. The other files are small beside it."""


FINISHED_S = 60.0
"""A recording is finished if no file in it has changed for this many seconds. Its files are not read again then."""
_State = tuple[int, int]
"""The inode of a recording's folder, and the time in nanoseconds at which a file was last made or removed in it."""


class Library:
    """Lists and deletes the recordings in `folder`, which may not exist yet.

    What is known of a finished recording is kept, so that a page that asks every few seconds costs no reading of files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._finished: dict[str, tuple[_State, dict[str, Any]]] = {}

    def shown(self, current: str | None) -> dict[str, Any]:
        """Return the recordings, the newest first, and the seconds of sound for which the disk has room.

        The result is a dict of JSON values: "folder", "current", "recordings" and "room_s". Each recording has its
        number, length in seconds, size in bytes, time of beginning (None if unknown), and whether it holds sound.
        `current` is the number of the recording that is being made, or None.
        """
        there = self._there()
        # threads may ask at the same time, so the dict is exchanged and never changed
        kept = {number: known for number, known in self._finished.items() if there.get(number) == known[0]}
        recordings = []
        for number in sorted(there, key=int, reverse=True):
            if number in kept:
                one = kept[number][1]
            else:
                one, finished = _read(self.folder / number)
                if finished and number != current:
                    kept[number] = there[number], one
            recordings.append(one)
        self._finished = kept
        return {
            "folder": str(self.folder),
            "current": current,
            "recordings": recordings,
            "room_s": self._room_s(),
        }

    def delete(self, number: str, current: str | None) -> None:
        """Remove the recording `number` for good. `current` is the number of the recording that is being made, or None.

        Raises UserError if no recording has this number, if it is being made, or if the disk refuses.
        """
        folder = self.folder / number
        if not NUMBER.fullmatch(number) or not folder.is_dir() or folder.is_symlink():
            raise UserError("There is no recording of this number.")
        if number == current:
            raise UserError(f"Recording {number} is being made: stop it first.")
        try:
            for name in FILES:
                (folder / name).unlink(missing_ok=True)
            folder.rmdir()
        except OSError as error:
            raise UserError(f"Recording {number} cannot be removed ({error.strerror}): look into {folder}.") from None

    def note_the_time(self, number: str) -> None:
        """Write the present time into the folder of the recording `number`, as the time at which it began.

        Nothing is written if the clock of this machine is not set yet, or if the disk refuses.
        """
        if SYNCHRONIZED.parent.is_dir() and not SYNCHRONIZED.exists():
            return
        with contextlib.suppress(OSError):
            now = datetime.now(UTC).isoformat(timespec="seconds")
            write_durably(self.folder / number / BEGAN, now.encode(), PRIVATE)

    def _there(self) -> dict[str, _State]:
        """Return the number and the state of each recording. Links are left out."""
        found: dict[str, _State] = {}
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                if NUMBER.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                    with contextlib.suppress(OSError):
                        state = entry.stat(follow_symlinks=False)
                        found[entry.name] = state.st_ino, state.st_mtime_ns
        return found

    def _room_s(self) -> float:
        above = next((path for path in (self.folder, *self.folder.parents) if path.is_dir()), Path("/"))
        return max(0.0, (shutil.disk_usage(above).free - KEPT_FREE) / BYTES_A_SECOND)


def _read(folder: Path) -> tuple[dict[str, Any], bool]:
    """Return what is shown of the recording in `folder`, and whether it is finished."""
    began: str | None = None
    with contextlib.suppress(OSError, ValueError):
        began = datetime.fromisoformat(read_small(folder / BEGAN).decode("ascii")).isoformat()
    files = _plain_files(folder)
    sound = SOUND in files
    seconds = _sound_s(folder / SOUND) if sound else _last_note_s(folder / NOTES) if NOTES in files else 0.0
    shown = {
        "number": folder.name,
        "sound": sound,
        "seconds": round(seconds, 1),
        "began": began,
        "bytes": sum(file.st_size for file in files.values()),
    }
    # a folder without files may be one that this account cannot read now
    changed_s = max((file.st_mtime for file in files.values()), default=None)
    return shown, changed_s is not None and time.time() - changed_s > FINISHED_S


def _plain_files(folder: Path) -> dict[str, os.stat_result]:
    """Return the name and the state of each plain file in `folder`. Links and pipes are left out.

    The result is empty if this account may not read the folder, or if it was just deleted.
    """
    files: dict[str, os.stat_result] = {}
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                files[entry.name] = entry.stat(follow_symlinks=False)
    return files


def _sound_s(path: Path) -> float:
    with contextlib.suppress(OSError):
        header = read_wav_header(path)
        if header is not None and header.rate > 0:
            return header.frames / header.rate
    return 0.0


def _last_note_s(path: Path) -> float:
    """Return the time in seconds of the last note in the notes file `path`; 0 if there is none or it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 400))
            last = file.read().decode("ascii", "replace").splitlines()[-1]
        return float(last.split(",")[5])
    except (OSError, ValueError, IndexError):
        return 0.0
