"""The right hand from a MIDI port, live."""

from __future__ import annotations

import contextlib
import math
import queue
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

import mido

from device.clock.tempo_map import TICKS_PER_BEAT, TempoMap
from device.events import DRUM_CHANNEL, KEYS, LOWEST_KEY, Hand, Note, NoteEnded, NoteHeard
from device.inputs.control_queue import ControlQueue
from device.inputs.echoes import Echoes
from device.inputs.source import Feed
from device.ports.midi_ports import InputPort
from device.ports.port import Port
from device.stream_time import StreamTime

TICKS = TempoMap(TICKS_PER_BEAT)
"""Times are on the ticks of a MIDI file, so that a file of what was played says the same."""
TICK_S = TICKS.seconds(1)

MOST_MESSAGES = 4096
"""What a cable brings in more than a second."""

_Told: TypeAlias = tuple[float, int, float, int, NoteHeard | NoteEnded]
"""Time, 0 for an end and 1 for an onset, the note's onset, its pitch: the order of telling; and what is told."""


class Keys:
    """MIDI messages to notes heard: a key struck again ends its note, and no note is shorter than a tick."""

    def __init__(self, split: int = 0) -> None:
        """`split`: the right hand's lowest pitch; what lies below it is the left hand's."""
        self._split = split
        self._down: dict[int, tuple[int, Note]] = {}
        self._told: list[_Told] = []
        self._tick = 0
        self._now_s = 0.0

    def step(self, messages: Sequence[tuple[mido.Message, float]], now_s: float) -> list[NoteHeard | NoteEnded]:
        """What (message, stream seconds) mean that came after the step before and until `now_s`.

        In the order in which a file tells it: by time, ends first, low keys before high ones.
        """
        for message, time_s in messages:
            self._tick = max(self._tick, math.floor(time_s / TICK_S))
            while TICKS.seconds(self._tick) <= self._now_s:
                self._tick += 1
            if message.type not in ("note_on", "note_off") or message.channel == DRUM_CHANNEL:
                continue
            if not LOWEST_KEY <= message.note < LOWEST_KEY + KEYS:
                continue
            self._end(message.note)
            if message.type == "note_on" and message.velocity > 0:
                onset_s = TICKS.seconds(self._tick)
                hand: Hand = "right" if message.note >= self._split else "left"
                note = Note(onset_s, None, message.note, message.velocity, 1.0, onset_s, hand)
                self._down[message.note] = (self._tick, note)
                self._told.append((onset_s, 1, onset_s, message.note, NoteHeard(note)))
        self._now_s = now_s
        told = sorted((t for t in self._told if t[0] <= now_s), key=lambda t: t[:4])
        self._told = [t for t in self._told if t[0] > now_s]
        return [event for *_, event in told]

    def finish(self) -> tuple[float, list[NoteHeard | NoteEnded]]:
        """When all is over, and what has not been told by then: the ends of the notes whose keys are still down."""
        self._tick = max(self._tick, math.ceil(self._now_s / TICK_S))
        for pitch in list(self._down):
            self._end(pitch)
        end_s = max(self._now_s, TICKS.seconds(self._tick))
        return end_s, self.step([], end_s)

    def _end(self, pitch: int) -> None:
        if pitch in self._down:
            began, note = self._down.pop(pitch)
            self._tick = max(self._tick, began + 1)
            end_s = TICKS.seconds(self._tick)
            self._told.append((end_s, 0, note.onset_s, pitch, NoteEnded(pitch, note.onset_s, end_s, decided_s=end_s)))


class KeyboardSource:
    """The player's messages at the MIDI input `port`, in hops of `hop_s` from `start` on;
    UnavailableError where that has gone.

    `echoes` knows what was sent; what only comes back is not the player's. `through` gets all that is, at once,
    in RtMidi's thread.
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
    ) -> None:
        self._input = InputPort(port, clock=controls is not None and controls.keeps_time)
        self.port = self._input.port
        self._controls = controls
        self._through = through
        self.xruns = 0
        """Messages that found no room."""
        self._hop_s = hop_s
        self._echoes = echoes
        self._queue: queue.Queue[tuple[mido.Message, float]] = queue.Queue(MOST_MESSAGES)
        self._waiting: deque[tuple[mido.Message, float]] = deque()
        self._keys = Keys(split)
        self._hops = 0
        self._time = stream_time
        self._start_s = 0.0

    def start(self) -> None:
        """Listen from now on."""
        self._start_s = time.monotonic()
        self._time.arrived(0.0, self._start_s)
        self._input.start(self._received)

    @property
    def input_s(self) -> float:
        """Seconds since the start, in whole hops."""
        return self._hops * self._hop_s

    def level_db(self) -> float | None:
        """None: a keyboard gives no sound."""
        return None

    def read(self) -> list[Feed]:
        """Wait for the end of the next hop, and give it with what the player did in it."""
        self._hops += 1
        now_s = self.input_s
        time.sleep(max(0.0, self._start_s + now_s - time.monotonic()))
        with contextlib.suppress(queue.Empty):
            while True:
                self._waiting.append(self._queue.get_nowait())
        messages = []
        while self._waiting and self._waiting[0][1] <= now_s:
            messages.append(self._waiting.popleft())
        return [(None, now_s, self._keys.step(messages, now_s))]

    def finish(self) -> list[Feed]:
        """Close the port, and end what is still down."""
        self.close()
        return [(None, *self._keys.finish())]

    def silence(self) -> list[Feed]:
        """See `Source.silence`."""
        return []

    def close(self) -> None:
        """Close the port."""
        self._input.close()

    def _received(self, message: mido.Message, now_s: float) -> None:
        """In RtMidi's thread."""
        if self._controls is not None and self._controls.take(message, now_s):
            return
        if not self._echoes.is_echo(message, now_s):
            if self._through is not None:
                self._through(message)
            try:
                self._queue.put_nowait((message, now_s - self._start_s))
            except queue.Full:
                self.xruns += 1
