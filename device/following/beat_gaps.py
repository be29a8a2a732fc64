"""Estimates the length of a beat from the times between onsets, for a clock that was given no tempo and no count-in.

The clock's own hypotheses divide the music into beats before they judge it, so a grid of half or double tempo hides
what speaks against it. This estimate needs no grid. It keeps histograms of the logarithm of the times between onsets
and compares them with templates: the same histograms of scores, with times in beats (a comb filter of the tempo, see
Scheirer, "Tempo and beat analysis of acoustic musical signals", 1998, but with learned weights). The templates are
fitted on scores (`python -m training gaps`), so that the true beat of a score is told apart from its half, its third,
its double and from other lengths (multinomial logistic regression).
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np

from device.clock.meter import Meter
from device.following.pace import AT_ONE_SECOND, OF_BEAT, OF_GAP, ONSETS
from device.following.rhythm import Floats

KEEPS = 0.985
"""Share of the histograms that is kept at one more onset, so that about the last 67 onsets count."""
EARLIER, FARTHEST_S = 47, 8.0
"""Largest number of earlier onsets that an onset is compared with, and the longest time to them in seconds."""
BINS = 12
"""Bins in an octave of time."""
LOWEST, HIGHEST = -4.25, 3.25
"""Least and greatest binary logarithm of a time in seconds in the histograms."""
SECONDS = int((HIGHEST - LOWEST) * BINS)
"""Number of bins of a histogram."""
REACH = 4
"""The templates reach from so many octaves below a beat to so many octaves above."""
BEATS = 2 * REACH * BINS
"""Number of bins of a template."""
SPREAD = (0.25, 0.5, 0.25)
"""Shares of a time that its bin and the two bins beside it get."""
NEXT, ANY, LONG, REPEATED, FIGURE = range(5)
"""Kinds of histograms: the time to the next onset, the times to all earlier onsets, those from a long onset to a long
one, those to the same key, and those to an onset that the melody left by the same interval, after a similar time."""
KINDS = 5
LONGER = 1.4
"""An onset is long if the time after it is longer than the time before it by more than this factor."""
SIMILAR = 0.25
"""Two times are similar if their natural logarithms differ by less than this."""
BEATS_S = 2.0 ** (np.arange(-27, 19) / BINS)
"""Lengths of a felt beat, in seconds, that are compared."""
SURE, SURE_MORE = 0.8, 0.6
"""Factor of the templates' log odds after 32 onsets, and the power of the number of onsets with which it rises."""
PACE, PACE_MORE = 2.5, 0.25
"""Factor of the squared distance to the pace in octaves, and the octaves that are added to the pace.

The pace is the length that `device.following.pace` expects from the number of onsets a second. These four numbers were
chosen by the tempo that is found on 70 real performances.
"""
OTHER, CLEARER = 0.4, 1.0
"""There is an estimate only if no beat that differs by more than OTHER octaves is less than CLEARER log odds worse."""
FIRST, EVERY = 16, 4
"""Number of onsets before the first estimate, and from one estimate to the next."""
SHORTEST_S, LONGEST_S = 0.04, 3.0
"""Limits in seconds of a time between onsets that counts for the pace."""
FILE = Path(__file__).with_name("beat_gaps.npz")

_SHORTEST = math.log2(float(BEATS_S[0]))


def kind_of(meter: Meter) -> str:
    """Return the name of the template of a metre: "duple", "triple" or "compound". 3/8 is a beat of 6/8."""
    if meter.compound or _is_third(meter):
        return "compound"
    return "triple" if meter.beats_per_bar % 3 == 0 else "duple"


def _is_third(meter: Meter) -> bool:
    """Return whether three felt beats of the metre are one beat of the compound template."""
    return meter.beats == 3 and meter.beat_type >= 8


@cache
def _templates(kind: str, beats: int) -> Floats:
    """Return the templates of one kind for each of `BEATS_S`, [beat lengths, KINDS * SECONDS].

    `beats` felt beats are one beat of the template.
    """
    with np.load(FILE, allow_pickle=False) as data:
        weights = data[kind].astype(float)
    octaves = LOWEST + np.arange(SECONDS) / BINS
    out = np.zeros((len(BEATS_S), KINDS, SECONDS))
    for of_length, beat_s in zip(out, BEATS_S, strict=True):
        place = (octaves - math.log2(beat_s * beats) + REACH) * BINS
        for row, weight in zip(of_length, weights, strict=True):
            row[:] = np.convolve(np.interp(place, np.arange(BEATS), weight, left=0.0, right=0.0), SPREAD, "same")
    return out.reshape(len(BEATS_S), -1)


