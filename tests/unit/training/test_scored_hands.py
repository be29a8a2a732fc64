"""The right hand and the voice of a score, as onsets in felt beats."""

from __future__ import annotations

import numpy as np
import pytest

from device.clock.meter import Meter
from training.corpora.pieces import HandLabel, Piece, as_notes
from training.scored_hands import scored_hands


def test_a_chord_is_one_onset_in_felt_beats() -> None:
    onset = np.repeat(np.arange(72) * 1.5, 2)
    notes = as_notes(onset, 1.0, np.tile([60, 67], 72), 0, HandLabel.RIGHT)
    piece = Piece("p", "chopin", "g", "w", "train", notes, [(0.0, 6, 8)], np.arange(37) * 3.0)
    (hand,) = scored_hands(piece)
    assert hand.meter == Meter(6, 8)
    assert hand.place == pytest.approx(np.arange(72))
    assert (set(hand.low), set(hand.top), set(hand.keys)) == ({60.0}, {67.0}, {2})
