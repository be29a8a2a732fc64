"""The sounds of metronomes are short, and loud in the same way, and their accents differ."""

from __future__ import annotations

import numpy as np
import pytest

from training.hearing_figures.beeps import EVERY_S, LEVEL, with_beeps
from training.hearing_figures.metronomes import BAR, METRONOMES
from training.hearing_figures.takes import RATE, Take


@pytest.mark.parametrize("name", METRONOMES)
def test_a_click_is_short_and_its_accent_is_another_sound(name: str) -> None:
    plain, accent = METRONOMES[name](False), METRONOMES[name](True)
    for sound in (plain, accent):
        assert sound.dtype == np.float32 and np.abs(sound).max() == pytest.approx(1)
        assert len(sound) < EVERY_S * RATE / 2
    assert len(plain) != len(accent) or not np.allclose(plain, accent)
    assert np.array_equal(plain, METRONOMES[name](False)), "the clicks of a metronome are all alike"


def test_the_accent_is_the_first_of_each_bar() -> None:
    take = Take("tone", np.full(4 * RATE, 0.5, np.float32), RATE, np.zeros((0, 4)))
    sound, accent = np.ones(8, np.float32), -np.ones(8, np.float32)
    spoilt, count = with_beeps(take, 0.0, sound, accent)
    added = [spoilt.audio[round((0.5 + n * EVERY_S) * RATE)] - 0.5 for n in range(count)]
    assert added == pytest.approx([-0.5 * LEVEL if n % BAR == 0 else 0.5 * LEVEL for n in range(count)])
