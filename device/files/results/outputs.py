"""Names the output files of `lefthand play`, and checks before the run that they can be written."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from device.errors import UserError, missing_extra
from device.files.performance import Performance
from device.files.results.writer import OUTPUT_KINDS, ResultWriter

LONGEST_UNNAMED_MIX_S = 2 * 3600.0
"""Longest mix in seconds that is written without being named. An hour takes 0.6 GB and ten seconds or more."""
LONGEST_NAME = 255
"""Bytes of the longest name of a file on Linux."""


_KINDS = {
    ".mid": "midi",
    ".midi": "midi",
    ".wav": "audio",
    ".png": "plot",
    ".csv": "notes",
    ".json": "report",
    **dict.fromkeys((".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac", ".wma", ".aif", ".aiff"), "another sound"),
    **dict.fromkeys((".jpg", ".jpeg", ".pdf", ".svg", ".gif", ".webp"), "another picture"),
}
"""The output that has each ending of a name. Each output has one format, and its name must not promise another."""
_ENDINGS = {"midi": ".mid", "audio": ".wav", "plot": ".png", "notes": ".csv", "report": ".json"}


@dataclass(frozen=True)
class Outputs:
    """Holds the path of each output file; None for a file that is not wanted."""

    midi: Path | None = None
    notes: Path | None = None
    audio: Path | None = None
    plot: Path | None = None
    report: Path | None = None
    unnamed: bool = False
    """Whether the command names no output. A mix of more than LONGEST_UNNAMED_MIX_S is then left out."""

    @classmethod
    def beside(cls, source: Path, force: bool) -> Outputs:
        """Return the outputs of a command that names none: left hand, both hands and picture, beside the input.

        Raises UserError if one of them exists already, unless `force` is true.
        """
        outputs = cls(
            midi=_beside(source, ".left-hand.mid"),
            audio=_beside(source, ".both-hands.wav"),
            plot=_beside(source, ".roll.png"),
            unnamed=True,
        )
        there = [str(path) for path in outputs.paths if path.exists() or path.is_symlink()]
        if there and not force:
            what = f"{there[0]} exists" if len(there) == 1 else f"{', '.join(there)} exist"
            raise UserError(f"{what} already: give --force to replace, or name other outputs such as --midi OUT.mid.")
        return outputs

    @property
    def paths(self) -> list[Path]:
        """Return the paths of all files that will be written."""
        every = (self.midi, self.notes, self.audio, self.plot, self.report)
        return [path for path in every if path is not None]

    def possible(self, renders: bool) -> tuple[Outputs, list[str]]:
        """Return these outputs without those whose package is missing, and a sentence for each that is left out.

        `renders` says that the mix needs a synthesiser and a soundfont. Without them, the mix is left out too.
        """
        outputs, sentences = self, []
        for name in ("audio", "plot"):
            path = getattr(self, name)
            try:
                if path is not None:
                    replace(Outputs(), **{name: path})._check_packages(renders)
            except UserError as error:
                outputs = replace(outputs, audio=None) if name == "audio" else replace(outputs, plot=None)
                sentences.append(f"{path} is left out. {error}")
        return outputs, sentences

    def check(self, inputs: Sequence[Path], renders: bool) -> None:
        """Raise UserError before the run if writing would fail after it, or would replace one of the `inputs`.

        `renders` says that the mix needs a synthesiser and a soundfont, because a hand must be rendered.
        """
        for path in self.paths:
            _check_path(path)
            if any(_same(path, source) for source in inputs):
                raise UserError(f"{path} is the input itself: write to another file.")
        for one, other in itertools.combinations(self.paths, 2):
            if _same(one, other):
                raise UserError(f"{other} is named for two outputs: give each output a name of its own.")
        for kind, ending in _ENDINGS.items():
            path = getattr(self, kind)
            if path is not None and _KINDS.get(path.suffix.lower(), kind) != kind:
                raise UserError(f"{path} cannot be written: --{kind} writes a {ending} file, so give such a name.")
        self._check_packages(renders)

    def write(self, writer: ResultWriter) -> None:
        """Let `writer` write every wanted file.

        Each file replaces an old one only when it is complete. An unnamed mix that is too long is left out, and the
        performance gets a warning and its path in `left_out`. Raises UserError with a sentence for each file that
        cannot be written, after the other files are written. The report is written last, because it holds these
        sentences too.
        """
        for kind in OUTPUT_KINDS:
            path = getattr(self, kind)
            if path is not None and not (kind == "audio" and self._leaves_out_mix(writer.performance)):
                writer.write(kind, path)
        if writer.failed:
            raise UserError(" ".join(writer.failed))

    def _leaves_out_mix(self, performance: Performance) -> bool:
        """Return whether the mix is left out because nobody named it and it is long. `performance` is then told."""
        if not self.unnamed or self.audio is None or performance.end_s <= LONGEST_UNNAMED_MIX_S:
            return False
        performance.left_out.append(self.audio)
        performance.warnings.append(
            f"{self.audio} is left out, because it would last {performance.end_s / 3600:.1f} hours: "
            f"--audio OUT.wav writes it."
        )
        return True

    def _check_packages(self, renders: bool) -> None:
        """Raise UserError if a package for one of the files is missing."""
        if self.plot is not None:
            _need("matplotlib")
        if self.audio is not None:
            _need("soundfile")
            if renders:
                from device.files.results.render import best_soundfont

                _need("tinysoundfont")
                best_soundfont()


def _check_path(path: Path) -> None:
    """Raise UserError if no file can be written at `path`."""
    if str(path) == "-":
        raise UserError("- names no output: name a file such as OUT.mid.")
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        raise UserError(f"{path} cannot be written: its name is too long, so give a shorter one.")
    if path.is_fifo():
        raise UserError(f"{path} is a pipe: name a file, and pass it on when it is complete.")
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file in it.")
    target = Path(os.path.realpath(path))
    if not path.parent.is_dir() or not target.parent.is_dir():
        raise UserError(f"{path} cannot be written: name a file in a folder that exists.")
    if target.is_symlink():
        raise UserError(f"{path} is a link that leads back to itself: remove it, or name another file.")
    if not os.access(target.parent, os.W_OK):
        raise UserError(f"{path} cannot be written: its folder is read-only for you, so name another folder.")
    if target.exists() and not os.access(target, os.W_OK):
        raise UserError(f"{path} is write-protected: name another file, or remove this one.")


def _beside(source: Path, ending: str) -> Path:
    """Return the path beside `source` with its stem and another ending. A stem that is too long is cut."""
    stem = source.stem
    while len(os.fsencode(stem + ending)) > LONGEST_NAME:
        stem = stem[:-1]
    return source.with_name(stem + ending)


def _same(one: Path, other: Path) -> bool:
    """Return whether two paths lead to the same file: the paths are equal, or a symbolic or hard link joins them.

    Returns False for a device or a pipe, because writing to it twice overwrites nothing.
    """
    if one.exists() and other.exists():
        return one.is_file() and one.samefile(other)
    return os.path.realpath(one) == os.path.realpath(other)


def _need(package: str) -> None:
    if find_spec(package) is None:
        raise missing_extra(package, "play")
