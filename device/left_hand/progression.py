"""Chooses the chord of each beat, from the chord net and the accompanist together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial

import numpy as np
import numpy.typing as npt

from device.clock.step import Step
from device.left_hand.accompanist import Plan
from device.left_hand.chord_net import DELAY, Answer, ChordNet, half_beat, heard_inputs, place_inputs
from device.left_hand.harmony import TRIADS, Chord, chord_of
from device.left_hand.hindsight_net import HindsightNet
from device.left_hand.hindsight_net import shipped_arrays as arrays_of_hindsight
from device.left_hand.phrase_memory import NextKeys, PhraseMemory
from device.left_hand.right_hand import RightHand

Floats = npt.NDArray[np.float32]

AHEAD, BASS, RECALL = 0.7, 0.14, 2.4
"""Weights in a chord's score at a beat. The log-probability of the chord net has weight 1.

They are for the pitch classes and the bass that the accompanist expects, and for the chord from the memory of phrases.
"""
CLASSES, MEMBER, HEARD_BASS = 0.7, 0.5, 0.12
"""Additional weights in a chord's score within a beat, when the beat's melody key is known.

They are for the accompanist's pitch classes, for a triad that contains the melody's pitch class, and for the
accompanist's bass.
"""
FULL_BEAT, FULL_WITHIN = 1.0, 4.0
"""Gain of the triad that the right hand holds down, in natural logarithms: at a beat inside a bar, and within a beat.

A player who holds all notes of a chord and no others has said what the chord is. The memory of phrases is not asked
then. At a bar line there is no gain,
because the keys that are down are those of the bar before.
"""
STAY_BAR, STAY_HALF, STAY_BEAT, STAY_WITHIN = 0.0, -0.3, 0.0, 0.25
"""A new chord must score more than the present chord by this, in natural logarithms.

The values are for a bar line, the half of a bar, another beat, and a step within a beat. A negative value makes a
change likely even if the present chord scores a little more.
"""
LATER = 3
"""Steps after a beat up to which the chord is chosen again, because the melody's key of the beat is heard then."""
FLOOR = 0.02
"""Added to a probability before its logarithm is taken, so that a zero does not decide alone."""


_FULL = {frozenset(np.flatnonzero(TRIADS[triad]).tolist()): triad for triad in range(24)}
_FULL |= {frozenset((root, (root + 4) % 12, (root + 7) % 12, (root + 10) % 12)): root for root in range(12)}

CONSONANCE = np.zeros((12, 12), np.float32)
"""[melody, pitch class] 1 for unisons, thirds, fifths and sixths, 0 for fourths, else -1."""
for _melody in range(12):
    for _class in range(12):
        _interval = (_melody - _class) % 12
        CONSONANCE[_melody, _class] = 1.0 if _interval in (0, 3, 4, 7, 8, 9) else 0.0 if _interval == 5 else -1.0


GUESS_BETWEEN = 0.5
"""Weight of the chord net's guess of the melody's key on a half beat between beats. The key that sounds gets the rest.
"""
SPAN, WHILE_HELD = 4, 0.5
"""Steps of the melody, a beat, that count for a key that is struck now if the memory expects them, and their weight.

The melody's key at the strike itself has the rest of the weight. A key sounds on while the melody moves.
"""

KEY_FIRST, KEY_LATER, KEY_BEATS = 2.0, 0.3, 32.0
"""Gain of a triad of the owner's key, in natural logarithms: at the beginning, later, and the beats in between.

The first chords are the least certain, so the key counts most there. Later the music may have changed its key.
"""


