"""Performances that the clock hears from sound, on computed strings that stand for the held-out piano."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.bundles.bundle import Bundle, default_bundle
from device.clock.meter import Meter
from device.errors import UserError
from tests.unit.training.playing_figures.test_by_ear import string
from tests.unit.training.playing_figures.test_following import performance
from training.hearing_figures.takes import HELD_OUT
from training.pianos.banks import render_bank
from training.pianos.instruments import Instrument
from training.playing_figures.by_ear import Ear
from training.playing_figures.followed_by_ear import (
    BY_MIDI,
    DIFFERENCE,
    can_be_heard,
    evaluate_by_ear,
    heard_by,
    played_in,
)
from training.playing_figures.following import Performed, load_performances


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    piano = Instrument(HELD_OUT, "computed strings", True, "none", heldout=True, velocities=(80,))
    render_bank(piano, string, folder / "banks", 2.0)
    return folder


def test_notes_are_heard_near_their_onsets_and_known_only_later(cache: Path, tmp_path: Path) -> None:
    performance(tmp_path, "tune", lowest=72)
    notes = played_in(tmp_path / "tune.ci.rh.mid")
    heard = heard_by(Ear(Bundle.open(default_bundle()), cache, "clean"), notes)
    assert [decided_s for _, decided_s, _ in heard] == sorted(decided_s for _, decided_s, _ in heard)
    assert all(decided_s > onset_s for onset_s, decided_s, _ in heard)
    found = [any(n.pitch == pitch and abs(n.onset_s - on) < 0.05 for on, _, pitch in heard) for n in notes]
    assert sum(found) >= 0.9 * len(notes)


def test_the_table_has_the_beats_by_midi_and_by_ear_and_the_difference(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    performance(tmp_path, "tune", lowest=72)
    table = evaluate_by_ear(tmp_path, cache, Bundle.open(default_bundle()))
    assert table[BY_MIDI]["F70"] > 0.95
    assert table["by ear, clean"]["F70"] > 0.8
    printed = capsys.readouterr().out
    for name in ("by ear, clean", "by ear, room"):
        assert table[name][DIFFERENCE] == pytest.approx(table[name]["F70"] - table[BY_MIDI]["F70"])
        assert f"{name}: {DIFFERENCE} is {table[name][DIFFERENCE]:+.3f}." in printed


def test_a_performance_with_many_low_notes_is_left_out(tmp_path: Path) -> None:
    performance(tmp_path, "high", lowest=72)
    performance(tmp_path, "low", lowest=48)
    high, low = load_performances(tmp_path)
    assert isinstance(high, Performed) and high.meter == Meter(4, 4)
    assert can_be_heard(high)
    assert not can_be_heard(low)


def test_without_the_held_out_piano_the_command_that_makes_it_is_named(tmp_path: Path) -> None:
    performance(tmp_path, "tune")
    with pytest.raises(UserError, match="training banks"):
        evaluate_by_ear(tmp_path, tmp_path, Bundle.open(default_bundle()))
