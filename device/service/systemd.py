"""What the box tells systemd: ready, alive, reloading, stopping, and its state in words.

The protocol is a datagram of lines to the socket that $NOTIFY_SOCKET names; one socket stays open, as the
ping comes from the audio loop. Where systemd is not there, nothing is told.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time

LONGEST_US = 300_000
"""To wait for a manager that does not read."""
PINGS_A_LIMIT = 4
"""Pings within the time after which systemd would take the box for hung."""


class Systemd:
    """Tells systemd; whatever fails on the way changes nothing here."""

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
        """The models are verified and warm."""
        self._tell("READY=1")

    def status(self, text: str) -> None:
        """The line that `systemctl status` shows."""
        self._tell(f"STATUS={text}")

    def alive(self) -> None:
        """Ping the watchdog, if the last ping is long enough ago; call it after every finished hop."""
        now_s = time.monotonic()
        if now_s - self._pinged_s >= self._period_s:
            self._pinged_s = now_s
            # the audio loop must not wait for a manager that does not read
            self._tell("WATCHDOG=1", socket.MSG_DONTWAIT)

    def reloading(self) -> None:
        """The settings are read again; `ready` follows."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._tell("STOPPING=1")

    def close(self) -> None:
        """Give the socket back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, lines: str, flags: int = 0) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(lines.encode(), flags, self._address)


def _watchdog_s() -> float:
    """systemd's limit, infinite where it watches nobody, or another process."""
    try:
        if int(os.environ.get("WATCHDOG_PID", os.getpid())) == os.getpid():
            return int(os.environ["WATCHDOG_USEC"]) / 1e6
    except (KeyError, ValueError):
        pass
    return float("inf")
