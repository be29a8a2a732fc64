"""Reads the right hand live from a MIDI port."""

from __future__ import annotations

import contextlib
import heapq
import math
import queue
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import mido

from device.clock.tempo_map import TICKS_PER_BEAT, TempoMap
from device.events import (
    DRUM_CHANNEL,
    ENDS_NOTES,
    KEYS,
    LONGEST_KEY_S,
    LOWEST_KEY,
    UNISON_S,
    UNRELEASED_S,
    Hand,
    Note,
    NoteEnded,
    NoteHeard,
)
from device.inputs.control_queue import ControlQueue
from device.inputs.echoes import Echoes
from device.inputs.source import Feed, Loss
from device.ports.midi_ports import InputPort
from device.ports.port import Port
from device.stream_time import StreamTime

TICKS = TempoMap(TICKS_PER_BEAT)
"""Note times are rounded to MIDI file ticks, so that a file of the performance has exactly the same times."""
TICK_S = TICKS.seconds(1)

MOST_MESSAGES = 4096
"""Most messages that wait. A MIDI cable needs more than a second to carry this many."""

_Told: TypeAlias = tuple[float, int, float, int, NoteHeard | NoteEnded]
"""A note event with its order: (time, 0 for an end or 1 for an onset, the note's onset time, pitch, event). Times are
in seconds. The first four give the order."""


_APART_TICKS = math.floor(UNISON_S / TICK_S) + 1
"""Least ticks between two strikes of one key, and least length of a note: earlier strikes are part of the first."""
_LONGEST_TICKS, _UNRELEASED_TICKS = math.floor(LONGEST_KEY_S / TICK_S), math.floor(UNRELEASED_S / TICK_S)
"""Most ticks of a note: on a channel that releases keys, and on one that does not."""
UNRELEASED_STRIKES = 16
"""A channel releases no keys if it has struck so many in a row without a release. Two hands have ten fingers."""
ALL_BUT_DRUMS = frozenset(range(16)) - {DRUM_CHANNEL}
"""Channels, counted from 0, that are heard if the settings name none."""


@dataclass
class _Key:
    """Holds a key that was struck at tick `began`.

    `held` counts, for each channel, the strikes that were not released.
    """

    began: int
    note: Note
    held: Counter[int]
    end: _Told | None = None
    """The end of the note, once the key was released."""


