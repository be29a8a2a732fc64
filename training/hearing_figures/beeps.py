"""`python -m training beeps` measures how many beeps of a metronome are heard as notes, and how many notes are lost.

Beeps of many pitches and lengths, sine and square, and the sounds of other metronomes (`METRONOMES`) are added to the
demo recording and to recordings of a real piano.
The true notes are those that a transcriber without protection against beeps hears in the same sound without beeps.
Three kinds of hearing are compared: that transcriber, the device's, and a cheat that removes every short note.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path

import click
import numpy as np
import soxr

from device.assemble import hearing_of
from device.bundles.bundle import Bundle, default_bundle
from device.events import Note
from device.files.sound.file import SoundFile
from device.hearing.features import Samples
from training.hearing_figures.measure import listen
from training.hearing_figures.metronomes import BAR, METRONOMES
from training.hearing_figures.struck import struck
from training.hearing_figures.takes import RATE, Take, excerpt, maps_takes
from training.note_scores import Notes, matched
from training.options import DATA

PITCHES_HZ = (440.0, 660.0, 880.0, 1000.0, 1500.0, 2000.0)
LENGTHS_S = (0.01, 0.03, 0.06, 0.12)
LATE_S = (0.0, 0.17)
"""Seconds by which the beeps are moved: 0 puts them on the strokes of the demo, 0.17 between the strokes."""
EVERY_S = 0.6
"""Seconds from beep to beep: the beat of the demo recording."""
LEVEL = 0.4
"""Peak of a beep as a share of the peak of the piano."""
EDGE_S = 0.002
"""Seconds in which a sine beep grows at its start and fades at its end. A square beep starts and ends at once."""
CHEAT_S = 0.15
"""Seconds. The cheat removes every note that is shorter than this: the longest beep plus its echo in the net."""
WITHIN_S = 0.05
"""Greatest difference, in seconds, between the onsets of a heard note and of the true note that it matches."""
KINDS = ("beeps are notes", "lefthand", f"cheat: no note under {CHEAT_S * 1000:.0f} ms")
"""The kinds of hearing that are compared."""
STROKES, STROKE_S = 24, 0.06
"""Number and length in seconds of the strokes of a piano that repeats one key."""
DEMO = Path(__file__).parents[2] / "demo" / "right-hand.flac"


def beep(hz: float, seconds: float, *, square: bool) -> Samples:
    """Return one beep with a peak of 1, float32 at `RATE`."""
    t = np.arange(round(seconds * RATE)) / RATE
    if square:
        # made at eight times the rate and filtered, as the input of a sound card is
        fine = np.arange(8 * len(t)) / (8 * RATE)
        wave = soxr.resample(np.sign(np.sin(2 * np.pi * hz * fine)), 8 * RATE, RATE)[: len(t)]
        return np.asarray(wave, np.float32)
    return np.asarray(np.minimum(1, np.minimum(t, seconds - t) / EDGE_S) * np.sin(2 * np.pi * hz * t), np.float32)


def with_beeps(take: Take, late_s: float, sound: Samples, accent: Samples | None = None) -> tuple[Take, int]:
    """Add the beep `sound` to a take every `EVERY_S` seconds, and return the new take and the number of beeps.

    The first beep comes at 0.5 s + `late_s`. If `accent` is given, it replaces the first of every `BAR` beeps.
    """
    audio, plain = take.audio.copy(), sound
    peak = np.float32(LEVEL * np.abs(audio).max())
    times = np.arange(0.5 + late_s, len(audio) / RATE - 0.5, EVERY_S)
    for number, at_s in enumerate(times):
        begin = round(at_s * RATE)
        sound = plain if accent is None or number % BAR else accent
        audio[begin : begin + len(sound)] += peak * sound
    return Take(take.name, np.clip(audio, -1, 1), RATE, take.notes), len(times)


def sounds_of(data: Path, seconds: float, count: int) -> Iterator[Take]:
    """Yield the first `seconds` of the demo recording and of `count` recordings of a real piano, as takes at `RATE`.

    The takes are mono and have no labels. Raises UserError if `data` holds no recordings.
    """
    demo = SoundFile(DEMO)
    none = np.zeros((0, 4))
    yield Take("demo", soxr.resample(demo.read()[: round(seconds * demo.rate)], demo.rate, RATE), RATE, none)
    for take in maps_takes(data / "maps-enstdkcl")[:count]:
        short = excerpt(take, seconds)
        mono = short.audio if short.audio.ndim == 1 else short.audio.mean(axis=1)
        yield Take(take.name, soxr.resample(mono, take.rate, RATE), RATE, none)


def repeated(hz: float) -> Take:
    """Return a piano that strikes the key nearest to `hz` evenly: short strokes, one every `EVERY_S` seconds.

    No stroke is a beep. The strokes are of 60 ms, and each is at the time of a beep of `with_beeps`.
    """
    pitch = round(69 + 12 * np.log2(hz / 440))
    times = 0.5 + EVERY_S * np.arange(STROKES)
    notes = [Note(at_s, at_s + STROKE_S, pitch, 80, 1.0, 0.0, "right") for at_s in times]
    audio = struck(notes, RATE)
    labels = np.array([[note.onset_s, at_s + STROKE_S, pitch, 80] for note, at_s in zip(notes, times, strict=True)])
    return Take(f"one key, {hz:.0f} Hz", audio, RATE, labels)


class Count:
    """Counts the false notes and the lost notes of one kind of hearing.

    As text it is "A / B": false notes for 100 beeps, and lost notes for 100 true notes.
    """

    def __init__(self) -> None:
        self.false = self.lost = self.beeps = self.notes = 0

    def add(self, found: Notes, truth: Notes, beeps: int) -> None:
        """Compare the notes `found` with the notes `truth`, and add the false and the lost ones to the counts.

        `beeps` is the number of beeps in the sound.
        """
        hits = len(matched(found, truth, WITHIN_S))
        self.false += len(found) - hits
        self.lost += len(truth) - hits
        self.beeps += beeps
        self.notes += len(truth)

    def __str__(self) -> str:
        return f"{100 * self.false / max(self.beeps, 1):.1f} / {100 * self.lost / max(self.notes, 1):.2f}"


Row = list[Count]
"""The counts of a row of the table, one for each of `KINDS`."""


class BeepTable:
    """Counts the false and the lost notes of each of `KINDS` in sounds with beeps, and yields the rows of the table.

    The true notes of a sound are those that are heard in it without beeps, where beeps are notes.
    """

    def __init__(self, bundle: Bundle, sounds: Iterable[Take]) -> None:
        self._plain, self._ours = hearing_of(bundle, hears_beeps=True), hearing_of(bundle)
        self._sounds = [(take, listen(self._plain, take).notes) for take in sounds]

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Yield the name and the counts of each row."""
        yield from self._without_beeps()
        yield from self._sines_and_squares()
        for name, sound in METRONOMES.items():
            row = _empty_row()
            for late_s in LATE_S:
                self._add_spoilt(late_s, sound(False), sound(True), [row])
            yield name, row

    def _without_beeps(self) -> Iterator[tuple[str, Row]]:
        """Yield the rows in which nothing, or only a key that is repeated evenly, might be taken for beeps."""
        row = _empty_row()
        for take, truth in self._sounds:
            self._add(take, truth, 0, [row])
        yield "none", row
        strokes = [(hz, repeated(hz)) for hz in PITCHES_HZ]
        true_notes = [listen(self._plain, take).notes for _, take in strokes]
        row = _empty_row()
        for (_, take), truth in zip(strokes, true_notes, strict=True):
            self._add(take, truth, 0, [row])
        yield "none, one key repeated evenly", row
        row = _empty_row()
        for (hz, take), truth in zip(strokes, true_notes, strict=True):
            spoilt, number = with_beeps(take, EVERY_S / 2, beep(hz, 0.06, square=False))
            self._add(spoilt, truth, number, [row])
        yield "sine, 60 ms, between its strokes", row

    def _sines_and_squares(self) -> Iterator[tuple[str, Row]]:
        """Yield a row for each form and length of a beep, then one for each pitch with all of these."""
        by_pitch = {hz: _empty_row() for hz in PITCHES_HZ}
        for square, length_s in product((False, True), LENGTHS_S):
            row = _empty_row()
            for hz, late_s in product(PITCHES_HZ, LATE_S):
                self._add_spoilt(late_s, beep(hz, length_s, square=square), None, [row, by_pitch[hz]])
            yield f"{'square' if square else 'sine'}, {length_s * 1000:.0f} ms", row
        for hz, row in by_pitch.items():
            yield f"{hz:.0f} Hz", row

    def _add_spoilt(self, late_s: float, sound: Samples, accent: Samples | None, rows: list[Row]) -> None:
        """Add to `rows` what is heard in each sound with beeps. The arguments are those of `with_beeps`."""
        for take, truth in self._sounds:
            spoilt, number = with_beeps(take, late_s, sound, accent)
            self._add(spoilt, truth, number, rows)

    def _add(self, take: Take, truth: Notes, beeps: int, rows: list[Row]) -> None:
        """Add to `rows` what is heard in a take with so many `beeps` and the true notes `truth`."""
        plain, ours = listen(self._plain, take).notes, listen(self._ours, take).notes
        long = plain[plain[:, 1] - plain[:, 0] >= CHEAT_S]
        for row in rows:
            for count, found in zip(row, (plain, ours, long), strict=True):
                count.add(found, truth, beeps)


def _empty_row() -> Row:
    return [Count() for _ in KINDS]


@click.command()
@DATA
@click.option("--bundle", "folder", type=click.Path(path_type=Path), help="Bundle to measure, else the shipped one.")
@click.option("--seconds", type=float, default=24.0, show_default=True, help="Seconds of each recording.")
@click.option("--real", type=int, default=2, show_default=True, help="Number of recordings of a real piano.")
def beeps(data: Path, folder: Path | None, seconds: float, real: int) -> None:
    """Measure how many beeps of a metronome are heard as notes, and how many notes are lost by it.

    Each cell has two figures: false notes for 100 beeps, and lost notes for 100 notes.
    """
    table = BeepTable(Bundle.open(folder or default_bundle()), sounds_of(data, seconds, real))
    click.echo("| beeps | " + " | ".join(KINDS) + " |\n|---|" + "---|" * len(KINDS))
    for name, row in table.rows():
        click.echo(f"| {name} | " + " | ".join(map(str, row)) + " |")
