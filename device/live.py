"""`lefthand run`: the engine on a live input, its left hand at a MIDI port, in the foreground.

    PyAudio's callback ─▶ queue ─▶ the loop: hops ─▶ engine ─▶ Sends ─▶ sender: each at its time ─▶ MIDI port
    RtMidi's callback ─▶ queue ─────────▲

Three threads of ours: the main one waits for signals, the loop does all the thinking, the sender sends. A
failure in any of them ends the run; every end is a silent one.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import mido
import numpy as np
from numpy.typing import NDArray

from device.config import Config
from device.echoes import Echoes
from device.engine import Engine
from device.errors import UserError
from device.hearing import silence
from device.keyboard import KeyboardSource
from device.outbox import Outbox
from device.ports import Port, Watch, open_output, portaudio
from device.realtime import HopTimes, ask_for_fifo, settled
from device.recording import How, Recording
from device.sender import Sender
from device.soundsource import SoundSource
from device.source import Source
from device.streamtime import StreamTime
from device.types import Event, Send

WARM_UP_HOPS = 32
"""A model's first steps are slow: its memory is not yet there."""
WATCH_S = 1.0
STOP_TIMEOUT_S = 5.0

log = logging.getLogger("lefthand")


def run(config: Config, engine: Engine, hop_s: float, record: Path | None = None) -> None:
    """Play until SIGTERM or Ctrl-C; `record`: a folder for what is captured, heard and sent.

    `hop_s` is how often an engine without hearing is asked, the length of a hop in one that hears.

    Raises UserError where an input or port cannot be had, or goes away.
    """
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(_stopped_by_signals())
        _Run(config, engine, hop_s, record, stop, stack).run()


class _Run:
    """One run, from open ports to closed ones; `stack` closes what is opened."""

    def __init__(
        self,
        config: Config,
        engine: Engine,
        hop_s: float,
        record: Path | None,
        stop: threading.Event,
        stack: contextlib.ExitStack,
    ) -> None:
        self._config, self._engine, self._hop_s, self._stop = config, engine, hop_s, stop
        self._failure: Exception | None = None
        self._now_s = 0.0
        self._time, self._echoes, self._hop_times = StreamTime(), Echoes(), HopTimes()
        self._watches: list[Watch] = []
        self._sender = None if config.play.listen else self._open_sender(stack)
        _warm_up(engine)
        self._source = self._open_source(stack)
        # after everything that may be refused, which would leave an empty capture behind
        self._recording = self._open_recording(record) if record is not None else None
        stack.enter_context(settled())

    def run(self) -> None:
        """Play, and end in silence whatever happens."""
        log.info("listening to %s", self._source.port)
        loop = threading.Thread(target=self._loop, name="loop", daemon=True)
        loop.start()
        try:
            while not self._stop.wait(WATCH_S):
                for watch in self._watches:
                    if not watch.present():
                        raise UserError(f'"{watch.port}" is gone: connect it again and start anew.')
        finally:
            self._stop.set()
            if self._sender is not None:
                self._sender.close()
            loop.join(STOP_TIMEOUT_S)
            self._end()
        if self._failure is not None:
            raise self._failure

    def _loop(self) -> None:
        """In the loop's thread: hops to the engine, its messages to the sender."""
        if not ask_for_fifo():
            log.info("no real-time priority is permitted here: a busy machine may make notes late")
        try:
            while not self._stop.is_set():
                for hop, now_s, midi in self._source.read():
                    began_s = time.perf_counter()
                    events = self._engine.step(hop, now_s, midi)
                    self._hop_times.add(time.perf_counter() - began_s)
                    self._now_s = now_s
                    self._take(events)
        except Exception as error:  # raised again by the main thread
            self._fail(error)

    def _take(self, events: list[Event]) -> None:
        if self._sender is not None:
            self._sender.put([event for event in events if isinstance(event, Send)])
        if self._recording is not None:
            self._recording.collect(events)

    def _keep(self, block: NDArray[np.float32]) -> None:
        if self._recording is not None:
            self._recording.sound(block)

    def _end(self) -> None:
        """After silence: let the engine come to its end, for the recording."""
        log.info(
            "%d hops, half within %.2f ms, 99 %% within %.2f ms",
            self._hop_times.count,
            self._hop_times.percentile_ms(50),
            self._hop_times.percentile_ms(99),
        )
        if self._sender is not None and (late_ms := self._sender.lateness_ms(99)) is not None:
            log.info("99 %% of the messages left within %.2f ms of their time", late_ms)
        if self._recording is not None:
            if self._failure is None:
                self._recording.finish(self._engine, self._source, self._now_s)
            else:
                self._recording.close()
            log.info("captured %.1f s in %s", self._source.input_s, self._recording.folder)

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self._stop.set()

    def _open_sender(self, stack: contextlib.ExitStack) -> Sender:
        midi = self._config.midi
        client, port = open_output(midi.output)
        stack.callback(client.delete)
        self._watch(port, True, stack)

        def send(message: mido.Message) -> None:
            self._echoes.sent(message, time.monotonic())
            client.send_message(message.bytes())

        if midi.program:
            send(mido.Message("program_change", channel=midi.channel - 1, program=midi.program - 1))
        log.info("playing on %s", port)
        outbox = Outbox(midi.channel - 1, midi.transpose)
        lead_s = (midi.latency_ms + self._config.audio.latency_ms) / 1e3
        sender = Sender(outbox, send, self._time, lead_s, self._fail)
        stack.callback(sender.close)
        return sender

    def _open_source(self, stack: contextlib.ExitStack) -> Source:
        if self._config.audio.is_midi:
            keyboard = KeyboardSource(self._config.midi.input, self._hop_s, self._time, self._echoes)
            stack.callback(keyboard.close)
            self._watch(keyboard.port, False, stack)
            return keyboard
        assert self._engine.hearing is not None
        features = self._engine.hearing.spec
        system = stack.enter_context(portaudio())
        sound = SoundSource(system, self._config.audio, features.sample_rate, features.hop, self._time, self._keep)
        stack.callback(sound.close)
        return sound

    def _open_recording(self, folder: Path) -> Recording:
        config = self._config
        how = How(
            clock=config.clock.mode,
            tempo=config.clock.tempo,
            meter=config.clock.meter,
            count_in=config.clock.count_in,
            bundle=str(Path(config.play.bundle).resolve()) if config.play.bundle else "",
            hears_itself=config.audio.hears_itself,
        )
        return Recording(folder, how, None if config.audio.is_midi else config.audio.rate, self._hop_s)

    def _watch(self, port: Port, output: bool, stack: contextlib.ExitStack) -> None:
        watch = Watch(port, output)
        stack.callback(watch.close)
        self._watches.append(watch)


def _warm_up(engine: Engine) -> None:
    """Let the models run once through, and forget it."""
    if engine.hearing is not None:
        for i in range(WARM_UP_HOPS):
            engine.hearing.step(silence(engine.hearing.spec), i * engine.hearing.spec.hop_s)
        engine.hearing.reset()


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
