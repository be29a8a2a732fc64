"""What every request to the page has to pass: the Host, the Origin and the cookie."""

from __future__ import annotations

import json
from typing import Any

import tornado.web

from device.page.access import Door, host_is_ours
from device.page.box_link import BoxLink

COOKIE = "lefthand"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; media-src 'self'; "
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
