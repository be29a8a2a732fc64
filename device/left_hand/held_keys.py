"""Says how long the keys of a figure are held: most for the figure's lengths, some longer or shorter."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from device.left_hand.accompanist import Plan
from device.left_hand.figure_player import FigureStrike
from device.left_hand.figure_voicing import MOST_KEYS, WIDEST, Ground
from device.left_hand.song_figure import HALF_STEPS
from device.left_hand.voicing import Fingers

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
BREATH_STEPS = 6
"""Steps since the player's latest onset, a beat and a half of 4/4, from which no key of a piece sounds on for `LEGATO`.

Then, and while no key of the player is down, a key ends with the figure's length. Pianists let go too where a phrase of
the melody ends.
"""
OVER_STEPS = 1
"""Steps for which a key of a song is held over the next strike, if that is `SHORTEST_STEPS` away.

This holds for keys that would end at that strike or before it: in songs pianists hold 20 % of the keys exactly until
the next strike. A key that would end exactly at a strike on the bar line or on the half of the bar is released there,
because a new chord often begins there.
"""
SHORTEST_STEPS = 2
"""Grid steps, an eighth. No figure has a shorter key, because shorter keys sound like stutter."""
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


class HeldKeys:
    """Remembers when the keys of `fingers` were struck and when their time is over. Keys are MIDI pitches."""

    def __init__(self, fingers: Fingers) -> None:
        self._fingers = fingers
        self.reset()

    def reset(self) -> None:
        """Forget all keys."""
        self.until: dict[int, int] = {}
        """Key -> grid step at which its time is over."""
        self.own_until: dict[int, int] = {}
        """Key -> grid step at which the figure's own length is over, see `BREATH_STEPS`."""
        self.struck_at: dict[int, int] = {}
        """Key -> grid step of its latest strike."""
        self.song = False
        """Whether the last keys came from a figure of songs."""
        self.falls = False
        """Whether the hand falls to the bar line at the next step, see `FigurePlayer.falls_next`."""

    def strike(self, now: int, ends: Mapping[int, int], own: Mapping[int, int] | None = None) -> None:
        """Record that keys are struck at the grid step `now`. `ends` maps each to the step at which its time ends.

        `own` maps each to the step at which the figure's own length ends. With None that is the same.
        """
        self.until.update(ends)
        self.own_until.update(ends if own is None else own)
        self.struck_at.update(dict.fromkeys(ends, now))

    def sound_on(self, now: int) -> list[int]:
        """Return the keys that are down and whose time goes on after the grid step `now`, lowest first."""
        return [key for key in self._fingers.down if self.until.get(key, 0) > now]

    def joined(self, keys: Collection[int], ended: Sequence[int], ground: Ground) -> int | None:
        """Return the key that stays down because one tone of the triad would sound on this beat without it, or None.

        `keys` are the keys of the strike. `ended` are the keys whose time is just over. All are MIDI pitches.
        """
        triad, all_down = set(ground.classes[:3]), [*keys, *self._fingers.down]
        sounding = {key % 12 for key in all_down} & triad
        if len(sounding) != 1 or len(all_down) >= MOST_KEYS:
            return None
        for key in sorted(ended, key=lambda key: -self.struck_at.get(key, 0)):
            near = max(*all_down, key) - min(*all_down, key) <= WIDEST
            if key % 12 in triad - sounding and key not in keys and near:
                return key
        return None

    def is_over(self, key: int, plan: Plan, now: int) -> bool:
        """Return whether a key that is down must be released at step `now`.

        It must if its time is over, if the right hand needs the place, or if it clashes with the melody or (in songs)
        with the chord.
        """
        age = now - self.struck_at.get(key, now)
        if key >= plan.ceiling or self.is_wrong(key, plan.top, now):
            return True
        rests = plan.top is None or plan.age_steps >= BREATH_STEPS
        if rests and not self.song and age >= SHORTEST_STEPS and self.own_until.get(key, now + 1) <= now:
            return True
        if self.until.get(key, 0) <= now and not self._is_needed(key, plan, now):
            return True
        return self.song and age >= SHORTEST_STEPS and plan.chord is not None and key % 12 not in plan.chord.classes

    def _is_needed(self, key: int, plan: Plan, now: int) -> bool:
        """Return whether a key must stay down at step `now`, although its time is over, to make the chord clear.

        It must for `SONG_TELLING_STEPS` if no other key has its tone of the triad, for `SONG_OPEN_STEPS` if that is the
        root or the fifth and another key is down, and for `SONG_ALONE_STEPS` if the keys that sound on have one tone of
        the triad, and it is another. False for a figure that is not of songs, and before a fall for a key that is
        older than `SONG_TELLING_STEPS`.
        """
        if not self.song or plan.chord is None or key % 12 not in plan.chord.classes[:3]:
            return False
        age = now - self.struck_at.get(key, now)
        others = [other for other in self._fingers.down if other != key]
        missing = key % 12 not in {other % 12 for other in others}
        if age < SONG_TELLING_STEPS:
            return missing
        if self.falls:
            return False
        if others and missing and age < SONG_OPEN_STEPS and key % 12 in (plan.chord.classes[0], plan.chord.classes[2]):
            return True
        staying = {other % 12 for other in others if self.until.get(other, 0) > now} & set(plan.chord.classes[:3])
        return age < SONG_ALONE_STEPS and len(staying) == 1 and key % 12 not in staying

    def is_wrong(self, key: int, top: int | None, now: int) -> bool:
        """Return whether a key that is down clashes, or sounds harsh for too long, with the melody's highest key `top`.

        `now` is the number of the grid step. The result is False if `top` is None.
        """
        if top is None:
            return False
        interval = (top - key) % 12
        age = now - self.struck_at.get(key, now)
        rub, harsh = (SONG_RUB_STEPS, SONG_HARSH_STEPS) if self.song else (RUB_STEPS, HARSH_STEPS)
        return (interval in RUBS and age >= rub) or (interval in HARSH and age >= harsh)


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
