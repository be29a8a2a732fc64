"""Plays figures of the bank: strikes their keys, holds them for the figure's lengths, and releases them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from device.clock.meter import Meter
from device.clock.step import Step
from device.events import Note, NoteEnded
from device.left_hand.accompanist import Plan
from device.left_hand.figure_bank import FigureBank, FigureNote
from device.left_hand.figure_density import TELLS_LATER
from device.left_hand.figure_player import FigurePlayer, FigureStrike, parts_of
from device.left_hand.figure_voicing import (
    MOST_KEYS,
    WIDEST,
    Ground,
    at_home,
    base_of,
    in_the_way,
    is_minor,
    keys_of,
    lowest_key,
    telling_key,
)
from device.left_hand.progression import fits_of
from device.left_hand.right_hand import RightHand
from device.left_hand.song_figure import HALF_STEPS
from device.left_hand.styles import begins_half
from device.left_hand.voicing import Fingers

THIN_LOCK, LOST_LOCK = 0.6, 0.3
"""Limits of `Plan.lock`, the clock's trust in its beat, from 0 to 1.

Below the first, only beats are struck. Below the second, only bass and fifth are struck, on the first beat of a bar.
"""
THIN_HEIGHTS, THIN_DEGREES = (0, 7), (0, 2)
"""Semitones above the bass, and degrees of the chord, of the keys that are struck when the beat is lost."""

RUBS, HARSH = (1, 11), (2, 6, 10)
"""Semitones below the melody's highest key, without octaves, that clash, and that sound harsh."""
RUB_STEPS, SONG_RUB_STEPS, HARSH_STEPS, SONG_HARSH_STEPS = 2, 1, 6, 3
"""Steps after its strike at which a key is released if it clashes, or sounds harsh, with a melody that was heard.

The first two values are for a clash, and the second of each pair is for figures of songs.
"""
LEGATO = 0.5
"""A key is held until the next strike if the figure's length is at least this share of the time until then.

In figures of songs it is held for the figure's length, and a key that does not belong to a new chord is released.
"""
OVER_STEPS = 1
"""Steps for which a key of a song is held over the next strike, if that is `SHORTEST_STEPS` away.

This holds for keys that would end at that strike or before it: in songs pianists hold 20 % of the keys exactly until
the next strike. A key that would end exactly at a strike on the bar line or on the half of the bar is released there,
because a new chord often begins there.
"""
SHORTEST_STEPS = 2
"""Grid steps, an eighth. No figure has a shorter key, because shorter keys sound like stutter."""
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
LATER_STEPS, LATER_KEYS = 2, 3
"""A key may be added so many steps after a beat, an eighth, if the figure has at most so many keys on the beat.

The melody's key of the beat is known by then, so the added key can be consonant with it.
"""
SONG_TELLING_STEPS = 2
"""Steps after its strike up to which a key of a song stays down because no other key has its tone of the triad."""
SONG_ALONE_STEPS = 8
"""Steps after its strike up to which a key of a song stays down because, without it, one tone of the triad would sound.

One tone alone does not make a chord clear. The key is not held into a rest: another key must sound on.
"""
SONG_OPEN_STEPS = 16
"""Steps after its strike, a bar of 4/4, up to which the root or the fifth of a song's chord stays down.

It stays while no other key has this tone and another key is down, also through a rest of the figure. Without this the
hand is silent more often than pianists are, and its bass ends sooner. The third gets no such time: with it the beats
have more tones than those of pianists.

Before a fall to the bar line the hand lets go of all keys that stay only for such a reason, as pianists do.
"""
HOME_STEP, HOME_REACH = 0.3, 12
"""Share by which the place of a song's upper keys follows the bass at each bar, and semitones within which it does so.

A bass further away takes the place with it. In songs pianists move the bass with the chord, and the keys above it
stay where they are.
"""


