"""MIDI files written byte by byte: a tune of 32 notes, and the same tune with each kind of flaw and oddity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

TICKS = 480
TUNE = tuple(
    (480 * beat, 456, key)
    for beat, key in enumerate(
        (
            64,
            67,
            72,
            67,
            65,
            69,
            67,
            65,
            62,
            67,
            71,
            69,
            67,
            64,
            67,
            72,
            69,
            72,
            76,
            72,
            74,
            72,
            69,
            65,
            67,
            71,
            74,
            71,
            67,
        )
        + (72, 67, 64)
    )
)
"""(tick, length, pitch) of each note."""


def number(value: int) -> bytes:
    """A variable-length number."""
    found = [value & 0x7F]
    while value := value >> 7:
        found.append(0x80 | value & 0x7F)
    return bytes(reversed(found))


def meta(kind: int, content: bytes = b"", size: int | None = None) -> bytes:
    """A meta event. `size` is the length that it declares, if that is not the true one."""
    return bytes([0xFF, kind]) + number(len(content) if size is None else size) + content


def sysex(content: bytes, size: int | None = None) -> bytes:
    """A system-exclusive event."""
    return b"\xf0" + number(len(content) if size is None else size) + content


def control(controller: int, value: int = 0, channel: int = 0) -> bytes:
    return bytes([0xB0 | channel, controller, value])


def on(key: int, channel: int = 0, velocity: int = 80) -> bytes:
    return bytes([0x90 | channel, key, velocity])


def off(key: int, channel: int = 0) -> bytes:
    return bytes([0x80 | channel, key, 0])


END = meta(0x2F)
TEMPO = meta(0x51, (600_000).to_bytes(3, "big"))
FOUR_FOUR = meta(0x58, bytes([4, 2, 24, 8]))

Timed = list[tuple[int, bytes]]


def body(timed: Timed, end: bytes = END, running: bool = False) -> bytes:
    """The bytes of a track of (tick, event). With `running`, a repeated status is left out wherever it may be."""
    found, last, status = b"", 0, -1
    for tick, event in timed:
        found += number(tick - last)
        found += event[1:] if running and event[0] == status < 0xF0 else event
        status, last = event[0], tick
    return found + (b"\x00" + end if end else b"")


def chunk(content: bytes, kind: bytes = b"MTrk", size: int | None = None) -> bytes:
    """A chunk. `size` is the length that it declares, if that is not the true one."""
    return kind + (len(content) if size is None else size).to_bytes(4, "big") + content


def header(tracks: int, kind: int = 1, ticks: int = TICKS) -> bytes:
    return b"MThd" + b"".join(
        value.to_bytes(size, "big") for value, size in ((6, 4), (kind, 2), (tracks, 2), (ticks, 2))
    )


def tune(channel: int = 0, notes: tuple[tuple[int, int, int], ...] = TUNE) -> Timed:
    """The tune as timed messages; ends come before strikes."""
    timed = [(at, 1, on(key, channel)) for at, _, key in notes] + [
        (at + n, 0, off(key, channel)) for at, n, key in notes
    ]
    return [(tick, event) for tick, _, event in sorted(timed, key=lambda t: t[:2])]


def conductor(*events: tuple[int, bytes]) -> bytes:
    return chunk(body(sorted([(0, TEMPO), (0, FOUR_FOUR), *events], key=lambda timed: timed[0])))


def clean() -> bytes:
    return header(2) + conductor() + chunk(body(tune()))


def with_event(event: bytes, at: int = 0) -> bytes:
    """The tune with an event before its note `at`."""
    timed = tune()
    place = next(i for i, (tick, _) in enumerate(timed) if tick >= 480 * at)
    return header(2) + conductor() + chunk(body([*timed[:place], (480 * at, event), *timed[place:]]))


def riff(content: bytes) -> bytes:
    pad = b"\x00" * (len(content) % 2)
    data = b"data" + len(content).to_bytes(4, "little") + content + pad
    return b"RIFF" + (4 + len(data)).to_bytes(4, "little") + b"RMID" + data


@dataclass(frozen=True)
class Flaw:
    """A kind of flaw. `make` builds a file with it; another random generator gives another file of the kind."""

    name: str
    make: Callable[[Random], bytes]


def _length_off(random: Random, first: bool) -> bytes:
    tracks = [body([(0, TEMPO), (0, FOUR_FOUR)]), body(tune())]
    which = 0 if first else 1
    sizes = [len(content) for content in tracks]
    sizes[which] = max(0, sizes[which] + random.choice([-9, -4, -1, 1, 3, 5, 14, 200, 1 << 20]))
    return header(2) + b"".join(chunk(content, size=size) for content, size in zip(tracks, sizes, strict=True))


def _running_over(random: Random) -> bytes:
    """Running status that goes on after a sysex or a meta event."""
    timed = [(tick, bytes([0x90, event[1], event[2] if event[0] == 0x90 else 0])) for tick, event in tune()]
    for place in sorted(random.sample(range(1, len(timed)), 5), reverse=True):
        between = random.choice([sysex(b"\x7e\x00\x09\x01\xf7"), meta(0x01, b"text"), sysex(b"\x43\x10\x4c\xf7")])
        timed.insert(place, (timed[place][0], between))
    found, last, first = b"", 0, True
    for tick, event in timed:
        found += number(tick - last) + (event if event[0] != 0x90 or first else event[1:])
        first, last = False, tick
    return header(2) + conductor() + chunk(found + b"\x00" + END)


def _junk(random: Random, most: int = 40) -> bytes:
    return bytes(random.choice([0, 0, 10, 255, random.randrange(256)]) for _ in range(random.randint(1, most)))


def _bytes(random: Random, most: int, top: int = 256) -> bytes:
    return bytes(random.randrange(top) for _ in range(random.randint(0, most)))


def _beside(event: Callable[[Random], bytes]) -> Callable[[Random], bytes]:
    """Files in which this event stands before one of the first notes."""
    return lambda r: with_event(event(r), r.randrange(9))


def _conducted(event: Callable[[Random], bytes], first: int = 0) -> Callable[[Random], bytes]:
    """Files whose first track has this event at a beat from `first` on."""
    return lambda r: header(2) + conductor((480 * r.randrange(first, 30), event(r))) + chunk(body(tune()))


def _parted(between: Callable[[Random], bytes]) -> Callable[[Random], bytes]:
    """Files with these bytes between the two tracks."""
    return lambda r: header(2) + conductor() + between(r) + chunk(body(tune()))


def _headed(size: Callable[[Random], int], more: Callable[[Random], bytes]) -> Callable[[Random], bytes]:
    """Files whose header declares this size and holds these bytes more."""
    return lambda r: b"MThd" + size(r).to_bytes(4, "big") + clean()[8:14] + more(r) + clean()[14:]


def _short(random: Random) -> bytes:
    kind, longest = random.choice([(0x51, 2), (0x54, 4), (0x58, 1), (0x59, 1), (0x00, 1)])
    return meta(kind, b"\x04\x02\x01\x00"[: random.randint(0, longest)])


def _sized(content: bytes, sizes: list[int], kinds: list[int]) -> Callable[[Random], bytes]:
    """Meta events (or sysex, of kind 0xF0) that declare another size than they have."""
    return lambda r: (
        sysex(content, r.choice(sizes)) if kinds == [0xF0] else meta(r.choice(kinds), content, r.choice(sizes))
    )


ONE_TRACK = chunk(body([(0, TEMPO), (0, FOUR_FOUR), *tune()]))
ENDLESS = chunk(body(tune(), end=b""))
FAR = chunk(body(tune(), end=b"") + number(0x0FFFFFFF) + END)
EMPTY_METAS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 0x0A, 0x20, 0x21, 0x54, 0x58, 0x59, 0x60, 0x7F]
SYSTEM = [b"\xf8", b"\xfe", b"\xf6", b"\xf3\x01", b"\xf2\x01\x02", b"\xf1\x01"]
KARAOKE = meta(0x01, b"@KMIDI KARAOKE FILE") + b"\x00" + meta(0x05, "la ä".encode("cp1252"))
KINDS: dict[str, Callable[[Random], bytes]] = {
    "a key signature out of range": _beside(
        lambda r: meta(0x59, bytes([r.choice([8, 18, 0xEE, 0x7F]), r.choice([0, 1, 9])]))
    ),
    "a mode that is none": _beside(lambda r: meta(0x59, bytes([r.choice([2, 0xFE]), r.choice([2, 255])]))),
    "a short meta event": _beside(_short),
    "a time signature of two bytes": _beside(lambda r: meta(0x58, b"\x04\x02")),
    "an empty meta event": _beside(lambda r: meta(r.choice(EMPTY_METAS))),
    "an unknown meta event": _beside(lambda r: meta(r.choice([0x10, 0x4B, 0x60, 0x7E]), _bytes(r, 9))),
    "a late signature of no beats": _conducted(lambda r: meta(0x58, bytes([0, r.choice([2, 3]), 24, 8])), 4),
    "a signature of an absurd note value": _conducted(
        lambda r: meta(0x58, bytes([4, r.choice([9, 77, 255]), 24, 8])), 28
    ),
    "a tempo of zero": _conducted(lambda r: meta(0x51, bytes(3))),
    "a chunk of another kind between": _parted(lambda r: chunk(_bytes(r, 60), r.choice([b"XFIH", b"XFKM", b"abcd"]))),
    "a chunk of another kind at the end": lambda r: clean() + chunk(_bytes(r, 60, 128), b"XFIH"),
    "bytes between tracks": _parted(_junk),
    "bytes after the last track": lambda r: clean() + _junk(r),
    "bytes before the header": lambda r: _junk(r, 128) + clean(),
    "a track too few": lambda r: header(r.choice([3, 4, 17])) + clean()[14:],
    "a track too many": lambda r: header(r.choice([0, 1])) + clean()[14:],
    "a length of the first track that is off": lambda r: _length_off(r, True),
    "a length of the last track that is off": lambda r: _length_off(r, False),
    "a header that is longer": _headed(lambda r: 10, lambda r: bytes(4)),
    "a header of an absurd length": _headed(lambda r: r.choice([0, 5, 0xFF000006, 0x7FFFFFFF]), lambda r: b""),
    "running status over a sysex": _running_over,
    "running status everywhere": lambda r: header(2) + conductor() + chunk(body(tune(), running=True)),
    "no end of track": lambda r: header(2) + conductor() + ENDLESS,
    "an end of track that is far away": lambda r: header(2) + conductor() + FAR,
    "a RIFF file": lambda r: riff(clean()),
    "type 0 under a header of type 1": lambda r: header(1, 1) + ONE_TRACK,
    "type 1 under a header of type 0": lambda r: header(2, 0) + clean()[14:],
    "a text whose length is off": _beside(_sized(b"some words", [0, 3, 12, 60, 500], [1, 5, 6, 3])),
    "a tempo whose length is off": lambda r: with_event(_sized(TEMPO[3:], [0, 4, 60], [0x51])(r)),
    "a sysex whose length is off": _beside(_sized(b"\x43\x10\x4c\x00\x00\x7e\x00\xf7", [0, 4, 7, 9, 90], [0xF0])),
    "a sysex without its end byte": _beside(
        lambda r: b"\xf0" + number(r.choice([70, 500, 0x1FFFFF])) + b"\x43\x10\x4c\x00\x00\x7e"
    ),
    "data bytes before the first message": lambda r: with_event(
        bytes(r.randrange(128) for _ in range(r.randint(1, 9)))
    ),
    "system messages in a track": _beside(lambda r: r.choice(SYSTEM)),
    "lyrics as in a karaoke file": lambda r: with_event(KARAOKE),
    "a name in no known encoding": lambda r: with_event(meta(0x03, bytes(r.randrange(32, 256) for _ in range(9)))),
}
FLAWS = tuple(Flaw(name, make) for name, make in KINDS.items())
"""Every flaw that a file with 32 notes may have without losing one of them."""
