"""One client of the control socket, with what it has sent and what waits for it. Both are bounded."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from device.control.protocol import LONGEST_LINE, line_of

CHUNK = 4096
"""Bytes that are read at once."""
REQUESTS_A_TURN = 8
"""Requests that one client may have carried out in a turn."""
MOST_WAITING_BYTES = 256 * 1024
"""A client for which more waits does not read, and is disconnected."""
MOST_STREAM_BYTES = 64 * 1024
"""If more waits for a client, lines of the stream are left out. A reader that is slow for a moment misses a picture."""
MOST_MISUNDERSTOOD = 10
"""Requests in a row that cannot be understood. Such a client speaks another language and is disconnected."""


class ClientLine:
    """The connection to one client. Only the server's thread uses it."""

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
        """Whether bytes wait to be sent."""
        return bool(self._out)

    @property
    def has_request(self) -> bool:
        """Whether a whole request has been received and not been taken."""
        return b"\n" in self._in

    def receive(self) -> None:
        """Read what the client has sent. A line that is too long ends the connection."""
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
        """Take out the next requests, REQUESTS_A_TURN at most."""
        for _ in range(REQUESTS_A_TURN):
            if not self.has_request:
                return
            line, self._in = self._in.split(b"\n", 1)
            if line.strip():
                yield line

    def send(self, line: bytes) -> None:
        """Queue an answer. A client for which too much waits is disconnected."""
        self._out += line
        if len(self._out) > MOST_WAITING_BYTES:
            self.over = True

    def show(self, line: bytes) -> None:
        """Queue a line of the stream, or leave it out if too much waits."""
        if len(self._out) <= MOST_STREAM_BYTES:
            self._out += line

    def refuse(self, sentence: str) -> None:
        """Queue a last sentence. The connection ends when it is sent."""
        self.send(line_of({"id": None, "error": sentence}))
        self._in, self._ends = b"", True

    def misunderstood(self) -> None:
        """Count a request that could not be understood."""
        self._misunderstood += 1
        if self._misunderstood >= MOST_MISUNDERSTOOD:
            self.refuse(f"{MOST_MISUNDERSTOOD} requests in a row could not be understood: the connection ends.")

    def understood(self) -> None:
        """Begin to count again."""
        self._misunderstood = 0

    def flush(self) -> None:
        """Send what the client takes without waiting."""
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
