"""Collects the values that the status of the box shows.

The audio loop adds events and hop times without waiting. The status thread, which may wait, turns them into the fields
of `Status`.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device.engine import Engine
from device.events import Beat, ChordChosen, Doubt, Event, Note, NoteEnded, NoteHeard, Send
from device.inputs.source import Source
from device.live.note_printer import NotePrinter
from device.outputs.sender import Sender
from device.ports.port import Port
from device.status.faults import Faults
from device.status.hop_times import HopTimes
from device.status.moments import Moment, Moments
from device.status.schema import (
    NOTES_SHOWN,
    AudioStatus,
    DoubtStatus,
    HopStatus,
    MidiStatus,
    NoteStatus,
    SteeringStatus,
)
from device.stream_time import StreamTime

MOST_EVENTS = 1024
"""Largest number of events kept between two status writes, 0.25 s apart. If more arrive, only the last are shown."""
PAUSE = 1.75
"""If the time between two beats is so many times the one before, the clock paused, as while the player counts in."""
LOOK_S = 1.0
"""Seconds between two checks of how late the last messages were. A check sorts them, so it is not made on each hop."""


@dataclass(frozen=True)
class _Running:
    """The parts of a session that the status shows."""

    engine: Engine
    source: Source
    output: Port | None
    senders: Sequence[Sender]

    def lateness_ms(self) -> float | None:
        """Return the 99th percentile in ms of how late messages left, of the latest sender. None if none was sent."""
        late = [late_ms for sender in self.senders if (late_ms := sender.lateness_ms(99)) is not None]
        return max(late, default=None)


@dataclass
class _LastBeat:
    """The last beat and chord, and the tempo in beats a minute. None for what is not known."""

    tempo: float | None = None
    position: int | None = None
    lock: float | None = None
    doubt: Doubt | None = None
    chord: str | None = None
    at_s: float | None = None
    gap_s: float | None = None
    """Seconds between the last two beats."""

    def take(self, at_s: float, beat: Beat) -> None:
        """Take the next beat, at `at_s` seconds."""
        if self.at_s is not None and at_s > self.at_s:
            before_s, self.gap_s = self.gap_s, at_s - self.at_s
            if before_s is None or self.gap_s < PAUSE * before_s:
                self.tempo = 60.0 / self.gap_s
        self.position, self.lock, self.at_s, self.doubt = beat.position, beat.lock, at_s, beat.doubt


class Monitor:
    """Collects the values of the current session.

    After a session ends, its notes stay until the next session begins.
    """

    def __init__(self, hop_s: float = 0.0, printer: NotePrinter | None = None) -> None:
        """Start without a session. `hop_s` is the length of a hop in seconds.

        `printer` prints the notes as they are decided.
        """
        self.hop_s, self._printer = hop_s, printer
        self.faults = Faults()
        self.hop_times = HopTimes()
        self.moments = Moments()
        """Notes, beats and chords for the programs that watch the box now."""
        self.real_time: bool | None = None
        """Whether the loop was given real-time priority. None before the loop has started."""
        self.late_ms: float | None = None
        """99th percentile in ms of how late the messages of the last session left. None if none was sent."""
        self._events: deque[tuple[float, Event]] = deque(maxlen=MOST_EVENTS)
        self._lock = threading.Lock()
        self._running: _Running | None = None
        self._xruns_before = 0
        self._shown_late_ms: float | None = None
        self._looked_s = float("-inf")
        self._forget()

    # called by the audio loop

    def hop(self, seconds: float) -> None:
        """Add the time in seconds that the engine took for one hop."""
        self.hop_times.add(seconds)

    def take(self, events: Sequence[Event], stream_time: StreamTime) -> None:
        """Keep the notes heard, notes sent, beats and chords among `events`, with their times on the machine's clock.

        `stream_time` converts the times. The events also go to the note printer and to those who watch the box.
        """
        if self._printer is not None:
            self._printer.take(events)
        for event in events:
            if (moment := _moment(event, stream_time)) is not None:
                self.moments.add(moment)
            if isinstance(event, NoteHeard):
                self._events.append((stream_time.wall(event.note.onset_s), event))
            elif isinstance(event, Send):
                if event.kind == "note_on":
                    self._events.append((stream_time.wall(event.due_s), event))
            elif isinstance(event, Beat | ChordChosen):
                self._events.append((stream_time.wall(event.time_s), event))

    # called by the session

    def begin(self, engine: Engine, source: Source, output: Port | None, senders: Sequence[Sender]) -> None:
        """Show from now on the session that uses this engine and these ports.

        The notes of the session before are removed.
        """
        with self._lock:
            self._events.clear()
            self._forget()
            self._running = _Running(engine, source, output, senders)
            self._looked_s = float("-inf")

    def end(self) -> None:
        """End the display of the session, which has closed its ports. Its notes and its xrun count are kept."""
        with self._lock:
            if self._running is not None:
                self._xruns_before += self._running.source.xruns
                self.late_ms = self._running.lateness_ms()
            self._running = None
            self._looked_s = float("-inf")
            self._beat = _LastBeat()

    # called by the thread that writes the status

    def shown(self) -> dict[str, Any]:
        """Return the fields of `Status` that depend on the session, as a dict by name."""
        with self._lock:
            now_s = time.monotonic()
            while self._events:
                self._fold(*self._events.popleft())
            running, beat = self._running, self._beat
            if now_s - self._looked_s >= LOOK_S:
                self._looked_s = now_s
                self._shown_late_ms = None if running is None else running.lateness_ms()
            late_ms = self._shown_late_ms
            return {
                "audio": self._audio(running),
                "midi": _midi(running),
                "tempo": None if beat.tempo is None else round(beat.tempo, 1),
                "beat": beat.position,
                "lock": None if beat.lock is None else round(beat.lock, 3),
                "doubt": None if beat.doubt is None else DoubtStatus(beat.doubt.kind, beat.doubt.beats),
                "chord": beat.chord,
                "steering": None if running is None else _steering(running.engine),
                "heard": [_shown(note, at_s, now_s) for at_s, note in self._heard],
                "played": [_shown(note, at_s, now_s) for at_s, note in self._played],
                "hop": HopStatus(
                    count=self.hop_times.count,
                    p50_ms=round(self.hop_times.percentile_ms(50), 3),
                    p99_ms=round(self.hop_times.percentile_ms(99), 3),
                    length_ms=round(self.hop_s * 1e3, 3),
                ),
                "send_p99_ms": None if late_ms is None else round(late_ms, 3),
                "faults": self.faults.counts(),
            }

    @property
    def connected(self) -> int:
        """Return the number of MIDI clients that the session has open."""
        running = self._running
        return 0 if running is None else int(running.source.rate is None) + len(running.senders)

    def _audio(self, running: _Running | None) -> AudioStatus:
        if running is None:
            return AudioStatus(xruns=self._xruns_before)
        source, hearing = running.source, running.engine.hearing
        xruns = self._xruns_before + source.xruns
        if (level_db := source.level_db()) is None:
            return AudioStatus(xruns=xruns)
        return AudioStatus(
            port=str(source.port),
            rate=source.rate,
            level_db=round(level_db, 1),
            xruns=xruns,
            tuning_cents=None if hearing is None else hearing.tuning,
        )

    def _forget(self) -> None:
        self._heard: deque[tuple[float, tuple[int, int, float]]] = deque(maxlen=NOTES_SHOWN)
        self._played: deque[tuple[float, tuple[int, int, float]]] = deque(maxlen=NOTES_SHOWN)
        self._beat = _LastBeat()

    def _fold(self, at_s: float, event: Event) -> None:
        match event:
            case NoteHeard(Note(pitch=pitch, velocity=velocity, confidence=confidence)):
                self._heard.append((at_s, (pitch, velocity, confidence)))
            case Send(pitch=pitch, velocity=velocity):
                self._played.append((at_s, (pitch, velocity, 1.0)))
            case ChordChosen(label=label):
                self._beat.chord = label
            case Beat():
                self._beat.take(at_s, event)


def _midi(running: _Running | None) -> MidiStatus:
    if running is None:
        return MidiStatus()
    source, output = running.source, running.output
    return MidiStatus(
        output=None if output is None else str(output), input=str(source.port) if source.rate is None else None
    )


def _steering(engine: Engine) -> SteeringStatus | None:
    if (now := engine.steered) is None:
        return None
    steering = now.steering
    return SteeringStatus(
        armed=now.armed,
        hold=now.hold,
        counting_in=now.counting_in,
        style=steering.style,
        density=round(steering.density, 3),
        register=steering.register,
        tempo_held=now.tempo_held,
        variation=steering.variation,
    )


def _moment(event: Event, stream_time: StreamTime) -> Moment | None:
    """Return the event as a Moment, for those who watch the box; None for an event that is not shown.

    Not shown are control messages, and notes that the box heard from its own left hand.
    """
    match event:
        case NoteHeard(Note(hand=hand, onset_s=onset_s, pitch=pitch, velocity=velocity)) if hand != "own":
            return Moment("heard", stream_time.wall(onset_s), pitch, velocity)
        case NoteEnded(pitch=pitch, offset_s=offset_s):
            return Moment("heard_end", stream_time.wall(offset_s), pitch)
        case Send(kind="note_on", due_s=due_s, pitch=pitch, velocity=velocity):
            return Moment("played", stream_time.wall(due_s), pitch, velocity)
        case Send(kind="note_off", due_s=due_s, pitch=pitch):
            return Moment("played_end", stream_time.wall(due_s), pitch)
        case Beat(time_s=time_s, position=position, lock=lock):
            return Moment("beat", stream_time.wall(time_s), beat=position, lock=round(float(lock), 3))
        case ChordChosen(time_s=time_s, label=label):
            return Moment("chord", stream_time.wall(time_s), chord=label)
    return None


def memory_mb() -> float:
    """Return the resident memory of this process in MiB, without memory that a JACK server shares with its clients."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    kilobytes = {words[0]: int(words[1]) for words in lines if words[0] in ("RssAnon:", "RssFile:")}
    return sum(kilobytes.values()) / 1024


def open_files() -> int:
    """Return the number of open file descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def _shown(note: tuple[int, int, float], at_s: float, now_s: float) -> NoteStatus:
    pitch, velocity, confidence = note
    return NoteStatus(pitch, velocity, round(float(confidence), 3), round(now_s - at_s, 3))
