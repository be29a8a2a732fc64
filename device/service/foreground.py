"""`lefthand run`: one session in the foreground, which refuses at once what cannot be had."""

from __future__ import annotations

import contextlib
import logging

from device.bundles.bundle import Bundle
from device.engine import Engine
from device.hearing.pipeline import silence
from device.live.monitor import Monitor
from device.live.opening import Opener
from device.live.session import Session
from device.ports.midi_ports import MidiPorts
from device.recording.capture import Capture
from device.service.signals import Signals
from device.settings.config import Config

WARM_UP_HOPS = 32
"""A model's first steps are slow: its memory is not yet there."""
WATCH_S = 1.0
"""How often the ports are asked for."""

log = logging.getLogger("lefthand")


def run(config: Config, engine: Engine, bundle: Bundle, record: Capture | None = None) -> None:
    """Play until SIGTERM or Ctrl-C; `record`: where to keep what is captured, heard and sent.

    Raises UserError where an input or port cannot be had, or goes away.
    """
    hop_s = bundle.features.hop_s
    outputs, inputs, monitor = MidiPorts(output=True), MidiPorts(output=False), Monitor(hop_s)
    warm_up(engine)
    with contextlib.ExitStack() as stack:
        signals = stack.enter_context(Signals())
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
        # a terminal that is closed sends SIGHUP
        while not (signals.stop or signals.reload):
            session.check()
            signals.wait(WATCH_S)


def warm_up(engine: Engine) -> None:
    """Let the models run once through, and forget it."""
    if engine.hearing is not None:
        for i in range(WARM_UP_HOPS):
            engine.hearing.step(silence(engine.hearing.spec), i * engine.hearing.spec.hop_s)
    engine.reset()


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
