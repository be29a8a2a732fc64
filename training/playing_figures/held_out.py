"""Plays our left hand to held-out pieces (pieces that no training uses), and writes excerpts of both hands as sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from device.bundles.bundle import Bundle
from device.events import Hand, Note
from device.files.results.mix import write_mix
from training.accompanist.data import seconds_of
from training.corpora.pieces import HandLabel, Notes, Piece
from training.playing_figures.by_ear import Ear
from training.playing_figures.measure import BY_MIDI, SCORE_TEMPO, Listen, Performed, play, right_hand_of

PLAIN_VELOCITY: dict[Hand, int] = {"left": 58, "right": 78}
"""MIDI velocity of each hand's notes for which the corpus gives none (0)."""
BY_KEYS = "ours by MIDI"
"""Name of our left hand when the right hand is heard by MIDI."""


def excerpt(notes: Sequence[Note], begin_s: float, until_s: float) -> list[Note]:
    """Return the notes that begin between `begin_s` and `until_s`, in seconds from `begin_s`.

    A note that is still down at `until_s` ends there.
    """
    return [
        replace(
            note,
            onset_s=note.onset_s - begin_s,
            offset_s=min(note.offset_s or until_s, until_s) - begin_s,
            decided_s=note.onset_s - begin_s,
        )
        for note in notes
        if begin_s <= note.onset_s < until_s
    ]


def in_seconds(piece: Piece, notes: Notes, hand: Hand) -> list[Note]:
    """Convert notes of the corpus to the device's `Note` objects, with times in seconds.

    All notes are marked as notes of the hand `hand`. A note without a velocity gets the one of `PLAIN_VELOCITY`.
    """
    onset = seconds_of(piece, notes["onset"].astype(np.float64), SCORE_TEMPO)
    offset = seconds_of(piece, notes["onset"].astype(np.float64) + notes["duration"], SCORE_TEMPO)
    return [
        Note(float(on), float(off), int(pitch), int(velocity) or PLAIN_VELOCITY[hand], 1.0, float(on), hand)
        for on, off, pitch, velocity in zip(onset, offset, notes["pitch"], notes["velocity"], strict=True)
    ]


def write_ogg(right: Sequence[Note], left: Sequence[Note], path: Path) -> None:
    """Write the sound of both hands to the Ogg Vorbis file `path`. A .wav file beside it is made and deleted."""
    whole = path.with_suffix(".wav")
    write_mix(whole, None, right, left)
    # in blocks of a second, because libsndfile's Vorbis encoder overflows its stack on a long piece in one call
    with (
        soundfile.SoundFile(whole) as both,
        soundfile.SoundFile(path, "w", both.samplerate, both.channels, format="OGG", subtype="VORBIS") as file,
    ):
        for block in both.blocks(both.samplerate):
            file.write(block)
    whole.unlink()


@dataclass(frozen=True)
class HeldOut:
    """A held-out piece and the left hands that belong to it.

    `right` and `true` are the notes of the right hand and of the true left hand, in seconds from the piece's start.
    """

    piece: Piece
    right: list[Note]
    true: list[Note]
    ours: dict[str, Performed]
    """Our left hands, by the way in which the device got the right hand: by MIDI or by ear."""

    @property
    def name(self) -> str:
        """Return the names of the corpus and of the piece, with a space between them."""
        return f"{self.piece.corpus} {self.piece.name}"


def held_out(piece: Piece, bundle: Bundle, ear: Ear | None) -> HeldOut:
    """Play our left hand to a piece by MIDI, and by ear if `ear` is given. Return the piece with all its left hands."""
    net, gap = bundle.accompanist(), float(bundle.manifest.accompanist["gap_steps"])
    right = right_hand_of(piece)
    ways: dict[str, Listen | None] = {BY_KEYS: BY_MIDI, "ours by ear": ear}
    return HeldOut(
        piece,
        in_seconds(piece, right, "right"),
        in_seconds(piece, piece.of(HandLabel.LEFT), "left"),
        {name: play(piece, right, net, listen, gap) for name, listen in ways.items() if listen is not None},
    )
