"""`python -m training tuning` measures how well a detuned piano is heard, from half a semitone flat to as much sharp.

Recordings of a real piano, the demo recording and a tune on white keys are played faster or slower. The device measures
the tuning as `lefthand play` does. Half a semitone flat and half a semitone sharp sound alike, except for the names of
the keys, so for these the right tuning is also told, and a cheat takes every such piano to be flat.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import soundfile
import soxr

from device.assemble import hearing_of
from device.bundles.bundle import Bundle, default_bundle
from device.events import Note
from device.files.play import measured_tuning
from device.files.sound.file import SoundFile
from training.hearing_figures.beeps import DEMO
from training.hearing_figures.measure import listen
from training.hearing_figures.robustness import detuned
from training.hearing_figures.struck import struck
from training.hearing_figures.takes import RATE, Take, excerpt, maps_takes
from training.note_scores import Notes, score
from training.options import DATA

CENTS = (0, -50, -48, -45, -40, -20, 20, 40, 45, 48, 50)
"""Cents by which the sounds are moved. The first, 0, is the sound as it is."""
SEMITONE = 50.0
"""A tuning that is more than so many cents from the right one makes every name wrong."""
SCALE = (72, 74, 76, 77, 79, 81, 83, 84, 83, 79, 76, 81, 77, 74, 71, 72)
"""MIDI pitches of a tune in C. It is played three times."""
NOTE_S = 0.4
"""Seconds from note to note of that tune."""

RENDER_RATE = 44_100
"""Sample rate in Hz at which that tune is rendered."""


def sounds_of(data: Path, seconds: float, count: int) -> Iterator[Take]:
    """Yield the first `seconds` of `count` recordings of a real piano, of the demo, and a tune in C, mono at `RATE`.

    The notes of the real piano are labelled. Those of the other two are what the device hears in them, and the strokes.
    Raises UserError if `data` holds no recordings.
    """
    for take in maps_takes(data / "maps-enstdkcl")[:count]:
        short = excerpt(take, seconds)
        mono = short.audio if short.audio.ndim == 1 else short.audio.mean(axis=1)
        yield Take(take.name, soxr.resample(mono, take.rate, RATE), RATE, short.notes)
    demo = SoundFile(DEMO)
    yield Take(
        "demo", soxr.resample(demo.read()[: round(seconds * demo.rate)], demo.rate, RATE), RATE, np.zeros((0, 4))
    )
    strokes = [
        Note(NOTE_S * (i + 1), NOTE_S * (i + 1.8), pitch, 80, 1.0, 0.0, "right") for i, pitch in enumerate(3 * SCALE)
    ]
    sound = struck(strokes, RENDER_RATE)
    rows = [(note.onset_s, note.offset_s, note.pitch, note.velocity) for note in strokes]
    yield Take("tune in C", soxr.resample(sound, RENDER_RATE, RATE), RATE, np.array(rows, np.float64))


def moved(take: Take, cents: float) -> Take:
    """Return `take` tuned `cents` higher, by playing it faster. Its notes come sooner by the same factor."""
    notes = take.notes.copy()
    notes[:, :2] *= 2 ** (-cents / 1200)
    return Take(take.name, detuned(take.audio, cents) if cents else take.audio, RATE, notes)


def as_a_file(bundle: Bundle, take: Take) -> float:
    """Return the tuning in cents that `lefthand play` measures in `take`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "take.wav"
        soundfile.write(path, take.audio, take.rate, subtype="FLOAT")
        return measured_tuning(SoundFile(path), bundle.features, lambda cents: hearing_of(bundle, tuning=cents))


@click.command()
@DATA
@click.option("--bundle", "folder", type=click.Path(path_type=Path), help="Bundle to measure, else the shipped one.")
@click.option("--seconds", type=float, default=30.0, show_default=True, help="Seconds of each recording.")
@click.option("--real", type=int, default=10, show_default=True, help="Number of recordings of a real piano.")
@click.option("--cents", type=float, multiple=True, help="Measure only this tuning; may be repeated.")
def tuning(data: Path, folder: Path | None, seconds: float, real: int, cents: tuple[float, ...]) -> None:
    """Measure the onset F1 of detuned pianos, with the tuning told and measured.

    The last two columns count the sounds whose names are right, and those of a cheat that takes every piano to be flat
    where flat and sharp sound alike.
    """
    bundle = Bundle.open(folder or default_bundle())
    takes = [_labelled(bundle, take) for take in sounds_of(data, seconds, real)]
    click.echo("| cents | F1 told | F1 measured | worst | names right | always flat |\n|---|---|---|---|---|---|")
    for moved_by in cents or CENTS:
        told, found, wrong, flat = [], [], [], 0
        for take in takes:
            other = moved(take, moved_by)
            measured = as_a_file(bundle, other)
            told.append(_f1(bundle, other, moved_by))
            found.append(_f1(bundle, other, measured))
            if abs(measured - moved_by) > SEMITONE:
                wrong.append(take.name)
            flat += abs(moved_by) < 44 or moved_by < 0
        cells = (f"{100 * np.mean(told):.1f}", f"{100 * np.mean(found):.1f}", f"{100 * min(found):.1f}")
        right = f"{len(takes) - len(wrong)} of {len(takes)}"
        click.echo(f"| {moved_by:g} | {' | '.join(cells)} | {right} | {flat} of {len(takes)} |")
        if wrong:
            click.echo(f"a semitone off at {moved_by:g} cents: {', '.join(wrong)}", err=True)


def _labelled(bundle: Bundle, take: Take) -> Take:
    notes: Notes = take.notes if len(take.notes) else listen(hearing_of(bundle), take).notes
    return Take(take.name, take.audio, take.rate, notes)


def _f1(bundle: Bundle, take: Take, cents: float) -> float:
    heard = listen(hearing_of(bundle, tuning=cents), take).notes
    return score(heard, take.notes, len(take.audio) / take.rate).onset_50
