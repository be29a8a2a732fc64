"""Decides whether the tempo map of a MIDI file fits its notes: whether the notes lie where a score has notes.

A file that was played without a click and saved under some tempo has its notes anywhere in the beat. There the file's
beats mean nothing, and the clock has to follow the notes instead.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from device.clock.tempo_map import TempoMap

LEAST_ONSETS = 16
"""Fewer onsets than this say too little, and the map is believed."""
LEAST_COUNTED_ONSETS = 6
"""As `LEAST_ONSETS`, for notes that begin with a count-in: four counts and two notes. People do not write count-ins.

Of the first 6 to 15 onsets of 787 right hands of scores under three tempos, at most 0.5 % have a count-in and a map
that does not fit, with a timing of up to 20 ms. Of 210 performances after a count-in, saved under 120 quarters a
minute, the map does not fit the first 6 onsets in 78 %, and the first 15 in 84 %.
"""
SHORTEST_S = 0.05
"""Seconds of a quarter note. Shorter ones are 1,200 a minute or more: the file counts in small units, not in beats."""
CHORD_S = 0.05
"""Onsets closer than this many seconds are one chord, which counts once."""
TIMINGS_S = (0.008, 0.016, 0.03)
"""Standard deviations in seconds of a note around its place: a score, a player with a click, an uneven player."""
ANYWHERE = 0.1
"""Share of notes of a fitting file that lie on no place: ornaments and mistakes."""
LEAST_FIT, DOUBT = -0.05, 2.0
"""A map does not fit if the mean log likelihood ratio of `n` onsets is below LEAST_FIT + DOUBT / n.

Measured on 70 performances saved under 120 quarters a minute: below it lie all whole right hands, 98 % of the stretches
of 64 notes and 96 % of those of 32. Melodies on the grid of their file, played with a timing of 20 ms, all lie above
it, and with 30 ms all whole ones do.
"""
PLACES: dict[float, float] = {
    0.0: 0.4,
    1 / 2: 0.22,
    **dict.fromkeys((1 / 4, 3 / 4), 0.07),
    **dict.fromkeys((1 / 3, 2 / 3), 0.05),
    **dict.fromkeys((1 / 6, 5 / 6), 0.01),
    **dict.fromkeys((1 / 8, 3 / 8, 5 / 8, 7 / 8), 0.005),
}
"""Maps a place in a quarter note (0 to 1) to the approximate share of notes that begin there.

The places are eighths, sixteenths, triplets, sextuplets and thirty-seconds. The shares need not add up to 1.
"""

Floats = npt.NDArray[np.float64]


def fits(onsets_s: Sequence[float], tempo_map: TempoMap, *, counted: bool = False) -> bool:
    """Return whether the notes at `onsets_s` (seconds, any order) lie on the beats and divisions of the tempo map.

    The answer is True for a file that does not count in ticks per quarter note, and for fewer than LEAST_ONSETS onsets
    unless the quarters are shorter than SHORTEST_S. `counted` says that the notes begin with a count-in: then
    LEAST_COUNTED_ONSETS are enough.
    """
    onset_s = np.unique(np.asarray(onsets_s, np.float64))
    onset_s = onset_s[np.diff(onset_s, prepend=-np.inf) > CHORD_S]
    if len(onset_s) == 0 or tempo_map.ticks_per_beat <= 0:
        return True
    if np.median(_quarters_s(onset_s, tempo_map)) < SHORTEST_S:
        return False
    if len(onset_s) < (LEAST_COUNTED_ONSETS if counted else LEAST_ONSETS):
        return True
    return fit(onset_s, tempo_map) >= LEAST_FIT + DOUBT / len(onset_s)


def fit(onset_s: Floats, tempo_map: TempoMap) -> float:
    """Return how well onsets `onset_s` [n], in seconds, fit the map: the mean log likelihood ratio.

    It compares notes on the places of the map with notes anywhere. The likelihood of a note is a mixture of normal
    distributions around PLACES. The best result among TIMINGS_S counts.
    """
    resolution = tempo_map.ticks_per_beat
    quarter = np.array([tempo_map.tick(at_s) for at_s in onset_s.tolist()], np.float64) / resolution
    length_s = _quarters_s(onset_s, tempo_map)
    place, share = np.array(list(PLACES)), np.array(list(PLACES.values()))
    away = np.abs(quarter[:, None] % 1 - place)
    away_s = np.minimum(away, 1 - away) * length_s[:, None]
    density_of = share / share.sum() * length_s[:, None]
    ratios = []
    for timing_s in TIMINGS_S:
        near = np.exp(-0.5 * (away_s / timing_s) ** 2) / (timing_s * np.sqrt(2 * np.pi))
        on_grid = (density_of * near).sum(axis=1)
        ratios.append(np.log(ANYWHERE + (1 - ANYWHERE) * on_grid).mean())
    return float(max(ratios))


def _quarters_s(onset_s: Floats, tempo_map: TempoMap) -> Floats:
    """Return the length in seconds of the quarter in which each onset of `onset_s` [n], in seconds, lies."""
    resolution = tempo_map.ticks_per_beat
    begins = [tempo_map.tick(at_s) // resolution * resolution for at_s in onset_s.tolist()]
    return np.array([tempo_map.seconds(tick + resolution) - tempo_map.seconds(tick) for tick in begins], np.float64)
