"""Finds the paths on which the notes that the box sends come back late or transposed: programs, networks, a keyboard.

A path has one delay and one interval. Everything that is sent comes back on it, unchanged in velocity, and a note comes
back as long as it was sent. A player who repeats the notes of the box, as in a canon, comes near in time and may have
the same velocities. But his releases differ by more than those of a path.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

LATEST_S = 2.0
"""Seconds within which a note comes back, as from a program or a network that delays it."""
WITHIN_S = 0.06
"""Largest difference, in seconds, between the delay of a note and the mean delay of its path."""
LEAST_NOTES, LEAST_TRANSPOSED = 3, 4
"""Number of sent notes that come back before a path is known: on their own keys, and transposed.

The last of them is already taken for an echo.
"""
MOST_PATHS = 32
"""Greatest number of possible paths that are followed at once. After some notes few are left.

On the other paths notes were missing.
"""
MOST_NOTES = 64
"""Greatest number of sent notes that are remembered.

These are all notes of LATEST_S, unless the box plays more than thirty in a second.
"""
MOST_DOWN = 8
"""Greatest number of note-ons of one key that wait for their release. A keyboard may send no releases."""
_SMOOTHED = 8
"""Number of notes over which the mean delay of a path is taken."""
_PATH_S, _PLAYER_ON_S, _PLAYER_OFF_S = 0.018, 0.04, 0.09
"""Standard deviations, in seconds, of the delays of a path, and of the strikes and releases of a player who follows.

