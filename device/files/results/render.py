"""Plays notes on a piano with an installed General MIDI soundfont, block by block."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from device.errors import UserError, missing_extra
from device.events import Note
from device.system.paths import soundfonts

if TYPE_CHECKING:
    import tinysoundfont

Stereo = NDArray[np.float32]

TAIL_S = 1.5
"""Seconds after the last note-off, so that the last notes can die away."""
SILENT_AFTER_S = 10.0
"""Seconds after a note-off in which a piano is surely silent. Nothing is calculated until the next note."""
_SHORTEST_S = 0.02
"""Seconds. Shorter notes are rendered with this length, so that each note-off comes after its note-on."""
_VOICES = 128
"""Largest number of voices that the synthesiser plays at once."""
_PIANO = 0
"""General MIDI program of the grand piano, counted from 0."""


def best_soundfont() -> Path:
    """Return the best installed soundfont. Raises UserError, with a package to install, if there is none."""
    # compressed soundfonts (.sf3) are not used: one takes a gigabyte of memory and 18 s to load here
    for path in soundfonts(".sf2"):
        return path
    raise UserError(
        "No soundfont was found for --audio: run `apt-get install timgm6mb-soundfont` "
        "(or fluid-soundfont-gm, which sounds better)."
    )


class Rendering:
    """Renders `notes` as piano sound at `rate` Hz, from time 0. Open notes sound until the last note-off.

    The sound is made by `blocks`, which can be used once.
    """

    def __init__(self, notes: Sequence[Note], rate: int, soundfont: Path | None = None) -> None:
        self._rate, self._soundfont = rate, soundfont
        self._changes: deque[tuple[int, int, int, int]] = deque()
        self.frames = 0
        """Length in frames; 0 without notes."""
        if not notes:
            return
        last_s = max(note.onset_s if note.offset_s is None else note.offset_s for note in notes)
        changes: list[tuple[int, int, int, int]] = []
        for note in notes:
            off_s = last_s if note.offset_s is None else note.offset_s
            changes.append((round(note.onset_s * rate), 1, note.pitch, note.velocity))
            changes.append((round(max(off_s, note.onset_s + _SHORTEST_S) * rate), 0, note.pitch, 0))
        self._changes.extend(sorted(changes))
        self.frames = round((last_s + TAIL_S) * rate)

    def blocks(self, size: int) -> Iterator[Stereo | None]:
        """Yield float32[n, 2] with n = `size`, less for the last block; None for a block in which nothing sounds.

        Raises UserError if the soundfont or tinysoundfont is missing or unusable.
        """
        if not self.frames:
            return
        synth = _synth(self._rate, self._soundfont or best_soundfont())
        down, silent_from = 0, 0
        for begin in range(0, self.frames, size):
            end = min(begin + size, self.frames)
            if not down and begin >= silent_from and not (self._changes and self._changes[0][0] < end):
                yield None
                continue
            out = np.empty((end - begin, 2), np.float32)
            at = begin
            while self._changes and self._changes[0][0] < end:
                frame, is_on, pitch, velocity = self._changes.popleft()
                if frame > at:
                    out[at - begin : frame - begin] = _generated(synth, frame - at)
                    at = frame
                down += 1 if is_on else -1
                if is_on:
                    synth.noteon(0, pitch, velocity)
                else:
                    synth.noteoff(0, pitch)
                    silent_from = frame + round(SILENT_AFTER_S * self._rate)
            out[at - begin :] = _generated(synth, end - at)
            yield out


def render(notes: Sequence[Note], rate: int, soundfont: Path | None = None) -> Stereo:
    """Return `notes` played on a piano at `rate` Hz as float32[n, 2], from time 0. Without notes n is 0.

    Raises UserError if the soundfont or tinysoundfont is missing or unusable.
    """
    rendering = Rendering(notes, rate, soundfont)
    out = np.zeros((rendering.frames, 2), np.float32)
    for number, block in enumerate(rendering.blocks(rate)):
        if block is not None:
            out[number * rate : number * rate + len(block)] = block
    return out


def _generated(synth: tinysoundfont.Synth, frames: int) -> Stereo:
    return np.frombuffer(synth.generate(frames), np.float32).reshape(-1, 2)


def _synth(rate: int, soundfont: Path) -> tinysoundfont.Synth:
    try:
        import tinysoundfont
    except ImportError:
        raise missing_extra("tinysoundfont", "play") from None
    synth = tinysoundfont.Synth(samplerate=rate)
    try:
        synth.program_select(0, synth.sfload(str(soundfont), max_voices=_VOICES), 0, _PIANO)
    except (RuntimeError, tinysoundfont.SoundFontException):
        raise UserError(
            f"The soundfont {soundfont} cannot be used: install another, such as timgm6mb-soundfont."
        ) from None
    return synth
