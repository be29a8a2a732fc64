"""Runs one session, which lasts from open ports to closed ports.

The loop runs the engine and the senders send its messages. The owner of the session calls `Session.check` once a
second. A failure in any thread ends the session. At every end all keys are released.
"""

from __future__ import annotations

from collections.abc import Callable

from device.calibration.tuning_file import TuningKeeper
from device.errors import UnavailableError
from device.left_hand.memory_file import keep_memory
from device.live.loop import Loop
from device.live.opening import Opened
from device.ports.port import OUTPUT
from device.system.realtime import settled

JOIN_S = 0.5
"""Seconds to wait for the loop to end. A working loop ends within one hop, far below this; after it the loop hangs."""


class Session:
    """Starts, checks and closes the session `opened`. The loop calls `moved` after each finished hop."""

    def __init__(self, opened: Opened, moved: Callable[[], None] = lambda: None) -> None:
        self._opened = opened
        self._loop = Loop(opened, moved)
        hearing = opened.engine.hearing
        self._tuning = TuningKeeper(hearing.tuning) if hearing is not None and hearing.adapts else None
        opened.monitor.begin(opened.engine, opened.source, opened.output, opened.all_senders)

    @property
    def failure(self) -> Exception | None:
        """Return the error that ended the session; None if there is none."""
        return self._opened.lifetime.failure

    def start(self) -> None:
        """Start the source and the loop."""
        # garbage collection is slow, so it runs before the first sound arrives
        self._opened.resources.enter_context(settled())
        self._opened.source.start()
        self._loop.start()

    def check(self) -> None:
        """Raise the error that ended the session, or UnavailableError if a port has gone or takes no more messages.

        This also stores the tuning that the hearing has measured.
        """
        if self.failure is not None:
            raise self.failure
        opened = self._opened
        self._keep_tuning()
        for watched in opened.watched:
            if not watched.present(watched.port):
                name = str(watched.port)
                raise UnavailableError(
                    f'"{name}" is gone: connect it again and start again.', watched.kind, name, "it was unplugged"
                )
        if opened.foot_switch is not None:
            opened.foot_switch.check()
        # only the MIDI ports' senders are checked: a synthesiser that hangs does not end the session
        ports = [] if opened.output is None else [(opened.output, opened.senders[0])]
        ports += [] if opened.heard is None else [(opened.heard.port, opened.heard.sender)]
        for port, sender in ports:
            if sender.hangs:
                name = str(port)
                raise UnavailableError(
                    f'"{name}" takes no more messages: connect it again and start again.',
                    OUTPUT,
                    name,
                    "it takes no more messages",
                )

    def hush(self) -> None:
        """Release all keys and end the session. Nothing is heard or sent afterwards, but the ports stay open."""
        self._opened.lifetime.end()
        for sender in self._opened.all_senders:
            sender.close()

    def close(self) -> None:
        """Release all keys, store tuning and phrases, end the recording and close everything.

        Raises RuntimeError if the loop does not end within JOIN_S, and UserError if a recording has failed, unless this
        is a service.
        """
        opened = self._opened
        self.hush()
        self._loop.join(JOIN_S)
        self._keep_tuning()
        if opened.engine.memory is not None and not self._loop.alive:
            keep_memory(opened.engine.memory)
        opened.monitor.end()
        try:
            if opened.tape is not None:
                whole = self.failure is None and not self._loop.alive
                opened.tape.end(opened.engine, opened.source, self._loop.now_s, whole)
        finally:
            opened.resources.close()
        if self._loop.alive:
            raise RuntimeError("the audio loop hangs")

    def _keep_tuning(self) -> None:
        hearing = self._opened.engine.hearing
        if self._tuning is not None and hearing is not None:
            self._tuning.keep(hearing.tuning)
