"""Finds a count-in in the played notes: even onsets on one key or chord."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import accumulate, combinations, pairwise

import numpy as np

from device.clock.count_in import SAME_ONSET_S

EVEN, EVEN_AT_FIRST, EVEN_ANNOUNCED = 0.2, 0.3, 0.4
"""Largest relative difference between the gaps of a count-in: one found in the playing, one that is the first that was
played (whose counts may be those of a child), and one that is announced."""
SAME_COUNT_S = 0.15
"""A key struck again within this time belongs to the same count: an echo, or a rolled chord."""
LONGEST_COUNT_S, SHORTEST_COUNT_S = 2.5, 0.2
"""Limits of the time between two counts: 24 and 300 beats a minute."""
MOST_BEFORE = 12
"""After about this many notes that belong to no count-in, no count-in is looked for any more."""
SHORTEST_GAPPY_S = 0.36
"""Least time in seconds between the counts if one of them was not heard. Three quicker onsets may be a count, its echo
and the next count."""
SAME_DELAY_S = 0.03
"""Largest difference in seconds between the delays of the echoes of the counts."""
MOST_BETWEEN = 1
"""Most onsets on other keys between the counts, such as a slip. More are a melody that comes back to its key."""
HALFWAY = 0.1
"""Share of a beat. An onset nearer than this to the middle between two counts is halfway between them."""
BESIDE = 0.25
"""Share of a beat within which a note on another key belongs to a count: a chord, or an octave that was misheard. A
note within SAME_COUNT_S of a count belongs to it at any tempo."""
HARMONICS = frozenset({12, 19, 24, 28, 31})
"""Intervals in semitones by which a key may be misheard: its overtones."""


class EvenCounts:
    """Finds a count-in in the played notes: the last `wanted` even onsets, on one key or chord.

    One of the inner counts may be missing, if three or more were heard and none was a beat before. Between the counts
    there may be one onset on another key (a slip), if no count is missing, or one or two on their own key. Counts may
    be chords, which have the same keys: a melody above a key that is struck again and again is no count-in. An echo may
    follow each count. With `any_key` even onsets on different keys count as well. After about `MOST_BEFORE` other notes
    no count-in is found any more. With `goes_on` a count-in goes on as long as its key is struck again at the next
    beat, and its last `wanted` counts count.
    """

    def __init__(self, wanted: int, any_key: bool, goes_on: bool = False) -> None:
        self._wanted, self._goes_on = wanted, goes_on
        self._key: int | None = None
        """The key of the last count."""
        self._any_key = any_key
        self._by_key: dict[int, list[float]] = {}
        self._onsets: list[float] = []
        """Times in seconds of the onsets on any key."""
        self._notes: list[tuple[float, int]] = []
        """Time in seconds and key of each note."""
        self._others = 0
        self.counts: list[float] | None = None
        """Times in seconds of the `wanted` counts, with a missing one filled in. None until they have been found."""
        self.further = 0
        """Number of notes after the counts that go on with them: on their key, each a beat later."""
        self._goes_further = True
        self.maybe = True
        """Whether the note heard last may still belong to a count-in."""

    def hear(self, onset_s: float, pitch: int) -> bool:
        """Handle a note at `onset_s` seconds. Return True if it completes the count-in or goes on with it."""
        if self._goes_on and self.counts is not None and pitch == self._key:
            gap_s = onset_s - self.counts[-1]
            beat_s = _beat_s(self.counts)
            if abs(gap_s / beat_s - 1) <= EVEN:
                self.counts, self.maybe = [*self.counts[1:], onset_s], True
                return True
        if self.counts is not None or self._others > MOST_BEFORE + self._wanted:
            self._count_further(onset_s, pitch)
            self.maybe = self.counts is not None and onset_s - self.counts[-1] < SAME_COUNT_S and pitch in self._by_key
            return False
        if all(abs(onset_s - known) >= SAME_ONSET_S for known in self._onsets):
            self._onsets.append(onset_s)
        self._notes.append((onset_s, pitch))
        for key in (pitch, -1) if self._any_key else (pitch,):
            times = self._by_key.setdefault(key, [])
            if not times or onset_s - times[-1] >= SAME_COUNT_S:
                times.append(onset_s)
                self.counts = self.counts or self._even(times, key)
        self._key = pitch
        first = min(times[0] for times in self._by_key.values())
        self.maybe = len(self._by_key[pitch]) > 1 or onset_s - first < SAME_COUNT_S or self._any_key
        self._others += 1
        return self.counts is not None

    def _count_further(self, onset_s: float, pitch: int) -> None:
        """Count a note after the counts in `further`, if it goes on with them and all others since then did too."""
        if self.counts is None or not self._goes_further:
            return
        beat_s = _beat_s(self.counts)
        beats = (onset_s - self.counts[-1]) / beat_s
        if beats < self.further + BESIDE:
            return
        self._goes_further = pitch == self._key and abs(beats - self.further - 1) <= EVEN
        self.further += self._goes_further

    def _even(self, times: list[float], key: int) -> list[float] | None:
        """Return the times of the `wanted` counts on `key` that end with the last of `times`. None if there are none.

        The times are those of `key`, or of all onsets if they may be on any key. They are tried in four ways: all
        counts were heard, an echo followed each, one of them is missing, or their key was heard once more
        after one or two of them.
        """
        n = self._wanted
        for heard in (times[-n:], _without_echo(times[1 - 2 * n :], n), times[1 - n :]):
            counts = self._filled_in(heard)
            if counts is None:
                continue
            if self._any_key:
                return counts
            most_between = MOST_BETWEEN if len(heard) == n else 0
            if self._between(counts, times) <= most_between and (struck := self._struck(counts, times, key)):
                return struck
        for heard in () if self._any_key else _without_some(times, n):
            counts = self._filled_in(heard)
            if counts and not self._between(counts, times) and (struck := self._struck(counts, times, key)):
                return struck
        return None

    def _filled_in(self, heard: list[float]) -> list[float] | None:
        """Return the times of the `wanted` counts if the times `heard` are even, else None.

        One of the inner counts may be missing in `heard`: its time is filled in. The shortest gap is taken for a beat.
        """
        n = self._wanted
        gaps = [later - earlier for earlier, later in pairwise(heard)]
        shortest_s = SHORTEST_COUNT_S if len(heard) == n else SHORTEST_GAPPY_S
        if len(heard) < max(n - 1, min(n, 3)) or not gaps or not shortest_s <= min(gaps) <= LONGEST_COUNT_S:
            return None
        beat_s = min(gaps)
        beats = [round(gap / beat_s) for gap in gaps]
        limit = EVEN_ANNOUNCED if self._any_key else EVEN_AT_FIRST if len(self._onsets) == n else EVEN
        even = all(abs(gap / number / beat_s - 1) <= limit for gap, number in zip(gaps, beats, strict=True))
        if not even or sum(beats) != n - 1:
            return None
        places = list(accumulate(beats, initial=0))
        return [float(np.interp(place, places, heard)) for place in range(n)]

    def _between(self, counts: list[float], own: list[float]) -> int:
        """Return the number of onsets on other keys between the first and the last of `counts`, beside none of them.

        `own` are the times in seconds of the onsets on the key of the counts.
        """
        beside_s = _beside_s(counts)
        inner = [onset_s for onset_s in self._onsets if counts[0] < onset_s < counts[-1] and onset_s not in own]
        return sum(min(abs(onset_s - count_s) for count_s in counts) > beside_s for onset_s in inner)

    def _struck(self, counts: list[float], own: list[float], key: int) -> list[float]:
        """Return the times at which the `counts` on `key` were struck; empty if they are notes of a piece.

        They are, if the keys beside them move, or if one of them is missing and there was another one beat before. A
        chord is struck at its first key. If some keys of the last chord were not heard yet, the result is empty too.
        `own` are the times in seconds of the onsets on `key`.
        """
        beat_s = _beat_s(counts)
        one_before = any(abs(counts[0] - beat_s - onset_s) < beat_s / 2 for onset_s in own)
        if one_before and any(count_s not in own for count_s in counts):
            return []
        chords = [self._keys_beside(count_s, _beside_s(counts), key) for count_s in counts]
        strokes = Counter(pitch for chord in chords for pitch in chord)
        moved = sum(any(strokes[pitch] == 1 for pitch in chord) for chord in chords)
        incomplete = any(number > 1 and pitch not in chords[-1] for pitch, number in strokes.items())
        if moved > 1 or incomplete:
            return []
        in_all = [pitch for pitch, number in strokes.items() if number == len(counts)]
        return [
            min([count_s, *(chord[pitch] for pitch in in_all)]) for count_s, chord in zip(counts, chords, strict=True)
        ]

    def _keys_beside(self, count_s: float, beside_s: float, key: int) -> dict[int, float]:
        """Return the other keys that were struck within `beside_s` seconds of a count on `key`, with their first times.

        Overtones of `key` are left out.
        """
        return {
            pitch: onset_s
            for onset_s, pitch in reversed(self._notes)
            if abs(onset_s - count_s) <= beside_s and pitch != key and abs(pitch - key) not in HARMONICS
        }


def _beat_s(counts: list[float]) -> float:
    """Return the mean time in seconds between `counts`."""
    return (counts[-1] - counts[0]) / (len(counts) - 1)


def _beside_s(counts: list[float]) -> float:
    """Return within how many seconds of one of `counts` a note on another key belongs to it."""
    return max(BESIDE * _beat_s(counts), SAME_COUNT_S)


def _without_echo(times: list[float], counts: int) -> list[float]:
    """Return so many `counts` without their echoes, if `times` are counts with an echo after each but the last.

    All are seconds. An echo comes equally late after each count. Else the result is empty.
    """
    delays = [echo - count for count, echo in zip(times[::2], times[1::2], strict=False)]
    if len(times) != 2 * counts - 1 or not delays or max(delays) - min(delays) > SAME_DELAY_S:
        return []
    return times[::2]


def _without_some(times: list[float], counts: int) -> Iterator[list[float]]:
    """Yield the last `times` that may be so many `counts` if their key was heard once more after one or two of them.

    All are seconds. It may be a key that bounced, or the end of a tone that was heard as a stroke. Both are equally
    late. One alone does not lie halfway between the last two counts, so that two slow counts before four quick ones are
    no slow count-in.
    """
    for more in (1, 2):
        last = times[-counts - more :]
        if len(last) < counts + more:
            return
        for left_out in combinations(range(1, len(last) - 1), more):
            kept = [time_s for place, time_s in enumerate(last) if place not in left_out]
            late = [last[place] - max(time_s for time_s in kept if time_s < last[place]) for place in left_out]
            halfway = abs(late[-1] / (kept[-1] - kept[-2]) - 0.5) < HALFWAY
            quick = more == 1 and last[left_out[0]] > kept[-2] and halfway
            if max(late) - min(late) <= SAME_DELAY_S and not quick:
                yield kept