class Keys:
    """Turns MIDI messages into notes of the player.

    Strikes of one key within UNISON_S, from any channel, are one note. This note ends when each of the strikes was
    released, or when the key is struck again later. A note lasts at least _APART_TICKS and at most LONGEST_KEY_S.

    Some controllers send no releases. On a channel of such a one, each strike ends those before it, except those of the
    same chord, and a note lasts at most UNRELEASED_S. Files of such a controller are read in the same way.
    """

    def __init__(self, split: int = 0, channels: Collection[int] = ALL_BUT_DRUMS) -> None:
        """`split` is the right hand's lowest pitch. `channels` are those of the player, counted from 0."""
        self._split, self._channels = split, channels
        self._keys: dict[int, _Key] = {}
        self._told: list[_Told] = []
        self._tick = 0
        self._now_s = 0.0
        self._limits: list[tuple[int, int, int]] = []
        """Heap of (tick at which a key counts as released, pitch, tick of its strike)."""
        self._unreleased: Counter[int] = Counter()
        """Number of strikes on each channel since its last release."""

    def step(self, messages: Sequence[tuple[mido.Message, float]], now_s: float) -> list[NoteHeard | NoteEnded]:
        """Return the note events from the previous step until `now_s`, in seconds of stream time.

        `messages` are new MIDI messages, each with its stream time in seconds. The order of the result is that of a
        file: by time, ends before onsets, low keys before high keys.
        """
        for message, time_s in messages:
            self._tick = max(self._tick, math.floor(time_s / TICK_S))
            while TICKS.seconds(self._tick) <= self._now_s:
                self._tick += 1
            self._end_too_long(TICKS.seconds(self._tick))
            if message.type == "reset":
                self._release(self._keys, None)
            elif not is_of(message, self._channels):
                continue
            elif message.type == "control_change" and message.control in ENDS_NOTES:
                self._unreleased[message.channel] = 0
                self._release(self._keys, message.channel)
            elif message.type == "note_on" and message.velocity > 0:
                self._strike(message)
            elif message.type in ("note_on", "note_off"):
                self._unreleased[message.channel] = 0
                if message.note in self._keys:
                    self._keys[message.note].held[message.channel] -= 1
                    self._release([message.note])
        self._end_too_long(now_s)
        self._now_s = now_s
        told = sorted((t for t in self._told if t[0] <= now_s), key=lambda t: t[:4])
        self._told = [t for t in self._told if t[0] > now_s]
        return [event for *_, event in told]

    def finish(self) -> tuple[float, list[NoteHeard | NoteEnded]]:
        """End the notes whose keys are still down. Return the end time in seconds, and all events not yet returned."""
        self._tick = max(self._tick, math.ceil(self._now_s / TICK_S))
        self._release(self._keys, None)
        end_s = max([self._now_s, TICKS.seconds(self._tick), *(t[0] for t in self._told)])
        return end_s, self.step([], end_s)

    def _strike(self, message: mido.Message) -> None:
        """Begin a note, or add a channel to the strike of the same key a moment before.

        A channel that sends no releases ends its earlier notes with each strike: see UNRELEASED_STRIKES.
        """
        pitch, channel = message.note, message.channel
        if not LOWEST_KEY <= pitch < LOWEST_KEY + KEYS:
            return
        self._unreleased[channel] += 1
        longest = _LONGEST_TICKS
        if self._unreleased[channel] > UNRELEASED_STRIKES:
            longest = _UNRELEASED_TICKS
            chord = self._tick - _APART_TICKS
            self._release([key for key, of_key in self._keys.items() if of_key.began <= chord], channel)
        before = self._keys.get(pitch)
        if before is not None and self._tick - before.began < _APART_TICKS:
            before.held[channel] += 1
            if before.end is not None:
                self._told.remove(before.end)
                before.end = None
            return
        # other channels that hold the key go on holding it; on this one, the end of the strike before was lost
        held = Counter() if before is None else +before.held
        held[channel] = 1
        if before is not None:
            self._end(before)
        onset_s = TICKS.seconds(self._tick)
        hand: Hand = "right" if pitch >= self._split else "left"
        note = Note(onset_s, None, pitch, message.velocity, 1.0, onset_s, hand)
        self._keys[pitch] = _Key(self._tick, note, held)
        self._told.append((onset_s, 1, onset_s, pitch, NoteHeard(note)))
        heapq.heappush(self._limits, (self._tick + longest, pitch, self._tick))

    def _release(self, pitches: Iterable[int], channel: int | None = -1) -> None:
        """Release `channel` on the keys `pitches`, and end the notes of those keys that no channel holds any more.

        If `channel` is None, every channel is released. With -1 none is: only the notes without a holder end.
        """
        for pitch in pitches:
            key = self._keys[pitch]
            if channel is None:
                key.held.clear()
            else:
                key.held.pop(channel, None)
            key.held = +key.held
            if not key.held:
                self._end(key)

    def _end_too_long(self, until_s: float) -> None:
        """End the notes that have lasted as long as a note can by `until_s` seconds of stream time."""
        while self._limits and TICKS.seconds(self._limits[0][0]) <= until_s:
            tick, pitch, began = heapq.heappop(self._limits)
            key = self._keys[pitch]
            if key.began == began and key.end is None:
                key.held.clear()
                self._end(key, tick)

    def _end(self, key: _Key, tick: int | None = None) -> None:
        """End the note of `key` at `tick`, or at the present tick, if it has not ended before."""
        if key.end is None:
            note = key.note
            end_s = TICKS.seconds(max(self._tick if tick is None else tick, key.began + _APART_TICKS))
            key.end = (end_s, 0, note.onset_s, note.pitch, NoteEnded(note.pitch, note.onset_s, end_s, decided_s=end_s))
            self._told.append(key.end)


