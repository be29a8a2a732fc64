"""Measures of strikes: consonance, keys released at once, right chords, and the distance from the true hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.corpora.pieces import BARE_NOTE_DTYPE
from training.playing_figures.listener import distance, means_of
from training.playing_figures.panel import Roll, roll_of
from training.playing_figures.strikes import strikes, vendi
from training.playing_figures.style_share import led_by_chance, led_share, style_share

BARS = 24
STEPS = 16 * BARS


def hand(rows: list[tuple[float, float, int]]) -> Roll:
    return roll_of(np.array(rows, BARE_NOTE_DTYPE), STEPS)


def scene(left: list[tuple[float, float, int]]) -> tuple[Roll, Roll, np.ndarray]:
    """A melody of long Cs, a left hand bar by bar, and the positions in 4/4."""
    right = hand([(4.0 * bar, 4.0, 72) for bar in range(BARS)])
    played = hand([(4.0 * bar + on, length, key) for bar in range(BARS) for on, length, key in left])
    return right, played, np.arange(STEPS) % 16


def test_a_harsh_key_let_go_at_once_is_still_struck() -> None:
    right, played, positions = scene([(0.0, 0.25, 47), (1.0, 1.0, 48)])
    found = strikes(right, played, played, positions, 16)
    assert found["struck"] == pytest.approx(0.0) and found["gone"] == 1.0
    # the harsh key counts for the whole beat until the next strike, the other for three beats
    assert found["held"] == pytest.approx((3 - 1) / 4)


def test_the_true_hand_has_the_right_chord() -> None:
    right, played, positions = scene([(float(beat), 1.0, key) for beat in range(4) for key in (48, 52, 55)])
    found = strikes(right, played, played, positions, 16)
    assert found["triad"] == found["triad1"] == found["in_chord"] == 1.0


def test_the_vendi_score_counts_different_successions() -> None:
    assert vendi([0] * 16) == pytest.approx(1.0)
    assert vendi([0, 1, 2, 3, 4, 5, 6, 7]) == pytest.approx(2.0)


def test_the_truth_is_at_no_distance_and_another_hand_is() -> None:
    right, waltz, positions = scene([(0.0, 1.0, 36), (1.0, 1.0, 52), (1.0, 1.0, 55), (2.0, 1.0, 52)])
    _, other, _ = scene([(i / 4, 0.25, 40 + i) for i in range(16)])
    true = [means_of(right, waltz, waltz, positions, 16)] * 3
    far = [means_of(right, other, waltz, positions, 16)] * 3
    assert distance(true, true) == 0.0 < 0.5 < distance(far, true)


def test_oom_pah_is_known_by_its_bass_and_chords() -> None:
    bar = [(0.0, 1.0, 40), (1.0, 1.0, 52), (1.0, 1.0, 55), (2.0, 1.0, 43), (3.0, 1.0, 52), (3.0, 1.0, 55)]
    _, played, positions = scene(bar)
    assert style_share("oom-pah", played, positions, 16) == 1.0
    assert style_share("block", played, positions, 16) == 0.0


def test_a_bar_before_a_rest_and_the_bar_of_the_last_strike_are_not_judged() -> None:
    figure = [(4.0 * bar + beat, 1.0, key) for bar in (0, 1, 4, 5) for beat, key in ((0, 40), (1, 52), (1, 55))]
    closing = [(4.0 * bar, 4.0, key) for bar in (2, 6) for key in (40, 47, 52)]
    positions = np.arange(STEPS) % 16
    assert style_share("oom-pah", hand(figure + closing), positions, 16) == 1.0
    # a closing chord after which the hand goes on at once is a bar without the figure
    going_on = [(12.0 + beat, 1.0, key) for beat, key in ((0, 40), (1, 52), (1, 55))]
    assert style_share("oom-pah", hand(figure + closing + going_on), positions, 16) == pytest.approx(5 / 6)
    assert np.isnan(style_share("oom-pah", hand(closing[:1]), np.arange(STEPS) % 64, 64))


def test_a_bar_with_its_lowest_key_in_the_middle_of_a_half_is_not_broken() -> None:
    rising = [(0.0, 1.0, 45), (1.0, 1.0, 52), (2.0, 1.0, 40), (3.0, 1.0, 47)]
    falling = [(0.0, 1.0, 45), (1.0, 1.0, 40), (2.0, 1.0, 52), (3.0, 1.0, 47)]
    for bar, share in ((rising, 1.0), (falling, 0.0)):
        _, played, positions = scene(bar)
        assert style_share("broken", played, positions, 16) == share


def test_a_tango_is_known_by_the_rhythm_of_its_single_keys() -> None:
    tango = [(0.0, 1.0, 40), (1.5, 0.5, 47), (2.0, 1.0, 56), (3.0, 1.0, 47)]
    even = [(0.0, 1.0, 40), (1.0, 0.5, 47), (2.0, 1.0, 56), (3.0, 1.0, 47)]
    chords = [*tango, (2.0, 1.0, 52)]
    upside_down = [(0.0, 1.0, 56), (1.5, 0.5, 47), (2.0, 1.0, 52), (3.0, 1.0, 40)]
    for bar, share in ((tango, 1.0), (even, 0.0), (chords, 0.0), (upside_down, 0.0)):
        _, played, positions = scene(bar)
        assert style_share("tango", played, positions, 16) == share
    # two quarters, in sixteenths: the same rhythm twice as fast
    _, quick, positions = scene([(2 * half + at / 2, 0.25, key) for half in (0, 1) for at, _, key in tango])
    assert style_share("tango", quick, np.arange(len(positions)) % 8, 8) == 1.0


def test_a_walking_bass_moves_on_every_beat_and_leads_to_the_bar_line() -> None:
    walking = [(0.0, 1.0, 40), (1.0, 1.0, 44), (2.0, 1.0, 47), (3.0, 1.0, 41)]
    standing = [*walking[:2], (2.0, 1.0, 44), walking[3]]
    leaping = [*walking[:3], (3.0, 1.0, 54)]
    halves = [walking[0], walking[2]]
    for bar, share, led in ((walking, 1.0, 1.0), (standing, 0.0, 1.0), (leaping, 0.0, 0.0), (halves, 0.0, np.nan)):
        _, played, positions = scene(bar)
        assert style_share("swing", played, positions, 16) == share
        assert led_share(played, positions) == pytest.approx(led, nan_ok=True)


def test_by_chance_a_bass_in_other_bars_leads_to_fewer_bar_lines() -> None:
    struck = np.zeros((12, 128), bool)
    # two bar lines, each reached by a semitone, and ten semitones apart
    for step, key in ((0, 49), (4, 50), (7, 59), (8, 60)):
        struck[step, key] = True
    led = Roll(struck, struck)
    positions = np.arange(12) % 4
    assert led_share(led, positions) == 1.0
    assert led_by_chance(led, positions) == 0.5
    assert np.isnan(led_by_chance(Roll(struck[:1], struck[:1]), positions[:1]))
