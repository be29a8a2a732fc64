"""Checks that an input of `lefthand play` is a file with content, before anything reads it."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from device.errors import UserError
from device.files.near_names import near_names
from device.printable import count_of

_PROJECTS = {
    ".band": "a GarageBand project",
    ".logicx": "a Logic project",
    ".logic": "a Logic project",
    ".aup_data": "a part of an Audacity project",
}
"""Ends of the names of folders that are one document to a music program, and what they are."""
_PIECE, _MOST_PIECES = 64 * 1024, 1024
"""Bytes that are compared with zeros at once, and most of such pieces. No file has so many zeros before its header."""


def check_present(path: Path) -> None:
    """Raise UserError unless `path` is a readable file that is not empty.

    A pipe or a device is refused, because an input is read more than once.
    """
    try:
        if str(path) == "-" and not path.exists():
            raise UserError("- names no file: save what comes from the pipe in a file, and give that file.")
        if path.is_dir():
            if (project := _PROJECTS.get(path.suffix.lower())) is not None:
                raise UserError(f"{path} is {project}: export its sound from that program as a WAV file (.wav).")
            raise UserError(f"{path} is a folder: give a .wav, .flac or .mid file.")
        if path.exists() and not path.is_file():
            raise UserError(f"{path} is a pipe or a device: save its content in a file and give that file.")
        with path.open("rb") as file:
            empty = not file.read(1)
        blank = not empty and _is_blank(path)
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise UserError(f"{path} is a link to a file that does not exist: give the file itself.") from None
        there = " or ".join(map(str, near_names(path)))
        raise UserError(f"{path} does not exist: check the name{f'; there is {there}' if there else ''}.") from None
    except ValueError:  # a zero in the name
        raise UserError(f"{path} cannot be the name of a file: check the name.") from None
    except OSError as error:
        remedy = "give the file itself" if error.errno == errno.ELOOP else "check its permissions"
        raise UserError(f"{path} cannot be read ({error.strerror}): {remedy}.") from None
    if empty:
        raise UserError(f"{path} is empty: record it again, or give another file.")
    if blank:
        raise UserError(f"{path} holds nothing but zeros, as after a loss of power: copy or record it again.")


def check_single(path: Path, more: Sequence[str]) -> None:
    """Raise UserError if `more` words follow the input `path` on the command line."""
    if not more:
        return
    whole = " ".join([str(path), *more])
    if os.path.isfile(whole):  # noqa: PTH113 (`Path.is_file` fails if many words are too long for a name)
        raise UserError(f"Put a name with spaces in quotes: `lefthand play {shlex.quote(whole)}`.")
    words = count_of(len(more), "more word")
    raise UserError(f"{path} is followed by {words}: play one file at a time, and put a name with spaces in quotes.")


def _is_blank(path: Path) -> bool:
    """Return whether all bytes of the file, or of its first 64 MB, are 0. Almost every file begins with another one."""
    with path.open("rb") as file:
        return not any(any(file.read(_PIECE)) for _ in range(_MOST_PIECES))
