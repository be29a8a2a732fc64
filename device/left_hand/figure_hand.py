"""Plays figures of the bank: strikes their keys, holds them for the figure's lengths, and releases them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from device.clock.meter import Meter
from device.clock.step import Step
from device.events import Note, NoteEnded
from device.left_hand.accompanist import Plan
from device.left_hand.clear_chord import is_told, is_told_between, key_after, tell, tell_between
from device.left_hand.figure_bank import FigureBank, FigureNote
from device.left_hand.figure_density import TELLS_LATER
from device.left_hand.figure_player import FigurePlayer, FigureStrike, parts_of
from device.left_hand.figure_voicing import (
    Ground,
    at_home,
    base_of,
    in_the_way,
    keys_of,
    lowest_key,
)
from device.left_hand.held_keys import SHORTEST_STEPS, HeldKeys, held_steps
from device.left_hand.progression import fits_of
from device.left_hand.right_hand import RightHand
from device.left_hand.styles import begins_half
from device.left_hand.voicing import Fingers

THIN_LOCK, LOST_LOCK = 0.6, 0.3
"""Limits of `Plan.lock`, the clock's trust in its beat, from 0 to 1.

Below the first, only beats are struck. Below the second, only bass and fifth are struck, on the first beat of a bar.
"""
THIN_HEIGHTS, THIN_DEGREES = (0, 7), (0, 2)
"""Semitones above the bass, and degrees of the chord, of the keys that are struck when the beat is lost."""

LATER_STEPS, LATER_KEYS = 2, 3
"""A key may be added so many steps after a beat, an eighth, if the figure has at most so many keys on the beat.

The melody's key of the beat is known by then, so the added key can be consonant with it.
"""
HOME_STEP, HOME_REACH = 0.3, 12
"""Share by which the place of a song's upper keys follows the bass at each bar, and semitones within which it does so.

