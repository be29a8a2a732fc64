"""Reads the bytes of a MIDI file, and reads on past everything that the box does not need or cannot understand.

Only notes, the messages that end notes, tempo, time signature, key signature and track names are kept. Everything else
is passed over by its length, so a flaw in it does no harm. mido refuses a whole file for such a flaw. symusic does so
too where a track length is off, a file is a RIFF file or a value is beyond 127.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from device.errors import UserError
from device.events import ENDS_NOTES
from device.files.midi.names import names_of
from device.files.midi.raw import RawMidi, RawTrack, Silenced, Struck

MOST_MESSAGES = 400_000
"""Largest number of note messages in a file. Two hours of a busy pianist are 100,000. More would fill the memory."""
MOST_CHANGES = 10_000
"""Largest number of time signatures and of key signatures that are kept. Later ones are left out."""
MOST_TEMPOS = 100_000
"""Largest number of tempos that are kept. Later ones are left out, and a sentence says so.

A sequencer that bends the tempo writes up to 20 a second.
"""
HEADER_WITHIN = 64 * 1024
"""Bytes in which the header may begin, because a container (RIFF, MacBinary) may stand before it."""
_HEADER_BYTES = 6
"""Bytes of a header's content. A later version of the format may add some."""
MOST_SEARCHES = 500
"""Number of times that the reader looks for the next message after a wrong length, which takes time."""
SEARCHED_BYTES = 1024
"""Bytes in which the next message is looked for after a wrong length. A longer text is rare in a MIDI file."""
_SURE_MESSAGES = 4
"""Messages without a flaw that prove that the reader stands at the start of a message."""
_LONGEST_NUMBER = 4
"""Bytes of the longest variable-length number that MIDI allows."""
_LONG = (0x80, 0x8F)
"""First byte of a number of 32 bits: of one that is filled with zeros, and of a negative one."""
_LEAST_LONG = 1 << 25
"""The first four bytes of a number of 32 bits, in five bytes, mean less than this."""
_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}
_SYSTEM_DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}
_SYSTEM = frozenset({0xF1, 0xF2, 0xF3, 0xF6, 0xF8, 0xFA, 0xFB, 0xFC, 0xFE})
"""System messages that MIDI defines. They do not belong into a file, and some programs write them into one."""
_META, _SYSEX, _ESCAPE, _SYSEX_END = 0xFF, 0xF0, 0xF7, 0xF7
_NAME, _DEVICE, _PORT, _END, _TEMPO, _SIGNATURE, _KEY = 0x03, 0x09, 0x21, 0x2F, 0x51, 0x58, 0x59
_SIZES = {0x00: 2, 0x20: 1, _PORT: 1, _END: 0, _TEMPO: 3, 0x54: 5, _SIGNATURE: 4, _KEY: 2}
"""Bytes of each meta event that has a fixed size."""
_TEXTS = range(0x01, 0x10)
_LAST_EVENT = bytes([_META, _END, 0])
"""The last event of every track. A track that ends with it has the right length, whatever follows."""
_RESET = b"\xff"


class _CutError(Exception):
    """Raised when the bytes of a track end within a message."""


def parse(data: bytes) -> RawMidi:
    """Read the bytes of a MIDI file and return its notes, tempos and signatures.

    Raises UserError if nothing can be read or there are too many notes. The text of the error is meant to follow the
    name of the file, such as "is not a MIDI file".
    """
    start = _header_at(data)
    if start < 0:
        raise UserError("is not a MIDI file")
    if len(data) < start + 14:
        raise UserError("is cut short")
    after = start + 8 + int.from_bytes(data[start + 4 : start + 8], "big")
    midi = RawMidi(
        format=int.from_bytes(data[start + 8 : start + 10], "big"),
        ticks_per_beat=int.from_bytes(data[start + 12 : start + 14], "big", signed=True),
    )
    for first, declared in _tracks(data, after if _is_chunk(data, after) else start + 14, midi):
        midi.tracks.append(_Track(data, first, declared, midi).read())
    if not midi.tracks:
        raise UserError("has no track")
    for track, name in zip(midi.tracks, names_of([track.raw_name for track in midi.tracks]), strict=True):
        track.name = name
    return midi


