"""The votes of the last onsets for a grid that is some sixteenths off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.clock.meter import Meter
from device.following.bank import TICK, WEIGHT
from device.following.heard_onsets import Classes, Onset
from device.following.hypotheses import SLIP, Hypotheses
from device.following.next_onset import QUARTER, SIXTEENTH
from device.following.phase_votes import PhaseVotes

FOUR = Meter(4, 4)
BAR = 4 * QUARTER
PLACES = (0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 4.5, 5.0, 6.0)
"""Two bars of plain music, in quarters."""
BARS = 8
IN_TIME = Classes((0, 0), (0, 0))
TICK_S = 0.6 / QUARTER
TICKS = [round((8 * bar + place) * QUARTER) for bar in range(BARS) for place in PLACES]


def leaders(late: int) -> list[list[int]]:
    """The likeliest hypothesis after each onset, if its grid is `late` ticks before the true one."""
    gaps = np.diff(TICKS).tolist()
    return [[(t + late) % BAR, 0, 0, gaps[i + 1], gaps[i], 0, 0] for i, t in enumerate(TICKS[2:])]


def vote(votes: PhaseVotes, leaders: list[list[int]], first: int = 0) -> None:
    """Let the onsets from number `first` on vote, in time."""
    for leader, tick in zip(leaders, TICKS[2 + first :], strict=False):
        votes.hear(leader, IN_TIME, tick * TICK_S, TICK_S)


@pytest.mark.parametrize("late", [0, 6, 12, 18])
def test_plain_music_votes_for_its_own_beat(late: int) -> None:
    votes = Hypotheses(FOUR).votes
    vote(votes, leaders(late))
    assert int(votes.by_shift.argmax()) == -late // SIXTEENTH % 4
    assert (votes.against > 2.0) == (late > 0)


def test_the_votes_move_with_the_grid() -> None:
    """If a hypothesis half a beat off takes the lead, the votes for it become the votes for the present grid."""
    votes, halfway = Hypotheses(FOUR).votes, len(leaders(0)) // 2
    vote(votes, leaders(12)[:halfway])
    assert votes.against > 1.0
    vote(votes, leaders(0)[halfway : halfway + 3], halfway)
    assert votes.against == 0.0
    assert votes.by_shift[2] < -1.0


def test_taps_end_the_evidence_and_the_rest_before_them() -> None:
    """The player taps because the grid was wrong, so what fitted it before must not move the new one."""
    hypotheses, beat_s = Hypotheses(FOUR), 0.6
    hypotheses.start_counted(0.0, beat_s)
    for place in (1.5 + 8 * bar + place for bar in range(BARS) for place in PLACES):
        hypotheses.hear(place * beat_s, Onset(IN_TIME))
    assert hypotheses.votes.against > 1.0 and hypotheses.votes.share_of(12) > 0.5
    hypotheses.forget_grid()
    hypotheses.start_counted(72.5 * beat_s, beat_s)
    assert hypotheses.votes.against == hypotheses.votes.share_of(12) == 0.0
    hypotheses.hear(74.0 * beat_s, Onset(IN_TIME))
    assert not hypotheses.rest.in_doubt


def test_a_stray_onset_has_no_vote() -> None:
    votes = Hypotheses(FOUR).votes
    vote(votes, leaders(12))
    before = votes.by_shift.copy()
    votes.hear([7, 0, 0, 12, 12, 12, 1], IN_TIME, TICKS[-1] * TICK_S + 0.1, TICK_S)
    assert (votes.by_shift == before).all()


def test_the_votes_stay_if_only_the_last_onset_had_no_place_before() -> None:
    """Then another hypothesis leads with the same grid, and the onset before lies elsewhere in the bar for it."""
    left_out, all_heard = Hypotheses(FOUR).votes, Hypotheses(FOUR).votes
    some = leaders(12)
    vote(left_out, some[:10])
    vote(left_out, some[11:], 11)
    vote(all_heard, some)
    assert int(left_out.by_shift.argmax()) == int(all_heard.by_shift.argmax()) == 2
    assert left_out.against == pytest.approx(all_heard.against, rel=0.3)


def test_the_share_of_a_place_in_the_beat_is_counted_on_the_grid_as_it_is_now() -> None:
    votes, halfway = Hypotheses(FOUR).votes, len(leaders(0)) // 2
    assert votes.share_of(0) == 0.0
    vote(votes, leaders(12)[:halfway])
    assert votes.share_of(12) == pytest.approx(7 / 9, abs=0.05)
    assert votes.share_of(0) == pytest.approx(2 / 9, abs=0.05)
    for number in range(halfway, len(TICKS) - 2):
        vote(votes, leaders(0)[number : number + 1], number)
        # the grid has moved by half a beat, and the onsets before it are counted where they lie on it now
        assert votes.share_of(0) > 0.7
    assert votes.share_of(6) == votes.share_of(8) == 0.0


@pytest.mark.parametrize("late", [0.0, 0.5])
def test_a_grid_half_a_beat_off_leaves_the_true_grid_a_larger_weight(late: float) -> None:
    """The true place gets more than the weight of any copy that is some sixteenths off."""
    bank, beat_s = Hypotheses(FOUR), 0.6
    bank.start_counted(0.0, beat_s)
    for bar in range(BARS):
        for place in PLACES:
            bank.hear((1 + late + 8 * bar + place) * beat_s, Onset(IN_TIME))
    assert bank.bank is not None
    place = round(PLACES[-1] * QUARTER)
    half_off = (place + round((0 if late else 0.5) * QUARTER)) % QUARTER
    weight = bank.bank.real[WEIGHT, bank.bank.whole[TICK] % QUARTER == half_off].sum()
    assert (weight > 20 * SLIP) == (late > 0)


@settings(max_examples=40, deadline=None)
@given(
    meter=st.sampled_from(["4/4", "3/4", "6/8", "2/2", "3/8", "7/8", "5/16", "4/32", "3/64"]),
    gaps=st.lists(st.integers(1, 250), min_size=1, max_size=30),
    off=st.lists(st.integers(0, 400), min_size=30, max_size=30),
)
def test_any_music_gives_finite_votes_and_none_for_its_own_place(meter: str, gaps: list[int], off: list[int]) -> None:
    hypotheses = Hypotheses(Meter.parse(meter))
    tick, before, at_s = 0, 12, 0.0
    for gap, jump in zip(gaps, off, strict=False):
        tick = (tick + gap + (jump if jump > 300 else 0)) % hypotheses.bar
        at_s += gap * TICK_S
        hypotheses.votes.hear([tick, 0, 0, min(gap, 192), before, 12, jump % 2], IN_TIME, at_s, TICK_S)
        before = min(gap, 192)
        assert hypotheses.votes.by_shift[0] == 0.0
        assert np.isfinite(hypotheses.votes.by_shift).all()
        assert hypotheses.votes.against >= 0.0
