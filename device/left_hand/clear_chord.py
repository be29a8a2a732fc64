"""Adds keys to a strike of a figure so that its chord is clear, as far as the hand has room for them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from device.clock.step import Step
from device.left_hand.figure_player import FigureStrike
from device.left_hand.figure_voicing import MOST_KEYS, Ground, is_minor, telling_key
from device.left_hand.styles import begins_half

TELLING, TELLING_MINOR = 2, 3
"""Pitch classes of a triad. A beat with fewer of them does not make its chord clear.

The second value is for a minor triad: two of its tones belong to a major triad too.
"""
MOST_TOLD, SONG_MOST_TOLD = 2, 1
"""Keys that may be added to a strike on a beat so that its chord is clear; the second value is for songs."""
TELLING_GAP = 1.0
"""Beats. A key is added to a strike if the next strike is at least this far away."""
TELLING_BETWEEN = 2
"""Steps. A key is added to a strike between two beats if the next strike is at least this far away.

Only minor triads get such a key, because only they need three tones. Songs get none. The melody's key of the beat is
known by then.
"""


def is_told(step: Step, struck: FigureStrike) -> bool:
    """Return whether the strike at `step` must make its chord clear.

    It must in figures of pieces on every beat, and in songs on the bar line and the half of the bar, if the next strike
    is far enough away.
    """
    meter = step.meter
    return (begins_half(step) if struck.song else step.is_beat) and struck.gap >= TELLING_GAP * meter.steps_per_beat


def is_told_between(step: Step, struck: FigureStrike, ground: Ground) -> bool:
    """Return whether the strike at `step`, between two beats, must make the minor chord of its beat clear."""
    return not (step.is_beat or struck.song) and struck.gap >= TELLING_BETWEEN and is_minor(ground.classes)


def tell(keys: dict[int, int], others: Sequence[int], ground: Ground, lowest: int) -> None:
    """Add one or two keys to `keys` if the chord of this strike would otherwise not be clear.

    `keys` maps a MIDI pitch to a length in steps. `others` are the keys that are down and sound on. No key below
    `lowest` is added.
    """
    for _ in range(SONG_MOST_TOLD if ground.song else MOST_TOLD):
        sounding = [*keys, *others]
        classes = {key % 12 for key in sounding}
        if is_clear(classes, ground) or len(keys) >= MOST_KEYS:
            return
        key = telling_key(min(sounding), max(keys), classes & set(ground.classes[:3]), ground, lowest)
        if key is None:
            return
        keys[key] = max(keys.values())


def tell_between(keys: dict[int, int], sounded: Collection[int], ground: Ground, lowest: int) -> None:
    """Add a key to `keys`, a strike between two beats, if the beat does not have all tones of its minor triad yet.

    `keys` maps a MIDI pitch to a length in steps. `sounded` are the pitch classes that the beat has so far. No key
    below `lowest` is added.
    """
    classes = {*sounded, *(key % 12 for key in keys)}
    if not is_clear(classes, ground):
        key = telling_key(min(keys), max(keys), classes & set(ground.classes[:3]), ground, lowest)
        if key is not None:
            keys[key] = max(keys.values())


def key_after(down: Sequence[int], ground: Ground, lowest: int) -> int | None:
    """Return a key that makes the chord of the keys `down` clear, from `lowest` on. None if it is clear or has no room.

    Keys are MIDI pitches. A beat's keys are released for this key, as in a broken chord.
    """
    classes = {key % 12 for key in down}
    if is_clear(classes, ground) or len(down) >= MOST_KEYS:
        return None
    key = telling_key(min(down), max(down), classes & set(ground.classes[:3]), ground, lowest)
    return None if key in down else key


def is_clear(classes: Collection[int], ground: Ground) -> bool:
    """Return whether the pitch classes `classes` have as many tones of the triad as make the chord clear."""
    tones = set(classes) & set(ground.classes[:3])
    return len(tones) >= (TELLING_MINOR if is_minor(ground.classes) else TELLING)
