"""Makes the project's own demo recording: a written right hand with small human errors, on a sampled piano."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import soundfile
from numpy.typing import NDArray

from device.events import Note
from device.files.results.render import render

FOLDER = Path(__file__).parents[1] / "demo"
SCORE, SOUND = FOLDER / "right-hand.txt", FOLDER / "right-hand.flac"
SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
"""The soundfont Fluid R3 by Frank Wen, MIT licence, from Debian's fluid-soundfont-gm."""
RATE = 22_050
"""Sample rate in Hz: the file holds sound up to 11 kHz and is smaller than a megabyte."""
TEMPO, SEED = 100.0, 1824
BEATS_A_BAR = 4
LEAD_S = 0.6
"""Seconds of silence before the first note."""
JITTER_S, MOST_JITTER_S = 0.008, 0.02
"""Standard deviation and limit of an onset's error in seconds, like those of an unhurried player."""
CHORD_SPREAD_S = 0.006
LEGATO = 0.93
"""Share of its written length for which a key is held."""
SOFT, BEAT_ACCENT, BAR_ACCENT, VELOCITY_JITTER = 66, 6, 12, 3.0
"""MIDI velocity of a plain note, what is added on a beat and on a bar line, and the standard deviation."""
TAIL_S = 1.2
"""Seconds of sound after the last note."""
PEAK = 0.5
"""Peak of the sound, of full scale."""
_KEY = re.compile(r"([A-G])(#|b)?(-?\d)")
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True)
class Written:
    """Keys that are struck together `at` beats after the beginning of the score, and that last `beats` beats."""

    at: float
    beats: float
    pitches: tuple[int, ...]


def read_score(text: str) -> list[Written]:
    """Return the chords of a score in the format of `demo/right-hand.txt`, in the order of time.

    Raises ValueError if a bar is not full, or if a token is not a key name with a length.
    """
    written: list[Written] = []
    at = 0.0
    for token in _tokens(text):
        if token == "|":
            if at % BEATS_A_BAR:
                raise ValueError(f"the bar before beat {at:g} is not {BEATS_A_BAR} beats long")
            continue
        keys, beats = token.split(":")
        if keys != "-":
            written.append(Written(at, float(beats), tuple(_pitch(key) for key in keys.split("+"))))
        at += float(beats)
    return written


def perform(score: list[Written], tempo: float = TEMPO, seed: int = SEED) -> list[Note]:
    """Return the notes of `score`, played at `tempo` beats a minute with small errors of time and velocity.

    The same `seed` gives the same errors.
    """
    rng = np.random.default_rng(seed)
    notes: list[Note] = []
    for chord in score:
        due_s = LEAD_S + chord.at * 60 / tempo
        error_s = float(np.clip(rng.normal(0, JITTER_S), -MOST_JITTER_S, MOST_JITTER_S))
        accent = BAR_ACCENT if chord.at % BEATS_A_BAR == 0 else BEAT_ACCENT if chord.at % 1 == 0 else 0
        for i, pitch in enumerate(chord.pitches):
            onset_s = due_s + error_s + i * float(rng.uniform(0, CHORD_SPREAD_S))
            velocity = round(SOFT + accent + float(rng.normal(0, VELOCITY_JITTER)) - 8 * (i > 0))
            offset_s = onset_s + LEGATO * chord.beats * 60 / tempo
            notes.append(Note(onset_s, offset_s, pitch, velocity, 1.0, onset_s, "right"))
    return notes


def record(notes: list[Note], soundfont: Path = SOUNDFONT) -> NDArray[np.float32]:
    """Play `notes` on the soundfont's piano. Returns the sound: float32 [n], mono, at `RATE` samples a second.

    The last part is faded out, and the loudest sample is `PEAK`.
    """
    last_s = max(note.offset_s or note.onset_s for note in notes)
    whole: NDArray[np.float32] = render(notes, RATE, soundfont).mean(axis=1, dtype=np.float32)
    sound = whole[: round((last_s + TAIL_S) * RATE)]
    fade = round(TAIL_S / 2 * RATE)
    sound[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    sound *= np.float32(PEAK / np.max(np.abs(sound)))
    return sound


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=SOUND, help="The recording to write.")
@click.option(
    "--soundfont",
    type=click.Path(exists=True, path_type=Path),
    default=SOUNDFONT,
    show_default=True,
    help="Soundfont of the piano.",
)
@click.option("--tempo", default=TEMPO, show_default=True, help="Beats a minute.")
@click.option("--seed", default=SEED, show_default=True, help="Seed of the player.")
def demo(out: Path, soundfont: Path, tempo: float, seed: int) -> None:
    """Render the demo recording from demo/right-hand.txt."""
    score = read_score(SCORE.read_text(encoding="utf-8"))
    notes = perform(score, tempo, seed)
    sound = record(notes, soundfont)
    soundfile.write(out, sound, RATE, format="FLAC", subtype="PCM_16", compression_level=1.0)
    click.echo(f"{out}: {len(notes)} notes, {len(sound) / RATE:.1f} s, {out.stat().st_size / 1e3:.0f} kB")


def _tokens(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if not line.lstrip().startswith("#"):
            yield from line.split()


def _pitch(name: str) -> int:
    match = _KEY.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not a key such as F#5")
    letter, accidental, octave = match.groups()
    return 12 * (int(octave) + 1) + _SEMITONES[letter] + {"#": 1, "b": -1, None: 0}[accidental]
