"""Checks that an input of `lefthand play` is a file with content, before anything reads it."""

from __future__ import annotations

import errno
from pathlib import Path

from device.errors import UserError


def check_present(path: Path) -> None:
    """Raise UserError unless `path` is a readable file that is not empty.

    A pipe or a device is refused, because an input is read more than once.
    """
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder: give a .wav, .flac or .mid file.")
        if path.exists() and not path.is_file():
            raise UserError(f"{path} is a pipe or a device: save its content in a file and give that file.")
        with path.open("rb") as file:
            empty = not file.read(1)
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise UserError(f"{path} is a link to a file that does not exist: give the file itself.") from None
        raise UserError(f"{path} does not exist: check the name.") from None
    except ValueError:  # a zero in the name
        raise UserError(f"{path} cannot be the name of a file: check the name.") from None
    except OSError as error:
        remedy = "give the file itself" if error.errno == errno.ELOOP else "check its permissions"
        raise UserError(f"{path} cannot be read ({error.strerror}): {remedy}.") from None
    if empty:
        raise UserError(f"{path} is empty: record it again, or give another file.")