class Progression:
    """Keeps the chord that holds. The chord changes more readily at a bar line and at the half of a bar."""

    def __init__(self, net: ChordNet, memory: PhraseMemory | None = None) -> None:
        """Find chords with `net`. `memory` holds phrases of earlier pieces. None: an empty one that a reset clears."""
        self._net, self._hindsight = net, HindsightNet(arrays_of_hindsight())
        self._memory = PhraseMemory() if memory is None else memory
        self.key: int | None = None
        """The key that the owner gave: 0 to 11 are major, 12 to 23 minor. None: there is none."""
        self.reset()

    def reset(self) -> None:
        """Forget the chord and the music heard, and the memory of phrases too unless it is kept between days."""
        self._net.reset()
        self._hindsight.reset()
        self._memory.reset()
        self.triad = -1
        """Number of the present triad: 0 to 11 are major, 12 to 23 are minor, -1 is before the first."""
        self._since, self._beats, self._bars, self._silent = 0, 0, -1, 0
        self._answer: Answer | None = None
        self._next_keys: NextKeys | None = None
        self._expected: Floats | None = None
        """Consonance [12] of each pitch class with the key that the chord net guesses for this half beat.

        None: a strike of this half beat has not asked for it yet, nor for `_next_keys`.
        """
        self._known: Floats = np.zeros(24, np.float32)
        self._score: Floats = np.zeros(24, np.float32)
        self._chord: Chord | None = None

    def at(self, plan: Plan, step: Step, right: RightHand) -> None:
        """Choose the chord that holds at `step`, and write it into `plan`, with `triads` and `consonance`.

        `right` has the notes of the right hand. Call it once for each step. Nothing is written if `plan` has no chord
        yet.
        """
        self._bars += step.is_bar
        if step.position % half_beat(step) == 0:
            self._known = self._ask(step, right)
        if step.is_beat:
            self._since = 0
            self._beats += 1
            score = (self._known if step.is_bar else self._heard(plan)) + AHEAD * np.log(
                TRIADS @ plan.ahead / 3.0 + FLOOR
            )
            full = _full(plan.sounding, 0.0 if step.is_bar else FULL_BEAT)
            self._choose(score + BASS * _basses(plan) + full, _stay(step), plan.ahead)
        elif self._answer is not None:
            self._since += 1
            if self._since <= LATER and plan.top is not None:
                score = self._heard(plan) + CLASSES * np.log(TRIADS @ plan.classes / 3.0 + FLOOR)
                score = score + MEMBER * TRIADS[:, plan.top % 12]
                score = score + HEARD_BASS * _basses(plan) + _full(plan.sounding, FULL_WITHIN)
                self._choose(score, STAY_WITHIN, plan.ahead)
        if self._chord is None or plan.chord is None:
            return
        plan.consonance = partial(self._consonance, step, plan.top)
        plan.chord, plan.triads = self._chord, self._score

    def _consonance(self, step: Step, top: int | None) -> Floats:
        """Return the consonance [12] of each pitch class with the melody's key that is expected at `step`, -1 to 1.

        That key is not heard yet. `top` is the melody's key just before, a MIDI pitch, or None in silence. The chord
        net guesses the key at each half beat. If a phrase comes again, the memory knows the keys of the next beat.
        """
        within = step.position % half_beat(step)
        if self._expected is None:
            guess = np.zeros(12, np.float32) if self._answer is None else np.exp(self._answer.top)
            self._expected = np.asarray(guess @ CONSONANCE, np.float32)
            self._next_keys = None if self._answer is None else self._memory.next_keys(half_beat(step))
        now = self._expected if top is None else CONSONANCE[top % 12]
        trust = 1.0 if step.is_beat else GUESS_BETWEEN if within == 0 else 0.0
        likely = now + trust * (self._expected - now)
        if self._next_keys is None:
            return np.asarray(likely, np.float32)
        following = self._next_keys.struck[within : within + SPAN]
        rows = np.empty((len(following), 12), np.float32)
        for row, struck, stays in zip(rows, following, 1.0 - np.add.reduce(following, 1), strict=True):
            np.dot(struck, CONSONANCE, out=row)
            row += stays * now
            now = row
        known = np.add.reduce(rows, 0)
        known /= len(rows)
        known *= WHILE_HELD
        known += (1.0 - WHILE_HELD) * rows[0]
        return np.asarray(likely + self._next_keys.sure * (known - likely), np.float32)

    def _ask(self, step: Step, right: RightHand) -> Floats:
        """Return the score [24] of each triad for the half bar of `step`, from the chord net and from the memory.

        It also adds the half beat that has ended to the memory, and tells it the chords that were found since then.
        """
        now, size = step.index, half_beat(step)
        first, end, pitch = right.sounding(step, now - size - 1)
        heard = heard_inputs(first, end, pitch, now, size)
        self._silent = 0 if heard[0].any() else self._silent + 1
        place = place_inputs(step, max(self._bars, 0), self._silent)
        self._answer = self._net.at(heard, place)
        # an onset of the last step may not be known yet, so the memory's half beats end a step earlier
        strikes: dict[int, list[int]] = {}
        for at, key in zip(first.tolist(), pitch.tolist(), strict=True):
            if now - size - 1 <= at < now - 1:
                strikes.setdefault(at - now + size + 1, []).append(key)
        self._memory.hear(sorted(strikes.items()), step.position * 64 + step.meter.steps_per_bar)
        self._memory.learn(DELAY, self._answer.hindsight)
        for past in self._hindsight.at(self._net.heard, place, self._answer.hindsight):
            self._memory.learn(past.ago, past.triads)
        self._expected = None
        recalled = self._memory.recall()
        return (
            self._answer.triads if recalled is None else self._answer.triads + RECALL * recalled.sure * recalled.triads
        )

    def _heard(self, plan: Plan) -> Floats:
        """Return the score [24] of each triad, without the memory's part if all notes of a triad are down.

        Nothing need be remembered then. The memory knows a phrase by what is struck and when, and so takes repeated
        chords for a phrase that comes again.
        """
        return self._known if self._answer is None or full_triad(plan.sounding) is None else self._answer.triads

    def _choose(self, score: Floats, stay: float, ahead: Floats) -> None:
        """Make the triad with the highest score the present one, if its lead is more than `stay`.

        `score` [24] and `stay` are natural logarithms. `ahead` [12] decides whether the chord gets a seventh.
        """
        if self.key is not None:
            share = max(0.0, 1.0 - self._beats / KEY_BEATS)
            score = score + (KEY_LATER + (KEY_FIRST - KEY_LATER) * share) * triads_of_key(self.key)
        best = int(np.argmax(score))
        if self.triad < 0 or score[best] > score[self.triad] + stay:
            self.triad = best
        self._score = score
        self._chord = chord_of(self.triad, ahead)


