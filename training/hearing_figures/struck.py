"""Plays notes on the piano of one soundfont, so that a figure does not depend on the soundfonts of the machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from device.errors import UserError
from device.events import Note
from device.files.results.render import render
from device.hearing.features import Samples
from device.system.paths import soundfonts

SOUNDFONT = "TimGM6mb.sf2"
"""File of Debian's package timgm6mb-soundfont."""
LEVEL = 0.5
"""Factor of the sound, so that nothing clips that is added to it."""


def struck(notes: Sequence[Note], rate: int) -> Samples:
    """Return the sound of `notes` at `rate` Hz, float32 [n], mono. Raises UserError if the soundfont is missing."""
    for path in soundfonts(".sf2"):
        if path.name == SOUNDFONT:
            return LEVEL * render(notes, rate, path).mean(axis=1, dtype=np.float32)
    raise UserError(f"The soundfont {SOUNDFONT} was not found: run `apt-get install timgm6mb-soundfont`.")
