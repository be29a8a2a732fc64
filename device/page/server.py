"""The web server of the page, with Tornado.

Tornado is one package, with wheels for arm64 and in Debian. It limits the time and the size of a request. With it the
process is smaller than with aiohttp, and about as small as with Starlette and uvicorn.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path
from typing import Any

import tornado.web
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets

from device.errors import UserError
from device.page.access import Door
from device.page.box_link import BoxLink
from device.page.checked import COOKIE, Checked
from device.page.power import TARGETS, ask_for, can_ask
from device.page.recordings import RecordingFile
from device.page.rollback import Rollback, RollbackOrder
from device.system.untrusted_files import read_small

CARD = "MODEL_CARD.md"
STATIC = Path(__file__).parent / "static"
COOKIE_DAYS = 365
LARGEST_BODY = 8192
"""Bytes of a request, the same as a line of the control socket has."""
SLOWEST_S = 10.0
"""Seconds within which a request must have come."""
MOST_BROWSERS = 16
KEEP_S = 5.0
"""Seconds after which an empty line keeps the stream open."""
ASKS = {"do", "set", "settings", "reset", "look", "record", "delete", "note", "calibrate", "learn"}
"""Requests that a browser may send to the box."""


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

    def get(self) -> None:
        """Say whether this machine allows it."""
        self.finish({"ok": can_ask()})

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


class ModelCard(Checked):
    """Sends the model card of the bundle that plays."""

    def get(self) -> None:
        """Send the text. Sends 404 if no bundle plays or it has no card that can be read."""
        path = self._link.bundle
        try:
            if path is None:
                raise FileNotFoundError
            text = read_small(Path(path) / CARD)
        except (OSError, ValueError):
            raise tornado.web.HTTPError(404, reason="There is no model card") from None
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(text)


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
    own.append(("/rollback", RollbackOrder, {**parts, "rollback": Rollback()}))
    own.append(("/card", ModelCard, parts))
    own.append((r"/recording/([0-9]{3,6})/([a-z.]+)", RecordingFile, parts))
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
