"""The measure of a left hand's touch finds the accents and the places that were put into the notes."""

from __future__ import annotations

import numpy as np
import pytest

from device.errors import UserError
from training.corpora.pieces import NOTE_DTYPE, HandLabel, Piece
from training.playing_figures.touch_of_corpora import touch_of

ROWS = 64
"""Quarters of the left hand: a strike of three keys on every half beat."""


def performance(velocities: dict[str, int] | None) -> Piece:
    """Return a piece in 4/4. Each kind of place has its velocity in the left hand, and the highest key `top` more."""
    rows = []
    for i in range(2 * ROWS):
        kind = "bar" if i % 8 == 0 else "half" if i % 4 == 0 else "beat" if i % 2 == 0 else "off"
        for key in (40, 47, 52):
            velocity = 0 if velocities is None else velocities[kind] + (velocities["top"] if key == 52 else 0)
            rows.append((i / 2, 0.5, key, velocity, HandLabel.LEFT))
        rows.append((i / 2, 0.5, 72, 100, HandLabel.RIGHT))
    downbeats = np.arange(0.0, ROWS, 4.0)
    return Piece("p", "c", "g", "w", "train", np.array(rows, NOTE_DTYPE), [(0.0, 4, 4)], downbeats)


def test_accents_and_places_are_found() -> None:
    found = touch_of([performance({"bar": 60, "half": 50, "beat": 45, "off": 40, "top": 8})])
    assert found["bar"] > found["half"] > found["beat"] > found["off"]
    assert found["highest"] > 1 > found["lowest"] == pytest.approx(found["inner"], rel=0.01)
    assert 0.4 < found["under"] < 0.6


def test_a_corpus_without_velocities_is_an_error() -> None:
    with pytest.raises(UserError, match="velocities"):
        touch_of([performance(None)])