A network or a program may delay each note by another time.
"""
_TRANSPOSED_SCALE = 0.33
"""Factor of these deviations for a path that transposes, which is the keyboard itself. A player often plays octaves."""
_LEAST_SCORE, _MOST_SCORE = -6.0, 6.0
"""Limits of the log-likelihood ratio of a path against a player, so that it can change its sign within some notes."""
_SURE_SCORE = 1.5
"""Least log-likelihood ratio of a known path. Three strikes with one delay reach it, even before any release."""
_WORST = -3.0
"""Least log-likelihood ratio of a strike or a release. A note that is missing has this ratio too."""


@dataclass(eq=False)
class _ReturnPath:
    """Holds one path. `interval` is in semitones."""

    interval: int
    delay_s: float
    """Mean delay of the last notes."""
    sent_s: float
    """Time at which the first note that came back was sent, or else the last note that was missing.

    Only notes that were sent later may still be found missing.
    """
    notes: int = 1
    """Number of sent notes that came back. Each one that is missing halves it."""
    score: float = 0.0
    """Log-likelihood ratio of a path against a player, from the differences in time."""

    def judge(self, late_s: float | None, player_s: float) -> None:
        """Add a log-likelihood ratio to the score, within its limits: that of a strike or a release.

        It came `late_s` seconds after the time of this path; None: it is missing, or came before it could come. The
        standard deviation of a player is `player_s` seconds. Both densities are normal.
        """
        ratio = _WORST
        if late_s is not None:
            scale = _TRANSPOSED_SCALE if self.interval else 1.0
            exponent = (late_s / scale) ** 2 / 2 * (1 / _PATH_S**2 - 1 / player_s**2)
            ratio = max(math.log(player_s / _PATH_S) - exponent, _WORST)
        self.score = min(max(self.score + ratio, _LEAST_SCORE), _MOST_SCORE)

    @property
    def is_known(self) -> bool:
        """Whether this is surely a path, and not a player."""
        return self.notes >= (LEAST_TRANSPOSED if self.interval else LEAST_NOTES) and self.score >= _SURE_SCORE


@dataclass(eq=False)
class _SentNote:
    """Holds a note that was sent, and the paths on which it came back. `off_s` is None until it is released."""

    pitch: int
    velocity: int
    on_s: float
    off_s: float | None = None
    came_on: list[_ReturnPath] = field(default_factory=list)


@dataclass(eq=False)
class _Returned:
    """Holds a note-on that was received, with the sent notes that it may be, each with its path.

    `by` is the known path on which it came, or None if it may be the player's.
    """

    matches: list[tuple[_ReturnPath, _SentNote]]
    by: _ReturnPath | None


class ReturnPaths:
    """Follows all paths on which sent notes may come back. Times are monotonic seconds and do not go back."""

    def __init__(self) -> None:
        self._notes: deque[_SentNote] = deque(maxlen=MOST_NOTES)
        self._paths: list[_ReturnPath] = []
        self._down: dict[int, list[_Returned]] = {}
        """The received note-ons of each key that were not released yet, if they may be sent notes."""

    def sent_on(self, pitch: int, velocity: int, at_s: float) -> None:
        """Remember a note-on that is sent at `at_s`."""
        if self._paths:
            self._miss(at_s)
        while self._notes and self._notes[0].on_s < at_s - LATEST_S - WITHIN_S:
            self._notes.popleft()
        self._notes.append(_SentNote(pitch, velocity, at_s))

    def sent_off(self, pitch: int, at_s: float) -> None:
        """Remember a note-off that is sent at `at_s`."""
        note = next((note for note in reversed(self._notes) if note.pitch == pitch), None)
        if note is not None and note.off_s is None:
            note.off_s = at_s

    def struck(self, pitch: int, velocity: int, at_s: float, least_s: float) -> tuple[bool, bool]:
        """Take in a note-on that was received at `at_s`. Return whether it is an echo, and whether it may be one.

        On their own keys, notes that come back sooner than after `least_s` are only counted: the window of `Echoes`
        recognises them.
        """
        self._miss(at_s)
        matches: list[tuple[_ReturnPath, _SentNote]] = []
        for path in self._paths:
            note = self._nearest(path, pitch, velocity, at_s)
            if note is not None:
                matches.append((path, note))
                if path not in note.came_on:
                    note.came_on.append(path)
                    _take_strike(path, at_s - note.on_s)
        for note in self._notes:
            if note.velocity == velocity and not any(note is matched for _, matched in matches):
                path = _ReturnPath(pitch - note.pitch, at_s - note.on_s, note.on_s)
                note.came_on.append(path)
                self._paths.append(path)
                matches.append((path, note))
        if len(self._paths) > MOST_PATHS:
            self._paths = sorted(self._paths, key=lambda path: (path.notes, path.score))[-MOST_PATHS:]
        used = [path for path, _ in matches if path.interval or path.delay_s >= least_s]
        known = [path for path, _ in matches if path.is_known]
        # a note that is repeated evenly also fits a delay that is longer by the time between two strikes
        by = max(known, key=lambda path: (path.notes, -path.delay_s), default=None)
        by = by if by in used else None
        down = self._down.setdefault(pitch, [])
        if by is None:
            # the player has struck the key of an echo: the next release is his
            down[:] = [one for one in down if one.by is None]
        if matches:
            down.append(_Returned(matches, by))
            del down[:-MOST_DOWN]
        return by is not None, any(not path.interval and path.notes > 1 for path in used)

    def released(self, pitch: int, at_s: float) -> bool:
        """Take in a note-off that was received at `at_s`. Return whether it is the end of an echo."""
        down = self._down.get(pitch, [])
        ended = next((one for one in down if one.by is not None and self._is_end(one, at_s)), None)
        is_echo = ended is not None
        if ended is None:
            ended = next((one for one in down if one.by is None), None) or next(iter(down), None)
        if ended is None:
            return False
        down.remove(ended)
        for path, note in ended.matches:
            path.judge(None if note.off_s is None else at_s - note.off_s - path.delay_s, _PLAYER_OFF_S)
        return is_echo

    @staticmethod
    def _is_end(one: _Returned, at_s: float) -> bool:
        """Return whether a note-off at `at_s` ends the echo `one`, by its time."""
        return any(
            path is one.by and note.off_s is not None and abs(at_s - note.off_s - path.delay_s) <= WITHIN_S
            for path, note in one.matches
        )

    def _nearest(self, path: _ReturnPath, pitch: int, velocity: int, at_s: float) -> _SentNote | None:
        """Return the sent note that a received note-on is if it came on `path`; None if there is none."""
        awaited_s = at_s - path.delay_s
        fitting = [
            note
            for note in self._notes
            if note.pitch + path.interval == pitch
            and note.velocity == velocity
            and abs(note.on_s - awaited_s) <= WITHIN_S
        ]
        return min(fitting, key=lambda note: abs(note.on_s - awaited_s), default=None)

    def _miss(self, at_s: float) -> None:
        """Judge the paths on which a note is missing, and give up those on which too many are."""
        for path in list(self._paths):
            due_s = at_s - path.delay_s - WITHIN_S
            for note in self._notes:
                if path.sent_s < note.on_s < due_s and path not in note.came_on:
                    path.sent_s = note.on_s
                    path.notes //= 2
                    path.judge(None, _PLAYER_ON_S)
            if path.notes < 1:
                self._paths.remove(path)


def _take_strike(path: _ReturnPath, delay_s: float) -> None:
    """Count a further note that came back on `path` after `delay_s` seconds."""
    late_s = delay_s - path.delay_s
    path.notes += 1
    path.delay_s += late_s / min(path.notes, _SMOOTHED)
    path.judge(late_s, _PLAYER_ON_S)
