"""The steady grid, which does not bend with the tempo and brings the bank back after a slip."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.following.bank import QUARTER_S, TICK, WEIGHT, HypothesisBank
from device.following.next_onset import QUARTER, SIXTEENTH
from device.following.steady_grid import SteadyGrid

BAR = 4 * QUARTER
QUARTER_LENGTH_S = 0.6
ANY = (0.1, math.inf)


def bank_at(onset_s: float, place: float, quarter_s: float = QUARTER_LENGTH_S) -> HypothesisBank:
    """A bank of one hypothesis, whose grid has `place` (in ticks) at the onset. Its tick is the nearest sixteenth."""
    tick = round(place / SIXTEENTH) * SIXTEENTH
    time_s = onset_s + (tick - place) * quarter_s / QUARTER
    whole = np.array([tick % BAR]), np.zeros(1, np.int64), np.ones(1)
    return HypothesisBank.new(time_s, np.array([quarter_s]), *whole, variance=(1e-4, 1e-4), gap=SIXTEENTH)


def steady_after(beats: float, uneven_s: float = 0.0) -> tuple[SteadyGrid, float]:
    """A grid that agreed with a bank for some beats of eighths. Every bar is `uneven_s` longer or shorter in turn."""
    grid, onset_s = SteadyGrid(BAR, QUARTER, 0.0, 0, QUARTER_LENGTH_S), 0.0
    for eighth in range(1, int(2 * beats)):
        quarter_s = QUARTER_LENGTH_S + uneven_s * (-1) ** (eighth // 8)
        onset_s += quarter_s / 2
        grid.hear(bank_at(onset_s, eighth * QUARTER / 2, quarter_s), onset_s, ANY)
    return grid, onset_s


def slipped(grid: SteadyGrid, after_s: float, ticks: float, onsets: int = 4) -> HypothesisBank:
    """The bank that the grid returns after some eighths in time, if the bank's grid has moved by so many ticks."""
    place, onset_s = after_s / QUARTER_LENGTH_S * QUARTER, after_s
    bank = bank_at(onset_s, place)
    for _ in range(onsets):
        onset_s += QUARTER_LENGTH_S / 2
        place += QUARTER / 2
        bank = bank_at(onset_s, place + ticks)
        grid.hear(bank, onset_s, ANY)
    return grid.offered_to(bank)


@pytest.mark.parametrize("ticks", [-12, -6, 6, 12, 24])
def test_a_steady_player_gets_a_copy_on_the_old_grid_after_a_slip(ticks: int) -> None:
    grid, after_s = steady_after(24)
    both = slipped(grid, after_s, ticks)
    assert len(both) == 2
    assert (both.whole[TICK, 0] - both.whole[TICK, 1] - ticks) % BAR == 0
    assert both.real[QUARTER_S, 1] == pytest.approx(QUARTER_LENGTH_S, rel=0.01)
    assert 0 < both.real[WEIGHT, 1] <= 0.1


def test_a_bank_that_agrees_is_returned_as_it_is() -> None:
    grid, after_s = steady_after(24)
    both = slipped(grid, after_s, 0)
    assert len(both) == 1
    assert both.real[WEIGHT, 0] == 1.0


def test_a_player_whose_tempo_changes_gets_less_of_the_old_grid_than_a_steady_one() -> None:
    steady, uneven, free = (slipped(*steady_after(40, s), 6, onsets=1).real[WEIGHT, 1:].sum() for s in (0, 0.02, 0.06))
    assert steady > 3 * uneven
    assert free == 0


def test_a_young_grid_is_not_offered() -> None:
    assert len(slipped(*steady_after(6), 12)) == 1


def test_a_grid_that_fits_the_onsets_badly_is_hardly_offered() -> None:
    """The onsets lie between two sixteenths of the old grid, so the player has moved."""
    fitting = slipped(*steady_after(24), 12, onsets=6)
    grid, onset_s = steady_after(24)
    place = onset_s / QUARTER_LENGTH_S * QUARTER
    bank = bank_at(onset_s, place)
    onset_s += 3 * QUARTER_LENGTH_S / QUARTER
    for _ in range(6):
        onset_s += QUARTER_LENGTH_S / 2
        place += QUARTER / 2
        bank = bank_at(onset_s, place + 12)
        grid.hear(bank, onset_s, ANY)
    assert grid.offered_to(bank).real[WEIGHT, 1:].sum() < fitting.real[WEIGHT, 1:].sum() / 3


