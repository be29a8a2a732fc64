"""The ways of the robustness table change the sound as they say, and each row says what its way costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from device.bundles.bundle import Bundle, default_bundle
from training.hearing_figures import robustness
from training.hearing_figures.robustness import CLEAN, WAYS, Way, detuned, measured, row
from training.hearing_figures.takes import HELD_OUT, RATE, Take
from training.note_scores import Score
from training.pianos.instruments import INSTRUMENTS

SCORE = Score(0.98, 0.97, 0.99, 0.96, 0.985, 0.6, 0.7, 0.99)


@pytest.mark.parametrize("cents", [-50.0, 25.0])
def test_a_detuned_tone_is_higher_and_its_strokes_move_with_it(cents: float) -> None:
    time_s = np.arange(4 * RATE) / RATE
    tone = np.where(time_s >= 1.0, np.sin(2 * np.pi * 440 * time_s), 0).astype(np.float32)
    made = detuned(tone, cents)
    stretch = Way(cents=cents).stretch
    assert len(made) == pytest.approx(len(tone) * stretch, abs=2)
    assert np.flatnonzero(np.abs(made) > 0.05)[0] / RATE == pytest.approx(stretch, abs=0.002)
    sounding = made[-2 * RATE :] * np.hanning(2 * RATE)
    hertz = np.argmax(np.abs(np.fft.rfft(sounding, 16 * RATE))) / 16
    assert 1200 * np.log2(hertz / 440) == pytest.approx(cents, abs=0.5)


@pytest.mark.parametrize(
    "name", [name for name, way in WAYS.items() if way.change is not None and "speech" not in name]
)
def test_a_change_keeps_the_length_and_is_the_same_each_time(name: str) -> None:
    sound = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    sound[: RATE // 2] = 0
    change = WAYS[name].change
    assert change is not None
    once, again = (change(sound, np.random.default_rng(3)) for _ in range(2))
    assert len(once) == len(sound) and np.array_equal(once, again)
    assert not np.allclose(once, sound)


def test_a_closed_lid_takes_the_treble_and_leaves_the_bass() -> None:
    sound = np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32)
    lid = WAYS["lid closed"].change
    assert lid is not None
    before, after = (np.square(np.abs(np.fft.rfft(part))) for part in (sound, lid(sound, np.random.default_rng(0))))
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
    change_db = 10 * np.log10([after[band].sum() / before[band].sum() for band in (hertz < 300, hertz > 5_000)])
    assert change_db[0] == pytest.approx(0, abs=0.5)
    assert change_db[1] == pytest.approx(robustness.LID_DB, abs=0.7)


def test_every_way_has_a_bank_and_the_clean_one_is_the_held_out_piano() -> None:
    known = {instrument.name for instrument in INSTRUMENTS}
    assert {way.bank for way in WAYS.values()} <= known
    assert WAYS[CLEAN] == Way() and Way().bank == HELD_OUT


def test_a_row_says_what_the_way_costs_and_marks_what_costs_too_much() -> None:
    assert row(CLEAN, [SCORE], [SCORE]).startswith("| clean | 98.0 |  | 97.0 |")
    assert row("far", [replace(SCORE, onset_50=0.96)], [SCORE]).startswith("| far | 96.0 | 2.0 |")
    assert row("far", [replace(SCORE, onset_50=0.94)], [SCORE]).startswith("| far | 94.0 | 4.0 **over** |")


def test_the_box_is_told_the_tuning_only_where_it_cannot_know_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    hearing_of = robustness.hearing_of

    def seen(bundle: Bundle, **how: Any) -> Any:
        asked.append(how)
        return hearing_of(bundle, **how)

    silent = Take("silent", np.zeros(RATE, np.float32), RATE, np.array([(0.2, 0.5, 60.0, 64.0)]))
    monkeypatch.setattr(robustness, "hearing_of", seen)
    monkeypatch.setattr(robustness, "takes", lambda cache, way, count: count * [silent])
    names = [name for name, _ in measured(Bundle.open(default_bundle()), robustness.Path(), ["50 cents flat, told"], 1)]
    assert names == [CLEAN, "50 cents flat, told"]
    assert asked == [{"tuning": 0.0, "adapts": True}, {"tuning": -50.0, "adapts": False}]
