"""The web server of the page, with Tornado.

Tornado is one package, with wheels for arm64 and in Debian. It limits the time and the size of a request. With it the
process is smaller than with aiohttp, and about as small as with Starlette and uvicorn.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from pathlib import Path
from typing import Any

import tornado.web
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets

from device.errors import UserError
from device.page.access import Door, host_is_ours
from device.page.box_link import BoxLink
from device.page.power import TARGETS, ask_for

STATIC = Path(__file__).parent / "static"
COOKIE = "lefthand"
COOKIE_DAYS = 365
LARGEST_BODY = 8192
"""Bytes of a request, the same as a line of the control socket has."""
SLOWEST_S = 10.0
"""Seconds within which a request must have come."""
MOST_BROWSERS = 16
KEEP_S = 5.0
"""Seconds after which an empty line keeps the stream open."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "lefthand",
}
ASKS = {"do", "set", "settings", "reset", "look"}
"""Requests that a browser may send to the box."""


class Checked(tornado.web.RequestHandler):
    """Checks Host, Origin and cookie of every request, and sets the headers of every answer."""

    open_to_all = False

    def initialize(self, door: Door, link: BoxLink) -> None:
        """Take the parts of the server."""
        self._door, self._link = door, link

    def set_default_headers(self) -> None:
        """Set the headers that restrict what a browser does with the answer."""
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        """Refuse a request with a foreign Host or Origin, or without the cookie."""
        host = self.request.host or ""
        if not host_is_ours(host):
            raise tornado.web.HTTPError(403, reason="This is not a name of the box")
        origin = self.request.headers.get("Origin")
        if self.request.method not in ("GET", "HEAD") and origin != f"http://{host}":
            raise tornado.web.HTTPError(403, reason="This request comes from another site")
        if not self.open_to_all and not self._door.opens(self.get_cookie(COOKIE)):
            raise tornado.web.HTTPError(401, reason="The code is missing")

    def write_error(self, status_code: int, **_: Any) -> None:
        """Answer with the reason alone."""
        self.finish({"error": self._reason})

    def body(self) -> dict[str, Any]:
        """The request's JSON object. Raises HTTPError."""
        try:
            data = json.loads(self.request.body)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict) or self.request.headers.get("Content-Type") != "application/json":
            raise tornado.web.HTTPError(400, reason="A JSON object is needed")
        return data


class StaticFile(Checked):
    """One of the page's own files, which hold nothing secret."""

    open_to_all = True

    def initialize(self, door: Door, link: BoxLink, content: bytes, kind: str) -> None:  # type: ignore[override]
        """Take the file's content and media type."""
        super().initialize(door, link)
        self._content, self._kind = content, kind

    def get(self) -> None:
        """Send the file."""
        self.set_header("Content-Type", self._kind)
        self.finish(self._content)


class Login(Checked):
    """Takes the code and gives the cookie."""

    open_to_all = True

    def post(self) -> None:
        """Check the code in the body."""
        code = self.body().get("code")
        if self._door.waits:
            raise tornado.web.HTTPError(429, reason="Too many wrong codes")
        cookie = self._door.cookie_for(code) if isinstance(code, str) else self._door.cookie_for("")
        if cookie is None:
            raise tornado.web.HTTPError(401, reason="The code is wrong")
        self.set_cookie(COOKIE, cookie, expires_days=COOKIE_DAYS, httponly=True, samesite="Strict", path="/")
        self.finish({"ok": True})


class Order(Checked):
    """Passes a request to the box and its answer to the browser."""

    async def post(self) -> None:
        """Send the body to the box."""
        data = self.body()
        if set(data) - {"value"} - ASKS:
            raise tornado.web.HTTPError(400, reason="This cannot be asked")
        answer = await self._link.ask(data)
        answer.pop("id", None)
        self.finish(answer)


class Power(Checked):
    """Shuts down or restarts the box."""

    def post(self) -> None:
        """Check the body, such as {"power": "off"}, and ask systemd."""
        what = self.body().get("power")
        if what not in TARGETS:
            raise tornado.web.HTTPError(400, reason="This cannot be asked")
        try:
            ask_for(what)
        except UserError as error:
            self.finish({"error": str(error)})
            return
        self.finish({"ok": True})


class Stream(Checked):
    """Sends the stream of the box as server-sent events. The browser connects again by itself."""

    async def get(self) -> None:
        """Send lines until the browser has gone."""
        if self._link.browsers >= MOST_BROWSERS:
            raise tornado.web.HTTPError(503, reason="Too many browsers")
        self.set_header("Content-Type", "text/event-stream")
        lines = self._link.join()
        try:
            self.write(b"retry: 500\n\n")
            await self.flush()
            while True:
                try:
                    line = await asyncio.wait_for(lines.get(), KEEP_S)
                except TimeoutError:
                    line = b""
                self.write(b"data: " + line + b"\n" if line else b":\n\n")
                await self.flush()
        except StreamClosedError:
            return
        finally:
            self._link.leave(lines)


def application(door: Door, link: BoxLink) -> tornado.web.Application:
    """Return the page for browsers that `door` lets in, with the box at `link`."""
    parts = {"door": door, "link": link}
    kinds = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    files = [
        (
            "/" if path.name == "index.html" else f"/{path.name}",
            StaticFile,
            {**parts, "content": path.read_bytes(), "kind": kinds[path.suffix]},
        )
        for path in sorted(STATIC.iterdir())
    ]
    own: list[Any] = [("/login", Login, parts), ("/order", Order, parts), ("/stream", Stream, parts)]
    own.append(("/power", Power, parts))
    # one line a request would fill the journal
    return tornado.web.Application([*files, *own], log_function=lambda handler: None)


def opened(address: str, port: int) -> list[socket.socket]:
    """Return the sockets that listen at `address` and `port`. Raises UserError if the port cannot be opened."""
    try:
        return bind_sockets(port, address)
    except OSError as error:
        raise UserError(
            f"The page cannot be opened at {address} port {port} ({error.strerror}): choose another --port."
        ) from None


async def serve(application: tornado.web.Application, link: BoxLink, *listeners: socket.socket) -> None:
    """Serve on listening sockets until the task is cancelled."""
    server = HTTPServer(
        application,
        max_body_size=LARGEST_BODY,
        max_header_size=LARGEST_BODY,
        idle_connection_timeout=SLOWEST_S,
        body_timeout=SLOWEST_S,
    )
    server.add_sockets(listeners)
    logging.getLogger("lefthand").info("the page is at port %d", listeners[0].getsockname()[1])
    try:
        await link.run()
    finally:
        server.stop()
