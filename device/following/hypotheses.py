"""Follows the player with many hypotheses: the last onset's place in the bar, a quarter's length, a manner of playing.

Each hypothesis is a Kalman filter over the time of its tick and the length of a quarter note (Reid, "An algorithm for
tracking multiple targets", 1979; Cemgil and Kappen, "Monte Carlo methods for tempo tracking and rhythm quantization",
2003). At each onset, a hypothesis splits into several: one for each place that the onset may have been meant for
(`next_onset.py`), in each manner of playing (`manners.py`) or as a late note. The constants were changed by hand for
the beats that are held on 70 real performances, and on POP909 played in time.
"""

from __future__ import annotations

import math

import numpy as np

from device.clock.meter import Meter
from device.clock.upbeat import beats_to_bar
from device.following.after_rest import REST, AfterRest
from device.following.bank import (
    GAP,
    GAP2,
    KIND,
    MANNER,
    QUARTER_S,
    TICK,
    TIME,
    USUAL_S,
    WAS_STRAY,
    WEIGHT,
    HypothesisBank,
)
from device.following.beat_gaps import BeatGaps
from device.following.even_tempo import EvenTempo
from device.following.grid_net import GridNet
from device.following.heard_onsets import Onset
from device.following.manners import (
    AT_FIRST,
    JITTER_S,
    MANNERS,
    Ways,
)
from device.following.near_places import near_places
from device.following.next_onset import (
    FARTHEST,
    GAP_TO_CLASS,
    QUARTER,
    SIXTEENTH,
    STRAIGHT,
    TINY,
    UPBEAT,
    PieceRhythm,
    bar_ticks,
    beat_ticks,
    next_prior,
    on_ticks,
    opening_prior,
    sixteenths_of,
)
from device.following.onset_score import OnsetScore
from device.following.other_tempo import half_and_double, near_tempo
from device.following.pace import (
    HINTED_OCTAVES,
    PACE_OCTAVES,
    PULL_PACE,
    TEMPO_OCTAVES,
    USUAL_QUARTER_S,
    Pace,
    first_weights,
)
from device.following.phase_votes import PhaseVotes
from device.following.piece_melody import PieceMelody
from device.following.place_net import PlaceNet
from device.following.rhythm import PREVIOUS_CLASSES, Floats, Ints
from device.following.split import ExpectedTempo, split
from device.following.steady_grid import SteadyGrid

STRAY, STRAY_AGAIN = 0.004, 0.05
"""Probability that an onset is on no place of the grid, and the same if the onset before was on none."""
LOST = 1e-6
"""The same if all onsets of the last FARTHEST ticks or more were on none: such a grid has no more to do with them."""
ORNAMENT, ORNAMENT_S = 0.04, 0.09
"""Probability that an onset is on no place if it follows the last onset within ORNAMENT_S seconds."""
RHYTHM = 0.9
"""Exponent of the table of gaps counted from scores. Below 1, because successive onsets are not independent."""
SLIP = 3e-5
"""Weight of a copy of the likeliest hypothesis whose grid is moved by some sixteenth notes."""
VOTE, VOTE_MOST = 0.5, 7.0
"""Exponent of the likelihood with which `PhaseVotes` raise the weight of such a copy, and the most log weight added."""
LEARN_FROM = 0.6
"""The rhythm of the piece is learned only if the likeliest place of the last onset has more weight than this.

Else a grid that has slipped would learn the rhythm in a wrong place. After a rest it is learned with less weight too,
because the copies that are added there reduce the weight.
"""
WORKED_OUT = 60
"""Largest number of pairs of hypothesis and place that are computed for all manners of playing."""
PULL, PULL_OCTAVES = 0.05, 0.3
"""Exponent of the prior probability of the tempo at each onset, and its spread in octaves around the expected tempo. A
rhythm that fits double tempo fits it every time it comes back, so the prior counts every time too."""
PULL_GAPS = 0.2
"""The same exponent for the tempo that the times between onsets suggest. It is used if the player is not steady: the
rhythm of a steady player shows the tempo better."""
SLOW_ONSETS_S, UNLIKELY = 0.333, 0.25
"""If the mean time between onsets is longer than the first number, in seconds, the net of tempo and place also judges a
player of an even tempo who plays too exactly to count as steady. Then the tempo that the times between onsets suggest
is left out if its probability by the net is less than the second."""
SHORTEST_QUARTER_S = 0.1
FIRST_TEMPO_SD = 0.03
"""Relative standard deviation of the first tempo."""
FIRST_TIME_S = 0.03
"""Standard deviation of the last count's time."""


