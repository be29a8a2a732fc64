"""Follows the player: a clock that finds the steps from many hypotheses, in time or together with the player.

A step is given when it is due. If an onset is likely at the step, the clock holds the step back for the onset, up to a
limit; an onset that comes early brings its step forward. The time of a step that was given is never changed.
"""

from __future__ import annotations

import math

import numpy as np

from device.clock.count_in import CountIn, EvenCounts, Taps
from device.clock.fixed_clock import FASTEST_BPM, beat_seconds
from device.clock.meter import Meter
from device.clock.step import DOUBTED, ClockPulse, Step
from device.clock.upbeat import beats_to_bar, upbeat_of_counts
from device.events import Doubt
from device.following.bank import GAP, GAP2, KIND, MANNER, QUARTER_S, TICK, TIME, USUAL_S, WEIGHT, HypothesisBank
from device.following.beat_net import BeatNet
from device.following.doubts import Rivals, doubt_of
from device.following.even_steps import EvenSteps
from device.following.heard_onsets import HeardOnsets
from device.following.hypotheses import Hypotheses
from device.following.lock import lock_of
from device.following.lock_inputs import LockInputs
from device.following.lock_net import LockNet
from device.following.manners import QUICKENING, SLOWING
from device.following.next_onset import FARTHEST, QUARTER, counted_as
from device.following.pace import TEMPO_OCTAVES, USUAL_QUARTER_S
from device.following.repeats import Repeats
from device.following.rhythm import Floats, wrapped

LEAD_S = 0.016
"""A step is given this many seconds before its time: one hop."""
AUTOMATIC = 4
"""Number of counts in a count-in that nobody announced."""
FIRST_ONSETS = 5
"""Without a count-in the clock gives no step before this number of onsets."""
QUARTERS_S = np.exp(np.linspace(math.log(0.19), math.log(2.2), 47))
"""Lengths of a quarter note, in seconds, that are considered without a count-in."""
HINT_OCTAVES = 0.1
"""Spread in octaves of the probable tempo around a tempo that was given."""
SAME_BEAT, SAME_TEMPO = 0.12, 0.2
"""Two hypotheses agree if their beats differ by less (in beats) and their tempi differ by less (relatively)."""
ASKED, LEADING = 12, 12
"""Number of the likeliest hypotheses that may lead, and the largest number of hypotheses that lead together."""
FEW = 4
"""Number of steps whose times are computed at once."""
PATIENCE = 1.5
"""The clock waits for an expected onset for this many standard deviations of the predicted time. It does not wait for a
player who keeps an even tempo: single onsets of such a player are uneven, and the left hand would copy this."""
CHANGING = 0.2
"""A steady player's tempo is even if slowing and quickening have less weight than this in the leading hypotheses."""
DELAYS = 2.0
"""The wait is shorter by this many times the delay of hearing: waiting is useless if the onset is known late."""
LONGEST_WAIT = 0.2
"""Longest wait for an onset, in beats."""
EXPECTED = 0.3
"""The clock waits for an onset at a step if the onset has at least this probability."""
CATCH_UP = 0.25
"""A beat that was not given in time is given late, by up to this many beats. Beyond that it is skipped."""
CATCH_UP_S = 0.03
"""The same limit in seconds for a step that is not a beat."""
AHEAD, BEHIND = 0.75, 1.5
"""The clock leaps to the grid if the given steps are more than AHEAD beats before it or BEHIND beats after it."""
MASS_RATE = 0.06
"""Weight of each onset in the running mean of the agreement between hypotheses."""
LEAST_GAP = 0.25
"""Two steps are at least so many steps apart."""


