"""Tests for the score of an onset: the clock hears the first key of a chord, and corrects the score by the others."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from device.clock.meter import Meter
from device.following.bank import TICK, WEIGHT, HypothesisBank
from device.following.heard_onsets import Classes, HeardOnsets, Onset
from device.following.hypotheses import Hypotheses
from device.following.onset_score import SURELY, OnsetScore
from device.following.rhythm import chord_class, interval_class, rhythm_of

FOUR = Meter(4, 4)
TUNE = (60, 64), (59, 62, 67), (60,), (64, 67, 72), (65,)
BEAT_S, ROLLED_S = 0.5, 0.01
LIKELY = 0.01
"""Share of the greatest weight above which a hypothesis is compared."""


def heard(order: int) -> list[Onset]:
    """Return the onsets of `TUNE` whose chords are rolled in another order."""
    onsets = HeardOnsets()
    found: list[Onset] = []
    for i, keys in enumerate(TUNE):
        rolls = list(permutations(keys))
        for j, pitch in enumerate(rolls[order % len(rolls)]):
            onset = onsets.hear(i * BEAT_S + j * ROLLED_S, pitch)
            found += [] if onset is None else [onset]
    return found


@pytest.mark.parametrize("order", range(6))
def test_a_chord_has_the_same_classes_in_whatever_order_its_keys_come(order: int) -> None:
    known = [onset.last for onset in heard(order)][1:]
    assert [(last.interval[1], last.chord) for last in known if last is not None] == [
        (interval_class(0), (0, chord_class(2, 2))),
        # D, G and B of the second chord are new, and its top key is a third above that of the first
        (interval_class(3), (1, chord_class(3, 3))),
        (interval_class(-7), (2, chord_class(1, 0))),
        (interval_class(12), (0, chord_class(3, 0))),
    ]


def test_the_next_interval_is_counted_from_the_top_key() -> None:
    rolled_down = heard(5)
    assert [onset.semitones for onset in rolled_down] == [0, 3, -7, 12, -7]


def hypotheses_after(first: Classes, whole: Classes | None) -> Hypotheses:
    """Return the hypotheses after a count-in, an onset on a beat, one between two places, and its other keys."""
    hypotheses = Hypotheses(FOUR)
    hypotheses.start_counted(0.0, BEAT_S)
    hypotheses.hear(BEAT_S, Onset(Classes((0, 0), (0, 0))))
    hypotheses.hear(1.88 * BEAT_S, Onset(first))
    if whole is not None:
        assert hypotheses.bank is not None
        hypotheses._score.correct(hypotheses.bank, whole)
    return hypotheses


def weight_of_same(bank: HypothesisBank, i: int, other: HypothesisBank) -> float:
    """Return the weight in `other` of hypothesis `i` of `bank`."""
    same = (other.whole == bank.whole[:, i : i + 1]).all(0)
    same &= np.isclose(other.real[:WEIGHT], bank.real[:WEIGHT, i : i + 1], rtol=1e-9, atol=1e-15).all(0)
    return float(other.real[WEIGHT, same].sum())


def test_the_corrected_weights_are_those_of_a_clock_that_knew_the_chord_at_once() -> None:
    first, whole = Classes((0, 4), (0, 0)), Classes((0, 1), (0, 8))
    late, at_once = hypotheses_after(first, whole).bank, hypotheses_after(whole, None).bank
    assert late is not None and at_once is not None
    # the copies of the likeliest hypothesis on other places have small weights of their own
    first_ones = late.real[WEIGHT] > LIKELY * late.real[WEIGHT].max()
    assert len(set(late.whole[TICK, first_ones].tolist())) > 1
    weights = late.real[WEIGHT, first_ones]
    known = np.array([weight_of_same(late, i, at_once) for i in first_ones.nonzero()[0]])
    assert weights / weights.sum() == pytest.approx(known / known.sum(), rel=1e-3)
    uncorrected = hypotheses_after(first, None).bank
    assert uncorrected is not None
    weights = uncorrected.real[WEIGHT, first_ones]
    assert weights / weights.sum() != pytest.approx(known / known.sum(), rel=0.1)


def test_a_steady_player_who_did_not_count_in_has_a_sharper_score_after_some_onsets() -> None:
    score = OnsetScore(rhythm_of(FOUR), 96)
    classes = Classes((0, 1), (0, 8))
    first = score.of(classes, True)
    assert (score.of(classes, False) == first).all()
    for _ in range(SURELY):
        later = score.of(classes, True)
    assert np.allclose(np.log(later), 2 * np.log(first))
    assert (score.of(classes, False) == first).all()


@pytest.mark.parametrize("counted", [True, False])
def test_the_clock_corrects_its_weights_only_without_a_count_in(counted: bool) -> None:
    banks = []
    for last in (None, Classes((0, 1), (0, 8))):
        hypotheses = Hypotheses(FOUR)
        if counted:
            hypotheses.start_counted(0.0, BEAT_S)
        else:
            hypotheses.start_free(0.0, np.array([BEAT_S]), BEAT_S, 0.1)
        hypotheses.hear(BEAT_S, Onset(Classes((0, 4), (0, 0))))
        hypotheses.hear(1.88 * BEAT_S, Onset(Classes((0, 4), (0, 0)), last=last))
        assert hypotheses.bank is not None
        banks.append(hypotheses.bank)
    assert np.array_equal(banks[0].real, banks[1].real) == counted
