"""Serves the page and its requests over HTTP, with the web server Tornado.

Tornado is one package, with wheels for arm64 and in Debian. It limits the time and the size of a request. With it the
process is smaller than with aiohttp, and about as small as with Starlette and uvicorn.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from pathlib import Path
from typing import Any

import tornado.web
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets

from device.errors import UserError
from device.page.access import Door
from device.page.box_link import BoxLink
from device.page.checked import COOKIE, Checked
from device.page.languages import TEXTS, Texts, languages_in
from device.page.power import TARGETS, ask_for, can_ask
from device.page.recordings import RecordingFile
from device.page.rollback import Rollback, RollbackOrder
from device.page.web_server import WebServer
from device.system.untrusted_files import read_small

CARD = "MODEL_CARD.md"
STATIC = Path(__file__).parent / "static"
COOKIE_DAYS = 365
MOST_BROWSERS = 16
KEEP_S = 5.0
"""If the stream has no line for this many seconds, an empty one is sent to keep the connection."""
ASKS = {"do", "set", "settings", "reset", "look", "record", "delete", "note", "calibrate", "learn"}
"""Requests that a browser may send to the box."""


class StaticFile(Checked):
    """Sends one of the page's own files. They hold nothing secret, so no cookie is needed."""

    open_to_all = True

    def initialize(self, door: Door, link: BoxLink, content: bytes, kind: str) -> None:  # type: ignore[override]
        """Keep the parts of the server, and the content and the media type of the file."""
        super().initialize(door, link)
        self._content, self._kind = content, kind

    def get(self) -> None:
        """Send the file."""
        self.set_header("Content-Type", self._kind)
        self.finish(self._content)


class NoFile(Checked):
    """Refuses every path that the page does not have, with the checks and the headers of the others."""

    open_to_all = True

    def prepare(self) -> None:
        """Refuse a foreign Host or Origin (error 403), and every other request (error 404)."""
        super().prepare()
        raise tornado.web.HTTPError(404, reason="There is no such page")


class Login(Checked):
    """Takes the code from a browser and gives it the cookie."""

    open_to_all = True

    def post(self) -> None:
        """Check the code in the body, such as {"code": "123456"}. If it is right, set the cookie and send {"ok": true}.

        Raises HTTPError 401 for a wrong code, and 429 after too many wrong codes.
        """
        code = self.body().get("code")
        if self._door.waits:
            raise tornado.web.HTTPError(429, reason="Too many wrong codes")
        cookie = self._door.cookie_for(code) if isinstance(code, str) else self._door.cookie_for("")
        if cookie is None:
            raise tornado.web.HTTPError(401, reason="The code is wrong")
        self.set_cookie(COOKIE, cookie, expires_days=COOKIE_DAYS, httponly=True, samesite="Strict", path="/")
        self.finish({"ok": True})


class Order(Checked):
    """Passes a request from a browser to the box, and the answer of the box to the browser."""

    async def post(self) -> None:
        """Send the JSON object in the body to the box, and the box's answer to the browser.

        Raises HTTPError 400 if a browser may not ask this: its keys must be in ASKS, or "value".
        """
        data = self.body()
        if set(data) - {"value"} - ASKS:
            raise tornado.web.HTTPError(400, reason="This cannot be asked")
        answer = await self._link.ask(data)
        answer.pop("id", None)
        self.finish(answer)


class Power(Checked):
    """Shuts down or restarts the box when a browser asks for it."""

    def get(self) -> None:
        """Send {"ok": true} if the box can be shut down from this page, otherwise {"ok": false}."""
        self.finish({"ok": can_ask()})

    def post(self) -> None:
        """Shut down the box for {"power": "off"}, or restart it for {"power": "restart"}, and send {"ok": true}.

        If it is not possible, {"error": a sentence} is sent. Raises HTTPError 400 for any other body.
        """
        what = self.body().get("power")
        if not isinstance(what, str) or what not in TARGETS:
            raise tornado.web.HTTPError(400, reason="This cannot be asked")
        try:
            ask_for(what)
        except UserError as error:
            self.finish({"error": str(error)})
            return
        self.finish({"ok": True})


class ModelCard(Checked):
    """Sends the model card, a text that describes the models that play."""

    def get(self) -> None:
        """Send the text. Raises HTTPError 404 if no models play or they have no card that can be read."""
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
    """Sends what happens on the box as server-sent events, a stream of lines over HTTP.

    If the connection is lost, the browser connects again by itself.
    """

    async def get(self) -> None:
        """Send lines until the browser has gone. Raises HTTPError 503 if MOST_BROWSERS get the stream already."""
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


def application(door: Door, link: BoxLink, static: Path = STATIC) -> tornado.web.Application:
    """Return the web application of the page. `door` checks the browsers, `link` is the connection to the box.

    `static` is the folder of the page's own files.
    """
    parts = {"door": door, "link": link}
    kinds = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    files = [
        (
            "/" if path.name == "index.html" else f"/{path.name}",
            StaticFile,
            {**parts, "content": path.read_bytes(), "kind": kinds[path.suffix]},
        )
        for path in sorted(static.iterdir())
        if not path.name.startswith("texts.")
    ]
    own: list[Any] = [("/login", Login, parts), ("/order", Order, parts), ("/stream", Stream, parts)]
    own.append((f"/{TEXTS}", Texts, {**parts, "languages": languages_in(static)}))
    own.append(("/power", Power, parts))
    own.append(("/rollback", RollbackOrder, {**parts, "rollback": Rollback()}))
    own.append(("/card", ModelCard, parts))
    own.append((r"/recording/([0-9]{3,6})/([a-z.]+)", RecordingFile, parts))
    own.append((".*", NoFile, parts))
    # one line a request would fill the journal
    return tornado.web.Application([*files, *own], log_function=lambda handler: None)


def opened(address: str, port: int) -> list[socket.socket]:
    """Return the sockets that listen at `address` and `port`. Raises UserError if the port cannot be opened."""
    try:
        return bind_sockets(port, address)
    except UnicodeError:  # a part of the name is empty or too long
        raise UserError(f"{address} is no address of this machine: choose another --address.") from None
    except OSError as error:
        # getaddrinfo finds no such name, or the address belongs to another machine
        other = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        raise UserError(
            f"The page cannot be opened at {address} port {port} ({error.strerror}): "
            f"choose another {'--address' if other else '--port'}."
        ) from None


async def serve(application: tornado.web.Application, link: BoxLink, *listeners: socket.socket) -> None:
    """Serve on the sockets `listeners`, and keep the connection `link` to the box, until the task is cancelled."""
    server = WebServer(application)
    server.add_sockets(listeners)
    logging.getLogger("lefthand").info("the page is at port %d", listeners[0].getsockname()[1])
    try:
        await link.run()
    finally:
        server.stop()