def test_the_old_grid_is_given_up_after_some_beats() -> None:
    grid, after_s = steady_after(24)
    assert len(slipped(grid, after_s, 12, onsets=40)) == 1


def test_a_rest_that_ends_off_the_beat_is_believed() -> None:
    """The player may have breathed. So the bank's place is right at once."""
    grid, onset_s = steady_after(24)
    place = onset_s / QUARTER_LENGTH_S * QUARTER
    onset_s += 2.5 * QUARTER_LENGTH_S
    bank = bank_at(onset_s, place + 2 * QUARTER)
    grid.hear(bank, onset_s, ANY)
    assert len(grid.offered_to(bank)) == 1
    for eighth in range(1, 9):
        now_s = onset_s + eighth * QUARTER_LENGTH_S / 2
        bank = bank_at(now_s, place + 2 * QUARTER + eighth * QUARTER / 2)
        grid.hear(bank, now_s, ANY)
        assert len(grid.offered_to(bank)) == 1


def test_the_copy_keeps_the_limits_of_the_tempo() -> None:
    grid, after_s = steady_after(24)
    place = after_s / QUARTER_LENGTH_S * QUARTER
    bank = bank_at(after_s + 0.3, place + 24)
    grid.hear(bank, after_s + 0.3, (0.65, 0.65))
    assert grid.offered_to(bank).real[QUARTER_S, -1] == 0.65


def test_the_spread_is_larger_for_a_player_whose_tempo_changes() -> None:
    steady, uneven, free = (steady_after(40, s)[0].spread for s in (0.0, 0.02, 0.06))
    assert steady < 0.02
    assert 2 * steady < uneven < free / 2


def test_the_grid_is_kept_by_a_bank_that_agrees_with_it_for_some_beats() -> None:
    assert not steady_after(6)[0].is_kept
    assert steady_after(24)[0].is_kept
    grid, after_s = steady_after(24)
    slipped(grid, after_s, 24)
    assert not grid.is_kept


def test_the_grid_is_not_kept_after_a_rest_until_some_beats_later() -> None:
    """This holds although the rest ends on the beat, where the bank and the grid agree."""
    grid, onset_s = steady_after(24)
    kept = []
    for gap in [5] + [1] * 24:
        onset_s += gap * QUARTER_LENGTH_S / 2
        grid.hear(bank_at(onset_s, onset_s / QUARTER_LENGTH_S * QUARTER), onset_s, ANY)
        kept.append(grid.is_kept)
    assert not any(kept[:16])
    assert all(kept[18:])


def test_the_grid_is_not_kept_if_the_last_onset_is_far_from_its_notes() -> None:
    grid, onset_s = steady_after(24)
    onset_s += 0.63 * QUARTER_LENGTH_S
    grid.hear(bank_at(onset_s, onset_s / QUARTER_LENGTH_S * QUARTER), onset_s, ANY)
    assert not grid.is_kept


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0.045, 30.0), st.integers(0, 95), st.floats(0.1, 3.0)), min_size=1, max_size=60))
def test_any_bank_gives_finite_copies_with_weights_of_at_most_one(onsets: list[tuple[float, int, float]]) -> None:
    grid, onset_s = SteadyGrid(BAR, QUARTER, 0.0, 0, QUARTER_LENGTH_S), 0.0
    for gap_s, place, quarter_s in onsets:
        onset_s += gap_s
        bank = bank_at(onset_s, place, quarter_s)
        grid.hear(bank, onset_s, ANY)
        both = grid.offered_to(bank)
        assert np.isfinite(both.real).all()
        assert (both.real[[QUARTER_S, WEIGHT]] > 0).all()
        assert both.real[WEIGHT, 0] <= 1.0
        assert (both.whole[TICK] >= 0).all() and (both.whole[TICK] < BAR).all()
