"""A tempo map fits notes that were written under it or played to its click, and no notes that were played freely."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from device.clock.map_fit import LEAST_ONSETS, fits
from device.clock.tempo_map import TempoMap

Floats = npt.NDArray[np.float64]
LENGTHS = (1.0, 0.5, 0.5, 1.0, 0.25, 0.25, 0.5, 1.5, 0.5, 2.0)
"""Lengths in quarters of a melody's notes."""


def melody(notes: int) -> Floats:
    """Onsets in quarters."""
    return np.concatenate([[0.0], np.cumsum(np.resize(LENGTHS, notes - 1))])


def tempo_map(tempo: float) -> TempoMap:
    return TempoMap(480, [(0, round(6e7 / tempo))])


def freely(quarters: Floats, tempo: float, rng: np.random.Generator) -> Floats:
    """Onsets in seconds of somebody who plays about in this tempo: each beat is up to some 5 % longer or shorter."""
    beats = np.arange(int(quarters[-1]) + 2)
    lengths_s = 60 / tempo * np.exp(rng.normal(0, 0.03, len(beats)) + np.cumsum(rng.normal(0, 0.01, len(beats))))
    time_s = 0.3 + np.concatenate([[0.0], np.cumsum(lengths_s)[:-1]])
    return np.asarray(np.interp(quarters, beats, time_s) + rng.normal(0, 0.01, len(quarters)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("tempo", [70.0, 84.0, 100.0, 133.0])
def test_free_playing_fits_no_map(tempo: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert not fits(freely(melody(64), tempo, rng).tolist(), tempo_map(120.0))


@pytest.mark.parametrize("tempo", [60.0, 96.0, 140.0])
@pytest.mark.parametrize("timing_s", [0.0, 0.01, 0.02])
def test_notes_played_to_the_click_fit(tempo: float, timing_s: float) -> None:
    rng = np.random.default_rng(1)
    onsets_s = np.abs(melody(48) * 60 / tempo + rng.normal(0, timing_s, 48))
    assert fits(onsets_s.tolist(), tempo_map(tempo))


@pytest.mark.parametrize("division", [2, 3, 4, 6, 8])
def test_every_division_of_the_beat_fits(division: int) -> None:
    assert fits((np.arange(8 * division) * 0.6 / division).tolist(), tempo_map(100.0))


def test_a_map_that_follows_the_player_fits() -> None:
    rng = np.random.default_rng(2)
    us = [round(6e5 * factor) for factor in np.exp(rng.normal(0, 0.1, 40))]
    bent = TempoMap(480, [(480 * beat, tempo) for beat, tempo in enumerate(us)])
    onsets_s = [bent.seconds(int(480 * quarter)) for quarter in melody(40)]
    assert fits(onsets_s, bent)
    assert not fits(onsets_s, tempo_map(100.0))


def test_a_chord_counts_once_and_few_notes_say_nothing() -> None:
    rng = np.random.default_rng(3)
    free = freely(melody(64), 84.0, rng)
    few = free[: LEAST_ONSETS - 1]
    assert fits(np.concatenate([few, few + 0.004, few + 0.008]).tolist(), tempo_map(120.0))
    assert not fits(np.concatenate([free, free + 0.004]).tolist(), tempo_map(120.0))


def test_a_file_that_counts_in_frames_is_believed() -> None:
    assert fits(freely(melody(64), 84.0, np.random.default_rng(4)).tolist(), TempoMap(-6360))
