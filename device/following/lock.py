"""Computes `lock`: the probability that the clock that follows the player is right about the beat."""

from __future__ import annotations

import math
from typing import NamedTuple

from device.following.doubts import SILENT_BEATS
from device.following.lock_inputs import log_odds
from device.following.steady_grid import KEPT_BEATS, USUAL_SPREAD, SteadyGrid

NOW, BEFORE, AT_EVEN = 0.35, 0.17, -1.21
"""Logistic regression of beats held on 70 performances, with and without count-in: two factors and a constant."""
WIDER = 0.6
"""Fall of the log odds if the spread of the steady grid is e times as wide. Chosen with USUAL_SPREAD and the next two
on 70 performances with three doses of rubato."""
OTHER_TEMPO, FARTHEST_TEMPO = 1.0, 0.7
"""Fall of the log odds if the tempo is e times the counted one, and the largest natural logarithm that counts."""
AFTER_REST = -1.0
"""Log odds that are added for a few onsets after a rest: the player may have breathed, and the bank agrees too soon."""
FADE_BEATS = 12.0
"""After SILENT_BEATS without an onset the lock begins to fade, and falls by e in so many more beats."""
HISTORY, LESS = 0.35, 0.25
"""Share of the log odds by the history of the clock, beside the log odds by what it knows now, and what is taken from
the sum. Simulated playing has fewer steady grids than real playing. Chosen on 70 performances with all doses of rubato.
"""
OF_NET = 0.2
"""Factor of the log odds that the net of tempo and place gives to the leading grid, if it may judge a steady player.
Chosen on valid pieces in strict time and on performances, half of each."""
OF_GAPS, USUAL_LOG_SHARE, LEAST_LOG_SHARE = 0.2, -1.3, -8.0
"""Factor of the log probability of the beat's length by the times between onsets, the log probability that neither
raises nor lowers the lock, and the least one that counts. Chosen on 70 performances with all doses of rubato."""
NARROW, ON_BEAT_BEATS = 0.085, 2.0
"""After a rest of a player whose steady grid has a spread below NARROW beats, the history cannot raise the lock for
KEPT_BEATS, or for ON_BEAT_BEATS if the rest ended on the beat: the net of the beat and the hypotheses all go on in time
although the player may have paused or changed the tempo."""


class Evidence(NamedTuple):
    """What the clock knows about its beat. Without a count-in there is no steady grid and no history."""

    now: float
    """Share of the hypotheses that agree, at the last onset."""
    before: float
    """Running mean of this share."""
    in_doubt: bool
    """Whether a rest has just ended off the beat."""
    silent_beats: float
    """Time since the last onset, in beats."""
    steady: SteadyGrid | None
    tempo: float
    """Natural logarithm of the tempo over the counted one; 0 without a count-in."""
    history: float | None
    """Log odds by the history of the clock (`lock_net.py`)."""
    net: float | None
    """Log odds of the leading grid by the net of tempo and place (`GridNet.log_odds`). None if it does not judge."""
    gaps: float | None
    """Log probability of the beat's length by the times between onsets (`BeatGaps.log_share`). None after a count-in,
    with a given tempo, at first, and for a steady player, whose rhythm shows the tempo better."""


def lock_of(e: Evidence) -> float:
    """Return the probability that the beat is right (logistic function). It fades in a long silence.

    A player whose grid bends much lowers the lock. A steady player raises it only while the steady grid is kept:
    after a pause or a change of tempo the bank may agree with itself in a wrong place.
    """
    logit = NOW * log_odds(e.now) + BEFORE * log_odds(e.before) + AT_EVEN
    if e.steady is not None:
        wider = math.log(e.steady.spread / USUAL_SPREAD)
        may_rise = e.steady.is_kept and not e.in_doubt
        logit -= WIDER * (wider if may_rise else max(wider, 0.0)) + OTHER_TEMPO * min(abs(e.tempo), FARTHEST_TEMPO)
    if e.in_doubt:
        logit += AFTER_REST
    if e.net is not None:
        logit += OF_NET * e.net
    if e.gaps is not None:
        logit += OF_GAPS * (max(e.gaps, LEAST_LOG_SHARE) - USUAL_LOG_SHARE)
    if e.history is not None:
        both = logit + HISTORY * (e.history - logit) - LESS
        logit = min(both, logit) if e.steady is not None and _has_rested(e.steady) else both
    return math.exp(-max(0.0, e.silent_beats - SILENT_BEATS) / FADE_BEATS) / (1 + math.exp(-logit))


def _has_rested(steady: SteadyGrid) -> bool:
    """Return whether a steady player has just rested: see NARROW."""
    rest_beats = KEPT_BEATS if steady.rest_ended_off else ON_BEAT_BEATS
    return steady.spread < NARROW and steady.state.since_rest < rest_beats
