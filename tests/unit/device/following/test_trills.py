"""Trills, whose notes are on no places of the grid."""

from __future__ import annotations

import pytest

from device.clock.meter import Meter
from device.following.follow_clock import FollowClock
from device.following.trills import STRAY_IN_TRILL, Trills
from tests.unit.helpers.player import at_once, listen


def found(pitches: list[int], gap_s: float = 0.08) -> list[bool]:
    trills = Trills()
    return [trills.hear(i * gap_s, pitch) == STRAY_IN_TRILL for i, pitch in enumerate(pitches)]


@pytest.mark.parametrize("width", [1, 2, -2])
def test_two_near_keys_in_turn_are_a_trill_from_the_fourth_note_on(width: int) -> None:
    assert found([72, 72 + width] * 3) == [False] * 3 + [True] * 3


@pytest.mark.parametrize(
    ("pitches", "gap_s"), [([72, 74] * 4, 0.2), ([72, 76] * 4, 0.08), ([72] * 8, 0.08), ([72, 74, 76, 77, 79], 0.08)]
)
def test_slow_or_wide_figures_repeated_notes_and_runs_are_no_trills(pitches: list[int], gap_s: float) -> None:
    assert not any(found(pitches, gap_s))


def test_a_trill_ends_with_a_longer_note() -> None:
    trills = Trills()
    heard = [trills.hear(at_s, pitch) for at_s, pitch in zip([0, 0.08, 0.16, 0.24, 0.6], [72, 74] * 3, strict=False)]
    assert [stray > 0 for stray in heard] == [False, False, False, True, False]


@pytest.mark.parametrize("trill_s", [0.07, 0.076, 0.083])
def test_the_beat_goes_on_through_a_trill(trill_s: float) -> None:
    """Sixteenths, a trill of two beats at a speed of its own, and sixteenths again."""
    clock, beat_s = FollowClock(Meter(4, 4), 4), 0.7
    notes = [(i * beat_s, 60) for i in range(4)]
    notes += [(4 * beat_s + i * beat_s / 4, 72 + (i * 2) % 7) for i in range(48)]
    notes += [(16 * beat_s + i * trill_s, 79 + 2 * (i % 2)) for i in range(int(2 * beat_s / trill_s))]
    notes += [(18 * beat_s + i * beat_s / 4, 72 + (i * 2) % 7) for i in range(48)]
    beats = [step.time_s / beat_s for step, _ in listen(clock, at_once(notes)) if step.is_beat]
    after = [beat for beat in beats if beat >= 20]
    assert len(after) >= 9
    assert max(abs(beat - round(beat)) for beat in after) < 0.1
