"""Finds out how the samples of a WAV file are written, also where the header does not say it or says it wrongly.

Programs write the size of a frame without the number of channels, or in bits. They call samples in floating point whole
numbers. ALSA's `arecord -f S24_LE` puts 24 bits into the lower bytes of 32, while the standard says the upper ones.
libsndfile believes the header, and such a sound is then noise, too soft, or too fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

_PCM, _FLOAT, _ALAW, _ULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_SUBTYPES = {
    (_PCM, 1): "PCM_U8",
    (_PCM, 2): "PCM_16",
    (_PCM, 3): "PCM_24",
    (_PCM, 4): "PCM_32",
    (_PCM, 8): "DOUBLE",
    (_FLOAT, 4): "FLOAT",
    (_FLOAT, 8): "DOUBLE",
    (_ALAW, 1): "ALAW",
    (_ULAW, 1): "ULAW",
}
"""Name of the sample format in soundfile, by the format tag and the bytes of a sample. Whole numbers never have 8."""
_WHOLE_BITS = (8, 16, 32, 64)
"""Bits of a sample that fill its bytes. A sample of other bits, such as 24, may lie in more bytes than it needs."""
_MOST_BYTES = 4
"""Most bytes of a sample of whole numbers."""
_PLACES, _PLACE_BYTES = 32, 4096
"""Number of places of the sound that are looked at, and bytes at each. The beginning alone may be silent."""
_LEAST_WORDS = 64
"""Fewest samples, other than 0, by which the content is judged."""
_PIECE_BYTES = 1 << 20
"""Bytes that are read at once if every sample is looked at."""
_SURELY = 0.99
"""Share of the samples that must be of a kind."""
_EXPONENTS = (100, 143)
"""Exponents (IEEE 754) of samples in floating point: 2^-27 to 2^16. Whole numbers with such bits are at half of full
scale, where no music stays."""


@dataclass(frozen=True)
class WavSamples:
    """Describes the samples of a WAV file."""

    subtype: str | None
    """Sample format as soundfile names it; None for a format whose samples are not read without libsndfile."""
    frame_bytes: int
    """Bytes of a frame; for a compressed sound, of a block."""
    earlier: int = 0
    """Bytes by which each sample is read earlier than it begins, so that its upper bytes are those of the number."""
    misread: bool = False
    """Whether libsndfile would read other samples than these."""


def wav_samples(form: bytes, file: BinaryIO, start: int, held: int) -> WavSamples:
    """Return how the samples are written that follow the chunk "fmt ", `form`, as `held` bytes from `start` on."""
    tag, channels = int.from_bytes(form[:2], "little"), int.from_bytes(form[2:4], "little")
    if tag == _EXTENSIBLE:
        tag = int.from_bytes(form[24:26], "little")
    bits, align = int.from_bytes(form[14:16], "little"), int.from_bytes(form[12:14], "little")
    if tag not in (_PCM, _FLOAT, _ALAW, _ULAW) or not channels:
        return WavSamples(None, align or channels * bits // 8)
    size = _sample_bytes(bits, align // channels)
    if tag == _PCM and (size, align) == (2, _MOST_BYTES * channels) and _are_filled(_words(file, start, held)):
        size = _MOST_BYTES
    subtype, earlier = _SUBTYPES.get((tag, size)), 0
    is_odd = align != size * channels or (size == _MOST_BYTES and bits < 8 * size)
    if tag == _PCM and size == _MOST_BYTES:
        words = _words(file, start, held)
        if are_floats(words):
            subtype, is_odd = "FLOAT", True
        elif bits <= 24 and _are_in_lower_bytes(words) and not _are_louder_elsewhere(words, file, start, held):
            earlier = 1
    return WavSamples(subtype, size * channels, earlier, subtype is not None and is_odd)


def _sample_bytes(bits: int, container: int) -> int:
    """Return the bytes of a sample of `bits` bits. The header gives it `container` bytes, which may be wrong."""
    least = -(-bits // 8)
    if bits in _WHOLE_BITS or (least and not least <= container <= _MOST_BYTES):
        return least
    return container


def _words(file: BinaryIO, start: int, held: int) -> NDArray[np.uint32]:
    """Return samples of 4 bytes from all over the sound, uint32[n]."""
    whole = held // _MOST_BYTES * _MOST_BYTES
    step = max(_PLACE_BYTES, whole // _PLACES // _MOST_BYTES * _MOST_BYTES)
    data = b""
    for place in range(0, whole, step):
        file.seek(start + place)
        data += file.read(min(_PLACE_BYTES, whole - place))
    return np.frombuffer(data[: len(data) // _MOST_BYTES * _MOST_BYTES], "<u4")


def are_floats(words: NDArray[np.uint32]) -> bool:
    """Return whether these samples, uint32[n], are numbers in floating point. Those that are 0 do not count."""
    words = words[words != 0]
    exponents = words >> 23 & 0xFF
    within = (exponents >= _EXPONENTS[0]) & (exponents <= _EXPONENTS[1])
    return len(words) >= _LEAST_WORDS and bool(np.mean(within) >= _SURELY)


def _are_in_lower_bytes(words: NDArray[np.uint32]) -> bool:
    """Return whether 24 bits lie in the lower bytes of these samples, uint32[n], or a sound as soft in the upper ones.

    The upper byte then is 0, or repeats the sign. A sound that is so soft throughout loses nothing by it.
    """
    words = words[words != 0]
    upper, sign = words >> 24, words >> 23 & 1
    repeats = upper == sign * np.uint32(0xFF)
    return len(words) >= _LEAST_WORDS and bool(max(np.mean(repeats), np.mean(upper == 0)) >= _SURELY)


def _are_louder_elsewhere(words: NDArray[np.uint32], file: BinaryIO, start: int, held: int) -> bool:
    """Return whether 24 bits lie in the upper bytes, because samples between these soft `words`, uint32[n], are louder.

    All samples are looked at only if the lowest byte is 0, as it always is there.
    """
    if np.mean(words & 0xFF != 0) > 1 - _SURELY:
        return False
    louder = 0
    file.seek(start)
    for place in range(0, held, _PIECE_BYTES):
        data = file.read(min(_PIECE_BYTES, held - place))
        upper = np.frombuffer(data[: len(data) // _MOST_BYTES * _MOST_BYTES], "<u4") >> 24
        louder += int(np.count_nonzero((upper != 0) & (upper != 0xFF)))
    return louder >= _LEAST_WORDS


def _are_filled(words: NDArray[np.uint32]) -> bool:
    """Return whether 16 bits lie in the upper bytes of these samples, uint32[n], and zeros fill the lower ones."""
    return np.count_nonzero(words) >= _LEAST_WORDS and not np.any(words & 0xFFFF)
