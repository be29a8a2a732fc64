"""Measures the delay and level of the box's own notes: this is `lefthand calibrate`.

It plays notes and listens to them with the hearing that also hears the player. The result is therefore the delay
between the two hands. It includes the cable, the instrument, the air, the converter and the bias of the hearing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import mido
import numpy as np
from numpy.typing import NDArray

from device.calibration.latency import Calibration
from device.calibration.round_trip import DisturbedError, Listening, RoundTrip, evaluate
from device.errors import UserError
from device.events import NoteHeard
from device.hearing.pipeline import Hearing
from device.inputs.sound_card import SoundSource
from device.outputs.silencing import silencing
from device.outputs.synth_link import SYNTH
from device.ports.midi_ports import open_output
from device.ports.sound_inputs import portaudio
from device.settings.config import Config
from device.stream_time import StreamTime
from device.system.realtime import ask_for_fifo, settled

PITCHES = (72, 76, 79, 74, 77, 81, 71, 76, 72, 79, 74, 77)
"""MIDI pitches that are played one after another, B4 to A5. Each differs from the one before it."""
VELOCITY = 90
"""MIDI velocity of every note."""
QUIET_S = 1.5
"""Seconds of listening before the first note, and again after the last note is released."""
APART_S = 0.8
"""Seconds from one note to the next, before rounding to hops."""
LENGTH_S = 0.35
"""Seconds that each key is held."""
DRAIN_S = 0.2
"""Seconds between the last message and closing the port, because MIDI systems deliver late."""
TAKES = 2
"""Number of attempts. A second one is made if sound was lost in the first."""


def calibrate(
    config: Config,
    hearing: Hearing,
    before: Calibration | None,
    told: Callable[[str], None] = lambda line: None,
    counted: Callable[[int, int], None] = lambda played, notes: None,
) -> Calibration:
    """Measure every output in use through the sound input. Other outputs keep their values from `before`.

    Returns the calibration. `told` is called with a line of text to show, before each measurement and before it is
    repeated. `counted` is called after each note with the number of notes played and the number of all notes.
    Raises UserError if an input or port cannot be opened, or if the notes are not heard reliably. If there are two
    outputs, its sentence begins with the name of the one that was measured.
    """
    made = replace(before or Calibration(""), measured=datetime.now(UTC).isoformat(timespec="seconds"))
    if config.plays_midi:
        told(f"playing {len(PITCHES)} notes on {config.midi.output}: play nothing meanwhile")
        with _named(config, config.midi.output):
            trip = _measured(config, config.midi.output, hearing, told, counted)
        made = replace(made, round_trip_ms=_ms(trip.seconds), spread_ms=_ms(trip.spread_s), leak_db=_db(trip))
    if config.plays_synth:
        told(f"playing {len(PITCHES)} notes on the synthesiser: play nothing meanwhile")
        with _named(config, "The synthesiser"):
            trip = _measured(config, SYNTH, hearing, told, counted)
        made = replace(
            made, synth_round_trip_ms=_ms(trip.seconds), synth_spread_ms=_ms(trip.spread_s), synth_leak_db=_db(trip)
        )
    return made


@contextlib.contextmanager
def _named(config: Config, output: str) -> Iterator[None]:
    """Context manager: it adds the name of the `output` to the sentence of a UserError, if there are two outputs."""
    try:
        yield
    except UserError as error:
        if config.plays_midi and config.plays_synth:
            raise UserError(f"{output}: {error}") from None
        raise


def _measured(
    config: Config,
    output: str,
    hearing: Hearing,
    told: Callable[[str], None],
    counted: Callable[[int, int], None],
) -> RoundTrip:
    """Measure up to TAKES times and return the first round trip during which not too much sound was lost.

    Raises DisturbedError if sound was lost in every attempt, and UserError as `measure` does.
    """
    for _ in range(TAKES - 1):
        try:
            return measure(config, output, hearing, counted)
        except DisturbedError as error:
            told(f"this take cannot be used, so the notes are played once more: {error}")
    return measure(config, output, hearing, counted)


def measure(
    config: Config, output: str, hearing: Hearing, counted: Callable[[int, int], None] = lambda played, notes: None
) -> RoundTrip:
    """Play the notes on `output` once, listen to them, and return the round trip.

    `counted` is called as in `calibrate`: when a note has ended, so that the call delays no note. Raises UserError if a
    port cannot be opened, and errors as `evaluate` does.
    """
    levels, spec, stream_time = _Levels(), hearing.spec, StreamTime()
    hearing.reset()
    channel = config.midi.channel - 1
    with contextlib.ExitStack() as stack:
        # MIDI is opened first and closed last, to avoid the deadlock described in device/ports/midi_ports.py
        client, _ = open_output(output)
        stack.callback(client.delete)

        def send(message: mido.Message) -> None:
            client.send_message(message.bytes())

        def send_key(kind: str, pitch: int) -> None:
            send(mido.Message(kind, channel=channel, note=pitch, velocity=VELOCITY if kind == "note_on" else 0))

        def silence() -> None:
            for message in silencing(channel)[-3:]:
                send(message)
            time.sleep(DRAIN_S)

        system = stack.enter_context(portaudio())
        source = SoundSource(system, config.audio, spec.sample_rate, spec.hop, stream_time, levels.take)
        stack.callback(source.close)
        if config.midi.program:
            send(mido.Message("program_change", channel=channel, program=config.midi.program - 1))
        stack.enter_context(settled())
        # real-time priority, as in the live loop: PortAudio's callback waits for the thread that holds the interpreter
        ask_for_fifo()
        source.start()
        stack.callback(silence)
        take = _listened(source, hearing, levels, stream_time, send_key, counted)
    return evaluate(take, str(source.port))


def _listened(
    source: SoundSource,
    hearing: Hearing,
    levels: _Levels,
    stream_time: StreamTime,
    send_key: Callable[[str, int], None],
    counted: Callable[[int, int], None],
) -> Listening:
    """Send the notes, each at its time, and return what was sent and heard meanwhile.

    `send_key` sends a message: its kind, which is note_on or note_off, and its MIDI pitch. `counted` is that of
    `measure`. Losses of sound before the first note do not count.
    """
    take, plan, before = Listening(), _plan(hearing.spec.hop_s), None
    began_s, over_s = time.monotonic(), plan[-1][0] + QUIET_S
    while (now_s := time.monotonic() - began_s) < over_s:
        while plan and plan[0][0] <= now_s:
            _, kind, pitch = plan.pop(0)
            before = source.xruns if before is None else before
            if kind == "note_on":
                take.sent.append((time.monotonic(), pitch))
            send_key(kind, pitch)
            if kind == "note_off":
                counted(len(take.sent), len(PITCHES))
        for hop, at_s, _ in source.read():
            assert hop is not None
            for event in hearing.step(hop, at_s):
                if isinstance(event, NoteHeard):
                    take.heard.append((stream_time.wall(event.note.onset_s), event.note.pitch))
            take.levels.append((stream_time.wall(at_s), levels.since()))
    take.xruns = source.xruns - (before or 0)
    return take


def _plan(hop_s: float) -> list[tuple[float, str, int]]:
    """Return the messages as (seconds, kind, pitch) in order of time. The kind is note_on or note_off.

    Each note lies a little later within its hop than the note before. The median then averages out the hop length.
    """
    plan = []
    for i, pitch in enumerate(PITCHES):
        at_s = QUIET_S + i * (round(APART_S / hop_s) + 1 / len(PITCHES)) * hop_s
        plan += [(at_s, "note_on", pitch), (at_s + LENGTH_S, "note_off", pitch)]
    return plan


class _Levels:
    """Measures the level of the sound between two calls of `since`."""

    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0

    def take(self, block: NDArray[np.float32]) -> None:
        """Add a block of samples, float32[n], to the measurement."""
        self._sum += float(np.dot(block, block))
        self._count += len(block)

    def since(self) -> float:
        """Return the root mean square (full scale 1) since the last call, and start again from zero."""
        level = float(np.sqrt(self._sum / self._count)) if self._count else 0.0
        self._sum, self._count = 0.0, 0
        return level


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 1)


def _db(trip: RoundTrip) -> float:
    return round(trip.leak_db, 1)
