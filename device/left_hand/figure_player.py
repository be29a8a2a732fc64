"""Chooses a figure by the way in which the right hand plays, keeps it for a phrase, and reads it step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from device.clock.step import Step
from device.left_hand.figure_bank import FOUR, GROUPS, SIX, THREE, TWO, Excerpt, FigureBank, FigureNote
from device.left_hand.figure_density import scaled, strikes_a_bar
from device.left_hand.song_figure import LEAP, SongFigures

Floats = npt.NDArray[np.float64]

KEEP = 0.5
"""Probability that an excerpt is played again when its eight bars are over."""
PHRASE_BARS = 4
"""Bars after which a figure may change because the right hand plays in another way."""
FAR = 1.5
"""The figure changes if it lies more than this times as far from the expected manner as the fourth nearest excerpt."""
NEAREST = 4
"""Number of nearest excerpts among which the figure is drawn."""
SAME_PIECE = 0.7
"""Factor on the distance of an excerpt from the same piece as the one before."""
UNEVEN, VARIED = 3.0, 2.0
"""Distance that is added for an excerpt whose strikes always change their number of keys, or whose bars all differ.

Left hands in piano music mostly repeat one bar with few changes. Without this the hand would sound restless.
"""
ORDER = (0, 0, 0, 3)
"""Numbers of the excerpt's bars in the order in which they are played, again and again.

In true left hands 45 % of the bars have exactly the rhythm of the bar before. An excerpt with a silent bar among them
is not chosen, because the hand would rest too often.
"""
QUARTER = 4
"""Steps in a quarter. The figures of simple metres are counted in quarters, so 2/2 has those of 4/4."""
SONG_GROUP = (16, 4)
"""The metre in which songs have figures of their own."""
ANCHOR = 12
"""Index of the height in a manner. The number drawn for it also sets the register."""
STRIKES = 0
"""Index of the strikes a beat in a manner."""
OCTAVE_OF_DENSITY, DENSE_WEIGHT = 1.4, 4.0
"""Spreads of strikes a beat that are added if the density doubles, and their weight in an excerpt's distance then."""


@dataclass(slots=True)
class _Playing:
    number: int | None
    """Number of the excerpt in the bank. None for a figure that was drawn from the statistics of songs."""
    excerpt: Excerpt
    bar: int = 0
    blind: bool = False
    """Whether the figure was chosen before enough notes were heard to describe the right hand."""


@dataclass(frozen=True, slots=True)
class FigureStrike:
    """Holds the notes of a figure at one step. The bar's bass lies `lift` semitones above the MIDI pitch `anchor`."""

    notes: tuple[FigureNote, ...]
    lift: int
    anchor: int
    begins_bar: bool
    song: bool
    """Whether the figure was drawn from the statistics of songs."""
    gap: int = 0
    """Steps to the next strike of the bar, or to the end of the bar."""


