"""Gives prior probabilities of the next onset: how many ticks after the last onset a right hand plays again.

The bar is divided into ticks, 24 a quarter note: a sixteenth is 6 ticks, a triplet eighth 8, a sextuplet's note 4, a
thirty-second 3. The probabilities of straight rhythms come from `rhythm.py`, the tables counted from scores.
Those of the finer kinds are set by hand. `PieceRhythm` adds the rhythm of the piece itself, which it counts while the
piece is played.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from device.clock.meter import Meter
from device.clock.upbeat import beats_to_bar
from device.following.rhythm import NEXT_CLASSES, PREVIOUS_CLASSES, Floats, Ints, Rhythm, previous_class, rhythm_of

QUARTER = 24
"""Ticks in a quarter note."""
SIXTEENTH = 6
FARTHEST = 32 * SIXTEENTH
"""Longest gap in ticks that the tables have. A longer wait for the next onset is as likely as this one."""
STRAIGHT, TRIPLET, SEXTUPLET, SHORT = 0, 1, 2, 3
"""Kinds of rhythm: sixteenths and longer, triplet eighths, sextuplets, thirty-seconds."""
UNIT = np.array([6, 8, 4, 3])
"""Ticks of one note of each kind."""
OPENS = np.array([0.0, 0.008, 0.008, 0.012])
"""Probability that an onset between the sixteenths opens a group of each kind, after a straight one."""
GOES_ON = 0.85
"""Probability that a group of triplets, sextuplets or thirty-seconds goes on after one of its notes."""
UNIT_SHARE = 0.85
"""Share of a group's onsets that follow the onset before by one note of the group.

Each further note of distance is rarer, by one minus this share.
"""
BREAKS = 0.02
"""Factor of the probability of a straight rhythm if the onset before was inside a group and between the sixteenths."""
BEYOND = 0.88
"""Factor of the probability for each further sixteenth beyond the last class of the table."""


PLACE_SHARE, PLACE_HALF, PLACE_DECAY = 0.7, 8.0, 0.98
"""Settings of the table by place: its largest share, the number of onsets at half of that share, and its decay.

