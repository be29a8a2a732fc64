"""Collects at each onset what the clock knows that bears on whether its beat is right: the inputs of `lock_net.py`.

They say how sure and how much at one the parts of the clock are, and how far they are apart. They do not say where in
the beat the onset lies, in which direction a part is off, or how the music goes: with such inputs the net fits
simulated playing better and real playing worse.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from device.following.bank import QUARTER_S, TICK, TIME, WAS_STRAY, WEIGHT, HypothesisBank
from device.following.beat_net import PLACES, BeatNet
from device.following.doubts import Rivals
from device.following.hypotheses import Hypotheses
from device.following.next_onset import QUARTER
from device.following.rhythm import Floats
from device.following.steady_grid import USUAL_SPREAD, SteadyGrid

MOST_VOTES = 8.0
"""Largest log likelihood, up or down, of the votes for a moved grid."""
INPUTS = 29
"""Number of inputs."""

Shares: TypeAlias = tuple[float, float]
"""Share of the hypotheses that agree, and its running mean."""


class LockInputs:
    """Makes the inputs for one piece of music from the parts of the clock, after each onset that these have heard."""

    def __init__(self, hypotheses: Hypotheses, net: BeatNet, rivals: Rivals) -> None:
        self._hypotheses, self._net, self._rivals = hypotheses, net, rivals
        self.counted_s: float | None = None
        """The counted quarter note in seconds, or None without a count-in."""

    def after(self, onset_s: float, before: HypothesisBank | None, lead: HypothesisBank, shares: Shares) -> Floats:
        """Return the inputs [INPUTS] after an onset at `onset_s` seconds, from which on the hypotheses `lead` lead.

        `before` led before; it is None if none did. A count-in must have been heard.
        """
        share, usual = shares
        hypotheses, bank = self._hypotheses, self._hypotheses.bank
        assert bank is not None and hypotheses.steady is not None
        beat = hypotheses.beat
        place, quarter_s = _grid(lead, onset_s, beat)
        old_place, old_quarter_s = (place, quarter_s) if before is None else _grid(before, onset_s, beat)
        jump = place - old_place
        other_tempo = self._rivals.tempo
        tempo = 0.0 if self.counted_s is None else _log_ratio(quarter_s, self.counted_s, 1.0)
        known = [
            *(4 * abs(jump - round(jump)), 5 * _log_ratio(quarter_s, old_quarter_s, 0.7)),
            *(float(bank.whole[WAS_STRAY, 0]), float(bank.real[WEIGHT] @ bank.whole[WAS_STRAY])),
            *(log_odds(share) / 4, log_odds(usual) / 4, other_tempo, 1.0 - other_tempo - share),
            *self._of_net(place, quarter_s * beat / QUARTER),
            *_of_steady(hypotheses.steady, quarter_s),
            *(3 * tempo, float(hypotheses.rest.in_doubt), float(hypotheses.ways.is_steady), hypotheses.ways.share),
            *_of_votes(hypotheses.votes.by_shift.tolist()),
        ]
        return np.array(known)

    def _of_net(self, place: float, beat_s: float) -> tuple[float, ...]:
        """Return the net's log share at `place`, how near its posterior lies, how sure it is, and how far its tempo is
        from a beat of `beat_s` seconds."""
        net = self._net
        share = math.log(PLACES * net.share_at(place) + 0.05) / 2
        x, y = net.mean
        turn = 2 * math.pi * (net.own_place - place)
        near = x * math.cos(turn) - y * math.sin(turn)
        return share, near, math.hypot(x, y), 2 * min(abs(math.log2(net.beat_s / beat_s)), 1.5)


def _grid(lead: HypothesisBank, at_s: float, beat: int) -> tuple[float, float]:
    """Return the place at `at_s` seconds, in beats of `beat` ticks, and the quarter note of the first of `lead`."""
    quarter_s = float(lead.real[QUARTER_S, 0])
    return (float(lead.whole[TICK, 0]) + QUARTER * (at_s - float(lead.real[TIME, 0])) / quarter_s) / beat, quarter_s


def _of_steady(steady: SteadyGrid, quarter_s: float) -> tuple[float, ...]:
    """Return the state of the steady grid beside a quarter note of `quarter_s` seconds."""
    state = steady.state
    return (
        math.log(steady.spread / USUAL_SPREAD),
        float(steady.is_kept),
        float(state.agrees),
        4 * min(abs(state.off), 0.5),
        state.fit,
        min(state.alone, 16.0) / 8,
        5 * _log_ratio(state.quarter_s, quarter_s, 0.7),
        min(state.since_rest, 16.0) / 8,
    )


def _of_votes(by_shift: list[float]) -> tuple[float, ...]:
    """Return the log likelihoods of the likeliest moved grid, of those a quarter, a half and three quarters of a beat
    later, and of all moved grids together, which is 0 if there are none. `by_shift` is that of `PhaseVotes`."""
    size = len(by_shift)
    most, moved = max(by_shift), sum(map(math.exp, by_shift[1:]))
    shifts = by_shift[round(size / 4)], by_shift[size // 2], by_shift[-round(size / 4)]
    together = math.log(moved) if moved > 0 else 0.0
    return (min(most, MOST_VOTES) / 2, *(_within(vote, MOST_VOTES) / 3 for vote in (*shifts, together)))


def log_odds(share: float) -> float:
    """Return the log odds of a share, which is first moved away from 0 and 1."""
    share = min(max(share, 0.0), 1.0)
    return math.log((share + 0.02) / (1.02 - share))


def _log_ratio(one_s: float, other_s: float, most: float) -> float:
    """Return the size of the natural logarithm of the ratio of two lengths, which counts as `most` if it is larger."""
    return min(abs(math.log(one_s / other_s)), most)


def _within(value: float, most: float) -> float:
    return min(max(value, -most), most)