A bass further away takes the place with it. In songs pianists move the bass with the chord, and the keys above it
stay where they are.
"""


class _Asked(NamedTuple):
    """Holds a strike that a figure asks for at `step`, and the chord and the melody for which its keys are chosen."""

    step: Step
    struck: FigureStrike
    ground: Ground


class FigureHand:
    """Strikes and releases keys of `hand` as figures of the bank ask. The named styles use the same `hand`."""

    def __init__(self, bank: FigureBank, hand: Fingers, seed: int = 0) -> None:
        """Read figures from `bank` and press their keys with `hand`. `seed` is the seed of all random choices."""
        self._hand, self._held = hand, HeldKeys(hand)
        self.right = RightHand()
        self._player = FigurePlayer(bank, seed)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard and played. The random choices begin again with the seed."""
        self.right.reset()
        self._player.reset()
        self.silence()

    def silence(self) -> None:
        """Record that no key of a figure is down. The figure starts from its beginning when the hand plays again."""
        self._held.reset()
        self._sounded: set[int] = set()
        """Pitch classes that the hand has played since the beat began."""
        self._next, self._beat_keys = 0, 0
        """Grid step of the strike after the latest beat's strike, and the keys that the figure had on that beat."""
        self._entered = False
        """Whether the figure has struck since the hand was silent. Its first strike lies on a beat."""
        self._base: int | None = None
        """MIDI pitch of the bass of the bar, from which the heights of the figure's notes count."""
        self._last_base: int | None = None
        self._home = 0.0
        """MIDI pitch from which the heights of a song's upper keys count. It follows the bass slowly."""
        self._player.pause()

    def has(self, meter: Meter) -> bool:
        """Return whether the bank has figures for the metre `meter`."""
        return bool(parts_of(meter.steps_per_bar, meter.steps_per_beat))

    def hear(self, note: Note) -> None:
        """Store a decided note of the right hand. `listen` puts it on the grid."""
        self.right.hear(note)

    def end(self, ended: NoteEnded) -> None:
        """Store the end of a note. `listen` puts it on the grid."""
        self.right.end(ended)

    def listen(self, step: Step, until_s: float) -> None:
        """Put the notes and ends that were decided by `until_s` (stream seconds) on the grid.

        Call it at each step, also while the hand rests.
        """
        self.right.at(step, until_s)

    def at(self, step: Step, plan: Plan, density: float, variation: int = 1) -> tuple[list[int], list[int]]:
        """Strike and release keys at `step`. Return the MIDI pitches struck, and the MIDI pitches released.

        `plan.chord` must not be None. `density` is a factor on the number of strikes. A change of `density` or
        `variation` chooses another figure. Nothing is struck if the hand cannot reach the keys in time.
        """
        hand, held = self._hand, self._held
        held.falls = self._player.falls_next(step)
        lifted = [key for key in hand.down if held.is_over(key, plan, step.index)]
        ended = [key for key in lifted if key < plan.ceiling and not held.is_wrong(key, plan.top, step.index)]
        hand.let_go(lifted)
        context = self.right.context(step) if step.is_bar or self._base is None else None
        struck = self._player.at(step, context, self.right.opening, density, variation)
        if struck is None:
            return [], lifted
        if step.is_beat:
            self._sounded = {key % 12 for key in hand.down}
        notes = self._asked(step, struck)
        base = None if struck.begins_bar else self._base
        if not notes and base is not None:
            return ([], lifted) if struck.song or density < TELLS_LATER else self._later(step, plan, lifted)
        ground = self._ground(step, plan, struck.song)
        if base is None:
            base = self._new_base(notes, struck, ground)
        notes = _sure(notes, step, plan.lock)
        if not notes:
            return [], lifted
        if struck.song:
            notes = at_home(notes, base, self._home)
        keys = keys_of(notes, base, ground, lowest_key(hand.register))
        if not keys:
            return [], lifted
        if step.is_beat:
            self._next, self._beat_keys = step.index + struck.gap, len(keys)
        self._tell(keys, _Asked(step, struck, ground), plan.lock)
        return self._strike(keys, _Asked(step, struck, ground), ended, lifted)

    def _asked(self, step: Step, struck: FigureStrike) -> tuple[FigureNote, ...]:
        """Return the notes that the figure asks for at `step`, or none if the hand must not enter there.

        It enters on a bar line or on the half of a bar, also where its figure has no strike. A figure of pieces also
        enters on another beat.
        """
        if self._entered:
            return struck.notes
        if begins_half(step):
            return struck.notes or (FigureNote(step.position, step.meter.steps_per_beat, 0, 0),)
        return struck.notes if step.is_beat and not struck.song else ()

    def _new_base(self, notes: Sequence[FigureNote], struck: FigureStrike, ground: Ground) -> int:
        """Choose the bass of a bar that begins with `notes`, and move the place of the upper keys towards it."""
        degree = notes[0].degree if notes else 0
        base = base_of(struck, degree, self._last_base, ground, self._hand.register)
        near = self._last_base is not None and abs(base - self._home) <= HOME_REACH
        self._home = self._home + HOME_STEP * (base - self._home) if near else float(base)
        self._base = self._last_base = base
        return base

    def _tell(self, keys: dict[int, int], asked: _Asked, lock: float) -> None:
        """Add keys to the strike `keys` if its chord would otherwise not be clear. See `clear_chord`."""
        step, struck, ground = asked
        lowest = lowest_key(self._hand.register)
        if lock >= LOST_LOCK and is_told(step, struck):
            tell(keys, self._held.sound_on(step.index + 1), ground, lowest)
        elif is_told_between(step, struck, ground):
            tell_between(keys, self._sounded, ground, lowest)

    def _strike(
        self, keys: dict[int, int], asked: _Asked, ended: Sequence[int], lifted: list[int]
    ) -> tuple[list[int], list[int]]:
        """Strike `keys`, and release those in their way. Return the MIDI pitches struck, and those released.

        `keys` maps a MIDI pitch to a length in steps. `lifted` are the keys that were released already, and `ended`
        those of them whose time was just over. Nothing is struck if the hand cannot reach the keys in time.
        """
        hand, held = self._hand, self._held
        step, struck, ground = asked
        over = [key for key in hand.down if held.until.get(key, 0) <= step.index]
        # in songs a key whose time is over, but that the chord needs, is released only if it is in the way itself
        if not struck.song and in_the_way(hand.down, sorted(keys)):
            lifted += hand.let_go(over)
        lifted += hand.let_go(in_the_way(hand.down, sorted(keys)))
        held.song = struck.song
        if struck.song and step.is_beat:
            again = held.joined(keys, [key for key in ended if key in lifted], ground)
            if again is not None:
                lifted.remove(again)
                hand.press([again])
                held.until[again] = step.index + struck.gap
                over.append(again)
        hand.press(sorted(keys))
        if over and not hand.reaches(step.time_s):
            lifted += hand.let_go([key for key in over if key not in keys])
        if not hand.reaches(step.time_s):
            hand.let_go(list(keys))
            return [], lifted
        self._entered = True
        lengths = {key: held_steps(length, struck, step.position) for key, length in keys.items()}
        own = {key: step.index + length for key, length in keys.items()}
        held.strike(step.index, {key: step.index + length for key, length in lengths.items()}, own)
        self._sounded |= {key % 12 for key in keys}
        return sorted(keys), lifted

    def _ground(self, step: Step, plan: Plan, song: bool) -> Ground:
        """Return the chord and the melody for which the keys at `step` are chosen.

        On a beat the melody's key is not known yet, so `top` is None. A pitch class is likely if it belongs to likely
        triads and the accompanist expects it. In songs the triads count twice as much, and the chord has no seventh.
        """
        assert plan.chord is not None
        fits = fits_of(plan.triads)
        likely = np.sqrt(np.maximum(plan.classes * fits, 0.0)) * (np.sqrt(fits) if song else 1.0)
        top, sounded = None if step.is_beat else plan.top, frozenset(self._sounded)
        classes = plan.chord.classes[:3] if song else plan.chord.classes
        return Ground(classes, likely, plan.consonance(), top, plan.ceiling, sounded, plan.bass, song)

    def _later(self, step: Step, plan: Plan, lifted: list[int]) -> tuple[list[int], list[int]]:
        """Add a key an eighth after a beat whose chord is not clear. Return the keys struck and released.

        The first list has at most the one key. The second list begins with `lifted`, the keys released already. The
        keys of the beat are released for the new key, as in a broken chord. Keys are MIDI pitches.
        """
        hand, held, after = self._hand, self._held, step.position % step.meter.steps_per_beat
        down = hand.down
        if after != LATER_STEPS or not down or plan.lock < THIN_LOCK or self._beat_keys > LATER_KEYS:
            return [], lifted
        struck_now = max(held.struck_at.get(key, 0) for key in down) == step.index - after
        if not struck_now or self._next - step.index < SHORTEST_STEPS:
            return [], lifted
        key = key_after(down, self._ground(step, plan, False), lowest_key(hand.register))
        if key is None:
            return [], lifted
        gone = hand.let_go(down)
        hand.press([key])
        if not hand.reaches(step.time_s):
            hand.let_go([key])
            hand.press(gone)
            return [], lifted
        held.strike(step.index, {key: self._next})
        self._sounded.add(key % 12)
        return [key], lifted + gone


def _sure(notes: tuple[FigureNote, ...], step: Step, lock: float) -> tuple[FigureNote, ...]:
    """Return the `notes` that are struck at `step` if the clock trusts its beat as much as `lock`, see `THIN_LOCK`."""
    if lock < LOST_LOCK:
        return _thin(step) if step.is_bar else ()
    return notes if lock >= THIN_LOCK or step.is_beat else ()


def _thin(step: Step) -> tuple[FigureNote, ...]:
    """Return a figure of two keys, the bass and the fifth above it, held for a bar."""
    size = step.meter.steps_per_bar
    return tuple(FigureNote(0, size, height, degree) for height, degree in zip(THIN_HEIGHTS, THIN_DEGREES, strict=True))
