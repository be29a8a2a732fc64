"""Finds notes with two pitch trackers that hear one note at a time: probabilistic YIN, and the net SwiftF0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from device.errors import UserError
from device.hearing.features import Samples
from training.corpora.pieces import HandLabel, load_pieces
from training.hearing_figures.takes import EXCERPT_S, HELD_OUT, RATE, Take
from training.note_scores import Notes
from training.pianos.banks import load_bank
from training.scenes.perform import perform
from training.scenes.render import Played, render

TOGETHER_S = 0.05
"""Seconds. Notes struck within this time are one chord."""
LOWEST_HZ, HIGHEST_HZ = 46.875, 2093.75
"""Lowest and highest frequency in Hz that SwiftF0 finds, F#1 to C7.

pYIN gets the same range, so that both can be compared.
"""
YIN_WINDOW, YIN_HOP = 2048, 256
"""Samples of a pYIN window, and from one window to the next."""
SHORTEST_S = 0.06
"""Seconds. A shorter stretch of one pitch is no note: it lies between two notes."""
VELOCITY = 64
"""MIDI velocity of every note, because a pitch tracker does not estimate it."""


def single_line(notes: list[Played]) -> list[Played]:
    """Return a line of one note at a time. Of each chord only the highest note is kept.

    A note ends at the latest when the next one is struck.
    """
    line: list[Played] = []
    for note in sorted(notes):
        if line and note.onset_s - line[-1].onset_s < TOGETHER_S:
            if note.pitch > line[-1].pitch:
                line[-1] = note._replace(onset_s=line[-1].onset_s)
            continue
        if line and line[-1].offset_s > note.onset_s:
            line[-1] = line[-1]._replace(offset_s=note.onset_s)
        line.append(note)
    return line


def single_line_takes(cache: Path, count: int, seed: int = 7) -> list[Take]:
    """Return up to `count` recordings with their true notes: right hands of validation pieces on the held-out piano.

    Of each chord only the highest note is played, and the pedal is not used, so that no two notes sound together. An
    excerpt with fewer than ten notes is left out. Raises UserError if `cache` holds no validation pieces.
    """
    bank = load_bank(cache, HELD_OUT, "evaluate")
    pieces = [p for corpus in ("pop909", "lieder") for p in load_pieces(cache, corpus, "valid")]
    if not pieces:
        raise UserError(f"No validation pieces in {cache}: run `python -m training prepare`.")
    takes = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        piece = pieces[int(rng.integers(len(pieces)))]
        line = single_line(perform(piece, rng, EXCERPT_S, (HandLabel.RIGHT,)).notes)
        done = render(line, bank, EXCERPT_S, rng=rng)
        notes = [(n.onset_s, end, n.pitch, n.velocity) for n, end in zip(line, done.end_s, strict=True)]
        if len(notes) >= 10:
            takes.append(Take(f"{piece.name} one line", done.audio, RATE, np.array(notes, np.float64)))
    return takes


def notes_of_pitches(times_s: npt.NDArray[np.float64], pitches: npt.NDArray[np.float64], hop_s: float) -> Notes:
    """Return the notes in a track of MIDI pitches [frames]: each stretch of one rounded pitch is a note.

    NaN is silence. A stretch shorter than `SHORTEST_S` is left out. A note is [onset and end in seconds, pitch,
    velocity].
    """
    rounded = np.where(np.isnan(pitches), -1, np.rint(np.nan_to_num(pitches))).astype(int)
    changes = np.flatnonzero(np.diff(rounded)) + 1
    notes = [
        (times_s[first], times_s[stop - 1] + hop_s, rounded[first], VELOCITY)
        for first, stop in zip([0, *changes], [*changes, len(rounded)], strict=True)
        if rounded[first] >= 0 and (stop - first) * hop_s >= SHORTEST_S
    ]
    return np.array(notes, np.float64).reshape(-1, 4)


class Pyin:
    """Hears notes with probabilistic YIN (Mauch and Dixon 2014) from librosa.

    Raises UserError if librosa is not installed.
    """

    def __init__(self) -> None:
        try:
            import librosa
        except ImportError as error:
            raise UserError("--family pyin needs librosa: pip install 'lefthand[peers]'.") from error
        self._librosa = librosa

    def notes(self, audio: Samples, rate: int) -> Notes:
        """Return the notes [n, 4] heard in `audio`, float32 [samples] at `rate` Hz.

        A note is [onset and end in seconds, MIDI pitch, velocity].
        """
        hertz, _, _ = self._librosa.pyin(
            audio, sr=rate, fmin=LOWEST_HZ, fmax=HIGHEST_HZ, frame_length=YIN_WINDOW, hop_length=YIN_HOP
        )
        times = np.arange(len(hertz)) * YIN_HOP / rate
        return notes_of_pitches(times, self._librosa.hz_to_midi(hertz), YIN_HOP / rate)


class Neural:
    """Hears notes with SwiftF0, a convolutional net that tracks the pitch and divides its track into notes itself.

    Raises UserError if swift-f0 is not installed.
    """

    def __init__(self) -> None:
        try:
            import swift_f0
        except ImportError as error:
            raise UserError("--family neural needs swift-f0: pip install 'lefthand[peers]'.") from error
        self._package, self._detector = swift_f0, swift_f0.SwiftF0(threads=1)

    def notes(self, audio: Samples, rate: int) -> Notes:
        """Return the notes [n, 4] heard in `audio`, float32 [samples] at `rate` Hz.

        A note is [onset and end in seconds, MIDI pitch, velocity].
        """
        found = self._package.segment_notes(self._detector.detect(audio, rate))
        rows = [(n.start, n.end, round(69 + 12 * np.log2(n.pitch_hz / 440)), VELOCITY) for n in found]
        return np.array(rows, np.float64).reshape(-1, 4)
