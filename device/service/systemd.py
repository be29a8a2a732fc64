"""Reports to systemd: ready, alive, reloading, stopping, and the state as text (protocol: sd_notify(3)).

Each report is one datagram of lines to the socket that $NOTIFY_SOCKET names. One socket stays open, because the audio
loop, which must not wait, sends the signs of life for the watchdog. Without $NOTIFY_SOCKET nothing is sent.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time

from device.printable import printable

LONGEST_US = 300_000
"""Longest time in microseconds that a send may wait while systemd does not read."""
PINGS_A_LIMIT = 4
"""Pings, which are signs of life, in each watchdog limit. After that limit systemd restarts a silent process, so spare
pings allow for delays."""


class Systemd:
    """Sends reports to systemd. Errors while sending are ignored."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        if address[:1] in ("/", "@"):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, LONGEST_US))
            self._address = "\0" + address[1:] if address[0] == "@" else address
        self._period_s = _watchdog_s() / PINGS_A_LIMIT
        self._pinged_s = float("-inf")

    def ready(self) -> None:
        """Report that the process is ready, or has read its settings again."""
        self._tell("READY=1")

    def status(self, text: str) -> None:
        """Send `text` as the line that `systemctl status` shows, without control characters."""
        # a line feed would begin another message, such as WATCHDOG=trigger
        self._tell(f"STATUS={printable(text)}")

    def alive(self) -> None:
        """Send the watchdog a sign of life, unless the last one is younger than a quarter of the watchdog limit."""
        now_s = time.monotonic()
        if now_s - self._pinged_s >= self._period_s:
            self._pinged_s = now_s
            # the audio loop must not wait while systemd does not read
            self._tell("WATCHDOG=1", socket.MSG_DONTWAIT)

    def reloading(self) -> None:
        """Report that the settings are being read again. The caller calls `ready` afterwards."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report that the process is stopping."""
        self._tell("STOPPING=1")

    def close(self) -> None:
        """Close the socket. Later reports are not sent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, lines: str, flags: int = 0) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(lines.encode(), flags, self._address)


def _watchdog_s() -> float:
    """Return systemd's watchdog limit in seconds. It is infinite if there is no watchdog for this process."""
    try:
        if int(os.environ.get("WATCHDOG_PID", os.getpid())) == os.getpid():
            return int(os.environ["WATCHDOG_USEC"]) / 1e6
    except (KeyError, ValueError):
        pass
    return float("inf")
