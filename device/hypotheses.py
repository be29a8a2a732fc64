"""The grid as a bank of hypotheses: where in the bar the last onset was, how long a quarter is, how freely one plays.

Each hypothesis is a Kalman filter over the time of its tick and the length of a quarter (Reid, "An algorithm for
tracking multiple targets", 1979; Cemgil and Kappen, "Monte Carlo methods for tempo tracking and rhythm quantization",
2003). An onset splits each by the place it may have been meant for (`device.next_place`) and by the manner of playing:
in time, flexible, free, or late, where the beat itself is held back and the tempo is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from device.meter import Meter
from device.next_place import (
    FARTHEST,
    QUARTER,
    SIXTEENTH,
    STRAIGHT,
    bar_ticks,
    beat_ticks,
    next_prior,
    sixteenths_of,
)
from device.rhythm import Floats, Ints, previous_class


GAP_EDGES = np.array([4, 5, 7, 10, 15, 21, 30])
GAPS = len(GAP_EDGES) + 1
GAP_CLASS = np.searchsorted(GAP_EDGES, np.arange(FARTHEST + 1), side="right")
"""Class of a gap in ticks: up to 3, 4, 6, 8, 12, 18, 24 and more."""


@dataclass
class Settings:
    """Constants of the model, in quarters unless said otherwise."""

    jitter_s: float = 0.011
    """Standard deviation of an onset around its place, in seconds."""
    tempo_sd: tuple[float, ...] = (0.008, 0.043, 0.12)
    """Relative random walk of the quarter's length, per square root of a quarter, by manner."""
    phase_sd: tuple[float, ...] = (0.0125, 0.004, 0.087)
    """Random walk of the beat itself, in quarters per square root of a quarter, by manner."""
    stay: float = 0.975
    """Probability that the manner is kept from one onset to the next."""
    revert: float = 0.3
    """Rate per quarter at which the tempo returns to the usual one."""
    usual_rate: float = 0.23
    """Rate per quarter at which the usual tempo follows."""
    late: float = 0.03
    late_beat: float = 0.06
    """Probability that an onset is late, off and on a beat."""
    late_mean: float = 0.042
    late_sd: float = 0.024
    stray: float = 0.004
    stray_again: float = 0.05
    ornament: float = 0.04
    ornament_s: float = 0.09
    """Probability of a stray onset, and of another one after one."""
    melody: float = 0.25
    chord: float = 0.25
    rhythm: float = 0.9
    learnt: float = 0.7
    """Largest share of the piece's own rhythm in the prior."""
    learnt_half: float = 8.0
    learnt2: float = 0.8
    learnt2_half: float = 5.0
    learnt2_decay: float = 0.97
    learnt_decay: float = 0.995
    keep: int = 48
    worked_out: int = 100
    rough: float = 0.05
    rough_far: float = 0.1
    negligible: float = 1e-5
    slip: float = 3e-4


@dataclass
class Bank:
    """Hypotheses, one an entry of each array [n]."""

    tick: Ints
    """Tick in the bar of the last onset."""
    time_s: Floats
    quarter_s: Floats
    usual_s: Floats
    tt: Floats
    tp: Floats
    pp: Floats
    kind: Ints
    manner: Ints
    gap: Ints
    """Ticks between the last two onsets."""
    gap2: Ints
    gap3: Ints
    """The two gaps before that."""
    stray: Ints
    weight: Floats

    def chosen(self, which: Ints) -> Bank:
        """Some of them."""
        return Bank(*(getattr(self, f.name)[which] for f in fields(self)))


