"""Computes the round trip, its spread and the level of the box's own notes, from notes sent and notes heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from device.errors import UserError

LONGEST_S = 0.6
"""Seconds. A note that is not heard within this time after sending counts as not heard."""
EARLIEST_S = -0.02
"""Seconds. Onset times are only as exact as a hop, so a note may seem to sound this much before it was sent."""
LEAST_SHARE = 2 / 3
"""Share of the notes that must be heard."""
MOST_SPREAD_S = 0.012
"""Largest allowed spread in seconds. Onsets spread evenly over a hop of 16 ms deviate by 4 ms."""
MOST_XRUNS = 2
"""Largest allowed number of losses of sound. Each loss may shift all later onsets."""
AUDIBLE_DB = 6.0
"""Decibels above the silence from which the notes count as audible."""
SILENCE = 1e-6
"""Lowest level used, as a share of full scale: -120 dBFS, below the noise of every converter."""


@dataclass(frozen=True)
class RoundTrip:
    """Holds the result of one measurement: the delay of the notes, their spread, their level and their number."""

    seconds: float
    """Median time from sending a note to its heard onset."""
    spread_s: float
    """Median absolute deviation of the single notes, in seconds."""
    leak_db: float
    """Level of the notes at the input, in dB above the silence before them."""
    heard: int
    """Number of notes heard."""
    sent: int
    """Number of notes sent."""


@dataclass
class Listening:
    """Collects what was sent and what was heard in one attempt to measure. All times are seconds of the same clock."""

    sent: list[tuple[float, int]] = field(default_factory=list)
    """(time, pitch) of each sent note-on."""
    heard: list[tuple[float, int]] = field(default_factory=list)
    """(onset, pitch) of each heard note."""
    levels: list[tuple[float, float]] = field(default_factory=list)
    """(time, root mean square of the sound between the time before and this time)."""
    xruns: int = 0
    """Number of losses of sound during the take."""


class DisturbedError(UserError):
    """Raised when a measurement cannot be used because sound was lost."""


def evaluate(take: Listening, port: str) -> RoundTrip:
    """Compute and return the round trip from `take`. `port` is the name of the sound input, for the error texts.

    Raises UserError if too few notes were heard or the spread is too large. Raises DisturbedError if sound was lost on
    its way into the machine; another attempt may then succeed.
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
    """Return the seconds from sending a note to its first possible onset; None if there is none.

    An onset in another octave also matches, because an instrument may transpose by octaves.
    """
    return next(
        (
            onset_s - at_s
            for onset_s, found in sorted(heard)
            if EARLIEST_S <= onset_s - at_s <= LONGEST_S and (found - pitch) % 12 == 0
        ),
        None,
    )


def _leak_db(take: Listening) -> float:
    """Return how much louder the input was after the notes than before them, in dB; 0 if no levels are known.

    This compares the median of the peak levels after each note with the median level before the first note.
    """
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
            f'Nothing of the {sent} notes came back through "{port}": turn the instrument up, connect its line-out or '
            f"a microphone to the input, or set latency_ms in the settings."
        )
    return (
        f'Only {heard} of the {sent} notes were heard through "{port}", though the sound rose by {leak_db:.0f} dB: '
        f"choose a piano sound on the instrument, play nothing meanwhile, and calibrate again."
    )
