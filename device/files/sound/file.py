"""Reads sound files as mono samples."""

from __future__ import annotations

import contextlib
import math
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from device.errors import UserError
from device.files.input_present import check_present
from device.files.sound.bare_samples import bare_sentence
from device.files.sound.bytes import SoundBytes, soundfile_of
from device.files.sound.channel_choice import ChannelChoice, finite
from device.files.sound.channels import ChannelComparison
from device.files.sound.clipping import PeakCount
from device.files.sound.cut_header import is_cut_in_header, was_copied_as_text
from device.files.sound.float_peaks import FloatPeaks
from device.files.sound.mp3_frames import next_frame
from device.hearing.resample import HIGHEST_RATE, LOWEST_RATE
from device.printable import count_of
from device.system.quiet import quiet

if TYPE_CHECKING:
    import soundfile

SUFFIXES = (".wav", ".flac")
BLOCK = 16_384
"""Number of frames read at once. The hops do not depend on it."""
_DECODED = 1024
"""Number of frames decoded at once. Where a file is damaged, fewer frames than this are lost before the damage."""
_SURE = ("WAV", "WAVEX", "RF64", "RAW")
"""Formats that hold as much sound as libsndfile reports. `read_wav_header` checks their headers."""
_ESTIMATED = frozenset({"MP3", "OGG", "MPEG_LAYER_III"})
"""Formats and subtypes whose header need not give the length. libsndfile estimates it, so a difference is no fault."""
_READ_AHEAD = 16 * 1024
"""Bytes that a decoder may leave unread at the end of a file: a tag, or the rest of its buffer."""
_MOST_MP3S = 20
"""Most pieces of an MP3 that are read. The file is read to its end for each of them, so more would take long."""
_FLOATS = ("FLOAT", "DOUBLE")
"""Subtypes whose samples may lie beyond full scale without being clipped, as in the exports of many programs."""


