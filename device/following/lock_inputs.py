"""Collects at each onset what the clock knows that bears on whether its beat is right: the inputs of `lock_net.py`."""

from __future__ import annotations

import cmath
import math
from typing import TypeAlias

import numpy as np

from device.following.bank import MANNER, QUARTER_S, TICK, TIME, WAS_STRAY, WEIGHT, HypothesisBank
from device.following.beat_net import PLACES, BeatNet
from device.following.doubts import Rivals
from device.following.hypotheses import Hypotheses
from device.following.manners import MANNERS
from device.following.next_onset import QUARTER
from device.following.rhythm import Floats
from device.following.steady_grid import SteadyGrid

AFTER, BEFORE, HEARD = (1, 2, 3, 4, 6), (1, 2, 3, 4), (1, 2, 3)
"""Multiples of an angle whose cosine and sine are inputs. A whole turn is a beat. The angle is the onset's place on the
grid, on the grid before the onset, and by the net of the beat (mean of its posterior, counted from the grid)."""
USUAL_BEAT_S, USUAL_SPREAD = 0.66, 0.17
"""Length of a beat in seconds, and spread of the steady grid in beats, whose input is 0."""
MOST_VOTES = 8.0
"""Largest log likelihood, up or down, of the votes for a moved grid."""
OF_STEADY = 12
INPUTS = 2 * (len(AFTER) + len(BEFORE) + len(HEARD)) + OF_STEADY + MANNERS + 25
"""Number of inputs of the steady grid, and of all inputs."""

_TURNS = 2j * np.pi * np.arange(PLACES) / PLACES
_HARMONICS = np.exp(np.array(HEARD)[:, None] * _TURNS).astype(np.complex64)


Onset: TypeAlias = tuple[float, int]
"""Time of an onset in seconds, and the number of onsets so far."""
Shares: TypeAlias = tuple[float, float]
"""Share of the hypotheses that agree, and its running mean."""


class LockInputs:
    """Makes the inputs for one piece of music from the parts of the clock, after each onset that these have heard."""

    def __init__(self, hypotheses: Hypotheses, net: BeatNet, rivals: Rivals) -> None:
        self._hypotheses, self._net, self._rivals = hypotheses, net, rivals
        self.counted_s: float | None = None
        """The counted quarter note in seconds, or None without a count-in."""

    def after(self, onset: Onset, before: HypothesisBank | None, lead: HypothesisBank, shares: Shares) -> Floats:
        """Return the inputs [INPUTS] after `onset` (time in seconds, number), from which on the hypotheses `lead` lead.

        `before` led before; it is None if none did.
        """
        share, usual = shares
        hypotheses, bank = self._hypotheses, self._hypotheses.bank
        assert bank is not None
        beat, (at_s, number) = hypotheses.beat, onset
        place, quarter_s = _grid(lead, at_s, beat)
        old_place, old_quarter_s = (place, quarter_s) if before is None else _grid(before, at_s, beat)
        beat_s, weight = quarter_s * beat / QUARTER, bank.real[WEIGHT]
        jump = place - old_place
        jump -= round(jump)
        bend = _within(math.log(quarter_s / old_quarter_s), 0.7)
        places = bank.whole[TICK] + QUARTER * (at_s - bank.real[TIME]) / bank.real[QUARTER_S]
        spread = float(weight @ np.sqrt(bank.variance_ahead(beat / QUARTER))) / beat_s
        by_shift = hypotheses.votes.by_shift
        tempo = 0.0 if self.counted_s is None else _within(math.log(quarter_s / self.counted_s), 1.0)
        known = [
            *_waves(AFTER, place),
            *_waves(BEFORE, old_place),
            *(4 * jump, 4 * abs(jump), 5 * bend, 5 * abs(bend)),
            *(float(bank.whole[WAS_STRAY, 0]), float(weight @ bank.whole[WAS_STRAY])),
            *(log_odds(share) / 4, log_odds(usual) / 4, self._rivals.tempo, self._rivals.place),
            *self._of_net(place, beat_s),
            *_of_steady(hypotheses.steady, quarter_s),
            *(3 * tempo, 3 * abs(tempo)),
            *(float(hypotheses.rest.in_doubt), float(hypotheses.ways.is_steady), hypotheses.ways.share),
            *np.bincount(bank.whole[MANNER], weight, MANNERS).tolist(),
            *(min(float(by_shift.max()), MOST_VOTES) / 2, _within(float(by_shift[len(by_shift) // 2]), 8.0) / 2),
            *(_entropy(places / beat, weight), math.log(spread + 1e-3) + 2),
            *(2 * math.log(beat_s / USUAL_BEAT_S), math.log1p(number) / 2 - 1),
        ]
        return np.array(known)

    def _of_net(self, place: float, beat_s: float) -> list[float]:
        """Return the net's log share at `place`, where its posterior lies from there, how sure it is, and its tempo."""
        net = self._net
        share = math.log(PLACES * net.share_at(place) + 0.05) / 2
        turn = 2j * math.pi * (net.own_place - place)
        lies = [
            mean * cmath.exp(k * turn) for k, mean in zip(HEARD, (_HARMONICS @ net.posterior).tolist(), strict=True)
        ]
        tempo = 2 * _within(math.log2(net.beat_s / beat_s), 1.5)
        parts = *(mean.real for mean in lies), *(mean.imag for mean in lies)
        return [share, *parts, abs(lies[0]), tempo, abs(tempo)]


def _grid(lead: HypothesisBank, at_s: float, beat: int) -> tuple[float, float]:
    """Return the place at `at_s` seconds, in beats of `beat` ticks, and the quarter note of the first of `lead`."""
    quarter_s = float(lead.real[QUARTER_S, 0])
    return (float(lead.whole[TICK, 0]) + QUARTER * (at_s - float(lead.real[TIME, 0])) / quarter_s) / beat, quarter_s


def _waves(times: tuple[int, ...], place: float) -> list[float]:
    """Return the cosines and then the sines of so many times the angle of `place`, which is in turns."""
    angles = [2 * math.pi * k * place for k in times]
    return [*map(math.cos, angles), *map(math.sin, angles)]


def _of_steady(steady: SteadyGrid | None, quarter_s: float) -> tuple[float, ...]:
    """Return the state of the steady grid beside a quarter note of `quarter_s` seconds; zeros without one."""
    if steady is None:
        return (0.0,) * OF_STEADY
    state = steady.state
    off, bend = 4 * _within(state.off, 0.5), 5 * _within(math.log(state.quarter_s / quarter_s), 0.7)
    return (
        1.0,
        math.log(steady.spread / USUAL_SPREAD),
        float(steady.is_kept),
        float(state.agrees),
        off,
        abs(off),
        state.fit,
        min(state.alone, 16.0) / 8,
        min(state.agreed, 64.0) / 32,
        bend,
        abs(bend),
        min(state.since_rest, 16.0) / 8,
    )


def _entropy(places: Floats, weight: Floats) -> float:
    """Return how much the hypotheses [n] disagree about the place in the beat (entropy over `PLACES` bins)."""
    bins = (places % 1 * PLACES).astype(np.int64) % PLACES
    shares = np.bincount(bins, weight, PLACES)
    shares = shares[shares > 0]
    return -float(shares @ np.log(shares))


def log_odds(share: float) -> float:
    """Return the log odds of a share, which is first moved away from 0 and 1."""
    share = min(max(share, 0.0), 1.0)
    return math.log((share + 0.02) / (1.02 - share))


def _within(value: float, most: float) -> float:
    return min(max(value, -most), most)
