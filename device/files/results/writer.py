"""Writes the output files of `lefthand play` after the run, each in its format."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from device.errors import UserError
from device.files.midi.file import MidiInput, ringing_notes, write_midi
from device.files.performance import Performance
from device.files.results.notes_csv import write_notes
from device.files.results.replacing import replacing
from device.files.results.report import BundleName, write_report
from device.files.sound.file import SoundFile
from device.system.standard_streams import FULL

OutputKind: TypeAlias = Literal["notes", "midi", "audio", "plot", "report"]
OUTPUT_KINDS: tuple[OutputKind, ...] = get_args(OutputKind)
"""The kinds of output in the order in which they are written.

The report is the last, because it holds the sentences about files that could not be written.
"""


class ResultWriter:
    """Writes files about one performance. `failed` has a sentence for each file that could not be written.

    The input of the performance is `sound` or `like`. `title` is the heading of the picture.
    """

    def __init__(
        self,
        performance: Performance,
        bundle: BundleName | None,
        title: str,
        sound: SoundFile | None = None,
        like: MidiInput | None = None,
    ) -> None:
        self.performance, self._bundle, self._title = performance, bundle, title
        self._sound, self._like = sound, like
        self.failed: list[str] = []

    def write(self, kind: OutputKind, path: Path) -> None:
        """Write the file `path`. It replaces an old one only when it is complete. A failure is added to `failed`."""
        try:
            with _output(path) as beside:
                self._write(kind, beside)
        except UserError as error:
            self.failed.append(str(error))

    def _write(self, kind: OutputKind, path: Path) -> None:
        match kind:
            case "notes":
                write_notes(path, self.performance.notes)
            case "midi":
                write_midi(path, self.performance.sends, self._like, tempo=_tempo(self.performance))
            case "audio":
                self._write_mix(path)
            case "plot":
                from device.files.results.piano_roll import write_plot

                write_plot(path, self.performance, self._title)
            case "report":
                warnings = [*self.performance.warnings, *self.failed]
                write_report(path, replace(self.performance, warnings=warnings), self._bundle)

    def _write_mix(self, path: Path) -> None:
        from device.files.results.mix import write_mix

        sound = self._sound
        try:
            write_mix(path, sound, self.performance.notes, ringing_notes(self.performance.sends))
        except FileNotFoundError:
            if sound is None or sound.path.exists():
                raise
            raise UserError(f"{sound.path} was removed while it was read: give it its name again.") from None


@contextlib.contextmanager
def _output(path: Path) -> Iterator[Path]:
    """Yield the temporary file that replaces `path` at the end. Raises UserError, which names `path`."""
    try:
        with replacing(path) as beside:
            yield beside
    except OSError as error:
        old = "; the old file is unchanged" if path.exists() else ""
        remedy = " Make room on the disk, or name another folder." if error.errno in FULL else ""
        raise UserError(f"{path} cannot be written: {error.strerror or error}{old}.{remedy}") from None


def _tempo(performance: Performance) -> float:
    """Return the mean tempo in beats a minute; 120 if there are fewer than two beats."""
    beats = performance.beats
    if len(beats) < 2 or beats[-1].time_s <= beats[0].time_s:
        return 120.0
    return 60.0 * (len(beats) - 1) / (beats[-1].time_s - beats[0].time_s)
