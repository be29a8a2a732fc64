"""Chooses the keys of a walking bass: chord tones on the strong beats, and steps that lead into the next chord."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from device.clock.step import Step
from device.events import LOWEST_KEY
from device.left_hand.accompanist import Plan
from device.left_hand.styles import begins_half

LOWEST, HIGHEST, HOME = 28, 52, 40
"""MIDI pitches of the lowest key, of the highest key and of the usual place: E1, E3 and E2, as on a double bass."""
NEXT_ROOT = np.array(
    [
        [0.26, 0.03, 0.09, 0.02, 0.04, 0.24, 0.01, 0.12, 0.03, 0.07, 0.06, 0.03],
        [0.21, 0.05, 0.06, 0.09, 0.01, 0.17, 0.01, 0.15, 0.12, 0.01, 0.12, 0.01],
    ]
)
"""[2, 12] probability that the root of the next bar's triad lies so many semitones above the root of a triad.

The first row is for a major triad, the second for a minor one. They were counted on the training pieces.
"""
LEADS = (0.0, 1.0, 0.8)
"""Share of LEADING that a key gains on the last beat of a bar if it lies 0, 1 or 2 semitones from the next root.

The octave does not matter.
"""
LEADING = 14.0
"""What a key gains if it surely leads to the next root by a semitone. All costs and gains are in semitones."""
NEW, GOES_ON, WITHIN = (0.0, 9.0, 8.0), (0.0, 2.0, 2.0), (2.0, 0.0, 0.0)
"""Costs of the root, the third and the fifth.

NEW holds with a new root, GOES_ON on the bar line with the same root, and WITHIN on other beats.
"""
SAME, BACK = 15.0, 1.5
"""Costs of the key that was struck last, and of the one before it."""
STEP, STEPS = 2.0, 2
"""What a key gains that is reached by step, and the most semitones of a step."""
FREE, LEAP = 4, 0.5
"""A move of up to so many semitones costs nothing, and each semitone more costs `LEAP`."""
OCTAVE, FAR = 12, 20.0
"""A move of an octave costs as much as one of 7 semitones. A wider one costs `FAR` more, so it is a last resort."""
AWAY = 0.25
"""Cost of each semitone between a key and the usual place."""
SCALE, FOREIGN = 0.5, 2.0
"""Costs of a key of the scale that is no chord tone, between strong beats, and of any other key on the last beat."""
CLASH, HARSH = 9.0, 1.5
"""Costs of a key that lies a semitone, by pitch class, from the melody's key, and for each unit of dissonance with it
that is expected.
"""
MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10, 11)
"""Semitones above the tonic of the keys of the scale. In minor, both sevenths belong to it."""

Floats = npt.NDArray[np.float64]


class WalkingBass:
    """Chooses one key after another. It remembers the last two keys and the root on which it walks."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the keys: the bass begins again at its usual place."""
        self._keys: list[int] = []
        self._root: int | None = None

    def key(self, plan: Plan, step: Step, register: int = 0) -> int | None:
        """Return the MIDI pitch that is struck at `step`, or None if there is no room below the right hand.

        With a new root, on the bar line or on the half of the bar, it is the root. On the last beat of the bar it is
        mostly a key from which the root that probably follows is a step away. At other steps it is a tone of the triad,
        or of the scale if the step is neither the bar line nor the half of the bar. `register` is in semitones.
        `plan.chord` must not be None.
        """
        assert plan.chord is not None
        room = range(max(LOWEST + min(register, 0), LOWEST_KEY), min(HIGHEST + register, plan.ceiling - 1) + 1)
        costs, home, consonance = self._costs_in_chord(plan, step), HOME + register, plan.consonance()
        found = [
            (costs[key % 12] + self._cost_of_move(key, home) + _cost_of_sound(key, plan.top, consonance), key)
            for key in room
            if key % 12 in costs
        ]
        if not found:
            return None
        key = min(found)[1]
        self._keys = [*self._keys[-1:], key]
        return key

    def _costs_in_chord(self, plan: Plan, step: Step) -> dict[int, float]:
        """Return what each pitch class costs at `step` because of the chord. One that is missing is not struck."""
        assert plan.chord is not None
        triad = plan.chord.classes[:3]
        new = triad[0] != self._root and (begins_half(step) or self._root is None)
        if new or step.is_bar:
            self._root = triad[0]
            return dict(zip(triad, NEW if new else GOES_ON, strict=True))
        if _is_last(step):
            return _costs_on_last_beat(plan, triad)
        between = {} if begins_half(step) else dict.fromkeys(_scale(plan), SCALE)
        return between | dict(zip(triad, WITHIN, strict=True))

    def _cost_of_move(self, key: int, home: int) -> float:
        """Return what it costs to go from the last key to `key`, and how far `key` lies from `home`. MIDI pitches."""
        cost = AWAY * abs(key - home)
        if self._keys:
            move = abs(key - self._keys[-1])
            leap = 7 if move == OCTAVE else move
            cost += SAME if move == 0 else LEAP * max(leap - FREE, 0) + (FAR if move > OCTAVE else 0.0)
            cost -= STEP if 0 < move <= STEPS else 0.0
            cost += BACK if len(self._keys) > 1 and key == self._keys[0] else 0.0
        return cost


def _is_last(step: Step) -> bool:
    """Return whether `step` lies in the last beat of its bar, or in 6/8 and the like in the last third of it."""
    meter = step.meter
    last = meter.steps_per_beat // 3 if meter.compound else meter.steps_per_beat
    return step.position + last >= meter.steps_per_bar


def _costs_on_last_beat(plan: Plan, triad: Sequence[int]) -> dict[int, float]:
    """Return the cost of each pitch class on the last beat of the bar, see `LEADS`. `triad` has the root first."""
    minor = (triad[1] - triad[0]) % 12 == 3
    following = np.roll(NEXT_ROOT[int(minor)], triad[0])
    scale = _scale(plan)
    costs = {}
    for pitch_class in range(12):
        leads = sum(
            gain * following[list({(pitch_class + away) % 12, (pitch_class - away) % 12})].sum()
            for away, gain in enumerate(LEADS)
        )
        foreign = 0.0 if pitch_class in triad else SCALE if pitch_class in scale else FOREIGN
        costs[pitch_class] = foreign - LEADING * float(leads)
    return costs


def _scale(plan: Plan) -> frozenset[int]:
    """Return the pitch classes of the scale of the music's key. Empty if no key is known yet."""
    if plan.tonic is None:
        return frozenset()
    root, third = plan.tonic.classes[:2]
    return frozenset((root + above) % 12 for above in (MINOR if (third - root) % 12 == 3 else MAJOR))


def _cost_of_sound(key: int, top: int | None, consonance: npt.NDArray[np.float32]) -> float:
    """Return what `key` costs beside the melody. `top` is the melody's highest sounding key, a MIDI pitch or None.

    `consonance` [12] is what is expected of each pitch class, -1 to 1.
    """
    clash = CLASH if top is not None and (top - key) % 12 in (1, 11) else 0.0
    return clash - HARSH * float(consonance[key % 12])
