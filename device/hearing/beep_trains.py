"""Predicts the beeps of a metronome, which come at equal distances and are all alike.

A beep that sounds together with a stroke does not end as a beep alone does, because the string rings on. But three or
more beeps of one key show when the next ones end, and by how much the tone then becomes smaller.
"""

from __future__ import annotations

import itertools
import statistics
from collections import deque
from dataclasses import dataclass

LEAST_BEEPS = 3
"""Number of beeps on one key from which on the next ones are predicted."""
MOST_BEEPS = 8
"""Number of beeps that are kept for each key."""
_SHORTEST_S, _LONGEST_S = 0.15, 3.0
"""Least and greatest time between two beeps in seconds: 400 to 20 beats a minute."""
_WITHIN_S, _DRIFT_S = 0.012, 0.001
"""Greatest difference in seconds between a beep and its predicted time, and its growth with each beep not seen."""
_MOST_AHEAD = 32
"""Number of beeps that may be missing, because strokes cover them, before a train of beeps is forgotten."""


@dataclass(frozen=True)
class Tone:
    """Describes the tone of a beep, as it was heard at its end."""

    hz: float
    """Frequency in Hz, which is that of no key."""
    step: float
    """Amplitude by which the tone became smaller at its end, with full scale at 1."""
    length: float
    """Number of samples from its beginning to its end."""
    clicks: bool
    """Whether it is a square wave, which ends with a click."""


class BeepTrains:
    """Keeps the last beeps of each key. All times are numbers of samples from the first one."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self.reset()

    def reset(self) -> None:
        """Forget all beeps."""
        self._beeps: dict[int, deque[tuple[int, Tone]]] = {}

    def add(self, key: int, end: int, tone: Tone) -> None:
        """Add a beep on `key` that ended at the sample `end`."""
        beeps = self._beeps.setdefault(key, deque(maxlen=MOST_BEEPS))
        if not beeps or end - beeps[-1][0] > _SHORTEST_S * self._rate:
            beeps.append((end, tone))

    @property
    def keys(self) -> list[int]:
        """The keys on which beeps were heard."""
        return list(self._beeps)

    def tones(self) -> list[Tone]:
        """Return the tone of the last beep of each key."""
        return [beeps[-1][1] for beeps in self._beeps.values()]

    def expected(self, key: int, since: int, until: int) -> tuple[int, Tone] | None:
        """Return the sample at which a beep on `key` should end between `since` and `until`, and its tone.

        Return None if no beep is expected there.
        """
        beeps = self._beeps.get(key, deque())
        if len(beeps) < LEAST_BEEPS or until < beeps[-1][0]:
            return None
        ends = [end for end, _ in beeps]
        period = self._period(ends)
        if period is None:
            return None
        for ahead in range(max(0, int((since - ends[-1]) / period)), _MOST_AHEAD):
            end = round(ends[-1] + ahead * period)
            margin = round((_WITHIN_S + ahead * _DRIFT_S) * self._rate)
            if end - margin > until:
                return None
            if end + margin >= since:
                tones = [tone for _, tone in beeps]
                hz, step = statistics.median(tone.hz for tone in tones), statistics.median(tone.step for tone in tones)
                length = statistics.median(tone.length for tone in tones)
                return end, Tone(hz, step, length, clicks=sum(tone.clicks for tone in tones) > len(tones) / 2)
        return None

    def _period(self, ends: list[int]) -> float | None:
        """Return the number of samples from beep to beep; None if the last beeps are not evenly spaced.

        Between two of them, others may be missing.
        """
        gaps = [later - earlier for earlier, later in itertools.pairwise(ends)][-LEAST_BEEPS:]
        shortest = min(gaps)
        if not _SHORTEST_S * self._rate <= shortest <= _LONGEST_S * self._rate:
            return None
        counts = [round(gap / shortest) for gap in gaps]
        period = sum(gaps) / sum(counts)
        even = all(abs(gap - count * period) <= _WITHIN_S * self._rate for gap, count in zip(gaps, counts, strict=True))
        return period if even else None
