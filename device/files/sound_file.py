"""Reads sound files as mono samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from device.errors import UserError, missing_extra
from device.hearing.resample import HIGHEST_RATE, LOWEST_RATE

if TYPE_CHECKING:
    import soundfile

SUFFIXES = (".wav", ".flac")
BLOCK = 16_384
"""Number of frames read at once. The hops do not depend on it."""
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)
"""Sizes of WAV data in bytes that mean "unknown". A program writes them if it cannot seek back to the header."""


class SoundFile:
    """A WAV or FLAC file that was checked to be complete. Its channels are averaged.

    Raises UserError if the file is missing, empty, cut short, not a sound file, without frames, or if its sample rate
    is out of range. Raises UserError if soundfile is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        check_present(path)
        sf = soundfile_of("play")
        try:
            info = sf.info(str(path))
        except (sf.LibsndfileError, RuntimeError):
            if _wav_is_cut(path):
                raise _cut(path) from None
            raise UserError(f"{path} is not a WAV or FLAC file that can be read: convert it to one of them.") from None
        self.rate: int = info.samplerate
        if not LOWEST_RATE <= self.rate <= HIGHEST_RATE:
            raise UserError(
                f"{path} has a sample rate of {self.rate} Hz: convert it to one of {LOWEST_RATE} to {HIGHEST_RATE} Hz."
            )
        self.frames: int = info.frames
        if self.frames <= 0:
            raise UserError(f"{path} holds no sound: record it again, or give another file.")
        if _wav_is_cut(path) or (info.format == "FLAC" and not self._decodes_whole()):
            raise _cut(path)

    @property
    def seconds(self) -> float:
        """Length of the sound in seconds."""
        return self.frames / self.rate

    def blocks(self, size: int = BLOCK) -> Iterator[NDArray[np.float32]]:
        """Yield the samples as float32[n] with n <= `size`, full scale at 1. Raises UserError if the file is cut."""
        sf = soundfile_of("play")
        try:
            with sf.SoundFile(str(self.path)) as file:
                for block in file.blocks(size, dtype="float32", always_2d=True):
                    yield block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)
        except (sf.LibsndfileError, RuntimeError):
            raise _cut(self.path) from None

    def read(self) -> NDArray[np.float32]:
        """Return all samples at once, float32[frames]. Raises UserError if the file is cut short."""
        return np.concatenate(list(self.blocks()))

    def _decodes_whole(self) -> bool:
        """Return whether all frames that the header promises can be decoded."""
        sf = soundfile_of("play")
        try:
            with sf.SoundFile(str(self.path)) as file:
                return sum(len(block) for block in file.blocks(BLOCK, dtype="int16")) >= self.frames
        except (sf.LibsndfileError, RuntimeError):
            return False


def check_present(path: Path) -> None:
    """Raise UserError unless `path` is a readable file that is not empty."""
    if path.is_dir():
        raise UserError(f"{path} is a folder: give a .wav, .flac or .mid file.")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: check the name.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check its permissions.") from None
    if empty:
        raise UserError(f"{path} is empty: record it again, or give another file.")


def _wav_is_cut(path: Path) -> bool:
    """Return whether a RIFF file ends before the end of its data chunk.

    libsndfile reads such a file without an error, so this function follows the chunks itself.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or (len(head) == 12 and head[8:] != b"WAVE"):
            return False
        position = 12
        while position + 8 <= size:
            file.seek(position)
            chunk = file.read(8)
            length = int.from_bytes(chunk[4:], "little")
            position += 8
            if chunk[:4] == b"data":
                return length not in _UNKNOWN_SIZES and position + length > size
            position += length + length % 2
    return True


def _cut(path: Path) -> UserError:
    return UserError(f"{path} is cut short: its header promises more sound than it holds; copy or record it again.")


def soundfile_of(extra: str) -> soundfile:
    """Return the package soundfile. Raises UserError if it is missing, with the `extra` that installs it."""
    try:
        import soundfile
    except ImportError:
        raise missing_extra("soundfile", extra) from None
    return soundfile
