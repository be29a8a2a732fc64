"""Runs the audio loop, which passes each hop to the engine and the engine's messages to the senders."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from device.events import Event, Send
from device.live.opening import Opened
from device.settings.controls import Panic
from device.system.realtime import ask_for_fifo

log = logging.getLogger("lefthand")


class Loop:
    """Runs the thread that processes hops until the session `opened` is over.

    The thread has real-time priority if the system permits it. It calls `moved` after each finished hop. An error in
    the thread ends the session.
    """

    def __init__(self, opened: Opened, moved: Callable[[], None]) -> None:
        self._engine, self._source, self._controls = opened.engine, opened.source, opened.controls
        self._time, self._senders, self._tape = opened.stream_time, opened.senders, opened.tape
        self._heard, self._all_senders = opened.heard, opened.all_senders
        self._monitor, self._lifetime, self._moved = opened.monitor, opened.lifetime, moved
        self._thread = threading.Thread(target=self._run, name="loop", daemon=True)
        self._not_finite = 0
        self.now_s = 0.0
        """Stream time of the last finished hop."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait at most `seconds` for the thread to end. Returns at once if the thread never started."""
        if self._thread.ident is not None:
            self._thread.join(seconds)

    @property
    def alive(self) -> bool:
        """True if the thread has started and has not ended."""
        return self._thread.is_alive()

    def _run(self) -> None:
        """Feed the engine with what the source gives until the session is over: the body of the thread."""
        permitted = ask_for_fifo()
        if not permitted and self._monitor.real_time is not False:
            log.warning("no real-time priority is permitted here: a busy machine may make notes late")
        self._monitor.real_time = permitted
        try:
            while not self._lifetime.over:
                feeds = self._source.read()
                self._tell_losses()
                for hop, now_s, midi in feeds:
                    began_s = time.perf_counter()
                    asked = self._controls.asked(self._time, now_s)
                    events = [event for action, at_s in asked for event in self._engine.act(action, at_s)]
                    if asked and self._tape is not None:
                        self._tape.acted(asked, now_s)
                    events += self._engine.step(hop, now_s, midi)
                    self._monitor.hop(time.perf_counter() - began_s)
                    self._count_not_finite()
                    self.now_s = now_s
                    self._take(events, now_s)
                    if self._heard is not None and any(isinstance(action, Panic) for action, _ in asked):
                        self._heard.panic(now_s)
                    for sender in self._all_senders:
                        sender.alive()
                    self._moved()
        except Exception as error:  # raised again by `Session.check`
            self._lifetime.fail(error)

    def _tell_losses(self) -> None:
        """Report the losses in the sound that was just read to the hearing and to the recording, if there are any.

        The hearing is not told of losses that were found late: the strokes at their places are heard already.
        """
        losses = self._source.losses()
        if losses and self._engine.hearing is not None:
            if not all(loss.found_late for loss in losses):
                self._engine.hearing.lost()
            if self._tape is not None:
                self._tape.lost(losses)

    def _count_not_finite(self) -> None:
        hearing = self._engine.hearing
        if hearing is not None and hearing.not_finite > self._not_finite:
            self._monitor.faults.count("not_a_number", hearing.not_finite - self._not_finite)
            self._not_finite = hearing.not_finite

    def _take(self, events: list[Event], now_s: float) -> None:
        if events:
            sends = [event for event in events if isinstance(event, Send)]
            if sends:
                for sender in self._senders:
                    sender.put(sends)
            if self._heard is not None:
                self._heard.take(events, now_s)
            self._monitor.take(events, self._time)
        if self._tape is not None:
            self._tape.collect(events, now_s)
