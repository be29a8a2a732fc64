"""Finds out how the samples of a sound file without a header are written: `.raw` and `.pcm` files, lost headers.

Programs that recorded from a pipe, and programs that repair a card, leave such files. Nothing in them says the sample
rate, so the owner has to convert them. The rest can be told, because a sound changes little from sample to sample.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.files.sound.heads import is_container
from device.files.sound.wav_samples import are_floats

_FORMS = (
    *(("", "u1", 1), ("s16le", "<i2", 2), ("s16be", ">i2", 2), ("s24le", "", 3)),
    *(("s32le", "<i4", 4), ("f32le", "<f4", 4)),
)
"""ffmpeg's name, numpy's name and bytes of a sample, of each form that is tried.

Bytes that are smooth by themselves have no name: they may be samples of 8 bits, or a compressed sound.
"""
_SUFFIXES = frozenset({".raw", ".pcm", ".sw", ".s16", ".s24", ".s32", ".s16le", ".s24le", ".s32le", ".f32", ".f32le"})
"""Ends of names that only such files have."""
_PLACES, _PLACE_BYTES = 16, 24 * 1024
"""Number of places of the file that are looked at, and bytes at each: whole frames of every form."""
_LEAST_BYTES = 4096
"""Fewest bytes by which a file is judged."""
_SMOOTH = 0.45
"""Mean step from sample to sample, as a share of the mean size of a sample, that a sound has at most. Noise has 1.3."""
_NEARLY = 1.5
"""A form with shorter samples is meant if its steps are so many times those of another: two of its channels look like
one of samples twice as long."""
_STEADY = 1.3
"""In one channel, the step over two samples is at least so many times that over one, and the odd and the even steps
differ by less than this factor. Of two channels, every second sample is one of the other."""


def bare_form(path: Path) -> tuple[str, int] | None:
    """Return ffmpeg's name of the samples of which the file at `path` consists, and the number of channels, 1 or 2.

    Return None if it does not look like such samples. Raises OSError if it cannot be read.
    """
    places = _bytes_of(path)
    found: list[tuple[float, str, int]] = []
    floats = are_floats(
        np.concatenate([np.frombuffer(place[: len(place) // 4 * 4], "<u4") for place in places or [b""]])
    )
    for name, kind, size in _FORMS:
        if size == 4 and floats != (name == "f32le"):
            continue
        steps = _steps([_samples(place, kind, size) for place in places])
        if steps is not None:
            found.append((steps[0], name, steps[1]))
    least = min(found, default=(1.0, "", 0))[0]
    if least > _SMOOTH:
        return None
    meant = next((name, channels) for step, name, channels in found if step <= _NEARLY * least)
    return meant if meant[0] else None


def bare_sentence(path: Path, converted: Path) -> str | None:
    """Return a sentence that says how to make the WAV file `converted` of the samples at `path`.

    Return None if it does not hold samples without a header, as far as its content and its name tell.
    """
    form = None if is_container(path) or _has_name(path) else bare_form(path)
    if form is None and path.suffix.lower() not in _SUFFIXES:
        return None
    name, channels = form or ("s16le", 2)
    command = f"ffmpeg -f {name} -ar 44100 -ac {channels} -i {shlex.quote(str(path))} {shlex.quote(str(converted))}"
    what = "the sample rate" if form else "the format, the sample rate and the number of channels"
    return f"{path} holds samples without a header: put {what} of its recorder into `{command}`, which converts it."


def _has_name(path: Path) -> bool:
    """Return whether the file begins with four printable characters, the name of a format. Samples hardly ever do."""
    with path.open("rb") as file:
        return all(0x20 <= byte < 0x7F for byte in file.read(4))


def _bytes_of(path: Path) -> list[bytes]:
    """Return the bytes at _PLACES places of the file, from its beginning on; none if the file is too short."""
    size = path.stat().st_size
    if size < _LEAST_BYTES:
        return []
    step = max(_PLACE_BYTES, size // _PLACES // 24 * 24)
    found: list[bytes] = []
    with path.open("rb") as file:
        for place in range(0, size, step):
            file.seek(place)
            found.append(file.read(_PLACE_BYTES))
    return found


def _samples(place: bytes, kind: str, size: int) -> NDArray[np.float64]:
    """Return the numbers that `place` holds in a form, float64[n]: an even number of them."""
    whole = place[: len(place) // (2 * size) * 2 * size]
    if size == 3:
        wide = np.zeros((len(whole) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(whole, np.uint8).reshape(-1, 3)
        return wide.reshape(-1).view("<i4").astype(np.float64)
    return np.frombuffer(whole, kind).astype(np.float64)


def _steps(places: list[NDArray[np.float64]]) -> tuple[float, int] | None:
    """Return the mean step from sample to sample of a channel as a share of the mean size, and the number of channels.

    Return None if there is no sound.
    """
    size = two = odd = even = 0.0
    for place in places:
        steps = np.abs(np.diff(place))
        size += float(np.sum(np.abs(place - np.mean(place)))) if len(place) else 0.0
        odd, even = odd + float(np.sum(steps[::2])), even + float(np.sum(steps[1::2]))
        two += float(np.sum(np.abs(place[2:] - place[:-2])))
    if not size:
        return None
    is_one = two >= _STEADY * (odd + even) and max(odd, even) <= _STEADY * min(odd, even)
    return ((odd + even) / size, 1) if is_one else (two / size, 2)
