"""Passes notes, beats and chords, as they happen, to the programs that watch the box."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal, TypeAlias

MOST_MOMENTS = 1024
"""Largest number of moments that wait for a reader. At 20 ms between two reads that is far more than a hand plays."""

MomentKind: TypeAlias = Literal["heard", "heard_end", "played", "played_end", "beat", "chord"]


@dataclass(frozen=True, slots=True)
class Moment:
    """Describes one event: a note that begins or ends, a beat or a chord. `at_s` is its time in monotonic seconds.

    A note that is still to be played has a time in the future. `pitch` and `velocity` are those of a note, `beat` is
    the beat of the bar from 0, `lock` is its certainty from 0 to 1, and `chord` is the chord's name. Fields that the
    kind does not need are None.
    """

    kind: MomentKind
    at_s: float
    pitch: int | None = None
    velocity: int | None = None
    beat: int | None = None
    lock: float | None = None
    chord: str | None = None


class Moments:
    """Keeps the moments that are not read yet, at most MOST_MOMENTS.

    The audio loop adds moments without waiting, and one other thread reads them.
    """

    def __init__(self) -> None:
        self._waiting: deque[Moment] = deque(maxlen=MOST_MOMENTS)

    def add(self, moment: Moment) -> None:
        """Add a moment. If nobody reads, the oldest one is dropped."""
        self._waiting.append(moment)

    def taken(self) -> list[Moment]:
        """Return all waiting moments, oldest first, and remove them from the list."""
        found = []
        while self._waiting:
            found.append(self._waiting.popleft())
        return found