@cache
def triads_of_key(key: int) -> Floats:
    """Return an array [24]: 1 for each triad of a key, else 0. A minor key also has its dominant as a major triad."""
    tonic, minor = key % 12, key >= 12
    major_on, minor_on = ((3, 8, 10, 7), (0, 5, 7)) if minor else ((0, 5, 7), (2, 4, 9))
    found = np.zeros(24, np.float32)
    found[[(tonic + above) % 12 for above in major_on]] = 1.0
    found[[12 + (tonic + above) % 12 for above in minor_on]] = 1.0
    return found


def fits_of(triads: Floats) -> Floats:
    """Return the probability [12] that each pitch class belongs to the chord, from the triads' scores [24]."""
    share = np.exp(triads - triads.max())
    return np.asarray((share / share.sum()) @ TRIADS, np.float32)


def full_triad(sounding: Sequence[int]) -> int | None:
    """Return the triad (0 to 11 major, 12 to 23 minor) of which all notes sound, or None.

    `sounding` [12] is the number of keys down for each pitch class. Nothing else may sound but the seventh of a
    dominant.
    """
    return _FULL.get(frozenset(pitch_class for pitch_class, keys in enumerate(sounding) if keys))


def _full(sounding: Sequence[int], gain: float) -> Floats:
    """Return `gain` for the triad of which all notes sound, and 0 for the others, as an array [24]."""
    found = np.zeros(24, np.float32)
    triad = full_triad(sounding)
    if triad is not None:
        found[triad] = gain
    return found


def _basses(plan: Plan) -> Floats:
    """Return, for each triad [24], the log probability that the net gives to the triad's root as the bass note."""
    basses = np.log(plan.bass[:12] + FLOOR)
    return np.concatenate((basses, basses))


def _stay(step: Step) -> float:
    if step.is_bar:
        return STAY_BAR
    meter = step.meter
    half = meter.steps_per_bar // 2 if meter.beats_per_bar % 2 == 0 else meter.steps_per_bar
    return STAY_HALF if step.position % half == 0 else STAY_BEAT
