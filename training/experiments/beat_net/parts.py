"""Reads right hands and voices of scores as onsets with places in felt beats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device.clock.meter import Meter
from device.errors import UserError
from training.corpora.pieces import CORPORA, HandLabel, Piece, load_pieces
from training.playing_figures.clock import longest_stretch

Floats = npt.NDArray[np.float64]

CHORD_QUARTERS, LEAST_ONSETS = 0.0025, 64
"""Notes that are closer than this many felt beats are one onset. A hand with fewer onsets is left out."""
LIKELY = {"chopin": 4.0, "lieder": 2.0, "pop909": 0.7}
"""How much likelier an onset of a corpus is drawn. Chopin's pieces are the only ones written for the piano alone."""
LONGEST = 1500
"""A hand with more onsets is drawn no more often than one with so many."""
USUAL_DENSITY, SPARSEST, DENSEST = 2.0, 0.25, 2.0
"""Hands with many onsets a beat are drawn more often, in proportion, within these limits: performed piano music is
denser than most of the scores."""


@dataclass(frozen=True)
class ScoredHand:
    """One hand in one metre: for each onset its place in felt beats, its top and low pitch, and its number of keys."""

    corpus: str
    meter: Meter
    place: Floats
    top: Floats
    low: Floats
    keys: Floats

    @property
    def onsets_a_beat(self) -> float:
        """Return the mean number of onsets in a felt beat."""
        return len(self.place) / max(1.0, float(self.place[-1] - self.place[0]))

    @property
    def likely(self) -> float:
        """Return how likely this hand is drawn, up to a factor."""
        denser = min(max(self.onsets_a_beat / USUAL_DENSITY, SPARSEST), DENSEST)
        return LIKELY[self.corpus] * min(len(self.place), LONGEST) * denser


def parts_of(piece: Piece) -> Iterator[ScoredHand]:
    """Yield the right hand and the voice of `piece`. Only the longest stretch in one metre is used."""
    begin, stop, meter = longest_stretch(piece)
    for hand in (HandLabel.RIGHT, HandLabel.VOICE):
        notes = piece.of(hand)
        notes = notes[(notes["onset"] >= begin - 1e-6) & (notes["onset"] < stop)]
        if len(notes) < LEAST_ONSETS:
            continue
        place = (notes["onset"].astype(np.float64) - begin) / float(meter.beat_quarters)
        first = np.append(True, np.diff(place) > CHORD_QUARTERS).nonzero()[0]
        if len(first) < LEAST_ONSETS:
            continue
        pitch = notes["pitch"].astype(np.float64)
        top, low = (reduce.reduceat(pitch, first) for reduce in (np.maximum, np.minimum))
        keys = np.diff(np.append(first, len(notes))).astype(np.float64)
        yield ScoredHand(piece.corpus, meter, place[first], top, low, keys)


def load_parts(cache: Path, split: str) -> list[ScoredHand]:
    """Return the parts of all pieces of a split. Raises UserError if the cache has none."""
    found = [
        part
        for corpus in CORPORA
        for piece in load_pieces(cache, corpus, split)
        if piece.primary and len(piece.downbeats)
        for part in parts_of(piece)
    ]
    if not found:
        raise UserError(f"There are no pieces in {cache / 'pieces'}: run `python -m training prepare` first.")
    return found
