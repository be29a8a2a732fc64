"""Follows the player: a clock that finds the steps from many hypotheses, in time or together with the player.

A step is given when it is due. If an onset is likely at the step, the clock holds the step back for the onset, up to a
limit; an onset that comes early brings its step forward. The time of a step that was given is never changed.
"""

from __future__ import annotations

import math

import numpy as np

from device.clock.count_in import CountIn, Taps
from device.clock.even_counts import EvenCounts
from device.clock.fixed_clock import FASTEST_BPM, beat_seconds
from device.clock.meter import Meter
from device.clock.step import DOUBTED, ClockPulse, Step
from device.clock.upbeat import beats_to_bar, upbeat_of_counts
from device.events import Doubt
from device.following.bank import QUARTER_S, USUAL_S
from device.following.beat_net import BeatNet
from device.following.doubts import doubt_of
from device.following.even_steps import EvenSteps
from device.following.heard_onsets import HeardOnsets
from device.following.hypotheses import Hypotheses
from device.following.leaders import Leaders
from device.following.lock import Evidence, lock_of
from device.following.lock_inputs import LockInputs
from device.following.lock_net import LockNet
from device.following.next_onset import QUARTER, counted_as
from device.following.pace import TEMPO_OCTAVES, USUAL_QUARTER_S
from device.following.repeats import Repeats
from device.following.step_times import LEAST_GAP, StepTimes

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
        self._leaders = Leaders(self._hypotheses, self._meter.beats_per_bar)
        self._times = StepTimes(self._hypotheses, self._leaders, self._step_ticks)
        self._counted_s: float | None = None
        """Length in seconds of a quarter of the count-in or the taps."""
        self._limit_tempo()
        self._next: tuple[int, float, float] | None = None
        """Tick of the next step, its even time and the earliest time at which it may be given, in seconds."""
        self._index = 0
        self._told_tick: int | None = None
        self._told_s, self._delay_s = -math.inf, 0.0
        self._even = EvenSteps()
        self._sure = 0.5
        """`lock` at the last onset by what the clock knows then, without its history, as `Repeats` was fitted."""
        self._heard = HeardOnsets()
        self._net = BeatNet(self._meter)
        self._repeats = Repeats(self._hypotheses.beat)
        self._history = LockNet(LockInputs(self._hypotheses, self._net, self._leaders.rivals))

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

    @property
    def whole_counts(self) -> int:
        """How many notes the player may have meant as a count-in of whole bars; 0 if those that were taken are enough.

        Nobody announced the count-in: it was found at four notes, and in 3/4 two more may have belonged to it.
        """
        if self._counts is None or self._counts.counts is None or not self._automatic:
            return 0
        bar, counts = self._meter.beats_per_bar, self._wanted + self._counts.further
        return counts if self._counts.further and self._wanted % bar and not counts % bar else 0

    @property
    def found_count_in_s(self) -> float | None:
        """Time in seconds of the first count of a count-in that nobody announced; None if there is none.

        It was found in the notes, so the notes may be the beginning of the music.
        """
        if self._counts is None or self._counts.counts is None or not self._automatic:
            return None
        return self._counts.counts[0]

    @property
    def tapped(self) -> bool:
        """Whether the beats were tapped, without or after a count-in."""
        return self._counted_s is not None and self._counts is None

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
        if self._leaders.bank is not None:
            self._next = None
            self._times.forget()

    def _limit_tempo(self) -> None:
        """Send the shortest and longest allowed quarter note to the hypotheses. Both are equal if the tempo is held."""
        from_s, lead = self._counted_s, self._leaders.bank
        if from_s is None and self._hint_s is not None:
            from_s = self._hint_s * QUARTER / self._hypotheses.beat
        if self.tempo_held and lead is not None:
            low_s = high_s = self._leaders.quarter_s
            self._hypotheses.counted = True
        elif self._max_drift is not None and from_s is not None:
            low_s, high_s = from_s / (1 + self._max_drift), from_s / max(1 - self._max_drift, 1e-3)
        else:
            low_s, high_s = 0.0, math.inf
        self._hypotheses.limit(low_s, high_s)
        if lead is not None:
            tempi = lead.real[QUARTER_S : USUAL_S + 1]
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
            if (grid := hypotheses.grid) is not None and not hypotheses.counted:
                hypotheses.bank = grid.hear(onset_s, self._heard.before, hypotheses.bank, hypotheses.keeps_time)
            if self._counted_s is not None:
                hypotheses.bank = self._repeats.reweighed(hypotheses.bank, onset_s, self._sure)
        leaders, before = self._leaders, self._leaders.bank
        if before is not None or (self._heard.count >= FIRST_ONSETS and not self._counting):
            self._choose(decided_s)
            if before is None:
                self._limit_tempo()
        if leaders.bank is not None:
            if hypotheses.steady is not None:
                self._history.hear(onset_s, before, leaders.bank, (leaders.share, leaders.usual_share))
            self._sure = self._lock(onset_s, None)
            self._repeats.keep(leaders.bank, self._sure)

    def due(self, now_s: float) -> Step | None:
        """Return the next step if it is time to give it, else None: see `Clock.due`."""
        leaders = self._leaders
        if leaders.bank is None:
            return None
        step_s = leaders.quarter_s * self._step_ticks / QUARTER
        if self._next is None:
            tick, even_s = self._times.following(self._told_tick, self._told_s, self._delay_s, now_s)
            if self._told_tick is not None and leaders.is_even:
                gap_s = (tick - self._told_tick) % self._hypotheses.bar * leaders.quarter_s / QUARTER
                even_s = self._even.at(even_s, gap_s)
            self._next = tick, even_s, max(even_s, self._told_s + LEAST_GAP * step_s)
        tick, even_s, at_s = self._next
        if at_s - LEAD_S > now_s:
            return None
        at_s = max(at_s, now_s)
        position = (tick % self._hypotheses.bar) // self._step_ticks
        history = None if self._hypotheses.steady is None else self._history.log_odds(self._silent_beats(at_s))
        grid, steady = self._hypotheses.grid, self._hypotheses.ways.share
        lock = self._lock(at_s, history, None if grid is None else grid.log_odds(leaders.bank, steady))
        doubt = self._doubt(at_s) if lock < DOUBTED else None
        step = Step(self._index, at_s, step_s, position, self._meter, lock, doubt, self._counted_s is not None)
        self._index += 1
        self._told_tick, self._told_s, self._next = tick % self._hypotheses.bar, at_s, None
        self._even.give(even_s)
        self._counting = False
        return step

    def _is_count(self, onset_s: float, decided_s: float, pitch: int) -> bool:
        """Return whether a note belongs to a count-in. When the count-in is complete, the grid begins."""
        if self._wanted == 1 and self._index == 0 and self._leaders.bank is None:
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
        self._counted_s = beat_s * QUARTER / self._hypotheses.beat
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
        """Choose the hypotheses that lead. The next step is computed again when it is asked for."""
        self._leaders.choose(now_s)
        self._times.forget()
        self._next = None

    def _lock(self, at_s: float, history: float | None, net: float | None = None) -> float:
        """Return the probability that the beat is right at `at_s` seconds. The others are those of `Evidence`."""
        leaders = self._leaders
        evidence = Evidence(
            now=leaders.share,
            before=leaders.usual_share,
            in_doubt=self._hypotheses.rest.in_doubt,
            silent_beats=self._silent_beats(at_s),
            steady=self._hypotheses.steady,
            tempo=0.0 if self._counted_s is None else math.log(leaders.quarter_s / self._counted_s),
            history=history,
            net=net,
            gaps=self._tempo_by_gaps(),
        )
        return lock_of(evidence)

    def _tempo_by_gaps(self) -> float | None:
        """Return `Evidence.gaps`."""
        gaps = self._hypotheses.gaps
        if gaps is None or self._hypotheses.ways.is_steady:
            return None
        return gaps.log_share(self._leaders.quarter_s * self._hypotheses.beat / QUARTER)

    def _silent_beats(self, at_s: float) -> float:
        """Return the time from the last onset to `at_s` seconds, in beats."""
        return (at_s - self._heard.last_s) * QUARTER / (self._leaders.quarter_s * self._hypotheses.beat)

    def _doubt(self, at_s: float) -> Doubt:
        """Return the reason why `lock` is low at `at_s` seconds."""
        leaders, silent_beats = self._leaders, self._silent_beats(at_s)
        return doubt_of(leaders.rivals, silent_beats, self._heard.count, self._counted_s, leaders.quarter_s)
