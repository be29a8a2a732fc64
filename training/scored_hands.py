"""Reads the right hand and the voice of a score as onsets with places in felt beats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.clock.meter import Meter
from training.corpora.pieces import HandLabel, Piece
from training.playing_figures.clock import longest_stretch

Floats = npt.NDArray[np.float64]

CHORD_BEATS = 0.0025
"""Notes that are closer than this many felt beats are one onset."""


@dataclass(frozen=True)
class ScoredHand:
    """One hand in one metre: for each onset [n] its place in felt beats, top and low MIDI pitch, and number of keys."""

    meter: Meter
    place: Floats
    top: Floats
    low: Floats
    keys: npt.NDArray[np.int64]


def scored_hands(piece: Piece, chord_beats: float = CHORD_BEATS) -> Iterator[ScoredHand]:
    """Yield the right hand and the voice of `piece`, if it has them. Only the longest stretch in one metre is used."""
    begin, stop, meter = longest_stretch(piece)
    for hand in (HandLabel.RIGHT, HandLabel.VOICE):
        notes = piece.of(hand)
        notes = notes[(notes["onset"] >= begin - 1e-6) & (notes["onset"] < stop)]
        if not len(notes):
            continue
        place = (notes["onset"].astype(np.float64) - begin) / float(meter.beat_quarters)
        first = np.append(True, np.diff(place) > chord_beats).nonzero()[0]
        pitch = notes["pitch"].astype(np.float64)
        top, low = (extreme.reduceat(pitch, first) for extreme in (np.maximum, np.minimum))
        yield ScoredHand(meter, place[first], top, low, np.diff(np.append(first, len(notes))))