class FigureHand:
    """Strikes and releases keys of `hand` as figures of the bank ask. The named styles use the same `hand`."""

    def __init__(self, bank: FigureBank, hand: Fingers, seed: int = 0) -> None:
        """Read figures from `bank` and press their keys with `hand`. `seed` is the seed of all random choices."""
        self._hand = hand
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
        self._until: dict[int, int] = {}
        self._struck_at: dict[int, int] = {}
        self._sounded: set[int] = set()
        self._song = False
        """True if the last keys came from a figure of songs."""
        self._next, self._beat_keys = 0, 0
        """Grid step of the strike after the latest beat's strike, and the keys that the figure had on that beat."""
        self._entered = False
        """Whether the figure has struck since the hand was silent. Its first strike lies on a beat."""
        self._base: int | None = None
        self._last_base: int | None = None
        self._home = 0.0
        """MIDI pitch from which the heights of a song's upper keys count. It follows the bass slowly."""
        self._falls = False
        """Whether the hand falls to the bar line at the next step, see `FigurePlayer.falls_next`."""
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
        assert plan.chord is not None
        hand = self._hand
        self._falls = self._player.falls_next(step)
        lifted = [key for key in hand.down if self._is_over(key, plan, step.index)]
        ended = [key for key in lifted if key < plan.ceiling and not self._wrong(key, plan.top, step.index)]
        if lifted:
            hand.let_go(lifted)
        context = self.right.context(step) if step.is_bar or self._base is None else None
        struck = self._player.at(step, context, self.right.opening, density, variation)
        if struck is None:
            return [], lifted
        if step.is_beat:
            self._sounded = {key % 12 for key in hand.down}
        notes = struck.notes
        if not self._entered and begins_half(step) and not notes:
            # the hand enters on a bar line or on the half of a bar, also where its figure has no strike
            notes = (FigureNote(step.position, step.meter.steps_per_beat, 0, 0),)
        elif not (self._entered or (begins_half(step) if struck.song else step.is_beat)):
            notes = ()
        begins = struck.begins_bar or self._base is None
        if not (notes or begins):
            return ([], lifted) if struck.song or density < TELLS_LATER else self._later(step, plan, lifted)
        ground = self._ground(step, plan, struck.song)
        if begins or self._base is None:
            degree = notes[0].degree if notes else 0
            self._base = base_of(struck, degree, self._last_base, ground, hand.register)
            near = self._last_base is not None and abs(self._base - self._home) <= HOME_REACH
            self._home = self._home + HOME_STEP * (self._base - self._home) if near else float(self._base)
            self._last_base = self._base
        if plan.lock < LOST_LOCK:
            notes = _thin(step) if step.is_bar else ()
        elif plan.lock < THIN_LOCK and not step.is_beat:
            notes = ()
        if not notes:
            return [], lifted
        if struck.song:
            notes = at_home(notes, self._base, self._home)
        keys = keys_of(notes, self._base, ground, lowest_key(hand.register))
        if not keys:
            return [], lifted
        if step.is_beat:
            self._next, self._beat_keys = step.index + struck.gap, len(keys)
        if plan.lock >= LOST_LOCK and _is_told(step, struck):
            self._tell(keys, step.index, ground)
        elif not (step.is_beat or struck.song) and struck.gap >= TELLING_BETWEEN and is_minor(ground.classes):
            self._tell_between(keys, ground)
        over = [key for key in hand.down if self._until.get(key, 0) <= step.index]
        # in songs a key whose time is over, but that the chord needs, is released only if it is in the way itself
        if not struck.song and in_the_way(hand.down, sorted(keys)):
            lifted += hand.let_go(over)
        lifted += hand.let_go(in_the_way(hand.down, sorted(keys)))
        self._song = struck.song
        if struck.song and step.is_beat:
            again = self._joined(keys, [key for key in ended if key in lifted], ground)
            if again is not None:
                lifted.remove(again)
                hand.press([again])
                self._until[again] = step.index + struck.gap
                over.append(again)
        hand.press(sorted(keys))
        if over and not hand.reaches(step.time_s):
            lifted += hand.let_go([key for key in over if key not in keys])
        if not hand.reaches(step.time_s):
            hand.let_go(list(keys))
            return [], lifted
        self._entered = True
        for key, length in keys.items():
            self._until[key] = step.index + held_steps(length, struck, step.position)
            self._struck_at[key] = step.index
            self._sounded.add(key % 12)
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

    def _tell(self, keys: dict[int, int], now: int, ground: Ground) -> None:
        """Add one or two keys to `keys` if the chord of this strike would otherwise not be clear.

        `keys` maps a MIDI pitch to a length in steps. `now` is the number of the grid step.
        """
        least = TELLING_MINOR if is_minor(ground.classes) else TELLING
        for _ in range(SONG_MOST_TOLD if ground.song else MOST_TOLD):
            sounding = [*keys, *(key for key in self._hand.down if self._until.get(key, 0) > now + 1)]
            classes = {key % 12 for key in sounding} & set(ground.classes[:3])
            if len(classes) >= least or len(keys) >= MOST_KEYS:
                return
            key = telling_key(min(sounding), max(keys), classes, ground, lowest_key(self._hand.register))
            if key is None:
                return
            keys[key] = max(keys.values())

    def _joined(self, keys: Collection[int], ended: Sequence[int], ground: Ground) -> int | None:
        """Return the key that stays down because one tone of the triad would sound on this beat without it, or None.

        `keys` are the keys of the strike. `ended` are the keys whose time is just over. All are MIDI pitches.
        """
        triad, all_down = set(ground.classes[:3]), [*keys, *self._hand.down]
        sounding = {key % 12 for key in all_down} & triad
        if len(sounding) != 1 or len(all_down) >= MOST_KEYS:
            return None
        for key in sorted(ended, key=lambda key: -self._struck_at.get(key, 0)):
            near = max(*all_down, key) - min(*all_down, key) <= WIDEST
            if key % 12 in triad - sounding and key not in keys and near:
                return key
        return None

    def _tell_between(self, keys: dict[int, int], ground: Ground) -> None:
        """Add a key to `keys`, a strike between two beats, if the beat does not have all tones of its minor triad yet.

        `keys` maps a MIDI pitch to a length in steps.
        """
        classes = (self._sounded | {key % 12 for key in keys}) & set(ground.classes[:3])
        if len(classes) < TELLING_MINOR:
            key = telling_key(min(keys), max(keys), classes, ground, lowest_key(self._hand.register))
            if key is not None:
                keys[key] = max(keys.values())

    def _later(self, step: Step, plan: Plan, lifted: list[int]) -> tuple[list[int], list[int]]:
        """Add a key an eighth after a beat whose chord is not clear. Return the keys struck and released.

        The first list has at most the one key. The second list begins with `lifted`, the keys released already. The
        keys of the beat are released for the new key, as in a broken chord. Keys are MIDI pitches.
        """
        hand, after = self._hand, step.position % step.meter.steps_per_beat
        down = hand.down
        if after != LATER_STEPS or not down or plan.lock < THIN_LOCK or self._beat_keys > LATER_KEYS:
            return [], lifted
        struck_now = max(self._struck_at.get(key, 0) for key in down) == step.index - after
        if not struck_now or self._next - step.index < SHORTEST_STEPS:
            return [], lifted
        ground = self._ground(step, plan, False)
        classes = {key % 12 for key in down} & set(ground.classes[:3])
        if len(classes) >= (TELLING_MINOR if is_minor(ground.classes) else TELLING) or len(down) >= MOST_KEYS:
            return [], lifted
        key = telling_key(min(down), max(down), classes, ground, lowest_key(hand.register))
        if key is None or key in down:
            return [], lifted
        gone = hand.let_go(down)
        hand.press([key])
        if not hand.reaches(step.time_s):
            hand.let_go([key])
            hand.press(gone)
            return [], lifted
        self._until[key], self._struck_at[key] = self._next, step.index
        self._sounded.add(key % 12)
        return [key], lifted + gone

    def _is_over(self, key: int, plan: Plan, now: int) -> bool:
        """Return whether a key that is down must be released at step `now`.

        It must if its time is over, if the right hand needs the place, or if it clashes with the melody or (in songs)
        with the chord.
        """
        age = now - self._struck_at.get(key, now)
        if key >= plan.ceiling or self._wrong(key, plan.top, now):
            return True
        if self._until.get(key, 0) <= now and not self._is_needed(key, plan, now):
            return True
        return self._song and age >= SHORTEST_STEPS and plan.chord is not None and key % 12 not in plan.chord.classes

    def _is_needed(self, key: int, plan: Plan, now: int) -> bool:
        """Return whether a key must stay down at step `now`, although its time is over, to make the chord clear.

        It must for `SONG_TELLING_STEPS` if no other key has its tone of the triad, for `SONG_OPEN_STEPS` if that is the
        root or the fifth and another key is down, and for `SONG_ALONE_STEPS` if the keys that sound on have one tone of
        the triad, and it is another. False for a figure that is not of songs, and before a fall for a key that is
        older than `SONG_TELLING_STEPS`.
        """
        if not self._song or plan.chord is None or key % 12 not in plan.chord.classes[:3]:
            return False
        age = now - self._struck_at.get(key, now)
        others = [other for other in self._hand.down if other != key]
        missing = key % 12 not in {other % 12 for other in others}
        if age < SONG_TELLING_STEPS:
            return missing
        if self._falls:
            return False
        if others and missing and age < SONG_OPEN_STEPS and key % 12 in (plan.chord.classes[0], plan.chord.classes[2]):
            return True
        staying = {other % 12 for other in others if self._until.get(other, 0) > now} & set(plan.chord.classes[:3])
        return age < SONG_ALONE_STEPS and len(staying) == 1 and key % 12 not in staying

    def _wrong(self, key: int, top: int | None, now: int) -> bool:
        """Return whether a key that is down clashes, or sounds harsh for too long, with the melody's highest key `top`.

        `now` is the number of the grid step. The result is False if `top` is None.
        """
        if top is None:
            return False
        interval = (top - key) % 12
        age = now - self._struck_at.get(key, now)
        rub, harsh = (SONG_RUB_STEPS, SONG_HARSH_STEPS) if self._song else (RUB_STEPS, HARSH_STEPS)
        return (interval in RUBS and age >= rub) or (interval in HARSH and age >= harsh)


