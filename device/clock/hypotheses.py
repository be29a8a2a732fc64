"""The grid as a bank of hypotheses: the place in the bar of the last onset, a quarter's length, the manner of playing.

Each hypothesis is a Kalman filter over the time of its tick and the length of a quarter (Reid, "An algorithm for
tracking multiple targets", 1979; Cemgil and Kappen, "Monte Carlo methods for tempo tracking and rhythm quantization",
2003). An onset splits each hypothesis by the place that the onset may have been meant for (`device.clock.next_onset`)
and by the manner of playing: in time, flexible, free, uneven, or late. The constants of the manners are the maximum of
the likelihood of 70 real performances whose beats are known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import numpy as np

from device.clock.meter import Meter
from device.clock.next_onset import (
    FARTHEST,
    QUARTER,
    SIXTEENTH,
    STRAIGHT,
    UNIT,
    PieceRhythm,
    bar_ticks,
    beat_ticks,
    next_prior,
    sixteenths_of,
)
from device.clock.rhythm import Floats, Ints, previous_class

JITTER_S = np.array([0.011, 0.018, 0.018, 0.022])
"""Standard deviation of an onset around its place, in seconds, by manner: in time, flexible, free, uneven."""
TEMPO_VAR = np.array([0.008, 0.043, 0.12, 0.012]) ** 2
"""Variance of the relative change of a quarter's length in one quarter, by manner."""
PLACE_VAR = np.array([0.0125, 0.004, 0.087, 0.002]) ** 2
"""Variance of the shift of all later places in one quarter, in quarters squared, by manner."""
AT_FIRST = np.array([0.4, 0.25, 0.1, 0.25])
"""Probability of each manner after a count-in."""
MANNERS = len(TEMPO_VAR)
STAYS = 0.975
"""Probability that the manner is the same at the next onset."""
LATE, LATE_BEAT = 0.03, 0.06
"""Probability that an onset off a beat, and on a beat, is late; all later places are late with it."""
LATE_MEAN, LATE_SD = 0.042, 0.024
"""How late, in quarters."""
RETURN = 0.3
"""Rate per quarter at which the tempo returns to the usual tempo."""
USUAL = 0.23
"""Rate per quarter at which the usual tempo follows the tempo."""
LONGEST = 4.0
"""Quarters of a gap after which the tempo is not less certain than before."""
STRAY, STRAY_AGAIN = 0.004, 0.05
"""Probability of an onset that is on no place, and of another one after it."""
ORNAMENT, ORNAMENT_S = 0.04, 0.09
"""Probability of such an onset when it follows the last onset within so many seconds."""
RHYTHM, MELODY, CHORD = 0.9, 0.25, 0.25
"""Exponents of the three tables of scores. Successive onsets of a piece are not independent."""
SLIP = 3e-5
"""Weight of a copy of the likeliest hypothesis that is some sixteenths off."""
TEMPO_SLIP = 1e-3
"""The same for half and double tempo, where no count-in gave the tempo."""
KEPT = 48
"""Hypotheses kept after an onset."""
WORKED_OUT = 100
"""Pairs of hypothesis and place that are worked out for all manners."""
NEAR, NEAR_FAR = 0.05, 0.1
"""Width of the first rough look at a place, in quarters, and its growth with each quarter of the gap."""
NEGLIGIBLE = 1e-5
"""Weight relative to the likeliest hypothesis below which one is dropped."""
SAME_TEMPO = 0.025
"""Hypotheses of one place whose tempi differ by less, relatively, become one."""
PULL, PULL_OCTAVES = 0.05, 0.3
"""Exponent at each onset of the prior of the tempo, and its spread around the counted or usual tempo. A rhythm that
fits double tempo fits it every time it comes back, so the prior counts every time too."""
USUAL_QUARTER_S, TEMPO_OCTAVES = 0.62, 0.45
"""The usual length of a quarter, and the spread of the tempo around it without a count-in."""
HINT_WRONG = 0.1
"""Probability that a tempo that was given is not the tempo of the music."""
SHORTEST_QUARTER_S = 0.1
DOWNBEAT = 0.4
"""Probability that the music begins one beat after the count-in."""
FIRST_TEMPO_SD = 0.03
"""Relative standard deviation of the first tempo."""
FIRST_TIME_S = 0.03
"""Standard deviation of the last count's time."""


