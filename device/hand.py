"""Five fingers: which keys a left hand presses for the pitch classes that it should play."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MOST_KEYS = 5
WIDEST = 16
"""Semitones between the lowest and the highest key down: a tenth."""
LOWEST, HIGHEST = 33, 64
"""A1, below which chords growl, and E4."""
BASS_HOME, UPPER_HOME = 43, 54
NEAR, HOME = 1.0, 0.5
"""Cost of a semitone away from the voice's last key, and from where it is at home."""
ROOM, LOW_ROOM, LOW = 3, 5, 48
"""An upper key lies at least so many semitones above the bass: low thirds growl, so more below C3."""


class Hand:
    """The keys that are down. Whatever is asked of it, they stay few, close together and below the right hand."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Both voices at home, nothing down."""
        self.bass: int | None = None
        self.upper: list[int] = []
        self._last_bass, self._last_upper = BASS_HOME, UPPER_HOME

    @property
    def down(self) -> list[int]:
        """Keys that are down, lowest first."""
        return sorted({*self.upper, *([] if self.bass is None else [self.bass])})

    def let_go(self, keys: Iterable[int]) -> list[int]:
        """Lift these keys; those that were down."""
        lifted = [key for key in set(keys) if key in self.down]
        self.upper = [key for key in self.upper if key not in lifted]
        if self.bass in lifted:
            self.bass = None
        return sorted(lifted)

    def give_way(self, ceiling: int) -> list[int]:
        """Lift what is not below `ceiling`, the right hand's lowest key."""
        return self.let_go([key for key in self.down if key >= ceiling])

    def press_bass(self, pitch_class: int, ceiling: int) -> tuple[int | None, list[int]]:
        """The key for a new bass, None where there is no room, and the keys lifted for it."""
        free = [key for key in _keys(pitch_class, LOWEST, min(HIGHEST, ceiling - 1)) if key <= BASS_HOME + 12]
        if not free:
            return None, []
        key = min(free, key=lambda k: NEAR * abs(k - self._last_bass) + HOME * abs(k - BASS_HOME))
        lifted = self.let_go([] if self.bass is None or self.bass == key else [self.bass])
        out_of_reach = [k for k in self.upper if not key + _room(key) <= k <= key + WIDEST]
        lifted += self.let_go(out_of_reach)
        self.upper = [k for k in self.upper if k != key]
        self.bass = self._last_bass = key
        return key, lifted

    def press_upper(self, pitch_classes: Sequence[int], ceiling: int) -> tuple[list[int], list[int]]:
        """Keys for new upper notes, as far as there is room, and the keys lifted: the old upper ones."""
        lifted = set(self.let_go(self.upper))
        base = self._last_bass if self.bass is None else self.bass
        top = min(HIGHEST, ceiling - 1, base + WIDEST)
        pressed: list[int] = []
        for pitch_class in pitch_classes[: MOST_KEYS - 1]:
            free = [key for key in _keys(pitch_class, max(LOWEST, base + _room(base)), top) if key not in pressed]
            if free:
                pressed.append(min(free, key=lambda k: NEAR * abs(k - self._last_upper) + HOME * abs(k - UPPER_HOME)))
        if pressed:
            self.upper = sorted(pressed)
            self._last_upper = round(sum(pressed) / len(pressed))
        return sorted(pressed), sorted(lifted)


def _room(bass: int) -> int:
    return LOW_ROOM if bass < LOW else ROOM


def _keys(pitch_class: int, low: int, high: int) -> range:
    return range(low + (pitch_class - low) % 12, high + 1, 12)