def _is_told(step: Step, struck: FigureStrike) -> bool:
    """Return whether the strike at `step` must make its chord clear.

    It must in figures of pieces on every beat, and in songs on the bar line and the half of the bar, if the next strike
    is far enough away.
    """
    meter = step.meter
    return (begins_half(step) if struck.song else step.is_beat) and struck.gap >= TELLING_GAP * meter.steps_per_beat


def held_steps(length: int, struck: FigureStrike, position: int) -> int:
    """Return for how many steps a key struck at the step `position` of the bar is held.

    That is at least `length`, the figure's own length in steps. It may be held up to the next strike, and in songs over
    it.
    """
    held = max(length, SHORTEST_STEPS)
    if struck.song:
        before_half = (position + struck.gap) % HALF_STEPS == 0
        ends_by_then = length < SHORTEST_STEPS if before_half else length <= SHORTEST_STEPS
        return struck.gap + OVER_STEPS if ends_by_then and struck.gap == SHORTEST_STEPS else held
    return max(held, struck.gap) if length >= LEGATO * struck.gap else held


def _thin(step: Step) -> tuple[FigureNote, ...]:
    """Return a figure of two keys, the bass and the fifth above it, held for a bar."""
    size = step.meter.steps_per_bar
    return tuple(FigureNote(0, size, height, degree) for height, degree in zip(THIN_HEIGHTS, THIN_DEGREES, strict=True))
