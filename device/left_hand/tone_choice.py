"""Chooses the pitch classes of a strike, and the keys to release, by the probabilities that the accompanist gives.

The player's highest key decides what sounds harsh. A named style takes the tones of the chord instead.
"""

from __future__ import annotations

from collections.abc import Sequence

from device.left_hand.accompanist import Plan

LIKELY, LIKELY_DOUBLED, LIKELY_HARSH = 0.2, 0.26, 0.4
"""Least probability at which a pitch class is struck.

The first value is the usual one. The second holds for the pitch class of the player's highest key. The third holds
for a pitch class that sounds harsh under that key. A key that is down is released if the probability of its pitch
class falls below the first value, or below the third if it sounds harsh.
"""
HARSH = (1, 2, 5, 6, 10, 11)
"""Semitones below the player's highest key, without octaves, that sound harsh: all but thirds, fifths and sixths."""
MOST_UPPER = 2
"""Most keys struck at once above the bass."""
RESTS = 0.6
"""The hand releases all keys if the probability of a rest is at least this."""
SAME_AGAIN = 0.5
"""Factor on the probability of the upper note just played, so that it is repeated less often."""
ROOT_BASS = 1.3
"""Factor on the probability of the chord's root as the bass note."""
RUBBING = 0.1
"""Factor on the probability of a note a semitone from the player's highest key, by pitch class."""


def rubs(top: int | None, pitch: int) -> bool:
    """Return whether a pitch lies a semitone, by pitch class, from `top`, the right hand's highest key."""
    return top is not None and (top - pitch) % 12 in (1, 11)


def likely_bass(plan: Plan, classes: Sequence[int]) -> int:
    """Return the likeliest bass among the pitch `classes` of a chord. The root, the first of them, is preferred."""
    return max(classes, key=lambda pc: float(plan.bass[pc]) * (ROOT_BASS if pc == classes[0] else 1.0))


def upper_classes(plan: Plan, number: int, last: int) -> list[int]:
    """Return the `number` pitch classes of the plan's chord that are best above the bass, the best first.

    `last` is the pitch class of the upper note just played. -1 if there is none.
    """
    assert plan.chord is not None
    return _best(plan, plan.chord.classes, last)[:number]


def likely_classes(plan: Plan, number: int, last: int, down: Sequence[int]) -> list[int]:
    """Return the likely pitch classes that no key `down` has, or `number` likely ones if there are none.

    A plan without likely pitch classes gets `number` of its chord. `last` is as in `upper_classes`.
    """
    wanted = [pc for pc in range(12) if plan.classes[pc] >= _asked(plan.top, pc) and not rubs(plan.top, pc)]
    if not wanted:
        return upper_classes(plan, number, last)
    held = {key % 12 for key in down}
    fresh = _best(plan, [pc for pc in wanted if pc not in held], last)
    return fresh[:MOST_UPPER] or _best(plan, wanted, last)[:number]


def unlikely_keys(plan: Plan, down: Sequence[int]) -> list[int]:
    """Return the keys among those `down` that must be released because their pitch class has become unlikely."""
    if plan.bass[12] >= RESTS:
        return list(down)
    return [
        key
        for key in down
        if plan.classes[key % 12] < (LIKELY_HARSH if _is_harsh(plan.top, key) else LIKELY) or rubs(plan.top, key)
    ]


def _best(plan: Plan, classes: Sequence[int], last: int) -> list[int]:
    """Return pitch classes in the order of their worth as an upper note, the best first."""

    def worth(pitch_class: int) -> float:
        likely = float(plan.classes[pitch_class]) / _asked(plan.top, pitch_class)
        if pitch_class == last:
            likely *= SAME_AGAIN
        if rubs(plan.top, pitch_class):
            likely *= RUBBING
        return likely

    return sorted(classes, key=worth, reverse=True)


def _is_harsh(top: int | None, pitch: int) -> bool:
    """Return whether a pitch makes a second, a fourth, a tritone or a seventh with the right hand's highest key."""
    return top is not None and (top - pitch) % 12 in HARSH


def _asked(top: int | None, pitch_class: int) -> float:
    """Return the least probability at which a pitch class is struck."""
    if top is not None and top % 12 == pitch_class:
        return LIKELY_DOUBLED
    return LIKELY_HARSH if _is_harsh(top, pitch_class) else LIKELY
