"""Holds what one client of the control socket has sent, and what waits to be sent to it. Both are bounded."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from device.control.protocol import LONGEST_LINE, line_of

CHUNK = 4096
"""Most bytes that are read at once."""
REQUESTS_A_TURN = 8
"""Most requests of one client that are carried out before the other clients have their turn."""
MOST_WAITING_BYTES = 256 * 1024
"""Most bytes that may wait for one client. If there are more, the client does not read and is disconnected."""
MOST_STREAM_BYTES = 64 * 1024
"""If more bytes wait for a client, lines of the stream are left out. So a client that is slow for a moment only misses
some of them."""
MOST_MISUNDERSTOOD = 10
"""After so many requests in a row that cannot be understood, a client is disconnected. It speaks another language."""


class ClientLine:
    """Handles the connection to one client. Only the server's thread uses it."""

    def __init__(self, peer: socket.socket) -> None:
        self.socket = peer
        self.watches = False
        """Whether the client gets the stream."""
        self.over = False
        """Whether the connection is to be closed."""
        self._in = b""
        self._out = bytearray()
        self._misunderstood = 0
        self._ends = False

    @property
    def waiting(self) -> bool:
        """Return whether bytes wait to be sent to the client."""
        return bool(self._out)

    @property
    def has_request(self) -> bool:
        """Return whether a whole request has come that `requests` has not returned yet."""
        return b"\n" in self._in

    def receive(self) -> None:
        """Read what the client has sent, without waiting.

        If the client has gone, `over` becomes true. If a line is too long, the client is refused.
        """
        try:
            data = self.socket.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self.over = True
            return
        self._in += data
        if len(self._in) > LONGEST_LINE and b"\n" not in self._in[: LONGEST_LINE + 1]:
            self.refuse(f"A request has at most {LONGEST_LINE} bytes.")

    def requests(self) -> Iterator[bytes]:
        """Remove the oldest requests, at most REQUESTS_A_TURN, and yield each as the bytes of one line."""
        for _ in range(REQUESTS_A_TURN):
            if not self.has_request:
                return
            line, self._in = self._in.split(b"\n", 1)
            if line.strip():
                yield line

    def send(self, line: bytes) -> None:
        """Add an answer to what waits to be sent. If too much waits, disconnect the client."""
        self._out += line
        if len(self._out) > MOST_WAITING_BYTES:
            self.over = True

    def show(self, line: bytes) -> None:
        """Add a line of the stream to what waits to be sent. If too much waits, leave the line out."""
        if len(self._out) <= MOST_STREAM_BYTES:
            self._out += line

    def refuse(self, sentence: str) -> None:
        """Add an error as the last answer and forget all unread requests. The connection ends when it is sent."""
        self.send(line_of({"id": None, "error": sentence}))
        self._in, self._ends = b"", True

    def misunderstood(self) -> None:
        """Count a request that could not be understood.

        After MOST_MISUNDERSTOOD of them in a row, the client is refused.
        """
        self._misunderstood += 1
        if self._misunderstood >= MOST_MISUNDERSTOOD:
            self.refuse(f"{MOST_MISUNDERSTOOD} requests in a row could not be understood: the connection ends.")

    def understood(self) -> None:
        """Note that a request was understood, and count misunderstood requests from 0 again."""
        self._misunderstood = 0

    def flush(self) -> None:
        """Send as many of the waiting bytes as the client takes without waiting.

        If the client has gone, or the last answer after `refuse` is sent, `over` becomes true.
        """
        try:
            while self._out:
                sent = self.socket.send(self._out)
                del self._out[:sent]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.over = True
        if self._ends:
            self.over = True
