"""Mixes both hands into one sound file. The memory does not grow with the length of the input.

The left hand is rendered once, into a temporary file without a name. A first pass over both hands finds their loudness,
a second one the peak of their sum, and a third one writes the mix. A passage in which nothing
sounds costs no work; it stays in the mix.
"""

from __future__ import annotations

import itertools
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

from device.events import Note
from device.files.results.render import Rendering, Stereo
from device.files.results.sparse_wav import SparseWav
from device.files.sound.file import SoundFile

RATE = 44_100
"""Sample rate in Hz of a mix without recorded sound."""
LEFT_BELOW_DB = 3.0
"""Decibels. The left hand is this much softer than the recorded right hand, so that it accompanies."""
_HEADROOM = 0.98
"""Highest peak of the mix, as a share of full scale. It leaves a small margin before clipping."""
_LOUDNESS_S, _LOUDNESS_PERCENTILE = 0.05, 90.0
"""Loudness is this percentile of the levels of frames of so many seconds. Quiet passages hardly affect it."""
_FRAMES_A_BLOCK = 20
"""Loudness frames in a block, about a second of sound."""


def write_mix(path: Path, sound: SoundFile | None, right: Sequence[Note], left: Sequence[Note]) -> None:
    """Write both hands as a 16-bit stereo WAV file.

    With `sound`, that recording is the right hand, unchanged, and the left hand's level is adjusted to it. Without
    `sound`, both hands are rendered and scaled to nearly full scale. A mix that would clip is scaled down. Temporary
    data of 8 bytes a frame lies in the folder of `path`. Raises UserError if a WAV file cannot hold the mix, or if the
    soundfont or tinysoundfont is missing or unusable.
    """
    rate = RATE if sound is None else sound.rate
    block = _FRAMES_A_BLOCK * max(1, int(_LOUDNESS_S * rate))
    hands = [Rendering(left, rate)] + ([Rendering(right, rate)] if sound is None else [])
    frames = max([hand.frames for hand in hands] + ([] if sound is None else [sound.frames]))
    with SparseWav(path, rate, frames) as out, tempfile.TemporaryFile(dir=path.parent) as room:
        rendered = _Rendered(room, block)
        for blocks in itertools.zip_longest(*(hand.blocks(block) for hand in hands)):
            rendered.add([sounding for sounding in blocks if sounding is not None])
        gain = np.float32(1.0) if sound is None else _gain(_loudness_of(sound, block), rendered.loudness())
        peak = max((float(np.abs(both).max(initial=0.0)) for _, both in _both(sound, rendered, gain)), default=0.0)
        scale = np.float32(_HEADROOM / peak) if peak > _HEADROOM or (sound is None and peak > 0.0) else np.float32(1.0)
        for at, both in _both(sound, rendered, gain):
            out.write(at * block, both * scale)


@dataclass
class _Rendered:
    """Stores rendered blocks of `block` frames in the open file `room`. A block in which nothing sounds is left out."""

    room: IO[bytes]
    block: int
    sounding: list[bool] = field(default_factory=list)
    """Whether each block, in order, is stored."""
    levels: array[float] = field(default_factory=lambda: array("f"))
    """Root mean square of each loudness frame of the stored blocks."""

    def add(self, parts: Sequence[Stereo]) -> None:
        """Store the sum of `parts` as the next block."""
        self.sounding.append(bool(parts))
        if not parts:
            return
        whole = np.zeros((self.block, 2), np.float32)
        for part in parts:
            whole[: len(part)] += part
        self.levels.extend(_levels(whole[: max(map(len, parts))], self.block))
        self.room.seek(self._place(len(self.sounding) - 1))
        self.room.write(whole.tobytes())

    def read(self, number: int) -> Stereo | None:
        """Return the block `number`; None if nothing sounds in it."""
        if number >= len(self.sounding) or not self.sounding[number]:
            return None
        self.room.seek(self._place(number))
        return np.frombuffer(self.room.read(self.block * 8), np.float32).reshape(-1, 2)

    def loudness(self) -> float:
        """Return the loudness of all blocks, silent ones included; full scale is 1."""
        silent = (len(self.sounding) - sum(self.sounding)) * _FRAMES_A_BLOCK
        return _loudness(self.levels + array("f", bytes(4 * silent)))

    def _place(self, number: int) -> int:
        return number * self.block * 8


def _both(sound: SoundFile | None, rendered: _Rendered, gain: np.float32) -> Iterator[tuple[int, Stereo]]:
    """Yield the number of each block in which something sounds, and both hands in it."""
    recorded = iter(()) if sound is None else _whole_blocks(sound, rendered.block)
    for number in itertools.count():
        upper, lower = next(recorded, None), rendered.read(number)
        if upper is None and number >= len(rendered.sounding):
            return
        if upper is None and lower is None:
            continue
        both = np.zeros((rendered.block, 2), np.float32)
        if upper is not None:
            both[: len(upper)] += upper[:, np.newaxis]
        if lower is not None:
            both += lower * gain
        # the last block of a recording is shorter than the others
        yield number, both if lower is not None or upper is None else both[: len(upper)]


def _whole_blocks(sound: SoundFile, size: int) -> Iterator[np.ndarray[tuple[int], np.dtype[np.float32]]]:
    """Yield the recording in blocks of exactly `size` samples, less for the last one."""
    rest: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
    held = 0
    for block in sound.blocks(size):
        rest.append(np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0))
        held += len(block)
        if held >= size:
            joined = np.concatenate(rest)
            yield joined[:size]
            rest, held = [joined[size:]], held - size
    if held:
        yield np.concatenate(rest)


def _loudness_of(sound: SoundFile, block: int) -> float:
    levels = array("f")
    for recorded in _whole_blocks(sound, block):
        levels.extend(_levels(np.repeat(recorded[:, np.newaxis], 2, axis=1), block))
    return _loudness(levels)


def _levels(sound: Stereo, block: int) -> list[float]:
    """Return the root mean square of each whole loudness frame, of which a `block` has `_FRAMES_A_BLOCK`."""
    frame = block // _FRAMES_A_BLOCK
    frames = sound[: len(sound) // frame * frame].reshape(-1, frame * 2)
    levels: list[float] = np.sqrt(np.mean(frames**2, axis=1)).tolist()
    return levels


def _loudness(levels: array[float]) -> float:
    """Return the root mean square of the loud passages. A value of 1 is full scale."""
    return float(np.percentile(levels, _LOUDNESS_PERCENTILE)) if levels else 0.0


def _gain(above: float, below: float) -> np.float32:
    if above <= 0.0 or below <= 0.0:
        return np.float32(1.0)
    return np.float32(above / below * 10 ** (-LEFT_BELOW_DB / 20))
