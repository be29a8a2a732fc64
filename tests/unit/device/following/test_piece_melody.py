"""The intervals of a piece, learned at their places in the beat."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.clock.meter import Meter
from device.following.bank import TICK, WEIGHT
from device.following.heard_onsets import Classes, Onset
from device.following.hypotheses import Hypotheses
from device.following.next_onset import QUARTER, SIXTEENTH
from device.following.piece_melody import CERTAIN, LEAP_CLASSES, PieceMelody, leap_class
from device.following.rhythm import interval_class

FIGURE = (60, 67, 64, 67)
"""The pitches of four sixteenths that come back at each beat."""


def learned(beats: int, against: float = 0.0) -> PieceMelody:
    """Return what is learned from so many beats of `FIGURE`."""
    melody, pitches = PieceMelody(QUARTER), FIGURE * beats
    for i, (low, at, now) in enumerate(zip(pitches, pitches[1:], pitches[2:], strict=False)):
        melody.learn((i + 2) * SIXTEENTH, interval_class(at - low), now - at, against)
    return melody


@pytest.mark.parametrize("place", range(4))
def test_an_interval_is_likelier_where_it_comes_back(place: int) -> None:
    before, at, now = (FIGURE[(place + i) % 4] for i in (-2, -1, 0))
    factor = learned(20).factor(interval_class(at - before), now - at)
    assert factor.shape == (QUARTER,)
    assert int(factor.argmax()) == place * SIXTEENTH
    assert factor.max() > 1.2


def test_a_place_without_onsets_says_nothing() -> None:
    factor = learned(20).factor(interval_class(7), -3)
    assert factor[1] == factor[SIXTEENTH + 1] == 1.0


def test_nothing_is_learned_while_a_moved_grid_is_likelier() -> None:
    assert (learned(20, CERTAIN).factor(interval_class(7), -3) == 1.0).all()


@given(st.integers(-60, 60))
def test_intervals_up_and_down_have_classes_of_their_own(semitones: int) -> None:
    assert 0 <= leap_class(semitones) < LEAP_CLASSES
    assert (leap_class(semitones) == leap_class(-semitones)) == (semitones == 0)


@given(st.lists(st.tuples(st.integers(0, 95), st.integers(-30, 30)), max_size=60), st.integers(-30, 30))
def test_the_factors_are_positive_and_finite(onsets: list[tuple[int, int]], semitones: int) -> None:
    melody = PieceMelody(QUARTER)
    for (_, before), (tick, now) in pairwise(onsets):
        melody.learn(tick, interval_class(before), now, 0.0)
    factor = melody.factor(0, semitones)
    assert np.isfinite(factor).all()
    assert (factor > 0).all()


@pytest.mark.parametrize("figure", [True, False])
def test_a_figure_finds_its_place_again_after_a_slip(figure: bool) -> None:
    """Sixteenths without a gap slip by one place. A figure brings the grid back, repeated notes do not.

    It takes many beats, because the player has been strict and the steady grid holds the old place.
    """
    hypotheses, beat_s = Hypotheses(Meter(4, 4)), 0.6
    hypotheses.start_counted(-beat_s, beat_s)
    pitches = FIGURE * 120 if figure else (60,) * 480
    gaps = [beat_s / 4] * len(pitches)
    gaps[100] += beat_s / 4
    onset_s, before, own = 0.0, 0, []
    for i in range(1, len(pitches)):
        semitones = pitches[i] - pitches[i - 1]
        hypotheses.hear(onset_s, Onset(Classes((before, interval_class(semitones)), (0, 0)), semitones))
        before = interval_class(semitones)
        bank = hypotheses.bank
        assert bank is not None
        place = (i - 1) * SIXTEENTH % QUARTER
        own.append(float(bank.real[WEIGHT, bank.whole[TICK] % QUARTER == place].sum()))
        onset_s += gaps[i]
    assert own[90] > 0.5
    assert (own[-1] > 0.5) == figure
