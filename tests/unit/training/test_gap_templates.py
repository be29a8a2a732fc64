"""The fit of the templates of the times between onsets."""

from __future__ import annotations

import numpy as np
import pytest

from device.clock.meter import Meter
from device.following.beat_gaps import BEATS, KINDS, GapHistograms
from training.beat_gaps import LEVELS, ONSETS, TRUE, fit, in_beats, samples, with_rubato

RHYTHM = np.cumsum(np.tile([1.0, 0.5, 0.5, 1.0, 0.5, 0.5, 2.0, 1.0, 1.0], 12))
MELODY = np.column_stack([RHYTHM, 60 + np.arange(len(RHYTHM)) % 5])


def test_rubato_keeps_the_order_and_about_the_length() -> None:
    time = with_rubato(RHYTHM, np.random.default_rng(0))
    assert (np.diff(time) >= 0).all()
    assert (time[-1] - time[0]) / (RHYTHM[-1] - RHYTHM[0]) == pytest.approx(1.0, abs=0.15)


def test_histograms_in_beats_do_not_depend_on_the_tempo() -> None:
    seen = []
    for beat_s in (0.5, 1.0):
        histograms = GapHistograms()
        for place, pitch in MELODY[:40]:
            histograms.hear(place * beat_s, int(pitch))
        seen.append(in_beats(histograms.per_onset(), beat_s).reshape(KINDS, BEATS)[0])
    assert np.abs(seen[0] - seen[1]).max() < 1e-6


def test_a_fitted_template_finds_the_tempo_of_stretches_that_it_has_not_seen() -> None:
    rng = np.random.default_rng(1)
    drawn = [samples(MELODY, Meter(4, 4), rng) for _ in range(50)]
    x = np.array([sample for sample in drawn if sample is not None])
    template = fit(x[:40]).ravel()
    assert len(x) == 50
    assert ((x[40:, : len(LEVELS)] @ template).argmax(axis=1) == TRUE).mean() >= 0.9


def test_a_hand_with_too_few_onsets_is_left_out() -> None:
    assert samples(MELODY[: ONSETS[0]], Meter(4, 4), np.random.default_rng(0)) is None
