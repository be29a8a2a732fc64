"""Checks every request to the page: the headers Host and Origin, and the cookie."""

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
    """Checks Host, Origin and cookie of every request, and sets the headers of every answer.

    A subclass with `open_to_all` true does not check the cookie.
    """

    open_to_all = False

    def initialize(self, door: Door, link: BoxLink) -> None:
        """Keep the door, which checks cookies, and the link to the box for the methods of this request."""
        self._door, self._link = door, link

    def set_default_headers(self) -> None:
        """Set the headers that restrict what a browser does with the answer."""
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        """Refuse a request with a foreign Host or Origin (error 403), or without the cookie (error 401)."""
        host = self.request.host or ""
        if not host_is_ours(host):
            raise tornado.web.HTTPError(403, reason="This is not a name of the box")
        origin = self.request.headers.get("Origin")
        if self.request.method not in ("GET", "HEAD") and origin != f"http://{host}":
            raise tornado.web.HTTPError(403, reason="This request comes from another site")
        if not self.open_to_all and not self._door.opens(self.get_cookie(COOKIE)):
            raise tornado.web.HTTPError(401, reason="The code is missing")

    def write_error(self, status_code: int, **_: Any) -> None:
        """Answer with {"error": the reason} and nothing else."""
        self.finish({"error": self._reason})

    def body(self) -> dict[str, Any]:
        """Return the JSON object in the request. Raises HTTPError 400 if there is none or its media type differs."""
        try:
            data = json.loads(self.request.body)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict) or self.request.headers.get("Content-Type") != "application/json":
            raise tornado.web.HTTPError(400, reason="A JSON object is needed")
        return data
