"""Finds where an MP3 goes on after the place at which libsndfile stops: behind damage, or at a second recording."""

from __future__ import annotations

from pathlib import Path

_KBPS = {
    (True, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Kilobits a second by whether the version is MPEG 1, the bits of the layer, and the index of the rate, from 1."""
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
"""Hz by the bits of the version and the index of the rate (ISO/IEC 11172-3, 2.4.2.3; 13818-3 halves them)."""
_IN_A_ROW = 3
"""Frames that follow one another where the reader stands in sound. Fewer are there by chance."""
_SEARCHED = 1 << 20
"""Bytes in which the next frame is looked for. A longer gap is no damage within a recording."""


def next_frame(path: Path, start: int) -> int | None:
    """Return the byte from `start` on at which frames of an MP3 follow one another; None if there are none near."""
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(_SEARCHED)
    at = data.find(b"\xff")
    while at >= 0:
        end, frames = at, 0
        while frames < _IN_A_ROW and (size := _frame_bytes(data[end : end + 4])):
            end, frames = end + size, frames + 1
        if frames == _IN_A_ROW:
            return start + at
        at = data.find(b"\xff", at + 1)
    return None


def _frame_bytes(head: bytes) -> int:
    """Return the size in bytes of the frame that begins with the four bytes `head`; 0 if no frame begins so."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    rate, hertz = head[2] >> 4, head[2] >> 2 & 3
    if version not in _RATES or layer == 0 or not 1 <= rate <= 14 or hertz == 3:
        return 0
    bits = 1000 * _KBPS[version == 3, layer][rate - 1]
    padding = head[2] >> 1 & 1
    if layer == 3:
        return 4 * (12 * bits // _RATES[version][hertz] + padding)
    samples = 576 if version != 3 and layer == 1 else 1152
    return samples // 8 * bits // _RATES[version][hertz] + padding