class SoundFile:
    """Reads a sound file in a format that libsndfile knows: WAV, FLAC, and in recent versions MP3, Ogg and more.

    The content decides the format, not the name. `channel`, from 1, is heard alone. Without it, the channels are
    averaged unless they cancel or are shifted in time; then the better channel is heard alone. `warnings` says so, and
    says where the header gives a wrong length: the sound is then read to the end of the file. Samples in floating point
    that go beyond full scale make the whole sound softer, so that nothing of what is heard is clipped, except single
    wrong samples that are far louder than all others. The samples of a capture stay as they were heard: `is_capture`
    says that the file is one.

    Raises UserError if the file is missing, empty, not a sound file, without frames, or if its sample rate or `channel`
    is out of range. Raises UserError if soundfile is not installed.
    """

    def __init__(self, path: Path, channel: int | None = None, is_capture: bool = False) -> None:
        self.path, self.is_capture = path, is_capture
        self.warnings: list[str] = []
        check_present(path)
        if was_copied_as_text(path):
            raise UserError(
                f"{path} was sent or copied as text, which damages a sound: copy it again as a binary file."
            )
        self._bytes = SoundBytes(path)
        self._damaged = self._bytes.damaged
        self._has_more = False
        stated = self._begin()
        if stated is None and self._bytes.pass_over_flaws():
            stated = self._begin()
        if stated is None:
            raise self._unreadable()
        if not LOWEST_RATE <= self.rate <= HIGHEST_RATE:
            raise UserError(
                f"{path} has a sample rate of {self.rate} Hz: convert it to one of {LOWEST_RATE} to {HIGHEST_RATE} Hz."
            )
        if channel is not None and not 1 <= channel <= self.channels:
            some = f"give --channel a number from 1 to {self.channels}"
            remedy = some if self.channels > 1 else "leave out --channel"
            raise UserError(f"{path} has {count_of(self.channels, 'channel')}: {remedy}.")
        self._choice = ChannelChoice() if channel is None else ChannelChoice(channel - 1, "asked")
        self.frames: int = stated
        self._gain, self._peaks = 1.0, PeakCount(1)
        wrong = self._look(stated) or self._bytes.is_wrong
        if self.frames <= 0:
            raise UserError(f"{path} holds no sound: record it again, or give another file.")
        self._warn(wrong)

    @property
    def seconds(self) -> float:
        """Length of the sound in seconds."""
        return self.frames / self.rate

    def blocks(self, size: int = BLOCK) -> Iterator[NDArray[np.float32]]:
        """Yield the samples as float32[n] with n <= `size`, full scale at 1."""
        self._peaks = PeakCount(1)
        for block in self._all_channels(size):
            mono = self._choice.mono(block)
            if self._floats:
                # a signalling NaN (IEEE 754, 6.2.1) would make numpy print a warning
                with np.errstate(invalid="ignore"):
                    mono = mono * np.float32(self._gain)
                np.clip(mono, -1, 1, out=mono, where=np.isfinite(mono))
            self._peaks.add(finite(mono)[:, None])
            yield mono

    def read(self) -> NDArray[np.float32]:
        """Return all samples at once, float32[frames]."""
        return np.concatenate(list(self.blocks()))

    @property
    def peaks(self) -> PeakCount:
        """The samples at the peak of the `blocks` that were read last."""
        return self._peaks

    def peak_db(self) -> float:
        """Return the level of the peak in dB below full scale, 0 or less; -inf if all samples have one value.

        The peak is half the difference between the highest and the lowest sample, because a recorder may add a constant
        to all of them. Samples that are not finite are left out.
        """
        highest, lowest = -math.inf, math.inf
        for block in self.blocks():
            finite = block[np.isfinite(block)]
            highest = max(highest, float(finite.max(initial=-math.inf)))
            lowest = min(lowest, float(finite.min(initial=math.inf)))
        peak = (highest - lowest) / 2
        return 20 * math.log10(peak) if peak > 0 else -math.inf

    def _begin(self) -> int | None:
        """Find out rate, channels and format. Return the number of frames; None if libsndfile refuses the file."""
        try:
            with self._bytes.open(next(iter(self._bytes.links), None)) as file:
                self.rate: int = file.samplerate
                self.channels: int = file.channels
                self._format: str = file.format
                self._subtype: str = file.subtype
                self._floats = file.subtype in _FLOATS and not self.is_capture
                stated: int = file.frames if self._bytes.flac_frames is None else self._bytes.flac_frames
            if self._format in _SURE and self._bytes.takes_other_length(stated):
                return self._begin()
            others = self._bytes.leave_out_others(self.rate, self.channels)
        except (soundfile_of("play").LibsndfileError, RuntimeError, ValueError, OverflowError):
            return None
        if others is not None:
            self.warnings.append(others)
        return stated

    def _warn(self, wrong: bool) -> None:
        """Add to `warnings` what the owner should know: damage, a `wrong` length in the header, odd channels."""
        path = self.path
        if self._damaged:
            self.warnings.append(
                f"{path} is damaged: {self.seconds:.1f} s of it can be decoded and are read. "
                f"`ffmpeg -i {shlex.quote(str(path))} OUT.wav` may read more."
            )
        elif self._has_more:
            self.warnings.append(
                f"{path} holds more than {_MOST_MP3S} recordings one after another, and the first {self.seconds:.1f} s "
                f"are read: convert all of it with `ffmpeg -i {shlex.quote(str(path))} OUT.wav`."
            )
        elif wrong:
            self.warnings.append(
                f"The header of {path} gives no length or a wrong one, as after a recording that was piped, cut or "
                f"killed: all {self.seconds:.1f} s that the file holds are read."
            )
        if self._bytes.header is not None and self._bytes.header.other:
            self.warnings.append(
                f"{path} holds WAV files one after another, and those behind one of another rate or format are not "
                f"heard: convert them one by one, before they are joined."
            )
        if (sentence := self._choice.sentence(str(path))) is not None:
            self.warnings.append(sentence)

    def _look(self, stated: int) -> bool:
        """Read the file once if its length or its channels must be found out. Return whether `stated` is wrong."""
        compared = self.channels > 1 and self._choice.channel is None
        if self._format in _SURE and not compared and not self._floats:
            return False
        comparison = ChannelComparison(self.rate, self.channels) if compared else None
        peaks = FloatPeaks(self.rate, self.channels) if self._floats else None
        self.frames = 0
        for block in self._all_channels(BLOCK):
            self.frames += len(block)
            if peaks is not None:
                peaks.add(block)
            if comparison is not None:
                comparison.add(block)
        if comparison is not None:
            self._choice = comparison.choice()
        if peaks is not None:
            self._gain = 1 / peaks.peak(self._choice)
        return self.frames != stated and not {self._format, self._subtype} & _ESTIMATED

    def _all_channels(self, size: int) -> Iterator[NDArray[np.float32]]:
        """Yield float32[n, channels] up to the end of the file, or up to the first part that cannot be decoded."""
        if self._format not in _SURE:
            size = min(size, _DECODED)
        links: list[tuple[int, int] | None] = [*self._bytes.links] or [None]
        for link in links:
            with self._bytes.open(link) as file:
                if (file.samplerate, file.channels) != (self.rate, self.channels):
                    self._damaged = True
                    return
                yield from self._decoded(file, size)
                left_from = self._bytes.place
            if self._format == "MP3" and (after := self._after(left_from)) is not None:
                if len(links) == _MOST_MP3S:
                    self._has_more = True
                    return
                links.append(after)

    def _decoded(self, file: soundfile.SoundFile, size: int) -> Iterator[NDArray[np.float32]]:
        """Yield what can be decoded of an open file, and set `_damaged` if it breaks off before its end."""
        # a FLAC is read up to the very frame that its header states: a tag after it cannot be decoded
        stated = self._bytes.flac_frames or 0
        try:
            while True:
                wanted = min(size, stated) if stated > 0 else size
                with quiet() if self._format == "MP3" else contextlib.nullcontext():
                    block = file.read(wanted, dtype="float32", always_2d=True)
                stated -= len(block)
                if len(block):
                    yield block
                if len(block) < wanted:
                    return
        except (soundfile_of("play").LibsndfileError, RuntimeError):
            breaks_off = self._format == "MP3" or (self._format == "FLAC" and stated >= 0)
            if breaks_off and self._bytes.place + _READ_AHEAD < self.path.stat().st_size:
                self._damaged = True

    def _after(self, at: int) -> tuple[int, int] | None:
        """Return (first byte, number of bytes) of what follows byte `at` of an MP3; None if no sound follows."""
        found = next_frame(self.path, at)
        return None if found is None else (found, self.path.stat().st_size - found)

    def _unreadable(self) -> UserError:
        path = self.path
        if is_cut_in_header(path):
            return UserError(f"{path} is cut short: it ends before its sound begins; copy or record it again.")
        converted = path.with_suffix(".wav")
        if converted == path:
            converted = path.with_name(f"{path.stem}-converted.wav")
        if (sentence := bare_sentence(path, converted)) is not None:
            return UserError(sentence)
        command = f"ffmpeg -i {shlex.quote(str(path))} {shlex.quote(str(converted))}"
        kind = "WAV or FLAC file" if path.suffix.lower() in SUFFIXES else "sound file"
        return UserError(
            f"{path} is not a {kind} that can be read here: convert it to a .wav, .flac or .mid file, "
            f"a sound with `{command}`."
        )
