"""The output files of `lefthand play`: checks in advance that they can be written, and writes them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from device.errors import UserError, missing_extra
from device.files.midi_file import MidiInput, ringing_notes, write_midi
from device.files.notes_csv import write_notes
from device.files.performance import Performance
from device.files.report import BundleName, write_report
from device.files.sound_file import SoundFile


@dataclass(frozen=True)
class Outputs:
    """The path of each output file; None for a file that is not wanted."""

    midi: Path | None = None
    notes: Path | None = None
    audio: Path | None = None
    plot: Path | None = None
    report: Path | None = None

    @property
    def paths(self) -> list[Path]:
        """The paths of all files that will be written."""
        every = (self.midi, self.notes, self.audio, self.plot, self.report)
        return [path for path in every if path is not None]

    def check(self, source: Path, renders: bool) -> None:
        """Raise UserError before the run if writing would fail after it. `source` is the input file.

        `renders` says that the mix needs a synthesiser and a soundfont, because a hand must be rendered.
        """
        for path in self.paths:
            if path.is_dir() or not path.parent.is_dir():
                raise UserError(f"{path} cannot be written: name a file in a folder that exists.")
            if path.resolve() == source.resolve():
                raise UserError(f"{path} is the input itself: write to another file.")
        if self.plot is not None:
            _need("matplotlib")
        if self.audio is not None:
            _need("soundfile")
            if renders:
                from device.files.mix import best_soundfont

                _need("tinysoundfont")
                best_soundfont()

    def write(
        self,
        performance: Performance,
        bundle: BundleName | None,
        title: str,
        sound: SoundFile | None = None,
        like: MidiInput | None = None,
    ) -> None:
        """Write every wanted file. The input is `sound` or `like`. Raises UserError if a file cannot be written."""
        try:
            if self.notes is not None:
                write_notes(self.notes, performance.notes)
            if self.midi is not None:
                write_midi(self.midi, performance.sends, like, tempo=_tempo(performance))
            if self.report is not None:
                write_report(self.report, performance, bundle)
            if self.audio is not None:
                from device.files.mix import write_mix

                write_mix(self.audio, sound, performance.notes, ringing_notes(performance.sends))
            if self.plot is not None:
                from device.files.piano_roll import write_plot

                write_plot(self.plot, performance, title)
        except OSError as error:
            raise UserError(f"{error.filename or 'The output'} cannot be written: {error.strerror}.") from None


def _tempo(performance: Performance) -> float:
    """Return the mean tempo in beats a minute; 120 if there are fewer than two beats."""
    beats = performance.beats
    if len(beats) < 2 or beats[-1].time_s <= beats[0].time_s:
        return 120.0
    return 60.0 * (len(beats) - 1) / (beats[-1].time_s - beats[0].time_s)


def _need(package: str) -> None:
    if find_spec(package) is None:
        raise missing_extra(package, "play")