def _header_at(data: bytes) -> int:
    """Return the byte at which the header begins: the first one that a chunk follows, else the first; -1 for none."""
    first = at = data.find(b"MThd", 0, HEADER_WITHIN)
    while at >= 0:
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        if size >= _HEADER_BYTES and _is_chunk(data, at + 8 + size):
            return at
        at = data.find(b"MThd", at + 4, HEADER_WITHIN)
    return first


def _is_chunk(data: bytes, at: int) -> bool:
    """Return whether a chunk may begin at byte `at`: four printable characters and a length, or the end of the file."""
    return at == len(data) or (at + 8 <= len(data) and all(32 <= byte < 127 for byte in data[at : at + 4]))


def _tracks(data: bytes, at: int, midi: RawMidi) -> Iterator[tuple[int, int | None]]:
    """Yield (first byte, end as declared) of each track. The end is None if the declared length cannot be right.

    Such a length is also noted in the flaws of `midi`.
    """
    while at + 8 <= len(data):
        declared = at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        fits = _is_chunk(data, declared) or data[max(at, declared - len(_LAST_EVENT)) : declared] == _LAST_EVENT
        if data[at : at + 4] == b"MTrk":
            if not fits:
                midi.flaws["a track whose length is wrong"] = None
            yield at + 8, declared if fits else None
        following = data.find(b"MTrk", at + 8 if data[at : at + 4] == b"MTrk" else at + 1)
        if fits and (declared <= following or following < 0):
            at = declared
        elif following >= 0:
            at = following
        else:
            return