The decay is the share of the old counts that is left after one more onset.
"""
GAPS_SHARE, GAPS_HALF, GAPS_DECAY = 0.8, 5.0, 0.97
"""The same settings for the table by place and gaps."""
GAP_EDGES = np.array([4, 5, 7, 10, 15, 21, 30])
GAP_CLASSES = len(GAP_EDGES) + 1
GAP_CLASS = np.searchsorted(GAP_EDGES, np.arange(FARTHEST + 1), side="right")
"""Class of a gap in ticks: 3 and less, 4, 6, 8, 12, 18, 24, more."""
GAP_TO_CLASS = previous_class((np.arange(FARTHEST + 1) + 3) // SIXTEENTH)
"""Class of a gap in ticks for the tables of scores."""
TINY = 1e-9
DOWNBEAT = 0.4
"""Probability that the music begins one beat after the count-in."""
UPBEAT = 0.9
"""Probability that the music begins with the upbeat that was given."""


def bar_ticks(meter: Meter) -> int:
    """Return the number of ticks (24 a quarter note) in a bar."""
    return meter.beats * 4 * QUARTER // meter.beat_type


def beat_ticks(meter: Meter) -> int:
    """Return the number of ticks (24 a quarter note) in a felt beat."""
    return bar_ticks(meter) // meter.beats_per_bar


def counted_as(meter: Meter) -> Meter:
    """Return the metre in whose ticks the clock counts `meter`. It has longer notes if those of `meter` are too short.

    Half a beat must be a whole number of sixteenths, and a step of the grid a whole number of ticks. So 5/16 is counted
    as 5/8, and 3/32 as 3/8. The felt beats and the steps are the same, and a tempo is always given in felt beats. Where
    a beat has a single step, as in 2/16, it is counted as a quarter, because 2/4 and 4/4 have tables of their own.
    """
    if meter.steps_per_beat == 1:
        return Meter(meter.beats, 4)
    for beat_type in (meter.beat_type >> halvings for halvings in range(meter.beat_type.bit_length())):
        longer = Meter(meter.beats, beat_type)
        beat = beat_ticks(longer)
        same = (longer.beats_per_bar, longer.steps_per_beat) == (meter.beats_per_bar, meter.steps_per_beat)
        if same and beat % (2 * SIXTEENTH) == 0 and beat % longer.steps_per_beat == 0:
            return longer
    return meter


def kind_after(kind: Ints, tick: Ints, gap: Ints) -> Ints:
    """Return the kind of rhythm after each onset at `tick` that came `gap` ticks after one of `kind`, all [n].

    Every `gap` is at least 0.
    """
    # the result depends on the tick in its quarter, and on the gap in a quarter and whether it is shorter than that
    short = np.minimum(gap, gap % QUARTER + QUARTER)
    return np.asarray(_kinds_after().take((kind * QUARTER + tick % QUARTER) * (2 * QUARTER) + short))


@cache
def _kinds_after() -> Ints:
    """Return the table of `kind_after`, [kind, tick in a quarter, gap in ticks], for gaps below two quarters."""
    kind, tick, gap = np.ix_(np.arange(len(UNIT)), np.arange(QUARTER), np.arange(2 * QUARTER))
    unit = UNIT[kind]
    between = tick % SIXTEENTH != 0
    stays = (kind > 0) & (tick % unit == 0) & (gap % unit == 0) & ((gap == unit) | between)
    opened = np.where(tick % 8 == 0, 1, np.where(tick % 4 == 0, 2, 3))
    return np.asarray(np.where(stays, kind, np.where(between, opened, STRAIGHT)))


@cache
def sixteenths_of(meter: Meter) -> Rhythm:
    """Return the probability tables of `device.following.rhythm` with one row for each sixteenth note of a bar.

    A metre without tables of its own borrows those of a similar metre.
    """
    sixteenths = max(1, bar_ticks(meter) // SIXTEENTH)
    if meter.listed:
        return rhythm_of(meter)
    same = {(16, 2): "4/4", (12, 8): "6/8", (6, 8): "6/8", (8, 2): "2/4", (12, 4): "3/4"}
    base = "6/8" if meter.beat_type >= 8 and meter.beats % 3 == 0 else "4/4"
    source = rhythm_of(Meter.parse(same.get((sixteenths, meter.beat_type), base)))
    which = np.arange(sixteenths) % len(source.onset)
    onset = source.onset[which]
    return Rhythm(onset / onset.sum(), source.next[which], source.interval[which], source.chord[which])


def on_ticks(table: Floats, bar: int) -> Floats:
    """Return a table [sixteenth, class of the gap, a, b] as [a, b, tick of the bar, class of the gap].

    `bar` is in ticks. Ticks between sixteenths get 1.
    """
    out = np.ones((bar, *table.shape[1:]))
    steps = np.minimum(np.arange(0, bar, SIXTEENTH) // SIXTEENTH, len(table) - 1)
    out[::SIXTEENTH] = table[steps]
    return np.moveaxis(out, (2, 3), (0, 1))


@cache
def next_prior(meter: Meter, exponent: float = 1.0) -> Floats:
    """Return the probability of the next onset [kind, tick in the bar, previous class, ticks to the next less 1].

    The kind and the class of the gap before are those of the last onset. Each row sums to about 1; then every number is
    raised to the power `exponent`. Rows of ticks that cannot occur stay 0: they are never written, so they need no
    memory.
    """
    bar, rhythm = bar_ticks(meter), sixteenths_of(meter)
    table = np.zeros((len(UNIT), bar, PREVIOUS_CLASSES, FARTHEST))
    if exponent != 1.0:
        for kind, occurs in enumerate(_occurring(meter)):
            table[kind, occurs] = next_prior(meter)[kind, occurs] ** exponent
        return table
    straight = _straight(bar, rhythm)
    ahead = np.arange(1, FARTHEST + 1)
    tick = np.arange(bar)
    target = (tick[:, None] + ahead) % bar
    on_sixteenth = target % SIXTEENTH == 0
    for kind, (unit, occurs) in enumerate(zip(UNIT, _occurring(meter), strict=True)):
        if kind == STRAIGHT:
            opening = np.zeros((bar, FARTHEST))
            for other in (TRIPLET, SEXTUPLET, SHORT):
                opening += OPENS[other] * _group(target, ahead, UNIT[other]) * (~on_sixteenth)
            table[kind, occurs] = ((1 - OPENS.sum()) * straight + opening[:, None])[occurs]
            continue
        group = _group(target, ahead, int(unit))
        leaves = np.where((tick % SIXTEENTH == 0)[:, None, None], straight, BREAKS * straight)
        table[kind, occurs] = (GOES_ON * group[:, None] + (1 - GOES_ON) * leaves)[occurs]
    return table


def _occurring(meter: Meter) -> list[Ints]:
    """Return for each kind of rhythm the ticks of the bar at which a last onset of this kind can lie.

    A kind is kept on the multiples of its unit (`kind_after`), and copies of hypotheses are moved by sixteenths. If
    half a beat is no whole number of sixteenths, any tick can occur.
    """
    tick = np.arange(bar_ticks(meter))
    if beat_ticks(meter) % (2 * SIXTEENTH):
        return [tick] * len(UNIT)
    return [tick[(tick % SIXTEENTH == 0) | (tick % unit == 0)] for unit in UNIT]


def opening_prior(onset: Floats, bar: int, beat: int, upbeat: float) -> Floats:
    """Return the probability of the first onset after a count-in [FARTHEST], by ticks after the last count less 1.

    The onset at the upbeat or downbeat is the likeliest, and any other place is possible. `onset` has the probability
    of an onset on each sixteenth of a bar; `bar` and `beat` are in ticks, and `upbeat` is in beats.
    """
    ahead = np.arange(1, FARTHEST + 1)
    target = (-beats_to_bar(upbeat) * beat + ahead) % bar
    step = np.minimum(target // SIXTEENTH, len(onset) - 1)
    table = np.where(target % SIXTEENTH == 0, onset[step] / onset.sum(), 0.002)
    table = table * 0.98 ** (ahead / SIXTEENTH) * np.where(ahead < beat // 4, 0.1, 1.0)
    likely = UPBEAT if upbeat else DOWNBEAT
    table = (1 - likely) * table / table.sum()
    table[round((beats_to_bar(upbeat) - upbeat) * beat) - 1] += likely
    return np.asarray(table)


class PieceRhythm:
    """Learns the rhythm of the piece while it is played: two tables of gaps that decay, each mixed into the prior.

    The first table knows the place in the beat, the second the place and the two gaps before it. A table's share in the
    prior rises with the number of onsets that its row has seen. The rows are kept multiplied by their share.
    """

    def __init__(self, beat: int) -> None:
        """Start with empty tables. `beat` is the length of a felt beat in ticks."""
        self._beat = beat
        self._place = _Rows(beat, PLACE_SHARE, PLACE_HALF, PLACE_DECAY)
        self._gaps = _Rows(beat * GAP_CLASSES**2, GAPS_SHARE, GAPS_HALF, GAPS_DECAY)

    def mixed(self, prior: Floats, tick: Ints, gaps: Ints, parent: Ints, ahead: Ints) -> Floats:
        """Return `prior` [m], the probability of an onset `ahead` [m] ticks after the last, mixed with learned rhythm.

        `tick` [n] is the place of the last onset of each hypothesis and `gaps` [2, n] are the two gaps before it, the
        later first, all in ticks. `parent` [m] is the number of the hypothesis.
        """
        place = tick % self._beat
        later, earlier = GAP_CLASS.take(gaps)
        row = place * GAP_CLASSES
        row += later
        row *= GAP_CLASSES
        row += earlier
        return self._gaps.mixed(self._place.mixed(prior, place, parent, ahead), row, parent, ahead)

    def all_mixed(self, prior: Floats, tick: int, gaps: tuple[int, int]) -> Floats:
        """Return `prior` [FARTHEST], the probability of each gap after `tick`, mixed with the learned rhythm.

        `gaps` are the two gaps before `tick` in ticks, the later first.
        """
        place, row = self._row(tick, gaps)
        prior = self._place.left[place] * prior + self._place.mix[place]
        return np.asarray(self._gaps.left[row] * prior + self._gaps.mix[row])

    def learn(self, tick: int, gaps: tuple[int, int], ahead: int) -> None:
        """Count an onset that came `ahead` ticks after `tick`. `gaps` are the gaps before `tick`, the later first."""
        place, row = self._row(tick, gaps)
        self._place.learn(place, ahead)
        self._gaps.learn(row, ahead)

    def _row(self, tick: int, gaps: tuple[int, int]) -> tuple[int, int]:
        place = tick % self._beat
        return place, (place * GAP_CLASSES + int(GAP_CLASS[gaps[0]])) * GAP_CLASSES + int(GAP_CLASS[gaps[1]])


class _Rows:
    """Keeps a table of gaps [row, gap in ticks less 1], each row multiplied by its share in the prior."""

    def __init__(self, rows: int, share: float, half: float, decay: float) -> None:
        self._share, self._half, self._decay = share, half, decay
        self._seen = [0.0] * rows
        self.left = np.ones(rows)
        """The share, for each row, that is left to the prior."""
        self.mix = np.zeros((rows, FARTHEST))

    def mixed(self, prior: Floats, row: Ints, parent: Ints, ahead: Ints) -> Floats:
        """Return `prior` [m] mixed with the rows `row` [n] of the hypotheses; `parent` [m] chooses among these."""
        row = row.take(parent)
        prior = prior * self.left.take(row)
        row *= FARTHEST
        row += ahead
        row -= 1
        prior += self.mix.take(row)
        return prior

    def learn(self, row: int, ahead: int) -> None:
        """Count a gap of `ahead` ticks in the row `row`."""
        before = self._seen[row]
        seen = self._seen[row] = before * self._decay + 1
        self.mix[row] *= self._decay * (before + self._half) / (seen + self._half)
        self.mix[row, ahead - 1] += self._share / (seen + self._half)
        self.left[row] = 1 - self._share * seen / (seen + self._half)


def _group(target: Ints, ahead: Ints, unit: int) -> Floats:
    """Return the probability of each distance [tick, ahead] inside a group of notes that are `unit` ticks long."""
    number = ahead // unit
    weight = np.where(ahead % unit == 0, UNIT_SHARE * (1 - UNIT_SHARE) ** (np.minimum(number, 9) - 1.0), 0.0)
    return np.asarray(weight * (target % unit == 0))


def _straight(bar: int, rhythm: Rhythm) -> Floats:
    """Return the table of straight rhythms [tick, previous class, ahead minus 1], from the tables by sixteenths.

    A tick between two sixteenths takes the row of the earlier.
    """
    out = np.zeros((bar, PREVIOUS_CLASSES, FARTHEST))
    blind = (rhythm.next * rhythm.onset[:, None, None]).sum(axis=0) / rhythm.onset.sum()
    table = 0.9 * rhythm.next + 0.1 * blind
    metrical = rhythm.onset / rhythm.onset.mean()
    for tick in range(bar):
        step = tick // SIXTEENTH
        for ahead in range(1, FARTHEST // SIXTEENTH + 1):
            distance = (step + ahead) * SIXTEENTH - tick
            if not 1 <= distance <= FARTHEST:
                continue
            if ahead < NEXT_CLASSES:
                out[tick, :, distance - 1] = table[step, :, ahead - 1]
            else:
                place = float(metrical[(step + ahead) % len(metrical)])
                out[tick, :, distance - 1] = (
                    table[step, :, -1] * (1 - BEYOND) * BEYOND ** (ahead - NEXT_CLASSES) * place
                )
    return out