@dataclass
class Bank:
    """Hypotheses, one an entry of each array [n].

    `tick` is the place in the bar of the last onset and `time_s` its time; `quarter_s` and `usual_s` are the length of
    a quarter now and usually; (tt, tp, pp) is the covariance of time and quarter in s². `gap`, `gap2`, `gap3` are the
    last three gaps in ticks; `stray` is 1 if the last onset was on no place.
    """

    tick: Ints
    time_s: Floats
    quarter_s: Floats
    usual_s: Floats
    tt: Floats
    tp: Floats
    pp: Floats
    kind: Ints
    manner: Ints
    gap: Ints
    gap2: Ints
    gap3: Ints
    stray: Ints
    weight: Floats

    def chosen(self, which: Ints) -> Bank:
        """Some of them."""
        return Bank(*(getattr(self, field.name)[which] for field in fields(self)))

    def and_also(self, other: Bank) -> Bank:
        """Both banks in one."""
        return Bank(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))


def ahead_of(bank: Bank, quarters: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """(time, gain of the tempo, variance of the time, decay) at a place so many quarters after the last [n].

    The tempo returns to the usual one exponentially.
    """
    decay = np.exp(-RETURN * quarters)
    gain = (1 - decay) / RETURN
    time_s = bank.time_s + bank.usual_s * quarters + (bank.quarter_s - bank.usual_s) * gain
    until = np.minimum(quarters, LONGEST)
    moved = bank.quarter_s**2 * until * (TEMPO_VAR[bank.manner] * quarters**2 / 3 + PLACE_VAR[bank.manner])
    return time_s, gain, bank.tt + 2 * gain * bank.tp + gain**2 * bank.pp + moved, decay


class Hypotheses:
    """The bank of one piece. `bank` is None until the first onset or the count-in."""

    def __init__(self, meter: Meter) -> None:
        self.bar, self.beat = bar_ticks(meter), beat_ticks(meter)
        self.prior = next_prior(meter)
        self.piece = PieceRhythm(self.beat)
        self.bank: Bank | None = None
        self.counted = False
        """Whether a count-in gave the tempo."""
        self.surprise = 0.0
        """Running mean of the log density of an onset, in units of one a quarter: low if nothing fits."""
        self._rhythm = sixteenths_of(meter)
        change = (1 - STAYS) / (MANNERS - 1)
        self._turn = np.full((MANNERS, MANNERS), change) + np.eye(MANNERS) * (STAYS - change)
        self._last_s = -math.inf
        self._opening: Floats | None = None
        self._tempo_s, self._octaves = 1.0, math.inf

    def start_counted(self, last_count_s: float, quarter_s: float) -> None:
        """The last count of a count-in was at `last_count_s`; the bar begins one beat later."""
        one, same = np.ones(MANNERS), np.full(MANNERS, self.beat)
        self.bank = Bank(
            tick=(np.zeros(MANNERS, np.int64) - self.beat) % self.bar,
            time_s=one * last_count_s,
            quarter_s=one * quarter_s,
            usual_s=one * quarter_s,
            tt=one * FIRST_TIME_S**2,
            tp=one * 0.0,
            pp=one * (FIRST_TEMPO_SD * quarter_s) ** 2,
            kind=np.zeros(MANNERS, np.int64),
            manner=np.arange(MANNERS),
            gap=same,
            gap2=same,
            gap3=same,
            stray=np.zeros(MANNERS, np.int64),
            weight=AT_FIRST.copy(),
        )
        self._opening = self._first_prior()
        self.counted = True
        self._tempo_s, self._octaves = quarter_s, PULL_OCTAVES

    def start_free(self, onset_s: float, quarter_s: Floats, usual_s: float, octaves: float) -> None:
        """The first onset came at `onset_s`; quarters [m] are likely around `usual_s`, with a spread in octaves."""
        told = np.exp(-0.5 * (np.log2(quarter_s / usual_s) / octaves) ** 2)
        usual = np.exp(-0.5 * (np.log2(quarter_s / USUAL_QUARTER_S) / TEMPO_OCTAVES) ** 2)
        weight = (1 - HINT_WRONG) * told / told.sum() + HINT_WRONG * usual / usual.sum()
        self._tempo_s, self._octaves = USUAL_QUARTER_S, TEMPO_OCTAVES
        onset = self._rhythm.onset / self._rhythm.onset.sum()
        quarters = np.repeat(quarter_s, len(onset))
        n = len(quarters)
        same = np.full(n, 2 * SIXTEENTH)
        self.bank = Bank(
            tick=np.tile(np.arange(len(onset)) * SIXTEENTH, len(quarter_s)),
            time_s=np.full(n, onset_s),
            quarter_s=quarters,
            usual_s=quarters.copy(),
            tt=np.full(n, JITTER_S[0] ** 2),
            tp=np.zeros(n),
            pp=(FIRST_TEMPO_SD * quarters) ** 2,
            kind=np.zeros(n, np.int64),
            manner=np.ones(n, np.int64),
            gap=same,
            gap2=same,
            gap3=same,
            stray=np.zeros(n, np.int64),
            weight=np.outer(weight, onset).ravel(),
        )

    def hear(self, onset_s: float, interval: tuple[int, int], chord: tuple[int, int]) -> None:
        """Take in an onset. `interval`: classes of the interval before and of this one. `chord`: keys of the onset
        before (less 1) and class of this one, see `device.clock.rhythm`."""
        assert self.bank is not None
        old = self.bank
        target, prior = self._places(old, onset_s, interval, chord)
        some, parent = _likeliest(old, target, prior, onset_s)
        split, missed = self._split(old.chosen(parent), target.ravel()[some], prior.ravel()[some], onset_s)
        again = np.where(old.stray > 0, STRAY_AGAIN, missed)
        stray = replace(old, stray=np.ones_like(old.stray), weight=old.weight * again * 2 / old.quarter_s)
        both = split.and_also(stray)
        total = float(both.weight.sum())
        if not total > 0:
            return
        both.weight = both.weight / total
        self.surprise += 0.1 * (math.log(total * float(old.quarter_s @ old.weight)) - self.surprise)
        self.bank = self._with_slips(_merged(both))
        self._learn()
        self._last_s = onset_s

    def expected(self, tick: int, gaps: tuple[int, int], kind: int, ahead: int) -> float:
        """Probability that the next onset is `ahead` ticks after `tick`, if none came more than a thirty-second before.

        `gaps` are the two gaps before `tick`, the later first.
        """
        if not 1 <= ahead <= FARTHEST:
            return 0.0
        distance = np.arange(max(1, ahead - 2), FARTHEST + 1)
        row = self.prior[kind, tick, previous_class(np.array((gaps[0] + 3) // SIXTEENTH)), distance - 1]
        one = np.ones(1, np.int64)
        row = self.piece.mixed(row, one * tick, one * gaps[0], one * gaps[1], distance)
        total = float(row.sum())
        return float(row[ahead - int(distance[0])]) / total if total > 0 else 0.0

    def _first_prior(self) -> Floats:
        """Prior of the first onset, by ticks after the last count less 1: on the downbeat, or on any place."""
        ahead = np.arange(1, FARTHEST + 1)
        target = (self.bar - self.beat + ahead) % self.bar
        step = np.minimum(target // SIXTEENTH, len(self._rhythm.onset) - 1)
        table = np.where(target % SIXTEENTH == 0, self._rhythm.onset[step] / self._rhythm.onset.sum(), 0.002)
        table = table * 0.98 ** (ahead / SIXTEENTH) * np.where(ahead < self.beat // 4, 0.1, 1.0)
        table = (1 - DOWNBEAT) * table / table.sum()
        table[self.beat - 1] += DOWNBEAT
        return np.asarray(table)

    def _places(
        self, b: Bank, onset_s: float, interval: tuple[int, int], chord: tuple[int, int]
    ) -> tuple[Ints, Floats]:
        """Ticks that the onset may have been meant for, from the bar of the last onset, and their prior [9, n]."""
        x = b.tick + QUARTER * (onset_s - b.time_s) / b.quarter_s
        six = np.floor(x / 6).astype(np.int64) * 6
        four = np.floor(x / 4).astype(np.int64) * 4
        three = np.floor((x - 3) / 6).astype(np.int64) * 6 + 3
        target = np.stack([six - 12, six - 6, six, six + 6, six + 12, four, four + 4, three, three + 6])
        ahead = target - b.tick
        valid = ahead > 0
        valid[5:7] &= target[5:7] % SIXTEENTH != 0
        ahead = np.clip(ahead, 1, FARTHEST)
        if self._opening is None:
            prior = self.prior[b.kind, b.tick, previous_class((b.gap + 3) // SIXTEENTH), ahead - 1] ** RHYTHM
            prior = self.piece.mixed(prior, b.tick, b.gap, b.gap2, ahead)
        else:
            prior, self._opening = self._opening[ahead - 1], None
        tick = target % self.bar
        step = np.minimum(tick // SIXTEENTH, len(self._rhythm.onset) - 1)
        distance = previous_class((ahead + 3) // SIXTEENTH)
        melody = self._rhythm.interval[step, distance, interval[0], interval[1]] ** MELODY
        harmony = self._rhythm.chord[step, distance, chord[0], chord[1]] ** CHORD
        return target, np.where(valid, prior * np.where(tick % SIXTEENTH == 0, melody * harmony, 1.0), 0.0)

    def _split(self, b: Bank, target: Ints, prior: Floats, onset_s: float) -> tuple[Bank, float]:
        """Each pair of hypothesis and place [m] in every manner [4, m]; the probability of an onset on no place."""
        missed = ORNAMENT if onset_s - self._last_s < ORNAMENT_S else STRAY
        prior = prior * (1 - np.where(b.stray > 0, STRAY_AGAIN, missed))
        ticks = target - b.tick
        tick = target % self.bar
        quarters = ticks / QUARTER
        manner = np.concatenate([np.repeat(np.arange(MANNERS), len(ticks)).reshape(MANNERS, -1), b.manner[None]])
        is_late = (np.arange(MANNERS + 1) == MANNERS)[:, None]
        late = np.where(tick % self.beat == 0, LATE_BEAT, LATE)
        chance = np.where(is_late, late, (1 - late) * self._turn[manner, b.manner])
        # the prediction: the tempo and the place have moved as the manner says
        decay = np.exp(-RETURN * quarters)
        gain = (1 - decay) / RETURN
        time_s = b.time_s + b.usual_s * quarters + (b.quarter_s - b.usual_s) * gain
        quarter_s = b.usual_s + (b.quarter_s - b.usual_s) * decay
        square = b.quarter_s**2
        bent = TEMPO_VAR[manner] * (square * np.minimum(quarters, LONGEST))
        moved = PLACE_VAR[manner] * (square * np.minimum(quarters, LONGEST)) + is_late * LATE_SD**2 * square
        pp = decay**2 * b.pp + bent
        tp = decay * (b.tp + gain * b.pp) + bent * quarters / 2
        tt = b.tt + 2 * gain * b.tp + gain**2 * b.pp + bent * quarters**2 / 3 + moved
        # the correction by the onset
        variance = tt + JITTER_S[manner] ** 2
        error_s = onset_s - time_s - is_late * LATE_MEAN * b.quarter_s
        density = np.exp(-0.5 * error_s**2 / variance) / np.sqrt(2 * math.pi * variance)
        gain_t, gain_p = tt / variance, tp / variance
        quarter_s = np.maximum(quarter_s + gain_p * error_s, SHORTEST_QUARTER_S)
        pull = np.exp(-0.5 * PULL * (np.log2(quarter_s / self._tempo_s) / self._octaves) ** 2)
        usual_s = b.usual_s * (quarter_s / b.usual_s) ** (1 - np.exp(-USUAL * quarters))

        def row(values: Ints) -> Ints:
            return np.asarray(np.broadcast_to(values, manner.shape), np.int64).ravel()

        split = Bank(
            tick=row(tick),
            time_s=(onset_s - error_s * (1 - gain_t)).ravel(),
            quarter_s=quarter_s.ravel(),
            usual_s=usual_s.ravel(),
            tt=(tt * (1 - gain_t)).ravel(),
            tp=(tp * (1 - gain_t)).ravel(),
            pp=(pp - gain_p * tp).ravel(),
            kind=row(_kind_after(b.kind, tick, ticks)),
            manner=manner.ravel(),
            gap=row(np.clip(ticks, 1, FARTHEST)),
            gap2=row(b.gap),
            gap3=row(b.gap2),
            stray=np.zeros(manner.size, np.int64),
            weight=(b.weight * prior * chance * density * pull).ravel(),
        )
        return split, missed

    def _with_slips(self, b: Bank) -> Bank:
        """The likeliest may be a few sixteenths off: copies of it, each with a small weight."""
        i = int(np.argmax(b.weight))
        if b.stray[i] or b.tick[i] % SIXTEENTH:
            return b
        half = self.beat // 2
        shift = np.concatenate([np.arange(-half, 0, SIXTEENTH), np.arange(SIXTEENTH, half, SIXTEENTH)])
        copies = b.chosen(np.full(len(shift), i))
        copies.tick = (copies.tick + shift) % self.bar
        copies.weight = np.full(len(shift), SLIP * b.weight[i])
        return b.and_also(copies) if self.counted else b.and_also(copies).and_also(self._other_tempi(b, i))

    def _other_tempi(self, b: Bank, i: int) -> Bank:
        """Hypothesis `i` read at half and at double tempo, each with a small weight."""
        copies = b.chosen(np.array([i, i]))
        factor = np.array([0.5, 2.0])
        copies.quarter_s, copies.usual_s = copies.quarter_s * factor, copies.usual_s * factor
        copies.pp, copies.tp = copies.pp * factor**2, copies.tp * factor
        whole = int(copies.tick[0])
        copies.tick = np.array([2 * whole, whole // (2 * SIXTEENTH) * SIXTEENTH]) % self.bar
        copies.weight = np.full(2, TEMPO_SLIP * b.weight[i])
        return copies

    def _learn(self) -> None:
        """Count the last gap of the likeliest hypothesis."""
        b = self.bank
        assert b is not None
        i = int(np.argmax(b.weight))
        if not b.stray[i]:
            gap = int(b.gap[i])
            self.piece.learn(int(b.tick[i] - gap) % self.bar, (int(b.gap2[i]), int(b.gap3[i])), gap)


def _likeliest(b: Bank, target: Ints, prior: Floats, onset_s: float) -> tuple[Ints, Ints]:
    """Flat indices of the likeliest places after a rough look at their times, and the hypothesis of each."""
    ahead = (target - b.tick) / QUARTER
    error_s = onset_s - b.time_s - ahead * b.quarter_s
    width_s = JITTER_S[-1] + b.quarter_s * (NEAR + NEAR_FAR * np.clip(ahead, 0.0, LONGEST))
    rough = (b.weight * prior * np.exp(-0.5 * (error_s / width_s) ** 2) / width_s).ravel()
    some = np.argsort(-rough)[:WORKED_OUT]
    some = some[rough[some] > 1e-7 * rough[some[0]]]
    return some, some % len(b.weight)


def _kind_after(kind: Ints, tick: Ints, gap: Ints) -> Ints:
    """Kind of rhythm after an onset at `tick` that came `gap` ticks after one of `kind`."""
    unit = UNIT[kind]
    between = tick % SIXTEENTH != 0
    stays = (kind > 0) & (tick % unit == 0) & (gap % unit == 0) & ((gap == unit) | between)
    opened = np.where(tick % 8 == 0, 1, np.where(tick % 4 == 0, 2, 3))
    return np.asarray(np.where(stays, kind, np.where(between, opened, STRAIGHT)))


def _merged(b: Bank) -> Bank:
    """The likeliest hypotheses, those that say nearly the same joined."""
    order = np.argsort(-b.weight)[: 4 * KEPT]
    order = order[b.weight[order] > NEGLIGIBLE * b.weight[order[0]]]
    b = b.chosen(order)
    cell = np.rint(np.log(b.quarter_s) / SAME_TEMPO).astype(np.int64) + 400
    key = (((b.tick * 4 + b.kind) * 4 + b.manner) * 2 + b.stray) * 1000 + cell
    _, first, where = np.unique(key, return_index=True, return_inverse=True)
    weight = np.bincount(where.ravel(), b.weight)
    kept = np.argsort(-weight)[:KEPT]
    b = b.chosen(first[kept])
    b.weight = weight[kept] / weight[kept].sum()
    return b
