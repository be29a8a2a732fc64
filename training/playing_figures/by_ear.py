"""Plays a piece's right hand on the held-out piano, with or without a room, and returns the notes that are heard.

The held-out piano is recorded, and no training uses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from device.assemble import hearing_of
from device.bundles.bundle import Bundle
from device.events import Note, NoteEnded, NoteHeard
from device.hearing.features import Samples
from device.hearing.resample import Hops
from training.accompanist.data import seconds_of
from training.corpora.pieces import Notes, Piece
from training.hearing_figures.takes import HELD_OUT, RATE
from training.pianos.banks import Bank, load_bank
from training.scenes.acoustics import in_room, room_response
from training.scenes.render import Played, render

Place: TypeAlias = Literal["clean", "room"]
PLACES: tuple[Place, ...] = ("clean", "room")
PLAIN_VELOCITY = 72
"""MIDI velocity of a note for which the corpus gives none (0)."""
TAIL_S = 2.0
"""Seconds of sound after the last note, so that it can die away."""


class Ear:
    """Renders right hands on the held-out piano, and lets the transcriber of `bundle` hear them.

    Raises UserError if `cache` holds no such piano.
    """

    def __init__(self, bundle: Bundle, cache: Path, place: Place = "room") -> None:
        self._bundle, self._place = bundle, place
        self._bank: Bank = load_bank(cache, HELD_OUT, "evaluate")

    def sound(self, piece: Piece, right: Notes, tempo: float) -> Samples:
        """Return the sound of the right hand, float32 [samples] at `training.hearing_figures.takes.RATE` Hz.

        A score is played at `tempo` quarters a minute.
        """
        onset = seconds_of(piece, right["onset"].astype(np.float64), tempo)
        offset = seconds_of(piece, right["onset"].astype(np.float64) + right["duration"], tempo)
        return self.sound_of(
            [
                Played(float(on), float(off), int(pitch), int(velocity) or PLAIN_VELOCITY)
                for on, off, pitch, velocity in zip(onset, offset, right["pitch"], right["velocity"], strict=True)
            ]
        )

    def sound_of(self, notes: Sequence[Played]) -> Samples:
        """Return the sound of `notes`, float32 [samples] at `training.hearing_figures.takes.RATE` Hz."""
        rng = np.random.default_rng(5)
        end_s = max((note.offset_s for note in notes), default=0.0)
        audio = render(notes, self._bank, end_s + TAIL_S, rng=rng).audio
        return audio if self._place == "clean" else in_room(audio, room_response(0.5, 3.0, rng))

    def heard_in(self, audio: Samples) -> list[Note | NoteEnded]:
        """Return the notes heard, and the ends of notes, in the order in which the transcriber reported them.

        `audio` is float32 [samples] at `training.hearing_figures.takes.RATE` Hz.
        """
        hearing = hearing_of(self._bundle)
        hops = Hops(RATE, hearing.spec.sample_rate, hearing.spec.hop)
        heard: list[Note | NoteEnded] = []
        for hop, now_s in [*hops.push(audio), *hops.flush()]:
            for event in hearing.step(hop, now_s):
                heard.append(event.note if isinstance(event, NoteHeard) else event)
        return heard

    def __call__(self, piece: Piece, right: Notes, tempo: float) -> list[Note | NoteEnded]:
        """Return the notes heard in the sound of the right hand, as `heard_in` does.

        A score is played at `tempo` quarters a minute.
        """
        return self.heard_in(self.sound(piece, right, tempo))