class Hypotheses:
    """Holds the hypotheses about one piece of music in `bank`, which is None until the first onset or the count-in."""

    def __init__(self, meter: Meter, upbeat: float | None = None) -> None:
        """Prepare the tables. `upbeat` is the length in felt beats of the music before its first bar; None: unknown."""
        self.bar, self.beat = bar_ticks(meter), beat_ticks(meter)
        self._upbeat, self._meter = upbeat, meter
        self.piece: PieceRhythm | None = None
        self.intervals: PieceMelody | None = None
        """The rhythm and the melody of the piece so far, only after a count-in: see `start_counted`."""
        self.bank: HypothesisBank | None = None
        self.counted = False
        """Whether a count-in gave the tempo."""
        self._rhythm = rhythm = sixteenths_of(meter)
        self._prior = next_prior(meter)
        self._powers = next_prior(meter, RHYTHM)
        self._score = OnsetScore(rhythm, self.bar)
        self.ways = Ways()
        tables = (on_ticks(table, self.bar) for table in (rhythm.interval, rhythm.chord))
        self.votes = PhaseVotes(self.beat, self._prior[STRAIGHT], *tables)
        self.place = PlaceNet(self.beat)
        """Judges the place in the beat while no count-in gave it."""
        half = self.beat // 2
        self._slips = np.concatenate([np.arange(-half, 0, SIXTEENTH), np.arange(SIXTEENTH, half, SIXTEENTH)])
        self._slipped = np.rint(self._slips / SIXTEENTH).astype(np.int64)
        self._last_s = -math.inf
        self.rest = AfterRest(self.beat)
        self.steady: SteadyGrid | None = None
        """The grid without bends, only after a count-in."""
        self._opening: Floats | None = None
        self._of_melody: Floats | None = None
        self._tempo_s, self._octaves = 1.0, math.inf
        self._pull = PULL
        self._pace: Pace | None = None
        self.gaps: BeatGaps | None = None
        """They expect a tempo from the times between onsets. They are None if a tempo was given."""
        self.grid: GridNet | None = None
        """Judges tempo and place together. It is None if a tempo was given."""
        self._even = EvenTempo()
        self._limits_s = (SHORTEST_QUARTER_S, math.inf)

    def limit(self, shortest_s: float, longest_s: float) -> None:
        """Keep each quarter note between these lengths in seconds from now on, never below 0.1 s. Equal ones fix the
        tempo."""
        self._limits_s = (max(shortest_s, SHORTEST_QUARTER_S), longest_s)
        if self.bank is not None:
            tempi = self.bank.real[QUARTER_S : USUAL_S + 1]
            np.clip(tempi, *self._limits_s, out=tempi)

    def start_counted(self, last_count_s: float, quarter_s: float, upbeat: float = 0.0) -> None:
        """Start the bank after a count-in whose last count was at `last_count_s` seconds.

        `quarter_s` is the counted quarter note in seconds. `upbeat` is in felt beats. The first full bar begins
        floor(`upbeat`) + 1 beats after the last count. From here on the clock learns rhythm and melody. Without a
        count-in the grid may have half or double the tempo, and the learned rhythm would keep the clock there.
        """
        self.piece, self.intervals = PieceRhythm(self.beat), PieceMelody(self.beat)
        self.bank = HypothesisBank.new(
            last_count_s,
            np.full(MANNERS, quarter_s),
            tick=np.full(MANNERS, -beats_to_bar(upbeat) * self.beat % self.bar),
            manner=np.arange(MANNERS),
            weight=AT_FIRST,
            variance=(FIRST_TIME_S**2, FIRST_TEMPO_SD**2),
            gap=self.beat,
        )
        self._opening = opening_prior(self._rhythm.onset, self.bar, self.beat, upbeat)
        self.counted = True
        first = -beats_to_bar(upbeat) * self.beat % self.bar
        self.steady = SteadyGrid(self.bar, self.beat, last_count_s, first, quarter_s)
        self.rest.forget()
        self._tempo_s, self._octaves = quarter_s, PULL_OCTAVES
        self._pace, self.gaps, self.grid, self._pull = None, None, None, PULL

    def forget_grid(self) -> None:
        """Forget how the last onsets fit the grid, and when they were. Call it when the player taps another grid."""
        self.votes.forget()
        self._last_s = -math.inf

    def start_free(self, onset_s: float, quarter_s: Floats, usual_s: float, octaves: float, pitch: int = 0) -> None:
        """Start the bank without a count-in, at the first onset at `onset_s` seconds, which may have any place in the
        bar.

        `quarter_s` [m] are possible quarter notes in seconds; those near `usual_s`, within about `octaves`, are likely.
        """
        weight = first_weights(quarter_s, usual_s, octaves)
        self._tempo_s, self._octaves, self._pull = USUAL_QUARTER_S, HINTED_OCTAVES, PULL
        if octaves >= TEMPO_OCTAVES:
            self._pace, self._octaves, self._pull = Pace(self.beat / QUARTER), PACE_OCTAVES, PULL_PACE
            self.gaps = BeatGaps(self._meter, self.beat / QUARTER)
            self.gaps.hear(onset_s, pitch)
            self.grid, self._even = GridNet(self._meter, self.beat, self.bar), EvenTempo()
        self._last_s = onset_s
        onset = self._rhythm.onset / self._rhythm.onset.sum()
        if self._upbeat is not None:
            first = round((self.bar - self._upbeat * self.beat) / SIXTEENTH) % len(onset)
            onset = (1 - UPBEAT) * onset
            onset[first] += UPBEAT
        n = len(quarter_s) * len(onset)
        self.bank = HypothesisBank.new(
            onset_s,
            np.repeat(quarter_s, len(onset)),
            tick=np.tile(np.arange(len(onset)) * SIXTEENTH, len(quarter_s)),
            manner=np.ones(n, np.int64),
            weight=np.outer(weight, onset).ravel(),
            variance=(JITTER_S[0] ** 2, FIRST_TEMPO_SD**2),
            gap=2 * SIXTEENTH,
        )

    def hear(self, onset_s: float, onset: Onset, pitch: int = 0) -> None:
        """Update the bank with an onset at `onset_s` seconds whose first key is `pitch`.

        If no hypothesis explains the onset, only the weights are corrected by the chord before. The bank must have been
        started.
        """
        classes, semitones, old = onset.classes, onset.semitones, self.bank
        assert old is not None
        if onset.last is not None and not self.counted:
            self._score.correct(old, onset.last)
            self.votes.complete(onset.last)
        self._expect_tempo(onset_s, pitch)
        missed = ORNAMENT if onset_s - self._last_s < ORNAMENT_S else STRAY
        least = onset.stray if self.counted else 0.0
        missed_by = np.maximum(np.where(old.whole[WAS_STRAY], STRAY_AGAIN, missed), least)
        is_lost = (onset_s - old.real[TIME]) * QUARTER > FARTHEST * old.real[QUARTER_S]
        missed_by[is_lost & (old.whole[WAS_STRAY] > 0)] = LOST
        self._of_melody = None if self.intervals is None else self.intervals.factor(classes.interval[0], semitones)
        score = self._score.of(classes, self.ways.is_steady and not self.counted)
        parent, target, prior = self._places(old, onset_s, score)
        if not len(parent):
            return
        split = self._split(old.chosen(parent), target, prior * (1 - missed_by.take(parent)), onset_s)
        both, placed = split.and_also(old), len(split)
        both.real[WEIGHT, placed:] *= missed_by * 2 / old.real[QUARTER_S]
        both.whole[WAS_STRAY, placed:] = 1
        if not float(both.real[WEIGHT].max()) > 0:
            return
        self._score.keep(classes, score)
        bank = both.merged()
        self._use_place(bank, onset_s, onset, pitch, float(old.real[QUARTER_S, 0]))
        self.bank = self._with_slips(bank, onset_s)
        if self.steady is not None:
            self.steady.hear(bank, onset_s, self._limits_s)
            self.bank = self.steady.offered_to(self.bank)
        self.ways.hear(self.bank.real[WEIGHT], self.bank.whole[MANNER])
        if self.grid is not None:
            self._even.hear(self.grid.beat_s, onset_s - self._last_s, self.bank)
        self._learn(classes.interval[0], semitones)
        self._last_s = onset_s

    @property
    def keeps_time(self) -> bool:
        """Whether the net of tempo and place may judge the player: one who is steady, or plays few notes in even tempo.

        The second holds only without a count-in and a tempo. With many onsets a second the net takes fast figures of
        piano music for a fast beat.
        """
        return self.ways.is_steady or self._even_and_slow

    @property
    def _even_and_slow(self) -> bool:
        slow = self._pace is not None and self._pace.usual_gap_s > SLOW_ONSETS_S
        return slow and self.grid is not None and self._even.is_even

    def _expect_tempo(self, onset_s: float, pitch: int) -> None:
        """Expect the tempo that the times between onsets suggest, if no tempo was given."""
        if self._pace is not None:
            self._tempo_s = self._pace.hear(onset_s - self._last_s)
        if self.gaps is not None:
            self.gaps.hear(onset_s, pitch)
            self._pull = PULL_PACE
            beat_s = self.gaps.beat_s
            if beat_s is not None and not self.ways.is_steady and not self._net_contradicts(beat_s):
                self._tempo_s, self._pull = beat_s * QUARTER / self.beat, PULL_GAPS

    def _net_contradicts(self, beat_s: float) -> bool:
        """Return whether the net of tempo and place finds a beat of `beat_s` seconds unlikely, and may judge."""
        if self.grid is None or not self._even_and_slow:
            return False
        share = self.grid.tempo_share(beat_s)
        return share is not None and share < UNLIKELY

    def _use_place(self, bank: HypothesisBank, onset_s: float, onset: Onset, pitch: int, quarter_s: float) -> None:
        """Pass the place of the onset in the likeliest hypothesis of `bank` to the parts that look for slipped grids.

        `quarter_s` is the quarter note before the onset in seconds.
        """
        leader = bank.whole[:, 0].tolist()
        beats = (onset_s - self._last_s) * QUARTER / (self.beat * quarter_s)
        place = None if leader[WAS_STRAY] else leader[TICK]
        self.rest.hear(onset_s, beats, place, self.votes.share_of(leader[TICK]) if beats >= REST else 0.0)
        tick_s = float(bank.real[QUARTER_S, 0]) / QUARTER
        self.votes.hear(leader, onset.classes, onset_s, tick_s)
        if not self.counted:
            self.place.move(self.votes.moved)
            self.place.hear(onset_s, (pitch - onset.semitones, onset.classes.chord[0] + 1), place, tick_s * self.beat)

    def awaited_after(self, tick: int, kind: int, gaps: tuple[int, int]) -> Floats:
        """Return the probability that the next onset is 1, 2 ... ticks after one at `tick` of rhythm `kind` [FARTHEST].

        Each is the probability if no onset came more than a thirty-second before. `gaps` are the two gaps before
        `tick`, the later first.
        """
        row = self._prior[kind, tick, GAP_TO_CLASS[gaps[0]]]
        row = row.copy() if self.piece is None else self.piece.all_mixed(row, tick, gaps)
        left = row[::-1].cumsum()[::-1]
        row[2:] /= np.maximum(left[:-2], TINY)
        row[:2] /= left[0]
        return row

    def _places(self, b: HypothesisBank, onset_s: float, score: Floats) -> tuple[Ints, Ints, Floats]:
        """Return the likeliest places that the onset may have been meant for: at most WORKED_OUT.

        For each place [m] these are the number of the hypothesis, the tick counted from the bar of its last onset, and
        its prior probability. `score` is that of `OnsetScore.of`. There is no place if `near_places` finds none.
        """
        parent, ahead, rough, width = near_places(b, onset_s)
        if not len(parent):
            return parent, ahead, rough
        target = ahead + b.whole[TICK].take(parent)
        prior = self._prior_of(b.whole, parent, target % self.bar, np.minimum(ahead, FARTHEST), score)
        rough = np.exp(rough)
        rough *= prior
        rough /= width
        some = (rough > 1e-7 * rough.max()).nonzero()[0]
        if len(some) > WORKED_OUT:
            some = some[(-rough[some]).argpartition(WORKED_OUT)[:WORKED_OUT]]
        return parent.take(some), target.take(some), prior.take(some)

    def _prior_of(self, whole: Ints, parent: Ints, tick: Ints, ahead: Ints, score: Floats) -> Floats:
        """Return the probability of an onset at `tick` [m], `ahead` [m] ticks after the last, by the hypotheses
        `parent` [m]. `score` is that of `OnsetScore.of`."""
        if self._opening is None:
            row = (whole[KIND] * self.bar + whole[TICK]) * PREVIOUS_CLASSES + GAP_TO_CLASS.take(whole[GAP])
            prior = self._powers.take((row * FARTHEST - 1).take(parent) + ahead)
            if self.piece is not None:
                prior = self.piece.mixed(prior, whole[TICK], whole[GAP : GAP2 + 1], parent, ahead)
        else:
            prior, self._opening = self._opening[ahead - 1], None
        if self._of_melody is not None:
            prior *= self._of_melody.take(tick % self.beat)
        return np.asarray(prior * score.take(tick * PREVIOUS_CLASSES + GAP_TO_CLASS.take(ahead)))

    def _split(self, b: HypothesisBank, target: Ints, prior: Floats, onset_s: float) -> HypothesisBank:
        """Return the likely pairs of hypothesis and place [m], in every manner of playing, corrected by the onset."""
        tempo = ExpectedTempo(self._tempo_s, self._octaves, self._pull, *self._limits_s)
        return split(b, target, prior, onset_s, self.ways.table, (self.bar, self.beat), tempo)

    def _with_slips(self, b: HypothesisBank, onset_s: float) -> HypothesisBank:
        """Add copies of the likeliest hypothesis that are off by some sixteenths, or in tempo, with small weights."""
        tick = int(b.whole[TICK, 0])
        if b.whole[WAS_STRAY, 0] or tick % SIXTEENTH:
            return b
        shift = self._slips
        at, n = len(b), len(b) + len(shift)
        which = np.zeros(n, np.int64)
        which[:at] = np.arange(at)
        both = b.chosen(which)
        both.whole[TICK, at:n] = (tick + shift) % self.bar
        votes = VOTE * self.votes.by_shift.take(self._slipped, mode="wrap")
        if not self.counted and not self.ways.is_steady:
            votes += self.place.by_shift.take(self._slipped, mode="wrap")
        slip = SLIP * np.exp(np.minimum(np.maximum(votes, 0.0), VOTE_MOST))
        if self.rest.in_doubt:
            slip = np.maximum(slip, self.rest.least_weights(onset_s, tick, float(b.real[QUARTER_S, 0]), shift))
        both.real[WEIGHT, at:n] *= slip
        if not self.counted:
            both = both.and_also(half_and_double(b, self.bar))
            if self.gaps is not None and self._pull == PULL_GAPS:
                others = near_tempo(b, self._tempo_s, self.beat)
                both = both if others is None else both.and_also(others)
        return both

    def _learn(self, before: int, semitones: int) -> None:
        """Count the last gap and interval of the likeliest hypothesis, if its place is likely enough."""
        if self.bank is None or self.piece is None or self.intervals is None:
            return
        tick, _, _, gap, gap2, gap3, stray = self.bank.whole[:, 0].tolist()
        here = float(self.bank.real[WEIGHT] @ (self.bank.whole[TICK] == tick))
        if not stray and (here > LEARN_FROM or self.rest.in_doubt):
            self.piece.learn((tick - gap) % self.bar, (gap2, gap3), gap)
            self.intervals.learn(tick, before, semitones, self.votes.against)
