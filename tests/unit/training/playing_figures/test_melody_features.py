"""Features that need both hands: the melody met or missed, the bass under both hands, and phrase ends."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.playing_figures.figures_on_chords import roll_from
from training.playing_figures.listener import features
from training.playing_figures.melody_features import features_with_melody
from training.playing_figures.panel import Roll

BAR, STEPS = 16, 16 * 8


def melody() -> Roll:
    """Seven eighths and a long note in each stretch of two bars, all C."""
    return roll_from([(32 * i + 2 * n, 72, 14 if n == 7 else 2) for i in range(4) for n in range(8)], STEPS)


def measured(*rows: tuple[int, int, int]) -> dict[str, float]:
    return features_with_melody(melody(), roll_from(rows, STEPS), 0, 4 * BAR, BAR)


def test_a_hand_that_strikes_with_the_melody_meets_it() -> None:
    found = measured(*((step, 48, 1) for step in (0, 4, 8, 12)))
    assert found["with the melody: strikes"] == 1.0
    assert found["with the melody: its strikes met"] == pytest.approx(4 / 16)
    assert found["with the melody: consonance of strikes"] == found["with the melody: doubles it"] == 1.0
    assert found["with the melody: room"] == 24.0
    between = measured(*((step, 49, 1) for step in (1, 3, 5, 7)))
    assert between["with the melody: strikes"] == between["with the melody: off-beat strikes"] == 0.0
    assert between["with the melody: consonance of strikes"] == -1.0


def test_the_bass_is_known_by_its_part_in_the_chord() -> None:
    chords = [(bar * BAR + step, key, 8) for bar in range(4) for step, key in ((0, 36), (8, 48), (8, 52), (8, 55))]
    found = measured(*chords)
    assert found["bass: root"] == found["bass: lowest key on the bar line"] == 1.0 and found["bass: fifth"] == 0.0


def test_a_phrase_ends_with_a_long_note() -> None:
    # the long notes begin at steps 14 and 46; the hand strikes with the first and goes on under it, and then rests
    found = measured((14, 48, 4), (18, 52, 4), (22, 48, 4), (26, 52, 6))
    assert found["phrase end: struck with it"] == 0.5
    assert found["phrase end: strikes a beat"] == pytest.approx(3 / 4.5 / 2)
    assert found["phrase end: silence"] == 0.5


def test_four_bars_before_are_compared_in_rhythm() -> None:
    same = roll_from([(step, 48, 2) for step in range(0, STEPS, 4)], STEPS)
    assert features(melody(), same, 4 * BAR, BAR)["rhythm of 4 before"] == 1.0
    assert math.isnan(features(melody(), same, 0, BAR)["rhythm of 4 before"])
    assert np.isfinite(features(melody(), same, 0, BAR)["phrase end: silence"])
