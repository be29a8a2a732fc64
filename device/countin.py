"""The count-in: the first onsets of a performance, which give the beat and are answered by nothing."""

from __future__ import annotations

SAME_ONSET_S = 0.06
"""Closer notes are one onset: chords are spread by up to 50 ms, sixteenths at 160 are 94 ms apart."""


class CountIn:
    """Collects the first `wanted` onsets; 0 for no count-in."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.onsets: list[float] = []
        self._latest_is_part = wanted > 0

    @property
    def complete(self) -> bool:
        """Whether all its onsets have been heard."""
        return len(self.onsets) >= self.wanted

    @property
    def latest_is_part(self) -> bool:
        """Whether the note heard last belonged to the count-in; before the first note, whether the next will."""
        return self._latest_is_part

    def hear(self, onset_s: float) -> bool:
        """Take in a note; True if it belongs to the count-in, as a new beat of it or beside one."""
        beside = any(abs(onset_s - known) < SAME_ONSET_S for known in self.onsets)
        if not beside and not self.complete:
            self.onsets.append(onset_s)
            self.onsets.sort()
            beside = True
        self._latest_is_part = beside
        return beside

    def close(self) -> None:
        """The music has begun: whatever comes now is no part of the count-in."""
        self._latest_is_part = False

    def beat_s(self) -> float:
        """The length of a beat: the slope of a straight line through the onsets (two or more)."""
        n = len(self.onsets)
        middle = (n - 1) / 2
        return sum((i - middle) * t for i, t in enumerate(self.onsets)) / (n * (n * n - 1) / 12)

    def next_beat_s(self, beat_s: float) -> float:
        """The beat after the last, on the line of slope `beat_s` through the onsets (one or more)."""
        n = len(self.onsets)
        return sum(self.onsets) / n + beat_s * (n + 1) / 2
