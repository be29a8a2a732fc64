"""Serves HTTP to a bounded number of connections, and ends those whose browser went away without a word."""

from __future__ import annotations

import socket
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

MOST_CONNECTIONS = 256
"""Most connections at once. A process may open 1024 files; when it has none left, it cannot even refuse a client.

A browser opens up to six, and one for the stream.
"""
GONE_S = 20.0
"""Seconds after which a connection ends if what was sent to the browser is not acknowledged or not taken.

A phone that leaves the Wi-Fi says no word. Without this limit its stream keeps its place for a quarter of an hour.
"""
MOST_UNSENT = 8192
"""Bytes that wait in the kernel for a slow connection at most. What waits there is old when it arrives: without a limit
a phone far from the access point would see the box as it was minutes ago."""
LARGEST_BODY = 8192
"""Most bytes of a request. A request on the control socket has the same limit."""
SLOWEST_S = 10.0
"""Seconds after which a request that has not come whole is given up."""


class WebServer(HTTPServer):
    """Serves a web application with limits of size, time and number. More connections than that are closed at once."""

    def initialize(self, *args: Any, **options: Any) -> None:
        """Take what HTTPServer takes: the application first."""
        options |= {"max_body_size": LARGEST_BODY, "max_header_size": LARGEST_BODY}
        options |= {"idle_connection_timeout": SLOWEST_S, "body_timeout": SLOWEST_S}
        super().initialize(*args, **options)
        self._open = 0

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Answer the requests that come on a new connection, or close it if there are too many."""
        if self._open >= MOST_CONNECTIONS:
            stream.close()
            return
        try:
            stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(GONE_S * 1000))
            stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MOST_UNSENT)
        except OSError:  # the client has gone already
            stream.close()
            return
        self._open += 1
        super().handle_stream(stream, address)

    def on_close(self, server_conn: object) -> None:
        """Count a connection that has ended."""
        self._open -= 1
        super().on_close(server_conn)
