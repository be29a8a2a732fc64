"""Runs `lefthand run`: plays one session in the foreground, and ends with an error if a port is missing."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

from device.engine import Engine
from device.hearing.pipeline import silence
from device.live.monitor import Monitor
from device.live.note_printer import NotePrinter
from device.live.opening import Opener
from device.live.session import Session
from device.ports.midi_ports import MidiPorts
from device.recording.capture import Capture
from device.service.signals import Signals
from device.settings.config import Config

WARM_UP_HOPS = 32
"""Number of hops (short blocks of sound) that the models process before the session. Their first steps are slow,
because their memory is not yet mapped."""
WATCH_S = 1.0
"""Seconds between two checks that the ports are still connected."""

log = logging.getLogger("lefthand")


def run(
    config: Config,
    engine: Engine,
    hop_s: float,
    record: Capture | None = None,
    write: Callable[[str], object] | None = None,
) -> None:
    """Play until SIGTERM, SIGHUP or Ctrl-C.

    `hop_s` is the length of a hop in seconds. `record`, if given, is the place for a recording of the input, the heard
    notes and the sent messages. `write`, if given, is called in a thread of its own with one line of text for each note
    that is decided. Raises UserError if an input or port is missing, cannot be opened, or is lost.
    """
    outputs, inputs = MidiPorts(output=True), MidiPorts(output=False)
    warm_up(engine)
    with contextlib.ExitStack() as stack:
        signals = stack.enter_context(Signals())
        printer = None if write is None else NotePrinter(write)
        if printer is not None:
            stack.callback(_end_printing, printer)
        monitor = Monitor(hop_s, printer)
        for ports in (outputs, inputs):
            stack.callback(ports.close)
        opened = Opener(outputs, inputs, monitor, signals.wake).open(config, engine, hop_s, record)
        session = Session(opened)
        stack.callback(_tell, monitor)
        stack.callback(session.close)
        session.start()
        if opened.output is not None:
            log.info("playing on %s", opened.output)
        log.info("listening to %s", opened.source.port)
        # closing the terminal sends SIGHUP, which sets `reload`
        while not (signals.stop or signals.reload):
            session.check()
            signals.wait(WATCH_S)


def warm_up(engine: Engine) -> None:
    """Run the models on WARM_UP_HOPS hops (blocks) of silence, then reset the engine. Without models, only reset it."""
    if engine.hearing is not None:
        for i in range(WARM_UP_HOPS):
            engine.hearing.step(silence(engine.hearing.spec), i * engine.hearing.spec.hop_s)
    engine.reset()


def _end_printing(printer: NotePrinter) -> None:
    printer.close()
    if printer.left_out:
        log.warning("%d notes were not printed, because the output of --print was too slow", printer.left_out)


def _tell(monitor: Monitor) -> None:
    times = monitor.hop_times
    log.info(
        "%d hops, half within %.2f ms, 99 %% within %.2f ms",
        times.count,
        times.percentile_ms(50),
        times.percentile_ms(99),
    )
    if monitor.late_ms is not None:
        log.info("99 %% of the messages left within %.2f ms of their time", monitor.late_ms)
