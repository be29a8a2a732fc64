"""One session: from open ports to closed ports.

The loop does all the thinking, the senders send; whoever began the session calls `check` once a second. A
failure in any thread ends the session, and every end is a silent one.
"""

from __future__ import annotations

from collections.abc import Callable

from device.errors import UnavailableError
from device.live.loop import Loop
from device.live.opening import Opened
from device.ports.port import OUTPUT
from device.system.realtime import settled

JOIN_S = 0.5
"""The loop ends within a hop, or it hangs."""


class Session:
    """Runs, checks and closes what is `opened`; `moved` is called by the loop after each finished hop."""

    def __init__(self, opened: Opened, moved: Callable[[], None] = lambda: None) -> None:
        self._opened = opened
        self._loop = Loop(opened, moved)
        opened.monitor.begin(opened.source, opened.output, opened.senders)

    @property
    def failure(self) -> Exception | None:
        """The error that ended it, None if there is none."""
        return self._opened.lifetime.failure

    def start(self) -> None:
        """Let the loop run."""
        # before the sound comes, as it takes a while
        self._opened.resources.enter_context(settled())
        self._opened.source.start()
        self._loop.start()

    def check(self) -> None:
        """Raise what has ended the session: UnavailableError for a port that has gone, anything else for a failure."""
        if self.failure is not None:
            raise self.failure
        opened = self._opened
        for watched in opened.watched:
            if not watched.present(watched.port):
                name = str(watched.port)
                raise UnavailableError(
                    f'"{name}" is gone: connect it again and start anew.', watched.kind, name, "it was unplugged"
                )
        if opened.foot_switch is not None:
            opened.foot_switch.check()
        # the first is the port's; a synthesiser that hangs stops nothing
        if opened.output is not None and opened.senders[0].hangs:
            name = str(opened.output)
            raise UnavailableError(
                f'"{name}" takes no more messages: connect it again and start anew.',
                OUTPUT,
                name,
                "it takes no more messages",
            )

    def hush(self) -> None:
        """Silence: nothing is heard or sent after it."""
        self._opened.lifetime.end()
        for sender in self._opened.senders:
            sender.close()

    def close(self) -> None:
        """Silence, then close everything. Raises RuntimeError where the loop does not come to its end."""
        opened = self._opened
        self.hush()
        self._loop.join(JOIN_S)
        opened.monitor.end()
        try:
            if opened.tape is not None:
                whole = self.failure is None and not self._loop.alive
                opened.tape.end(opened.engine, opened.source, self._loop.now_s, whole)
        finally:
            opened.resources.close()
        if self._loop.alive:
            raise RuntimeError("the audio loop hangs")