class GapHistograms:
    """Keeps the histograms of the last onsets of one piece of music."""

    def __init__(self) -> None:
        self._sums = np.zeros(KINDS * SECONDS)
        self._longs = 0.0
        self._past = np.zeros((5, EARLIER + 1))
        """The last onsets, the latest in the last column: time in seconds, key, seconds to the next onset, whether it
        is long, and the interval to the next."""
        self._past[0] = -math.inf
        self.onsets = 0.0
        """Number of onsets in the histograms. Those that are longer ago count less."""

    def hear(self, onset_s: float, pitch: int) -> None:
        """Use an onset at `onset_s` seconds of the MIDI pitch `pitch`. It comes after the onset before."""
        past = self._past
        gap_s = onset_s - past[0, -1]
        if gap_s < math.inf:
            longer = gap_s > LONGER * (past[0, -1] - past[0, -2])
            past[2:, -1] = gap_s, longer, pitch - past[1, -1]
            self._compare()
        past[:, :-1] = past[:, 1:]
        past[:2, -1] = onset_s, pitch

    def per_onset(self) -> Floats:
        """Return the histograms [KINDS, SECONDS], each divided by the number of its onsets."""
        out = self._sums.reshape(KINDS, SECONDS) / max(self.onsets, 1.0)
        out[LONG] *= self.onsets / max(self._longs, 1.0)
        return out

    def _compare(self) -> None:
        """Add the times from the last onset, whose end is known now, to the histograms."""
        last_s, pitch, gap_s, is_long, interval = self._past[:, -1].tolist()
        before = self._past[:, self._past[0].searchsorted(last_s - FARTHEST_S, "right") : -1]
        self._sums *= KEEPS
        self.onsets = self.onsets * KEEPS + 1
        self._longs = self._longs * KEEPS + is_long
        counts = np.zeros((KINDS, before.shape[1] + 1))
        counts[NEXT, 0] = counts[ANY, 1:] = 1.0
        np.multiply(before[3], is_long, out=counts[LONG, 1:])
        np.equal(before[1], pitch, out=counts[REPEATED, 1:], casting="unsafe")
        figure = np.abs(np.log(before[2] / gap_s)) < SIMILAR
        figure &= before[4] == interval
        counts[FIGURE, 1:] = figure
        place = (np.log2(np.append(gap_s, last_s - before[0])) - LOWEST) * BINS
        np.clip(place, 1, SECONDS - 3, out=place)
        number = place.astype(np.int64)
        place -= number
        at = (np.arange(KINDS)[:, None] * SECONDS + number).ravel()
        later = counts * place
        counts -= later
        self._sums += np.bincount(at, counts.ravel(), len(self._sums))
        self._sums[1:] += np.bincount(at, later.ravel(), len(self._sums))[:-1]


class BeatGaps:
    """Estimates the length of a felt beat from the histograms of one piece of music and from its pace."""

    def __init__(self, meter: Meter, beat_quarters: float) -> None:
        """Start without an estimate. `beat_quarters` is the length of a felt beat in quarter notes."""
        self._templates = _templates(kind_of(meter), 3 if _is_third(meter) else 1)
        self._expected = PACE_MORE + AT_ONE_SECOND + OF_BEAT * beat_quarters + math.log2(beat_quarters)
        self._histograms = GapHistograms()
        self._heard, self._last_s, self._mean_gap = 0, -math.inf, 0.0
        self.beat_s: float | None = None
        """The estimate in seconds; None before `FIRST` onsets, and while two lengths fit nearly as well."""
        self._log_shares: Floats | None = None
        """Logarithm of the probability of each of `BEATS_S`, at the last estimate."""

    def hear(self, onset_s: float, pitch: int) -> None:
        """Use an onset at `onset_s` seconds of the MIDI pitch `pitch`. Every few onsets `beat_s` is estimated again."""
        self._histograms.hear(onset_s, pitch)
        if self._heard:
            gap = math.log2(min(max(onset_s - self._last_s, SHORTEST_S), LONGEST_S))
            self._mean_gap += (gap - self._mean_gap) / min(self._heard, ONSETS)
        self._heard, self._last_s = self._heard + 1, onset_s
        if self._heard >= FIRST and self._heard % EVERY == 0:
            self.beat_s = self._estimate()

    def log_share(self, beat_s: float) -> float | None:
        """Return the natural logarithm of the probability that a beat is `beat_s` seconds long, among `BEATS_S`.

        Between two of these it is interpolated. It is None before `FIRST` onsets.
        """
        if self._log_shares is None:
            return None
        at = min(max((math.log2(beat_s) - _SHORTEST) * BINS, 0.0), len(BEATS_S) - 1.0)
        low = min(int(at), len(BEATS_S) - 2)
        shorter, longer = self._log_shares[low : low + 2].tolist()
        return float(shorter + (at - low) * (longer - shorter))

    def _estimate(self) -> float | None:
        """Return the length of a beat that fits the histograms and the pace best, or None if another fits as well."""
        scores = self._templates @ self._histograms.per_onset().ravel()
        scores *= SURE * (self._histograms.onsets / 32) ** SURE_MORE
        octaves = np.log2(BEATS_S)
        scores -= PACE * (octaves - self._expected - OF_GAP * self._mean_gap) ** 2
        best = int(scores.argmax())
        scores -= scores[best]
        self._log_shares = scores - math.log(float(np.exp(scores).sum()))
        others = scores[np.abs(octaves - octaves[best]) > OTHER]
        return float(BEATS_S[best]) if -others.max() > CLEARER else None
