"""Chooses the keys that a left hand of five fingers presses for given pitch classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from device.events import LOWEST_KEY

MOST_KEYS = 5
"""Keys down at once: one for each finger."""
WIDEST = 16
"""Largest distance in semitones from the lowest to the highest key down: about as far as one hand reaches."""
LOWEST, HIGHEST = 33, 64
"""Lowest and highest MIDI pitch: A1 and E4. Chords below A1 sound muddy."""
BASS_HOME, UPPER_HOME = 43, 54
"""MIDI pitches of the usual place of the bass and of the upper keys: G2 and F#3."""
NEAR, HOME = 1.0, 0.5
"""Costs of a semitone: of distance from the voice's last key, and of distance from its usual place."""
ROOM, LOW_ROOM, LOW = 3, 5, 48
"""An upper key lies at least `ROOM` semitones above the bass, or `LOW_ROOM` if the bass is below the MIDI pitch `LOW`.

Low thirds sound muddy, so a bass below C3 needs more distance.
"""
CHORD_ROOM, CROWDED = 10, 1.0
"""Semitones of room for a chord above a bass, and the cost of each semitone that is missing below the right hand.

Any ten semitones hold two tones of a triad.
"""
ROUNDING_S = 1e-6
"""Seconds. Step times are sums of floats, so this much is allowed for rounding."""
MOVES = ((0.125, 12.0), (0.25, 24.0))
"""Pairs (seconds, semitones): the middle between the hand's outer keys moves at most this far in this time."""


