"""From notes sent and what came back: the round trip, how sure it is, and how loud our own notes are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from device.errors import UserError

LONGEST_S = 0.6
"""A note that is not back after this long does not count as heard."""
EARLIEST_S = -0.02
"""A hop is so coarse that a note may seem to sound before it was sent."""
LEAST_SHARE = 2 / 3
"""Of the notes, which must have been heard."""
MOST_SPREAD_S = 0.012
"""Even onsets that fall anywhere in a hop of 16 ms deviate by 4 ms in the median."""
MOST_XRUNS = 2
"""Each may shift what comes after it."""
AUDIBLE_DB = 6.0
SILENCE = 1e-6
"""-120 dBFS, below every converter."""


@dataclass(frozen=True)
class RoundTrip:
    """What was measured."""

    seconds: float
    spread_s: float
    """Median absolute deviation."""
    leak_db: float
    heard: int
    sent: int


@dataclass
class Listening:
    """What happened: all times in the same seconds."""

    sent: list[tuple[float, int]] = field(default_factory=list)
    """When each note-on left, and its pitch."""
    heard: list[tuple[float, int]] = field(default_factory=list)
    """Onsets and pitches."""
    levels: list[tuple[float, float]] = field(default_factory=list)
    """Root mean square of the sound up to a time."""
    xruns: int = 0
    """How often sound was lost meanwhile."""


class DisturbedError(UserError):
    """Nothing can be told from a take in which sound was lost."""


def evaluate(take: Listening, port: str) -> RoundTrip:
    """The round trip of `take`, heard on `port`; UserError where it cannot be told from what was heard.

    That is a DisturbedError where sound was lost on its way into the machine: another take may tell.
    """
    trips = [trip for at_s, pitch in take.sent if (trip := _trip(at_s, pitch, take.heard)) is not None]
    leak_db = _leak_db(take)
    if take.xruns > MOST_XRUNS and leak_db >= AUDIBLE_DB:
        raise DisturbedError(
            f'Sound was lost {take.xruns} times on its way from "{port}": end other programs, or set a larger '
            f"[audio] block, and calibrate again."
        )
    if len(trips) < LEAST_SHARE * len(take.sent):
        raise UserError(_unheard(len(trips), len(take.sent), leak_db, port))
    seconds = median(trips)
    spread_s = median(abs(trip - seconds) for trip in trips)
    if spread_s > MOST_SPREAD_S:
        raise UserError(
            f"The round trip is too uncertain to be used: about {seconds * 1e3:.0f} ms, but the notes differ by "
            f"{spread_s * 1e3:.0f} ms: end other programs, play nothing meanwhile, and calibrate again."
        )
    return RoundTrip(max(seconds, 0.0), spread_s, leak_db, len(trips), len(take.sent))


def _trip(at_s: float, pitch: int, heard: Sequence[tuple[float, int]]) -> float | None:
    """From a note's sending to the first onset that can be it; an octave is the instrument's own affair."""
    return next(
        (
            onset_s - at_s
            for onset_s, found in sorted(heard)
            if EARLIEST_S <= onset_s - at_s <= LONGEST_S and (found - pitch) % 12 == 0
        ),
        None,
    )


def _leak_db(take: Listening) -> float:
    """The median loudest level after our notes, over the median level before the first."""
    first_s = take.sent[0][0]
    before = [level for at_s, level in take.levels if at_s <= first_s]
    after = []
    for sent_s, _ in take.sent:
        window = [level for at_s, level in take.levels if sent_s < at_s <= sent_s + LONGEST_S]
        after += [max(window)] if window else []
    if not before or not after:
        return 0.0
    return float(20 * np.log10(max(median(after), SILENCE) / max(median(before), SILENCE)))


def _unheard(heard: int, sent: int, leak_db: float, port: str) -> str:
    if leak_db < AUDIBLE_DB:
        return (
            f'Nothing of the {sent} notes came back through "{port}": turn the instrument up, lead its line-out or a '
            f"microphone to the input, or give latency_ms in the settings."
        )
    return (
        f'Only {heard} of the {sent} notes were heard through "{port}", though the sound rose by {leak_db:.0f} dB: '
        f"choose a piano sound on the instrument, play nothing meanwhile, and calibrate again."
    )
