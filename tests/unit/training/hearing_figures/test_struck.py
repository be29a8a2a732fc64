"""The piano of the figures that need one: the same soundfont on every machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from device.errors import UserError
from device.events import Note
from training.hearing_figures import struck as struck_module
from training.hearing_figures.struck import SOUNDFONT, struck

RATE = 16_000
NOTES = [Note(0.1, 0.4, 60, 80, 1.0, 0.0, "right")]


def test_the_piano_is_that_of_one_soundfont_also_if_a_better_one_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Path("/usr/share/sounds/sf2")
    usual = struck(NOTES, RATE)
    monkeypatch.setattr(struck_module, "soundfonts", lambda suffix: [folder / "other.sf2", folder / SOUNDFONT])
    assert np.array_equal(struck(NOTES, RATE), usual) and np.abs(usual).max() > 0.01


def test_a_machine_without_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(struck_module, "soundfonts", lambda suffix: [Path("other.sf2")])
    with pytest.raises(UserError, match="apt-get install timgm6mb-soundfont"):
        struck(NOTES, RATE)