def means_keys(message: mido.Message) -> bool:
    """Return whether `message` strikes or releases keys. A keyboard with aftertouch sends many others in a second."""
    is_mode = message.type == "control_change" and message.control in ENDS_NOTES
    return is_mode or message.type in ("note_on", "note_off", "reset")


def is_of(message: mido.Message, channels: Collection[int]) -> bool:
    """Return whether `message` has a channel that is one of `channels`."""
    return getattr(message, "channel", None) in channels


class KeyboardSource:
    """Reads the player's messages from the MIDI input `port`, in hops of `hop_s` seconds, after `start`.

    `echoes` recognises messages that only come back from the keyboard; they are dropped. Messages of a switch go to
    `controls`. `through` receives every other message of `channels` at once, in RtMidi's thread. Raises
    UnavailableError if `port` has gone or is in use.
    """

    rate = None

    def __init__(
        self,
        port: Port,
        hop_s: float,
        stream_time: StreamTime,
        echoes: Echoes,
        through: Callable[[mido.Message], None] | None = None,
        controls: ControlQueue | None = None,
        split: int = 0,
        channels: Collection[int] = ALL_BUT_DRUMS,
    ) -> None:
        self._input = InputPort(port, clock=controls is not None and controls.keeps_time)
        self.port = self._input.port
        self._controls = controls
        self._through = through
        self.xruns = 0
        """Number of messages dropped because the queue was full."""
        self._lost = False
        """True after a drop, until all keys were released: the release of a key may be among the dropped messages."""
        self._hop_s = hop_s
        self._echoes = echoes
        self._queue: queue.Queue[tuple[mido.Message, float]] = queue.Queue(MOST_MESSAGES)
        self._waiting: deque[tuple[mido.Message, float]] = deque()
        self._keys, self._channels = Keys(split, channels), channels
        self._hops = 0
        self._time = stream_time
        self._start_s = 0.0

    def start(self) -> None:
        """Start to receive messages."""
        self._start_s = time.monotonic()
        self._time.arrived(0.0, self._start_s)
        self._input.start(self._received)

    @property
    def input_s(self) -> float:
        """Return the seconds since the start, in whole hops."""
        return self._hops * self._hop_s

    def level_db(self) -> float | None:
        """Return None, because a keyboard delivers no sound."""
        return None

    def read(self) -> list[Feed]:
        """Wait for the end of the next hop.

        Return a list with this one hop, which has no samples, and the player's notes in it. If messages were dropped,
        all notes end with this hop.
        """
        self._hops += 1
        now_s = self.input_s
        time.sleep(max(0.0, self._start_s + now_s - time.monotonic()))
        with contextlib.suppress(queue.Empty):
            while True:
                self._waiting.append(self._queue.get_nowait())
        messages = []
        while self._waiting and self._waiting[0][1] <= now_s:
            messages.append(self._waiting.popleft())
        if self._lost:
            self._lost = False
            messages.append((mido.Message("reset"), now_s))
        return [(None, now_s, self._keys.step(messages, now_s))]

    def losses(self) -> Sequence[Loss]:
        """Return nothing, because no sound can be lost."""
        return ()

    def finish(self) -> list[Feed]:
        """Close the port, and end the notes whose keys are still down. Return a list with the events of these ends."""
        self.close()
        return [(None, *self._keys.finish())]

    def silence(self) -> list[Feed]:
        """Return an empty list, because silence adds nothing to a keyboard's input."""
        return []

    def close(self) -> None:
        """Close the port."""
        self._input.close()

    def _received(self, message: mido.Message, now_s: float) -> None:
        """Pass a message to the controls, or drop it as an echo, or queue it as music and pass it on to `through`.

        RtMidi calls this in its own thread. `now_s` is the monotonic time of arrival in seconds.
        """
        if self._controls is not None and self._controls.take(message, now_s):
            return
        if not self._echoes.is_echo(message, now_s):
            if self._through is not None and is_of(message, self._channels):
                self._through(message)
            if not means_keys(message):
                return
            try:
                self._queue.put_nowait((message, now_s - self._start_s))
            except queue.Full:
                self.xruns += 1
                self._lost = True
