"""Changes simulated takes as players do at once and without a warning: with a pause or with a sudden new tempo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.beat_net.playing import Take
from training.scored_hands import Floats

UNCHANGED, PAUSES = 0.72, 0.16
"""Share of the takes without a change, and with a pause. The others have a sudden tempo."""
LEAST_ONSETS, AFTER, LEFT = 40, 16, 12
"""Fewest onsets of a take that is changed, and the fewest before the change and from it on."""
SHORT, LONG, WHOLE = (0.2, 1.0), (0.5, 4.0), (0.25, 0.5, 1.5, 2.5, 3.5)
"""Lengths of a pause in beats: two ranges and some single lengths, all three equally often."""
LOG_TEMPO = (0.15, 0.5)
"""Range of the change of the tempo (natural logarithm, faster or slower)."""
WITH_PAUSE, PAUSE = 0.3, (0.3, 2.0)
"""Share of the sudden tempos that come after a pause, and the range of its length in beats."""


def evened(take: Take, share: float) -> Take:
    """Return `take` with only this share (0 to 1) of the deviations of its onsets from their places in the beats."""
    exact_s = np.interp(take.place, np.arange(len(take.half_s)) / 2, take.half_s)
    written = (take.is_tap == 0) & (take.is_ornament == 0)
    return replace(take, time_s=take.time_s - np.where(written, (1 - share) * (take.time_s - exact_s), 0.0))


def changed(take: Take, rng: np.random.Generator, always: bool = False) -> Take:
    """Return `take`, or now and then a take that pauses once or has another tempo from an onset on.

    `always`: every take that is long enough is changed.
    """
    kind, taps = rng.uniform(UNCHANGED * always, 1), int(take.is_tap.sum())
    if kind < UNCHANGED or len(take.time_s) < taps + LEAST_ONSETS:
        return take
    at = int(rng.integers(taps + AFTER, len(take.time_s) - LEFT))
    # the beat at the onset is late too
    from_s, pause, slower = float(take.time_s[at]) - 1e-4, 0.0, 1.0
    if kind < UNCHANGED + PAUSES:
        pause = float(rng.choice([rng.uniform(*SHORT), rng.uniform(*LONG), rng.choice(WHOLE)]))
    else:
        slower = float(np.exp(rng.choice([-1, 1]) * rng.uniform(*LOG_TEMPO)))
        pause = rng.uniform(*PAUSE) if rng.random() < WITH_PAUSE else 0.0
    pause_s = pause * float(take.beat_s[at])

    def later(time_s: Floats) -> Floats:
        return np.where(time_s < from_s, time_s, from_s + pause_s + (time_s - from_s) * slower)

    return replace(take, time_s=later(take.time_s), half_s=later(take.half_s))
