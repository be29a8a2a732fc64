"""Reads the hands that the net is fitted on, and says how likely each of them is drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from device.errors import UserError
from training.corpora.pieces import CORPORA, load_pieces
from training.scored_hands import Floats, ScoredHand, scored_hands

DENSE_ENOUGH = 2.5
"""A hand with fewer onsets a beat is also played twice as fast. Real performances have 3 (median)."""
LEAST_ONSETS = 64
"""A hand with fewer onsets is left out."""
LIKELY = {"chopin": 4.0, "lieder": 2.0, "pop909": 0.7}
"""How much likelier an onset of a corpus is drawn. Chopin's pieces are the only ones written for the piano alone."""
LONGEST = 1500
"""A hand with more onsets is drawn no more often than one with so many."""
USUAL_DENSITY, SPARSEST, DENSEST = 2.0, 0.25, 2.0
"""Hands with many onsets a beat are drawn more often, in proportion, within these limits: performed piano music is
denser than most of the scores."""


def likely_hands(cache: Path, split: str) -> tuple[list[ScoredHand], Floats]:
    """Return all hands of a split, and the probability [hands] of each. Raises UserError if the cache has none."""
    found = [
        (hand, LIKELY[corpus] * likely(hand))
        for corpus in CORPORA
        for piece in load_pieces(cache, corpus, split)
        if piece.primary and len(piece.downbeats)
        for whole in scored_hands(piece)
        if len(whole.place) >= LEAST_ONSETS
        for hand in denser(whole)
    ]
    if not found:
        raise UserError(f"There are no pieces in {cache / 'pieces'}: run `python -m training prepare` first.")
    share = np.array([likely for _, likely in found])
    return [hand for hand, _ in found], share / share.sum()


def denser(hand: ScoredHand) -> list[ScoredHand]:
    """Return `hand`, and a hand that plays it twice as fast in the same metre, if that is how dense pieces are.

    Two old beats are a beat of the second hand. So it has twice as many onsets a beat, and the second half of a beat is
    as weak as an old weak beat.
    """
    meter = hand.meter
    if meter.compound or meter.beats_per_bar % 2 or density(hand) > DENSE_ENOUGH:
        return [hand]
    return [hand, replace(hand, place=hand.place / 2)]


def density(hand: ScoredHand) -> float:
    """Return the number of onsets a beat."""
    return len(hand.place) / max(1.0, float(hand.place[-1] - hand.place[0]))


def likely(hand: ScoredHand) -> float:
    """Return how likely a hand is drawn among those of its corpus, up to a factor."""
    return min(len(hand.place), LONGEST) * min(max(density(hand) / USUAL_DENSITY, SPARSEST), DENSEST)