class Fingers:
    """Keeps the keys that are down. They are always at most `MOST_KEYS`, within `WIDEST`, and below the right hand."""

    def __init__(self, register: int = 0) -> None:
        """`register` moves the whole range up by -12 to 12 semitones. It may be changed at any time."""
        self.register = register
        self.reset()

    def reset(self) -> None:
        """Record that no key is down, and put the bass and the upper keys back to their usual places."""
        self.bass: int | None = None
        self.upper: list[int] = []
        self.lingering: set[int] = set()
        """Keys that the figure has released and that stay down for a moment, see `linger`."""
        self._last_bass, self._last_upper = BASS_HOME + self.register, UPPER_HOME + self.register
        self._centres: list[tuple[float, float]] = []

    @property
    def down(self) -> list[int]:
        """MIDI pitches of the keys that are down, lowest first."""
        return sorted({*self.upper, *self.lingering, *([] if self.bass is None else [self.bass])})

    def let_go(self, keys: Iterable[int]) -> list[int]:
        """Release these keys and return those that were down, lowest first."""
        wanted = set(keys)
        if not wanted:
            return []
        lifted = [key for key in self.down if key in wanted]
        self.upper = [key for key in self.upper if key not in lifted]
        self.lingering.difference_update(lifted)
        if self.bass in lifted:
            self.bass = None
        return lifted

    def give_way(self, ceiling: int) -> list[int]:
        """Release every key that is not below `ceiling`, the right hand's lowest key. Returns the released keys."""
        return self.let_go([key for key in self.down if key >= ceiling])

    def linger(self, keys: Iterable[int], time_s: float) -> list[int]:
        """Keep released keys down at `time_s` if the hand can hold them with the others. Returns the keys kept.

        They are part of `down`, but no voice has them, so they do not change which keys are pressed next.
        """
        kept = []
        for key in keys:
            held = {*self.down, key}
            if len(held) > MOST_KEYS or max(held) - min(held) > WIDEST:
                continue
            self.lingering.add(key)
            if self._is_far(time_s):
                self.lingering.discard(key)
            else:
                kept.append(key)
        if kept and any(t == time_s for t, _ in self._centres):
            self._centres = [(t, c) for t, c in self._centres if t != time_s] + [(time_s, self._centre)]
        return kept

    def press(self, keys: Sequence[int]) -> None:
        """Record these MIDI pitches as upper keys that are down. The caller first releases the keys in their way."""
        self.upper = sorted({*self.upper, *keys})

    def press_alone(self, key: int) -> list[int]:
        """Press this MIDI pitch as the bass, and release all other keys. Returns the keys released."""
        lifted = self.let_go([other for other in self.down if other != key])
        self.upper, self.bass, self._last_bass = [], key, key
        return lifted

    def press_bass(self, pitch_class: int, ceiling: int) -> tuple[int | None, list[int]]:
        """Press a bass key of this pitch class below `ceiling`, and release the old bass and keys out of reach.

        Returns the MIDI pitch of the bass, or None if there is no room, and a list of the MIDI pitches released.
        """
        home = BASS_HOME + self.register
        free = _keys(pitch_class, self._lowest, min(home + 12, ceiling - 1))
        if not free:
            return None, []

        def cost(k: int) -> float:
            crowded = max(0, k + _room(k) + CHORD_ROOM - (ceiling - 1))
            return NEAR * abs(k - self._last_bass) + HOME * abs(k - home) + CROWDED * crowded

        key = min(free, key=cost)
        lifted = self.let_go([] if self.bass is None or self.bass == key else [self.bass])
        out_of_reach = [k for k in self.upper if not key + _room(key) <= k <= key + WIDEST]
        lifted += self.let_go(out_of_reach)
        self.upper = [k for k in self.upper if k != key]
        self.bass = self._last_bass = key
        return key, lifted

    def press_upper(
        self, pitch_classes: Sequence[int], ceiling: int, stay: Sequence[int] = ()
    ) -> tuple[list[int], list[int]]:
        """Press an upper key for each pitch class if there is room. Returns the keys pressed and the old ones released.

        All keys are MIDI pitches. Those pressed lie below `ceiling`. An old upper key stays down if its pitch class is
        in `stay`, is not struck again, and a finger is free for it. If a pitch class has no room, the nearest free key
        of any pitch class in `stay` is pressed in its place.
        """
        staying = [key for key in self.upper if key % 12 in stay and key % 12 not in pitch_classes]
        staying = staying[: max(0, MOST_KEYS - 1 - len(pitch_classes))]
        lifted = set(self.let_go(set(self.upper) - set(staying)))
        low, top = self._upper_room(ceiling)
        home = UPPER_HOME + self.register
        pressed: list[int] = []
        for pitch_class in pitch_classes[: MOST_KEYS - 1]:
            free = [key for key in _keys(pitch_class, low, top) if key not in pressed]
            if free:
                pressed.append(min(free, key=lambda k: NEAR * abs(k - self._last_upper) + HOME * abs(k - home)))
        missing = min(len(pitch_classes), MOST_KEYS - 1) - len(pressed)
        if pressed and missing > 0:
            # there is no room for a wanted tone: another key of the chord takes its place
            others = sorted({key for pc in stay for key in _keys(pc, low, top)} - {*pressed, *staying})
            pressed += sorted(others, key=lambda k: abs(k - pressed[0]))[:missing]
        self._hold(pressed)
        if pressed:
            self.upper = sorted({*self.upper, *staying})
        return sorted(pressed), sorted(lifted)

    def press_tone(
        self, pitch_classes: Sequence[int], number: int, ceiling: int, avoid: Sequence[int] = ()
    ) -> tuple[list[int], list[int]]:
        """Press the `number`-th key (from 1) of these pitch classes above the bass, or the highest one with room.

        If that key has a pitch class in `avoid`, or was struck last, the nearest other key is pressed. If there is room
        for a single key above the bass, that key and the bass are struck in turn. Returns a list with the key (empty if
        there is no room), and a list of the old upper keys, which are released. Keys are MIDI pitches below `ceiling`.
        """
        lifted = self.let_go(self.upper)
        low, top = self._upper_room(ceiling)
        ladder = sorted(key for pitch_class in pitch_classes for key in _keys(pitch_class, low, top))
        wanted = min(max(number, 1), len(ladder)) - 1
        last = lifted[-1:]
        if len(ladder) == 1 and last == ladder and self.bass is not None:
            return [self.bass], lifted
        free = [i for i, key in enumerate(ladder) if key % 12 not in avoid and key not in last]
        free = free or [i for i, key in enumerate(ladder) if key not in last] or list(range(len(ladder)))
        pressed = [ladder[min(free, key=lambda i: (abs(i - wanted), i))]] if free else []
        self._hold(pressed)
        return pressed, lifted

    def reaches(self, time_s: float) -> bool:
        """Return whether the hand can reach its keys by `time_s` (stream seconds). If so, the place is recorded.

        Keys that linger are released if they keep the hand from its place, or if there are too many keys with them.
        """
        down = self.down
        if not down:
            return True
        self._centres = [(t, c) for t, c in self._centres if time_s - t <= MOVES[-1][0] + ROUNDING_S]
        if len(down) > MOST_KEYS or down[-1] - down[0] > WIDEST or self._is_far(time_s):
            self.lingering.clear()
        far = self._is_far(time_s)
        if not far and self.down:
            self._centres.append((time_s, self._centre))
        return not far

    @property
    def _centre(self) -> float:
        """The middle between the outer keys that are down, a MIDI pitch."""
        down = self.down
        return (down[0] + down[-1]) / 2

    def _is_far(self, time_s: float) -> bool:
        """Return whether the keys that are down lie too far from the hand's last places."""
        return any(
            time_s - t <= within + ROUNDING_S and abs(self._centre - c) > most
            for t, c in self._centres
            for within, most in MOVES
        )

    @property
    def _lowest(self) -> int:
        return max(LOWEST + self.register, LOWEST_KEY)

    def _upper_room(self, ceiling: int) -> tuple[int, int]:
        """Return the lowest and the highest MIDI pitch for an upper key."""
        base = self._last_bass if self.bass is None else self.bass
        return max(self._lowest, base + _room(base)), min(HIGHEST + self.register, ceiling - 1, base + WIDEST)

    def _hold(self, pressed: Sequence[int]) -> None:
        if pressed:
            self.upper = sorted(pressed)
            self._last_upper = round(sum(pressed) / len(pressed))


def _room(bass: int) -> int:
    return LOW_ROOM if bass < LOW else ROOM


def _keys(pitch_class: int, low: int, high: int) -> range:
    return range(low + (pitch_class - low) % 12, high + 1, 12)