class FollowClock:
    """Gives the steps of a grid that follows the player.

    `count_in`: N even onsets are N felt beats, and a bar starts one beat after the last; None: four even onsets on one
    key or chord are such a count-in, and anything else is music; 0: everything is music. `tempo` is a hint in felt
    beats a minute, without which one onset is no count-in. It raises UserError outside 20 to 400. `max_drift` is the
    largest share by which the tempo may differ from the counted or tapped one, or from `tempo` if there was no
    count-in; None: any. `upbeat` is the length in felt beats of the music before its first bar; None: as the counts or
    the notes suggest.
    """

    def __init__(
        self,
        meter: Meter,
        count_in: int | None = None,
        tempo: float | None = None,
        max_drift: float | None = None,
        upbeat: float | None = None,
    ) -> None:
        self._meter, self._max_drift, self._upbeat = meter, max_drift, upbeat
        self.tempo_held = False
        self._wanted = AUTOMATIC if count_in is None else count_in
        self._automatic = count_in is None
        self._hint_s = None if tempo is None else beat_seconds(tempo)
        self.reset()

    def reset(self) -> None:
        """Forget all heard notes and given steps: see `Clock.reset`."""
        self._hypotheses = Hypotheses(counted_as(self._meter), self._upbeat)
        self._step_ticks = self._hypotheses.beat // self._meter.steps_per_beat
        self._counts: EvenCounts | None = None
        if self._wanted > 1:
            goes_on = self._automatic and self._upbeat is not None
            self._counts = EvenCounts(self._wanted, any_key=not self._automatic, goes_on=goes_on)
        self._counting = self._wanted > 0
        self._taps = Taps()
        self._lead: HypothesisBank | None = None
        self._tick0, self._time0_s, self._quarter_s = 0, 0.0, 1.0
        self._awaited: Floats | None = None
        self._times: dict[int, float] = {}
        self._mass, self._mass_before = 0.0, 0.5
        self._rivals = Rivals()
        self._counted_s: float | None = None
        """Length in seconds of a quarter of the count-in or the taps."""
        self._limit_tempo()
        self._next: tuple[int, float, float] | None = None
        """Tick of the next step, its even time and the earliest time at which it may be given, in seconds."""
        self._index = 0
        self._told_tick: int | None = None
        self._told_s, self._delay_s = -math.inf, 0.0
        self._even, self._is_even = EvenSteps(), False
        self._sure = 0.5
        """`lock` at the last onset by what the clock knows then, without its history, as `Repeats` was fitted."""
        self._heard = HeardOnsets()
        self._net = BeatNet(self._meter)
        self._repeats = Repeats(self._hypotheses.beat)
        self._history = LockNet(LockInputs(self._hypotheses, self._net, self._rivals))

    @property
    def counting_in(self) -> bool:
        """Whether the left hand must not answer the last note: see `Clock.counting_in`."""
        return self._counting

    @property
    def count_in(self) -> int:
        """The number of onsets that count in; 0: everything is music."""
        return self._wanted

    @property
    def looks_for_count_in(self) -> bool:
        """Whether nobody said how many onsets count in: four on one key do then, if there are any."""
        return self._automatic

    @property
    def counted_in(self) -> bool:
        """Whether a count-in was heard. If one onset counts in, taps are a count-in too."""
        if self._wanted == 1:
            return self._counted_s is not None
        return self._counts is not None and self._counts.counts is not None

    def tap(self, at_s: float) -> None:
        """Use a tempo tap: see `Clock.tap`."""
        counted = self._taps.tap(at_s)
        if counted is not None:
            self._counts = None
            self._hypotheses.forget_grid()
            self._begin(counted, at_s)

    def hold_tempo(self, on: bool) -> None:
        """Keep the present tempo, or that of a later count-in or taps; or follow again: see `Clock.hold_tempo`."""
        self.tempo_held = on
        self._limit_tempo()
        if self._lead is not None:
            self._next, self._times = None, {}

    def _limit_tempo(self) -> None:
        """Send the shortest and longest allowed quarter note to the hypotheses. Both are equal if the tempo is held."""
        from_s = self._counted_s
        if from_s is None and self._hint_s is not None:
            from_s = self._hint_s * QUARTER / self._hypotheses.beat
        if self.tempo_held and self._lead is not None:
            low_s = high_s = self._quarter_s
            self._hypotheses.counted = True
        elif self._max_drift is not None and from_s is not None:
            low_s, high_s = from_s / (1 + self._max_drift), from_s / max(1 - self._max_drift, 1e-3)
        else:
            low_s, high_s = 0.0, math.inf
        self._hypotheses.limit(low_s, high_s)
        if self._lead is not None:
            tempi = self._lead.real[QUARTER_S : USUAL_S + 1]
            np.clip(tempi, low_s, high_s, out=tempi)

    def pulse(self, pulse: ClockPulse, at_s: float) -> None:
        """Does nothing: this clock does not follow MIDI clock."""

    def hear(self, onset_s: float, decided_s: float, pitch: int) -> None:
        """Use the start of a right-hand note: see `Clock.hear`."""
        if self._is_count(onset_s, decided_s, pitch):
            return
        onset = self._heard.hear(onset_s, pitch)
        if onset is None:
            return
        self._delay_s += (decided_s - onset_s - self._delay_s) * (1.0 if self._heard.count == 1 else 0.1)
        self._repeats.hear(onset_s, pitch, onset.semitones)
        self._net.hear(onset_s, pitch, onset.semitones, onset.classes.chord[0] + 1)
        hypotheses = self._hypotheses
        if hypotheses.bank is None:
            self._start_free(onset_s, pitch)
            return
        hypotheses.hear(onset_s, onset, pitch)
        if not onset.stray:
            hypotheses.bank = self._net.reweighed(hypotheses.bank, onset_s, hypotheses.beat)
            if self._counted_s is not None:
                hypotheses.bank = self._repeats.reweighed(hypotheses.bank, onset_s, self._sure)
        lead = self._lead
        if lead is not None or (self._heard.count >= FIRST_ONSETS and not self._counting):
            self._choose(decided_s)
            if lead is None:
                self._limit_tempo()
        if self._lead is not None:
            if hypotheses.steady is not None:
                self._history.hear(onset_s, lead, self._lead, (self._mass, self._mass_before))
            self._sure = self._lock(onset_s, None)
            self._repeats.keep(self._lead, self._sure)

    def due(self, now_s: float) -> Step | None:
        """Return the next step if it is time to give it, else None: see `Clock.due`."""
        lead = self._lead
        if lead is None:
            return None
        step_s = self._quarter_s * self._step_ticks / QUARTER
        if self._next is None:
            tick, even_s = self._following(lead, now_s)
            if self._told_tick is not None and self._is_even:
                gap_s = (tick - self._told_tick) % self._hypotheses.bar * self._quarter_s / QUARTER
                even_s = self._even.at(even_s, gap_s)
            self._next = tick, even_s, max(even_s, self._told_s + LEAST_GAP * step_s)
        tick, even_s, at_s = self._next
        if at_s - LEAD_S > now_s:
            return None
        at_s = max(at_s, now_s)
        position = (tick % self._hypotheses.bar) // self._step_ticks
        history = None if self._hypotheses.steady is None else self._history.log_odds(self._silent_beats(at_s))
        lock = self._lock(at_s, history)
        doubt = self._doubt(at_s) if lock < DOUBTED else None
        step = Step(self._index, at_s, step_s, position, self._meter, lock, doubt, self._counted_s is not None)
        self._index += 1
        self._told_tick, self._told_s, self._next = tick % self._hypotheses.bar, at_s, None
        self._even.give(even_s)
        self._counting = False
        return step

    def _is_count(self, onset_s: float, decided_s: float, pitch: int) -> bool:
        """Return whether a note belongs to a count-in. When the count-in is complete, the grid begins."""
        if self._wanted == 1 and self._index == 0 and self._lead is None:
            counted = CountIn(1)
            counted.hear(onset_s)
            self._begin(counted, decided_s)
            self._counting = True
            return True
        if self._counts is None or (self._index > 0 and self._counts.counts is None):
            self._counting = False
            return False
        if self._counts.hear(onset_s, pitch):
            counted = CountIn(self._wanted)
            for time_s in self._counts.counts or ():
                counted.hear(time_s)
            self._begin(counted, decided_s)
            self._counting = True
            return True
        self._counting = self._counts.maybe
        return self._counts.counts is not None and self._counts.maybe

    def _start_free(self, onset_s: float, pitch: int = 0) -> None:
        """Start without a count-in: any place in the bar, and any tempo near the hint or the usual one."""
        usual_s, octaves = USUAL_QUARTER_S, TEMPO_OCTAVES
        if self._hint_s is not None:
            usual_s, octaves = self._hint_s * QUARTER / self._hypotheses.beat, HINT_OCTAVES
        self._hypotheses.start_free(onset_s, QUARTERS_S, usual_s, octaves, pitch)

    def _begin(self, counted: CountIn, now_s: float) -> None:
        """Start the grid after a count-in. One count without a tempo hint is taken for music instead."""
        if len(counted.onsets) > 1:
            beat_s = max(counted.beat_s(), 60.0 / FASTEST_BPM)
        elif self._hint_s is not None:
            beat_s = self._hint_s
        else:
            self._counts = None
            self._wanted = 0
            self._start_free(counted.onsets[0])
            # other notes of its chord, which may come later with an earlier time, are the same onset
            self._heard.last_s = counted.onsets[0]
            return
        start_s = counted.next_beat_s(beat_s)
        upbeat = self._upbeat_after(counted)
        self._counted_s = self._quarter_s = beat_s * QUARTER / self._hypotheses.beat
        self._hypotheses.start_counted(start_s - beat_s, self._counted_s, upbeat)
        self._heard = HeardOnsets(counted.onsets[-1])
        self._repeats = Repeats(self._hypotheses.beat)
        self._net.count_in(start_s - beat_s, beat_s)
        self._history.begin(self._counted_s)
        self._told_tick = (self._hypotheses.beat * (1 - beats_to_bar(upbeat)) - self._step_ticks) % self._hypotheses.bar
        self._told_s = max(self._told_s, start_s - beat_s / self._meter.steps_per_beat)
        self._choose(now_s)
        self._limit_tempo()

    def _upbeat_after(self, counted: CountIn) -> float:
        """Return the upbeat after a count-in in beats. Taps have none: the bar begins one beat after them."""
        if self._counts is None and self._wanted != 1:
            return 0.0
        given = self._upbeat
        return upbeat_of_counts(len(counted.onsets), self._meter.beats_per_bar) if given is None else given

    def _choose(self, now_s: float) -> None:
        """Choose the hypotheses that lead: those that most agree with. The likeliest of them comes first."""
        b, beat = self._hypotheses.bank, self._hypotheses.beat
        assert b is not None
        quarter_s, weight = b.real[QUARTER_S], b.real[WEIGHT]
        x = b.whole[TICK] + QUARTER * (now_s - b.real[TIME]) / quarter_s
        tempo = np.log(quarter_s)
        apart = wrapped(x[:ASKED, None] - x, beat)
        same_tempo = np.abs(tempo[:ASKED, None] - tempo) < SAME_TEMPO
        alike = np.abs(apart) < SAME_BEAT * beat
        alike &= same_tempo
        mass = alike @ weight
        best = int(mass.argmax())
        alike = alike[best]
        self._rivals.look(weight, alike, same_tempo[best])
        self._mass = float(mass[best])
        self._mass_before += MASS_RATE * (self._mass - self._mass_before)
        number = np.rint((x - x[best]) * (1 / beat)).astype(np.int64) % self._meter.beats_per_bar
        votes = np.bincount(number[alike], weight[alike])
        # the bank is in the order of the weights
        members = (alike & (number == int(votes.argmax()))).nonzero()[0][:LEADING]
        lead = b.chosen(members)
        lead.real[WEIGHT] /= lead.real[WEIGHT].sum()
        changing = lead.real[WEIGHT] @ ((lead.whole[MANNER] == SLOWING) | (lead.whole[MANNER] == QUICKENING))
        self._is_even = self._hypotheses.ways.is_steady and float(changing) < CHANGING
        self._lead, self._next, self._awaited, self._times = lead, None, None, {}
        self._tick0, self._time0_s = int(lead.whole[TICK, 0]), float(lead.real[TIME, 0])
        self._quarter_s = float(lead.real[QUARTER_S, 0])

    def _following(self, lead: HypothesisBank, now_s: float) -> tuple[int, float]:
        """Return the next step that is not too late: its tick, from the bar of the last onset, and time in seconds."""
        tick0, time0_s, tick_s = self._tick0, self._time0_s, self._quarter_s / QUARTER
        step, beat = self._step_ticks, self._hypotheses.beat
        tick = self._after_told(tick0, time0_s, tick_s, now_s) + step
        while True:
            late_s = now_s - time0_s - (tick - tick0) * tick_s
            if late_s <= (CATCH_UP * beat * tick_s if tick % beat == 0 or tick == tick0 else CATCH_UP_S):
                break
            tick += step
        if tick not in self._times:
            self._times |= self._times_from(lead, tick)
        return tick, self._times[tick]

    def _times_from(self, lead: HypothesisBank, tick: int) -> dict[int, float]:
        """Return the times in seconds of a few steps from `tick` on, by tick.

        A time is the mean of the leading hypotheses, and a wait where an onset is expected.
        """
        tick0, tick_s, bar = self._tick0, self._quarter_s / QUARTER, self._hypotheses.bar
        ticks = np.arange(tick, tick + FEW * self._step_ticks, self._step_ticks)[:, None]
        times_s, quarters_s, weight = lead.real[TIME], lead.real[QUARTER_S], lead.real[WEIGHT]
        # the last onset of another hypothesis may lie in another bar
        near = (self._time0_s + (ticks - tick0) * tick_s - times_s) * QUARTER / quarters_s
        ahead = ticks - lead.whole[TICK]
        quarters = (ahead - np.rint((ahead - near) * (1 / bar)) * bar) * (1 / QUARTER)
        times_s, variance = lead.ahead(quarters)
        mean_s = times_s @ weight
        times_s -= mean_s[:, None]
        sd_s = np.sqrt((variance + times_s * times_s) @ weight)
        out = {}
        for step, time_s, wait_s in zip(ticks[:, 0].tolist(), mean_s.tolist(), sd_s.tolist(), strict=True):
            out[step] = time_s
            if tick0 < step <= tick0 + FARTHEST and (expected := self._expected(lead, step - tick0)) > EXPECTED:
                wait_s = max(0.0, (0.0 if self._is_even else PATIENCE) * wait_s - DELAYS * self._delay_s)
                out[step] += min(wait_s, LONGEST_WAIT * self._hypotheses.beat * tick_s) * expected
        return out

    def _expected(self, lead: HypothesisBank, ahead: int) -> float:
        """Return the probability that the next onset is `ahead` ticks after the last, if none came before."""
        if self._awaited is None:
            gaps = (int(lead.whole[GAP, 0]), int(lead.whole[GAP2, 0]))
            self._awaited = self._hypotheses.awaited_after(self._tick0, int(lead.whole[KIND, 0]), gaps)
        return float(self._awaited[ahead - 1])

    def _after_told(self, tick0: int, time0_s: float, tick_s: float, now_s: float) -> int:
        """Return the tick of the last given step, on the grid as it is now. If that is too far off, the clock leaps."""
        step, bar, beat = self._step_ticks, self._hypotheses.bar, self._hypotheses.beat
        if self._told_tick is not None:
            there = tick0 + (self._told_s - time0_s) / tick_s
            bars = round((there - self._told_tick) / bar)
            if -BEHIND * beat <= self._told_tick + bars * bar - there <= AHEAD * beat:
                return self._told_tick + bars * bar
        earliest_s = max(now_s, self._told_s + LEAST_GAP * step * tick_s)
        return math.floor((tick0 + (earliest_s - time0_s) / tick_s) / step) * step

    def _lock(self, at_s: float, history: float | None) -> float:
        in_doubt, steady = self._hypotheses.rest.in_doubt, self._hypotheses.steady
        tempo = 0.0 if self._counted_s is None else math.log(self._quarter_s / self._counted_s)
        return lock_of(self._mass, self._mass_before, in_doubt, self._silent_beats(at_s), steady, tempo, history)

    def _silent_beats(self, at_s: float) -> float:
        return (at_s - self._heard.last_s) * QUARTER / (self._quarter_s * self._hypotheses.beat)

    def _doubt(self, at_s: float) -> Doubt:
        return doubt_of(self._rivals, self._silent_beats(at_s), self._heard.count, self._counted_s, self._quarter_s)