class _Track:
    """Reads one track from byte `first` to byte `declared`. If `declared` is None, its end-of-track message ends it."""

    def __init__(self, data: bytes, first: int, declared: int | None, midi: RawMidi) -> None:
        self._data, self._at, self._midi = data, first, midi
        self._trusted = declared is not None
        following = data.find(b"MTrk", first)
        self._end = declared if declared is not None else following if following >= 0 else len(data)
        self._track = RawTrack()
        self._tick = 0
        self._running = 0
        self._ended = self._goes_back = False

    def read(self) -> RawTrack:
        """Return the track. Reading stops where its bytes end. Raises UserError if the file has too many notes."""
        try:
            while self._at < self._end and not (self._ended and not self._trusted):
                self._channel_messages()
                if self._at < self._end:
                    self._system(self._data[self._at])
        except (_CutError, IndexError):
            self._flaw("a track that is cut short")
        if self._goes_back:
            timed = [replace(message, tick=max(message.tick, 0)) for message in self._track.messages]
            self._track.messages = sorted(timed, key=lambda message: message.tick)
            self._track.last_tick = max((message.tick for message in timed), default=0)
        self._track.end_tick = max(self._track.end_tick, self._track.last_tick)
        return self._track

    def _long(self, number: int) -> int:
        """Return the ticks that a delta time of 32 bits, in five bytes, means: those of a note before the last one.

        Ableton Live writes so a note that begins before its clip does.
        """
        if number < 1 << 31:
            return number
        self._flaw("a time that goes back")
        self._goes_back = True
        return number - (1 << 32)

    def _flaw(self, what: str) -> None:
        self._midi.flaws[what] = None

    def _channel_messages(self) -> None:
        """Read messages up to the status byte of the next system message. This loop takes nearly all of the time."""
        data, at, end, tick, running = self._data, self._at, self._end, self._tick, self._running
        try:
            while at < end:
                delta = data[at] & 0x7F
                more = data[at] >> 7
                at += 1
                for _ in range((_LONGEST_NUMBER - 1) * more):
                    byte = data[at]
                    at += 1
                    delta = delta << 7 | byte & 0x7F
                    if byte < 0x80:
                        break
                else:
                    if more and delta < _LEAST_LONG and data[at] < 0x80:
                        delta, at = self._long(delta << 7 | data[at]), at + 1
                tick += delta
                status = data[at]
                if status >= 0xF0:
                    return
                if status >= 0x80:
                    running = status
                    at += 1
                elif not running:
                    self._flaw("bytes that are no message")
                    at = self._next_message(at)
                    continue
                kind = running >> 4
                first, second = data[at], 0
                at += 1
                if _DATA_BYTES[kind] == 2:
                    second = data[at]
                    at += 1
                if at > end:
                    raise _CutError
                self._track.last_tick = tick
                if kind <= 0x9 and first < 0x80:
                    velocity = min(second, 127) if kind == 0x9 else 0
                    self._keep(Struck(tick, running & 0xF, first, velocity))
                elif kind == 0xB and first in ENDS_NOTES:
                    self._keep(Silenced(tick, running & 0xF))
                if first >= 0x80 or second >= 0x80:
                    self._flaw("values beyond 127")
        finally:
            self._at, self._tick, self._running = at, tick, running

    def _keep(self, message: Struck | Silenced) -> None:
        self._track.messages.append(message)
        self._midi.messages += 1
        if self._midi.messages > MOST_MESSAGES:
            raise UserError(f"holds more than {MOST_MESSAGES // 2} notes, and no pianist plays so many")

    def _system(self, status: int) -> None:
        self._at += 1
        if status == _META:
            kind = self._data[self._at]
            self._at += 1
            self._meta(kind, self._content(kind))
        elif status in (_SYSEX, _ESCAPE):
            if self._content(status) == _RESET and status == _ESCAPE:
                self._keep(Silenced(self._tick, None))
        else:
            self._at += _SYSTEM_DATA_BYTES.get(status, 0)

    def _content(self, kind: int) -> bytes:
        """Read a length and that many bytes, and return the bytes.

        `kind` is the type of a meta event, or _SYSEX or _ESCAPE. If no message follows the bytes, the length is wrong.
        The content then ends where messages begin again. Raises _CutError if the track ends earlier.
        """
        size, self._at = self._length(self._at)
        first, stop = self._at, self._at + size
        if self._is_doubtful(kind, first, stop) and self._midi.searches < MOST_SEARCHES:
            self._midi.searches += 1
            found = self._true_end(kind, first, stop)
            if found != stop:
                self._flaw("an event whose length is wrong")
                stop = found
        if stop > self._end:
            raise _CutError
        self._at = stop
        return self._data[first:stop]

    def _length(self, at: int) -> tuple[int, int]:
        """Return the length that stands at byte `at`, and the byte behind it."""
        size = 0
        for _ in range(_LONGEST_NUMBER):
            byte = self._data[at]
            at += 1
            size = size << 7 | byte & 0x7F
            if byte < 0x80:
                break
        return size, at

    def _is_doubtful(self, kind: int, first: int, stop: int) -> bool:
        """Return whether the length of an event with the bytes from `first` to `stop` may be wrong."""
        if kind == _END and stop == first:
            return False
        content = self._data[first:stop]
        if kind == _SYSEX:
            odd = _SYSEX_END in content[:-1] or self._data[stop : stop + 1] == bytes([_SYSEX_END])
        else:
            odd = kind in _TEXTS and not _is_text(content)
        return odd or stop > self._end or not self._is_message(stop, 1)

    def _true_end(self, kind: int, first: int, stop: int) -> int:
        """Return the byte at which the content of an event ends. It is `stop` if there is no better one."""
        near = range(first, min(self._end, first + SEARCHED_BYTES))
        if kind == _SYSEX:
            ends = (at + 1 for at in near if self._data[at] == _SYSEX_END)
            found = next((at for at in ends if self._is_message(at, _SURE_MESSAGES)), None)
            if found is not None:
                return found
        if kind in _SIZES and self._is_message(first + _SIZES[kind], _SURE_MESSAGES, explicit=True):
            return first + _SIZES[kind]
        sure = next((at for at in near if self._is_message(at, _SURE_MESSAGES, explicit=True)), stop)
        goes_on = stop < sure and self._data[stop:sure].isascii() and self._data[stop:sure].decode().isprintable()
        odd = sure < stop and kind in _TEXTS and not _is_text(self._data[first:stop])
        if stop > self._end or goes_on or odd or not self._is_message(stop, _SURE_MESSAGES):
            return sure
        return stop

    def _next_message(self, at: int) -> int:
        """Return the byte behind `at` at which messages with status bytes begin, or the next byte if none do."""
        near = range(at + 1, min(self._end, at + SEARCHED_BYTES))
        if self._midi.searches >= MOST_SEARCHES:
            return at + 1
        self._midi.searches += 1
        return next((begin for begin in near if self._is_message(begin, _SURE_MESSAGES, explicit=True)), at + 1)

    def _is_message(self, at: int, count: int, explicit: bool = False) -> bool:
        """Return whether `count` messages without a flaw begin at byte `at`, or fewer up to the end of the track.

        The first of them needs a status byte if `explicit`, or if `count` is 1.
        """
        data, running = self._data, 0 if explicit or count == 1 else self._running
        for _ in range(count):
            if at >= self._end:
                return at == self._end
            try:
                number = 0
                while data[at] >= 0x80:
                    number, at = number + 1, at + 1
                    if number > _LONGEST_NUMBER or (number == _LONGEST_NUMBER and data[at - number] not in _LONG):
                        return False
                status = data[at + 1]
                at += 1
                if status >= 0x80:
                    at += 1
                    running = status if status < 0xF0 else running
                if not (running or status >= 0xF0):
                    return False
                if status < 0xF0:
                    size = _DATA_BYTES[running >> 4]
                    if any(byte >= 0x80 for byte in data[at : at + size]):
                        return False
                elif status == _META:
                    kind = data[at]
                    size, at = self._length(at + 1)
                    if kind == _END:
                        return size == 0
                    if kind >= 0x80 or (size >= 0x80 and kind in _SIZES):
                        return False
                    # a short event is a flaw that some programs write, or its length is wrong
                    if size < _SIZES.get(kind, 0) and not self._is_status_next(at + size):
                        return False
                elif status in (_SYSEX, _ESCAPE):
                    size, at = self._length(at)
                elif status in _SYSTEM:
                    size = _SYSTEM_DATA_BYTES.get(status, 0)
                else:
                    return False
                at += size
            except IndexError:
                return False
        return at <= self._end

    def _is_status_next(self, at: int) -> bool:
        """Return whether a delta time and a status byte stand at byte `at`, or the track ends there."""
        if at >= self._end:
            return at == self._end
        for _ in range(_LONGEST_NUMBER - 1):
            if self._data[at] < 0x80:
                break
            at += 1
        return self._data[at] < 0x80 <= self._data[at + 1]

    def _meta(self, kind: int, content: bytes) -> None:
        midi, tick = self._midi, max(self._tick, 0)
        if kind == _END:
            self._track.end_tick, self._ended = tick, True
        elif kind == _NAME and not self._track.raw_name:
            self._track.raw_name = content
        elif kind in (_PORT, _DEVICE):
            self._track.port = content
        elif kind == _TEMPO and len(midi.tempos) >= MOST_TEMPOS:
            self._flaw(f"more than {MOST_TEMPOS:,} tempos")
        elif kind == _TEMPO:
            # some programs write the number with more bytes before it, which are 0, or with bytes after it
            before = min(len(content) - len(content.lstrip(b"\0")), max(len(content) - 3, 0))
            number = content[before : before + 3]
            if len(number) == 3 and any(number):
                midi.tempos.append((tick, int.from_bytes(number, "big")))
            else:
                self._flaw("a tempo that is none")
        elif kind == _SIGNATURE and len(midi.signatures) < MOST_CHANGES:
            if len(content) >= 2 and 1 <= content[0] <= 64 and content[1] <= 6:
                midi.signatures.append((tick, content[0], 1 << content[1]))
            else:
                self._flaw("a time signature that is none")
        elif kind == _KEY and len(midi.keys) < MOST_CHANGES:
            sharps = int.from_bytes(content[:1], "big", signed=True)
            if len(content) >= 2 and abs(sharps) <= 7 and content[1] <= 1:
                midi.keys.append((tick, sharps, bool(content[1])))
            else:
                self._flaw("a key signature that is none")


def _is_text(content: bytes) -> bool:
    """Return whether these bytes may be a text: none is a control character, except spaces, line ends and zeros."""
    return all(byte >= 32 or byte in b"\t\r\n\0" for byte in content)
