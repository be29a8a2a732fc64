"""The clock that follows a person: hypotheses of the grid, and steps told in time or held back for the player."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from device.clock import Step
from device.countin import CountIn
from device.fixed import FASTEST_BPM
from device.hypotheses import Bank, Hypotheses, Settings
from device.meter import Meter
from device.next_place import FARTHEST, QUARTER
from device.rhythm import RECENT, chord_class, interval_class, previous_class
from device.taps import Taps

SAME_ONSET_S = 0.045
COUNTED_SD_S = 0.02


@dataclass
class Telling:
    lead_s: float = 0.016
    wait: float = 1.5
    """Standard deviations that an expected onset is waited for."""
    limit: float = 0.2
    """Longest wait, in beats."""
    catch_up: float = 0.25
    """Beats: an untold step is told late by up to this."""
    near: float = 0.12
    same_tempo: float = 0.2
    least_expected: float = 0.3
    ahead: float = 0.75
    """Beats by which told steps may be ahead before the grid jumps back."""


class PersonClock:
    def __init__(self, meter: Meter, count_in: int = 4, tempo: float | None = None, settings: Settings | None = None, telling: Telling | None = None) -> None:
        self._meter = meter
        self._wanted = count_in
        self._tempo = tempo
        self._settings = settings or Settings()
        self.t = telling or Telling()
        self.reset()

    def reset(self) -> None:
        self._count_in = CountIn(self._wanted)
        self._h = Hypotheses(self._meter, self._settings)
        self._step_ticks = self._h.beat // self._meter.steps_per_beat
        self._ready: deque[Step] = deque()
        self._index = 0
        self._told_tick: int | None = None
        self._told_s = -math.inf
        self._onset_s = -math.inf
        self._pitches: frozenset[int] = frozenset()
        self._recent: tuple[frozenset[int], ...] = ()
        self._interval = 0
        self._taps = Taps()
        self._next: tuple[int, float, float, float] | None = None
        self._lead: Bank | None = None
        self._lock = 0.0
        self._number = 0

    @property
    def counting_in(self) -> bool:
        return self._count_in.latest_is_part

    def tap(self, at_s: float) -> None:
        counted = self._taps.tap(at_s)
        if counted is not None:
            self._count_in = counted
            self._begin_counted(at_s)

    def hear(self, onset_s: float, decided_s: float, pitch: int) -> None:
        if self._count_in.hear(onset_s):
            if self._h.bank is None and self._count_in.complete:
                self._begin_counted(decided_s)
            return
        if onset_s - self._onset_s < SAME_ONSET_S:
            self._pitches |= {pitch}
            return
        pitches = frozenset({pitch})
        interval = interval_class(pitch - max(self._pitches)) if self._pitches else 0
        recent = (*self._recent, self._pitches)[-RECENT:]
        known = {p % 12 for heard in recent for p in heard}
        chord = chord_class(1, len({p % 12 for p in pitches} - known))
        before = (self._interval, interval)
        keys = (min(max(len(self._pitches), 1), 4) - 1, chord)
        self._recent, self._pitches, self._interval = recent, pitches, interval
        self._onset_s = onset_s
        self._number += 1
        if self._h.bank is None:
            low, high = math.log(0.27), math.log(2.2)
            quarters = np.exp(np.linspace(low, high, 40))
            usual = 0.62
            if self._tempo is not None:
                usual = 60 / self._tempo / float(self._meter.beat_quarters)
            w = np.exp(-0.5 * (np.log2(quarters / usual) / (0.45 if self._tempo is None else 0.1)) ** 2)
            self._h.start_free(onset_s, quarters, w / w.sum())
            return
        self._h.hear(onset_s, before, keys)
        self._relead(decided_s)

    def _begin_counted(self, now_s: float) -> None:
        c = self._count_in
        n = len(c.onsets)
        beat_s = max(c.beat_s(), 60.0 / FASTEST_BPM) if n > 1 else 60 / (self._tempo or 92)
        start_s = c.next_beat_s(beat_s)
        quarter_s = beat_s * QUARTER / self._h.beat
        sd = COUNTED_SD_S * math.sqrt(12 / (n * (n * n - 1)) if n > 1 else 1.0)
        self._h.start_counted(start_s, quarter_s, 0.03, max(sd, 0.03 * beat_s) * QUARTER / self._h.beat, 0)
        # the last tap is where the bar ends
        self._h.bank.time_s = self._h.bank.time_s - beat_s
        self._h.bank.tick = (self._h.bank.tick - self._h.beat) % self._h.bar
        self._h.open()
        self._onset_s = c.onsets[-1]
        self._told_tick = (self._h.bar - self._step_ticks) % self._h.bar
        self._told_s = start_s - beat_s / self._meter.steps_per_beat
        self._relead(now_s)
        self._count_start = start_s

    def _relead(self, now_s: float) -> None:
        """Choose the hypotheses that the steps are told by."""
        b = self._h.bank
        assert b is not None
        x = b.tick + QUARTER * (now_s - b.time_s) / b.quarter_s
        beat = self._h.beat
        d = x[:, None] - x
        d -= np.rint(d / beat) * beat
        alike = np.abs(d) < self.t.near * beat
        l = np.log(b.quarter_s)
        alike &= np.abs(l[:, None] - l) < self.t.same_tempo
        mass = alike @ b.weight
        best = int(np.argmax(mass))
        in_bar = x - x[best]
        in_bar -= np.rint(in_bar / self._h.bar) * self._h.bar
        members = alike[best]
        # the bar: where most of them are
        bars = np.rint(in_bar / beat).astype(np.int64) * members
        shift = bars - bars.min()
        votes = np.bincount(shift[members], b.weight[members])
        right = members & (shift == int(np.argmax(votes)))
        lead = b.chosen(np.flatnonzero(right))
        lead.weight = lead.weight / lead.weight.sum()
        self._lead, self._lock = lead, float(mass[best])
        self._next = None

    def _predict(self, now_s: float) -> tuple[int, float, float, float] | None:
        """The next step: tick in the bar, time, standard deviation, probability of an onset there."""
        lead = self._lead
        if lead is None:
            return None
        i = int(np.argmax(lead.weight))
        beat_s = lead.quarter_s[i] * self._h.beat / QUARTER
        tick0, time0, q0 = int(lead.tick[i]), float(lead.time_s[i]), float(lead.quarter_s[i])
        step, bar, beat = self._step_ticks, self._h.bar, self._h.beat
        there = tick0 + QUARTER * (self._told_s - time0) / q0 if self._told_tick is not None else -math.inf
        if self._told_tick is None or not abs(there) < 1e6:
            current = tick0 + QUARTER * (now_s - time0) / q0
            u = math.floor(current / step) * step
        else:
            e = self._told_tick - there
            e -= round(e / bar) * bar
            u = int(round(there + e))
            u = int(round((u - self._told_tick) / bar)) * bar + self._told_tick
            if e > self.t.ahead * beat or e < -1.5 * beat:
                current = tick0 + QUARTER * (max(now_s, self._told_s + 0.25 * step * q0 / QUARTER) - time0) / q0
                u = math.floor(current / step + 0.01) * step
        c = (u // step) * step + step
        # untold steps that are too late
        s = self._settings
        while True:
            time_c = time0 + (c - tick0) / QUARTER * q0
            late = now_s - time_c
            allowed = self.t.catch_up * beat_s if c % beat == 0 or c == tick0 else 0.03
            if late <= allowed:
                break
            c += step
        n = (c - lead.tick) / QUARTER
        # ticks of other members may lie bars apart
        n -= np.rint(((c - lead.tick) - QUARTER * (time_c - lead.time_s) / lead.quarter_s) / bar) * bar / QUARTER
        nn = np.maximum(n, 0)
        decay = np.exp(-s.revert * nn)
        m = (1 - decay) / s.revert
        times = lead.time_s + np.where(n >= 0, lead.usual_s * nn + (lead.quarter_s - lead.usual_s) * m, n * lead.quarter_s)
        w = lead.weight
        t = float(w @ times)
        square = lead.quarter_s**2
        var = lead.tt + 2 * m * lead.tp + m * m * lead.pp + square * (self._h.phase_var[lead.manner] * nn + self._h.tempo_var[lead.manner] * np.minimum(nn, 4.0) ** 3 / 3)
        sd = math.sqrt(float(w @ (var + (times - t) ** 2)))
        ahead = int(c - tick0)
        expected = 0.0
        if 1 <= ahead <= FARTHEST:
            row = self._h.prior[lead.kind[i], tick0, previous_class(np.array((lead.gap[i] + 3) // 6))]
            place = tick0 % self._h.size
            seen = self._h.row[place]
            share = s.learnt * seen / (seen + s.learnt_half)
            row = (1 - share) * row + share * self._h.counts[place] / (seen + 1e-9)
            rest = row[max(0, ahead - 2) :].sum()
            expected = float(row[ahead - 1] / rest) if rest > 0 else 0.0
        return int(c), t, sd, expected

    def due(self, now_s: float) -> Step | None:
        lead = self._lead
        if lead is None:
            return None
        if self._next is None:
            self._next = self._predict(now_s)
        assert self._next is not None
        c, t, sd, expected = self._next
        i = int(np.argmax(lead.weight))
        q = float(lead.quarter_s[i])
        beat_s = q * self._h.beat / QUARTER
        at = t
        if c > int(lead.tick[i]) and expected > self.t.least_expected:
            at = t + min(self.t.wait * sd, self.t.limit * beat_s) * expected
        at = max(at, now_s, self._told_s + 0.25 * self._step_ticks * q / QUARTER)
        if at - self.t.lead_s > now_s:
            return None
        position = (c % self._h.bar) // self._step_ticks
        self._count_in.close()
        step = Step(self._index, at, q * self._step_ticks / QUARTER, position, self._meter, min(1.0, self._lock))
        self._index += 1
        self._told_tick, self._told_s = c % self._h.bar, at
        self._next = None
        return step