@cache
def parts_of(steps_per_bar: int, steps_per_beat: int) -> tuple[int, ...]:
    """Divide a bar into parts that have figures, and return the index in `GROUPS` of each part, in order.

    Returns an empty tuple if there are no figures for the metre.
    """
    size, beat = GROUPS[SIX]
    if steps_per_beat == beat:
        return (SIX,) * (steps_per_bar // size) if steps_per_bar % size == 0 else ()
    if steps_per_bar % QUARTER or steps_per_beat % QUARTER:
        return ()
    quarters = steps_per_bar // QUARTER
    if quarters < 2:
        return ()
    if quarters > 4 and quarters % 3 == 0:
        return (THREE,) * (quarters // 3)
    # the bars of two and of three stand at the end, for the quarters that do not make a bar of four
    last = ((), (THREE, TWO), (TWO,), (THREE,))[quarters % 4]
    fours = quarters // 4 - (1 if quarters % 4 == 1 else 0)
    return (FOUR,) * fours + last


class BarPart(NamedTuple):
    """Describes a part of a bar that has figures: the index of its metre in `GROUPS`, and its place in the bar."""

    group: int
    first: int
    """Its first step, counted from the bar line."""
    number: int
    """Its number in the bar, from 0."""


@cache
def part_at(steps_per_bar: int, steps_per_beat: int, position: int) -> BarPart | None:
    """Return the part of the bar in which the step `position` lies, or None if there are no figures for the metre."""
    first = 0
    for number, group in enumerate(parts_of(steps_per_bar, steps_per_beat)):
        if position < first + GROUPS[group][0]:
            return BarPart(group, first, number)
        first += GROUPS[group][0]
    return None


class FigurePlayer:
    """Chooses one figure after another for the right hand, and reads its notes step by step.

    The random numbers come from `seed` and from the first keys that the player struck. So another piece gets another
    manner, and the same piece gets the same manner again.
    """

    def __init__(self, bank: FigureBank, seed: int = 0) -> None:
        self._bank, self._seed = bank, seed
        self._songs = SongFigures(bank.arrays)
        self.reset()

    def reset(self) -> None:
        """Forget the figure. The random numbers begin again with the seed."""
        self._rng: np.random.Generator | None = None
        self._draw = np.zeros(self._bank.manner_size)
        self._playing: dict[int, _Playing] = {}
        self._part: BarPart | None = None
        """The part of the bar that is played."""
        self._density, self._variation = 1.0, 1

    def pause(self) -> None:
        """Remember that the left hand rests. The figure starts from its beginning when the hand plays again."""
        self._part = None
        for playing in self._playing.values():
            playing.bar = -1

    def at(
        self, step: Step, context: Floats | None, opening: Sequence[int], density: float = 1.0, variation: int = 1
    ) -> FigureStrike | None:
        """Return the strike at `step`. Returns None if there are no figures for the metre.

        `context` describes the right hand. `opening` holds the first keys that it struck. `density` is a factor
        on the strikes in a beat. A change of `density` or `variation` chooses another figure at the next bar.
        """
        if self._rng is None:
            self._rng = np.random.default_rng([self._seed, *opening])
            self._draw = self._rng.standard_normal(self._bank.manner_size)
        meter = step.meter
        part = part_at(meter.steps_per_bar, meter.steps_per_beat, step.position)
        if part is None:
            return None
        group = part.group
        new = self._part != part or step.position == part.first
        self._part = part
        if new:
            self._turn(self._rng, group, context, density, variation)
        playing = self._playing[group]
        number = playing.bar if playing.number is None else ORDER[playing.bar % len(ORDER)]
        bar = playing.excerpt.bars[number]
        within = step.position - part.first
        notes = tuple(note for note in bar if note.position == within)
        excerpt, gap = playing.excerpt, 0
        if notes:
            later = [note for note in bar if note.position > within]
            size = GROUPS[group][0]
            gap = min((note.position for note in later), default=size) - within
        lift = excerpt.lifts[number]
        return FigureStrike(notes, lift, excerpt.anchor, new, playing.number is None, gap)

    def falls_next(self, step: Step) -> bool:
        """Return whether `step` is the last of a bar of a song, and the hand falls to a strike on the next bar line.

        It falls if that strike's lowest height lies at least `LEAP` semitones below that of the strike before it.
        """
        if self._part is None or step.position != step.meter.steps_per_bar - 1:
            return False
        playing = self._playing[self._part.group]
        if playing.number is not None:
            return False
        bars = playing.excerpt.bars
        bar, following = (bars[(playing.bar + later) % len(bars)] for later in (0, 1))
        next_heights = [note.height for note in following if note.position == 0]
        if not (bar and next_heights):
            return bool(next_heights)
        last = max(note.position for note in bar)
        return min(next_heights) <= min(note.height for note in bar if note.position == last) - LEAP

    def _turn(
        self, rng: np.random.Generator, group: int, context: Floats | None, density: float, variation: int
    ) -> None:
        """Go on to the next bar, and choose a new figure if the old one is over or does not fit.

        An unknown right hand counts as that of a piece. If it then turns out to play the melody of a song, the figure
        does not fit.
        """
        playing = self._playing.get(group)
        wanted, song = self._wanted(group, context)
        if playing is None:
            chosen = self._choose(rng, group, wanted, song, None, density)
            # the second variation is another figure from the beginning, too
            if variation != 1:
                chosen = self._choose(rng, group, wanted, song, chosen.number, density)
            self._playing[group] = chosen
            self._playing[group].blind = context is None
            self._density, self._variation = density, variation
            return
        playing.bar += 1
        over = playing.bar >= len(playing.excerpt.bars)
        changed = density != self._density or variation != self._variation
        if over and rng.random() < KEEP and not changed:
            playing.bar, over = 0, False
        far = False
        if not over and playing.bar % PHRASE_BARS == 0 and playing.number is not None:
            there = np.flatnonzero(self._bank.group == group)
            distance = self._distances(there, wanted, density)
            own = float(self._distances(np.array([playing.number]), wanted, density)[0])
            far = own > FAR * float(np.sort(distance)[NEAREST - 1])
        mistaken = playing.blind and song and GROUPS[group] == SONG_GROUP
        if over or far or changed or mistaken:
            self._playing[group] = self._choose(rng, group, wanted, song, playing.number, density)
            self._playing[group].blind = context is None
            self._density, self._variation = density, variation

    def _wanted(self, group: int, context: Floats | None) -> tuple[Floats, bool]:
        mean = self._bank.average if context is None else context
        return self._bank.expected(mean, group, self._draw)

    def _distances(self, there: npt.NDArray[np.int64], wanted: Floats, density: float) -> Floats:
        """Return how far the excerpts with the numbers `there` are from the manner `wanted`.

        A `density` above 1 asks for more strikes. A smaller one asks for the same excerpts, whose strikes are left out.
        """
        away = self._bank.manner[there] - wanted
        if density > 1.0:
            away[:, STRIKES] -= OCTAVE_OF_DENSITY * float(np.log2(density))
            away[:, STRIKES] *= DENSE_WEIGHT
        return np.asarray(np.sqrt((away**2).sum(axis=1)))

    def _choose(
        self, rng: np.random.Generator, group: int, wanted: Floats, song: bool, before: int | None, density: float
    ) -> _Playing:
        """Return a figure for the manner `wanted`: of the statistics of songs, or one near it in the bank.

        `before` is the number of the figure that was played before, and is not chosen again.
        """
        if song and GROUPS[group] == SONG_GROUP:
            rate = self._bank.strikes_a_beat(wanted)
            excerpt = self._songs.draw(rng, rate * max(density, 1.0), float(self._draw[ANCHOR]))
            return _Playing(None, _dense(excerpt, group, density, rate * GROUPS[group][0] / GROUPS[group][1]))
        near = self._nearest(group, wanted, before, density)
        number = int(near[rng.integers(len(near))])
        excerpt = self._bank.excerpt(number)
        if density <= 1.0:
            return _Playing(number, _dense(excerpt, group, density))
        usual = [self._bank.excerpt(int(i)) for i in self._nearest(group, wanted, before, 1.0)]
        strikes = float(np.mean([strikes_a_bar([each.bars[i] for i in ORDER]) for each in usual]))
        return _Playing(number, _dense(excerpt, group, density, strikes))

    def _nearest(self, group: int, wanted: Floats, before: int | None, density: float) -> npt.NDArray[np.int64]:
        """Return the numbers of the `NEAREST` excerpts for the manner `wanted`, the nearest first.

        `before` is the number of the excerpt that was played before, which is left out.
        """
        there = np.flatnonzero(self._bank.group == group)
        distance = self._distances(there, wanted, density)
        if before is not None:
            distance = np.where(self._bank.piece[there] == self._bank.piece[before], SAME_PIECE * distance, distance)
            distance = np.where(there == before, np.inf, distance)
        distance = distance + UNEVEN * self._bank.uneven[there] + VARIED * self._bank.varied[there]
        distance = np.where(self._bank.rests[there][:, ORDER].any(axis=1), np.inf, distance)
        return np.asarray(there[np.argsort(distance, kind="stable")[:NEAREST]])


def _dense(excerpt: Excerpt, group: int, density: float, usual: float | None = None) -> Excerpt:
    """Return `excerpt` with the strikes that a `density` asks for. At 1 it stays as it is.

    Below 1 strikes are left out. Above 1 it gets `density` times `usual` strikes in a bar, if it has not as many.
    """
    if density == 1.0:
        return excerpt
    own = strikes_a_bar([excerpt.bars[i] for i in ORDER])
    factor = density if usual is None or density < 1.0 else density * usual / max(own, 1.0)
    return scaled(excerpt, factor, *GROUPS[group])