class Hypotheses:
    """See the module. `hear` takes onsets in; `bank` is what is thought after the last."""

    def __init__(self, meter: Meter, settings: Settings | None = None) -> None:
        self.s = settings or Settings()
        self.meter = meter
        self.bar, self.beat = bar_ticks(meter), beat_ticks(meter)
        self.prior = next_prior(meter)
        self.rhythm = sixteenths_of(meter)
        self.size = self.beat if self.bar % self.beat == 0 else self.bar
        self.counts = np.zeros((self.size, FARTHEST))
        self.row = np.zeros(self.size)
        self.counts2 = np.zeros((self.size, GAPS, GAPS, FARTHEST))
        self.row2 = np.zeros((self.size, GAPS, GAPS))
        self.tempo_var = np.array(self.s.tempo_sd) ** 2
        self.phase_var = np.array(self.s.phase_sd) ** 2
        m = len(self.s.tempo_sd)
        self.turn = np.full((m, m), (1 - self.s.stay) / (m - 1)) + np.eye(m) * (self.s.stay - (1 - self.s.stay) / (m - 1))
        self.bank: Bank | None = None
        self.last_s = -math.inf
        self.opening: Floats | None = None
        """Probability of the first onset after a count-in by ticks after the last count less 1."""

    def start_counted(self, time_s: float, quarter_s: float, time_sd: float, quarter_sd: float, tick: int) -> None:
        """The beat at `time_s` was counted."""
        m = len(self.s.tempo_sd)
        one = np.ones(m)
        w = np.array([0.6, 0.3, 0.1])[:m]
        self.bank = Bank(
            np.full(m, tick), one * time_s, one * quarter_s, one * quarter_s, one * time_sd**2, one * 0.0,
            one * quarter_sd**2, np.zeros(m, np.int64), np.arange(m), np.full(m, self.beat), np.full(m, self.beat), np.full(m, self.beat), np.zeros(m, np.int64), w / w.sum(),
        )

    def open(self) -> None:
        """The music may begin anywhere after the count-in; a bar's start is likeliest."""
        ahead = np.arange(1, FARTHEST + 1)
        target = (self.bar - self.beat + ahead) % self.bar
        onset = self.rhythm.onset / self.rhythm.onset.sum()
        table = np.where(target % SIXTEENTH == 0, onset[np.minimum(target // SIXTEENTH, len(onset) - 1)], 0.002)
        table = table * 0.98 ** (ahead / SIXTEENTH) * np.where(ahead < self.beat // 4, 0.1, 1.0)
        table = 0.6 * table / table.sum()
        table[self.beat - 1] += 0.4
        self.opening = table

    def start_free(self, time_s: float, quarter_s: Floats, weight: Floats) -> None:
        """The first onset came at `time_s`; quarters as likely as `weight`."""
        onset = self.rhythm.onset / self.rhythm.onset.sum()
        q, k = len(quarter_s), len(onset)
        n = q * k
        qs = np.repeat(quarter_s, k)
        self.bank = Bank(
            np.tile(np.arange(k) * SIXTEENTH, q), np.full(n, time_s), qs, qs.copy(), np.full(n, self.s.jitter_s**2), np.zeros(n),
            (0.03 * qs) ** 2, np.zeros(n, np.int64), np.full(n, 1), np.full(n, 2 * SIXTEENTH), np.full(n, 2 * SIXTEENTH), np.full(n, 2 * SIXTEENTH), np.zeros(n, np.int64),
            (weight[:, None] * onset).ravel(),
        )

    def hear(self, onset_s: float, interval: tuple[int, int], chord: tuple[int, int]) -> None:
        """An onset; `interval` classes (before, now) and `chord` (keys before less 1, class)."""
        s, b = self.s, self.bank
        assert b is not None
        n = len(b.weight)
        ioi = onset_s - b.time_s
        x = b.tick + QUARTER * ioi / b.quarter_s
        six = np.floor(x / 6).astype(np.int64) * 6
        four = np.floor(x / 4).astype(np.int64) * 4
        three = (np.floor((x - 3) / 6).astype(np.int64)) * 6 + 3
        target = np.stack([six - 12, six - 6, six, six + 6, six + 12, four, four + 4, three, three + 6])
        ahead = target - b.tick
        clipped = np.clip(ahead, 1, FARTHEST)
        tick = target % self.bar
        valid = ahead > 0
        valid[5:7] &= target[5:7] % 6 != 0
        previous = previous_class((b.gap + 3) // 6)
        corpus = self.prior[b.kind, b.tick, previous, clipped - 1] ** s.rhythm
        place = b.tick % self.size
        seen = self.row[place]
        if self.opening is not None:
            corpus = self.opening[clipped - 1]
            self.opening = None
        share = s.learnt * seen / (seen + s.learnt_half)
        own = self.counts[place, clipped - 1] / (seen + 1e-9)
        prior = (1 - share) * corpus + share * own
        first, second = GAP_CLASS[b.gap], GAP_CLASS[b.gap2]
        seen = self.row2[place, first, second]
        share = s.learnt2 * seen / (seen + s.learnt2_half)
        own = self.counts2[place, first, second, clipped - 1] / (seen + 1e-9)
        prior = (1 - share) * prior + share * own
        # melody and harmony at a sixteenth
        step = np.minimum(tick // 6, len(self.rhythm.onset) - 1)
        gap_class = previous_class((clipped + 3) // 6)
        on = (tick % 6 == 0)
        factor = self.rhythm.interval[step, gap_class, interval[0], interval[1]] ** s.melody
        factor = factor * self.rhythm.chord[step, gap_class, chord[0], chord[1]] ** s.chord
        prior = np.where(valid, prior * np.where(on, factor, 1.0), 0.0)
        # the likeliest places alone are worked out
        short = ioi - (b.quarter_s / QUARTER) * ahead
        wide = s.jitter_s + b.quarter_s * (s.rough + s.rough_far * np.minimum(np.maximum(ahead, 0) / QUARTER, 4.0))
        rough = (b.weight * prior * np.exp(-0.5 * (short / wide) ** 2) / wide).ravel()
        some = np.argsort(-rough)[: s.worked_out]
        some = some[rough[some] > 1e-7 * rough[some[0]]]
        up = some % n
        old, b = b, b.chosen(up)
        target, prior, tick = target.ravel()[some], prior.ravel()[some], tick.ravel()[some]
        q = target - b.tick
        gap_now = q
        q = q / QUARTER
        ioi = ioi[up]
        # manners
        decay = np.exp(-s.revert * q)
        m = (1 - decay) / s.revert
        away = b.quarter_s - b.usual_s
        mean_s = b.usual_s * q + away * m
        quarter = b.usual_s + away * decay
        tt = b.tt + 2 * m * b.tp + m * m * b.pp
        tp = decay * (b.tp + m * b.pp)
        pp = decay * decay * b.pp
        error = ioi - mean_s
        square = b.quarter_s**2
        qe = np.minimum(q, 4.0)
        is_beat = tick % self.beat == 0
        late = np.where(is_beat, s.late_beat, s.late)
        manners = len(self.tempo_var)
        jitter = s.jitter_s**2
        parts = []
        turn = self.turn[:, b.manner]
        for k in range(manners + 1):
            j = b.manner if k == manners else k
            qt = self.tempo_var[j] * square * qe
            a_pp = pp + qt
            a_tp = tp + qt * q / 2
            a_tt = tt + qt * q * q / 3 + self.phase_var[j] * square * qe
            err = error
            if k == manners:
                a_tt = a_tt + (s.late_sd * b.quarter_s) ** 2
                err = error - s.late_mean * b.quarter_s
                chance = late
                manner = np.broadcast_to(b.manner, target.shape)
            else:
                chance = (1 - late) * turn[k]
                manner = np.full(target.shape, k)
            var = a_tt + jitter
            density = np.exp(-0.5 * err * err / var) / np.sqrt(2 * math.pi * var)
            g_t, g_p = a_tt / var, a_tp / var
            parts.append((
                target, onset_s - err * (1 - g_t) - (0 if k < manners else 0.0), np.maximum(quarter + g_p * err, 0.05), a_tt - g_t * a_tt, a_tp - g_t * a_tp,
                a_pp - g_p * a_tp, manner, b.weight * prior * chance * density,
            ))
        target4, time4, quarter4, tt4, tp4, pp4, manner4, w4 = (np.stack([p[i] for p in parts]) for i in range(8))
        once = s.ornament if onset_s - self.last_s < s.ornament_s else s.stray
        w4 = w4 * (1 - np.where(b.stray > 0, s.stray_again, once))
        b = old
        w_stray = b.weight * np.where(b.stray > 0, s.stray_again, once) / (b.quarter_s / 2)
        total = float(w4.sum() + w_stray.sum())
        if not total > 1e-200:
            return
        flat = w4.ravel()
        both = np.concatenate([flat, w_stray]) / total
        order = np.argsort(-both)[: 4 * s.keep]
        order = order[both[order] > s.negligible * both[order[0]]]
        is_stray = order >= flat.size
        o = np.where(is_stray, 0, order)
        parent = np.where(is_stray, order - flat.size, up[o % len(up)])
        pick = lambda child, old: np.where(is_stray, old[parent], child.ravel()[o])
        new_target = pick(target4, b.tick)
        new_tick = new_target % self.bar
        gap = np.where(is_stray, b.gap[parent], (new_target - b.tick[parent]))
        quarter_new = pick(quarter4, b.quarter_s)
        kind = b.kind[parent]
        unit = np.array([6, 8, 4, 3])[kind]
        stays = (kind > 0) & (new_tick % unit == 0) & (gap % unit == 0) & ((gap == unit) | (new_tick % 6 != 0))
        made = np.where(new_tick % 6 == 0, np.where(stays, kind, STRAIGHT), np.where(new_tick % 8 == 0, 1, np.where(new_tick % 4 == 0, 2, 3)))
        made = np.where((new_tick % 6 != 0) & stays, kind, made)
        kind = np.where(is_stray, kind, made)
        usual = b.usual_s[parent]
        rate = 1 - np.exp(-s.usual_rate * gap / QUARTER)
        usual = np.where(is_stray, usual, usual * (quarter_new / usual) ** rate)
        bank = Bank(
            new_tick, pick(time4, b.time_s), quarter_new, usual, pick(tt4, b.tt), pick(tp4, b.tp), pick(pp4, b.pp), kind,
            pick(manner4, b.manner), np.clip(gap, 1, FARTHEST), np.where(is_stray, b.gap2[parent], b.gap[parent]), np.where(is_stray, b.gap3[parent], b.gap2[parent]), is_stray.astype(np.int64), both[order],
        )
        self.bank = self._slipped(self._merged(bank)) if s.slip > 0 else self._merged(bank)
        self._learn()
        self.last_s = onset_s

    def _merged(self, b: Bank) -> Bank:
        """Equal ones joined, the likeliest kept; they come sorted by weight."""
        cell = np.rint(np.log(b.quarter_s) / 0.025).astype(np.int64) + 400
        key = (((b.tick * 4 + b.kind) * 4 + b.manner) * 2 + b.stray) * 1000 + cell
        _, first, where = np.unique(key, return_index=True, return_inverse=True)
        weight = np.bincount(where, b.weight)
        order = np.argsort(-weight)[: self.s.keep]
        b = b.chosen(first[order])
        b.weight = weight[order] / weight[order].sum()
        return b

    def _slipped(self, b: Bank) -> Bank:
        """The likeliest may be a few sixteenths off: copies of it, each with a small weight."""
        i = int(np.argmax(b.weight))
        if b.stray[i] or b.tick[i] % SIXTEENTH:
            return b
        shift = np.concatenate([np.arange(-self.beat // 2, 0, SIXTEENTH), np.arange(SIXTEENTH, self.beat // 2, SIXTEENTH)])
        copy = b.chosen(np.full(len(shift), i))
        copy.tick = (copy.tick + shift) % self.bar
        copy.weight = np.full(len(shift), self.s.slip * b.weight[i])
        return Bank(*(np.concatenate([getattr(b, f.name), getattr(copy, f.name)]) for f in fields(b)))

    def _learn(self) -> None:
        """The piece's own rhythm, as the likeliest hypothesis has it."""
        b = self.bank
        assert b is not None
        i = int(np.argmax(b.weight))
        if b.stray[i]:
            return
        gap = int(min(b.gap[i], FARTHEST))
        place = int((b.tick[i] - b.gap[i]) % self.bar) % self.size
        s = self.s
        self.counts *= self.s.learnt_decay
        self.row *= self.s.learnt_decay
        self.counts[place, gap - 1] += 1
        self.row[place] += 1
        one, two = GAP_CLASS[min(b.gap2[i], FARTHEST)], GAP_CLASS[min(b.gap3[i], FARTHEST)]
        self.counts2[place, one, two] *= s.learnt2_decay
        self.row2[place, one, two] *= s.learnt2_decay
        self.counts2[place, one, two, gap - 1] += 1
        self.row2[place, one, two] += 1
