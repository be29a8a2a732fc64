"""Checks slowly whether the music would fit better if the clock's grid were moved by some sixteenths.

The bank of hypotheses forgets a hypothesis that is unlikely for a few onsets. So a grid that has slipped by half a beat
stays, although each bar makes it a little less likely. The votes add up this evidence over many onsets.
"""

from __future__ import annotations

import numpy as np

from device.following.heard_onsets import Classes
from device.following.next_onset import FARTHEST, GAP_TO_CLASS, SIXTEENTH
from device.following.rhythm import Floats, Ints

KEEPS = 0.97
"""Share of the old evidence that is kept at one more onset, so that about the last 33 onsets count."""
EXPONENT = 0.5
"""Exponent of the tables of intervals and chords. It is below 1 because successive onsets are not independent."""
UNLIKELY = 1e-5
"""Least probability of a gap, so that one unusual onset does not decide."""


class PhaseVotes:
    """Measures how much better or worse the last onsets would fit a grid that is moved by some sixteenth notes.

    `by_shift` [sixteenths in a beat] is the log likelihood of the onsets if the grid were moved by so many sixteenths
    (in any beat of the bar), minus that of the present grid. So `by_shift[0]` is 0. `moved` says how many sixteenths
    later in the bar the present grid puts the onsets than the grid before the last onset did.
    """

    def __init__(self, beat: int, prior: Floats, melody: Floats, harmony: Floats) -> None:
        """Start without evidence. `beat` is the length of a felt beat in ticks. The others are tables of probabilities.

        `prior` [tick, class of the gap before, gap minus 1] is for straight rhythms. `melody` and `harmony` [class
        before, class, tick, class of the gap] are counted from scores.
        """
        self._bar = len(prior)
        every = 1 if self._bar % SIXTEENTH else SIXTEENTH
        self._prior = np.log(prior[::every] + UNLIKELY).transpose(1, 2, 0).copy()
        self._melody, self._harmony = (
            (EXPONENT * np.log(table[:, :, ::every])).transpose(0, 1, 3, 2).copy() for table in (melody, harmony)
        )
        self._places = np.arange(0, self._bar, SIXTEENTH)
        self._moved = (np.arange(self._bar)[:, None] + self._places) % self._bar // every
        """[tick, places] the index in the tables of each tick, in a grid that is moved by so many sixteenths."""
        in_beat = beat // SIXTEENTH
        self._in_beat = in_beat if in_beat and len(self._places) % in_beat == 0 else 1
        self.forget()

    def forget(self) -> None:
        """Forget the evidence, because the player has given another grid."""
        self._evidence = np.zeros(len(self._places))
        self._played = np.zeros(self._in_beat)
        self._tick, self._onset_s, self.moved = 0, 0.0, 0
        self._last: tuple[Classes, int, Ints] | None = None
        self.by_shift = np.zeros(self._in_beat)

    @property
    def against(self) -> float:
        """Return the log likelihood of the likeliest place in the beat, minus that of the present one. At least 0."""
        return float(self.by_shift.max())

    def share_of(self, tick: int) -> float:
        """Return the share, 0 to 1, of the last onsets that had the same place in the beat as `tick`.

        It is 0 for a tick between two sixteenth notes, and before the first onset.
        """
        place, off = divmod(tick, SIXTEENTH)
        total = float(self._played.sum())
        return 0.0 if off or not total else float(self._played[place % self._in_beat]) / total

    def complete(self, whole: Classes) -> None:
        """Correct the evidence of the last onset: `whole` are the classes of all its keys, and not of the first one."""
        if self._last is not None and whole != self._last[0]:
            first, column, later = self._last
            more = self._melody[whole.interval][column] - self._melody[first.interval][column]
            more += self._harmony[whole.chord][column] - self._harmony[first.chord][column]
            self._evidence += more.take(later)

    def hear(self, leader: list[int], classes: Classes, onset_s: float, tick_s: float) -> None:
        """Add the evidence of an onset at `onset_s` seconds. Its place is that of the likeliest hypothesis, `leader`.

        `leader` is a column of `HypothesisBank.whole`, and `tick_s` is its tick in seconds. If it puts the onset on no
        place, nothing changes. `classes` are those of its first key.
        """
        tick, _, _, gap, gap2, _, stray = leader
        self.moved, self._last = 0, None
        if stray:
            return
        before = (tick - gap) % self._bar
        moved = (before - self._tick) % self._bar
        if moved and gap < FARTHEST:
            # another hypothesis leads: its grid is off the grid before, or the one before had only left an onset out
            ahead = (onset_s - self._onset_s) / tick_s
            self.moved = round((tick - self._tick - ahead) / SIXTEENTH)
            self._evidence = np.roll(self._evidence, -self.moved)
            self._played = np.roll(self._played, self.moved)
        self._tick, self._onset_s = tick, onset_s
        if tick % SIXTEENTH == 0:
            self._played *= KEEPS
            self._played[tick // SIXTEENTH % self._in_beat] += 1
        if before % SIXTEENTH == 0 and tick % SIXTEENTH == 0:
            now, later = self._moved[before], self._moved[tick]
            column = GAP_TO_CLASS[gap]
            likely = self._prior[GAP_TO_CLASS[gap2], gap - 1].take(now)
            likely += self._melody[classes.interval][column].take(later)
            likely += self._harmony[classes.chord][column].take(later)
            self._last = classes, column, later
            self._evidence *= KEEPS
            self._evidence += likely
            self._evidence -= self._evidence[0]
        share = self._evidence - self._evidence.max()
        np.exp(share, out=share)
        self.by_shift = np.add.reduce(share.reshape(-1, self._in_beat), 0)
        self.by_shift += UNLIKELY
        np.log(self.by_shift, out=self.by_shift)
        self.by_shift -= self.by_shift[0]
