"""A page with a real control socket behind it, and a box that may be there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.testing import bind_unused_port

from device.control.server import ControlServer
from device.page.access import Door, secret_of
from device.page.box_link import BoxLink
from device.page.server import application
from device.page.web_server import WebServer
from device.status.moments import Moments
from device.status.schema import Status
from tests.unit.helpers.patience import PATIENCE_S

STATUS = Status(state="playing", message="listening", since="", pid=1, version="0")


class Orders:
    def __init__(self) -> None:
        self.asked: list[Any] = []

    def act(self, action: Any) -> None:
        self.asked.append(action)

    def change(self, wanted: Any) -> None:
        self.asked.append(wanted)

    def reset(self) -> None:
        self.asked.append("reset")

    def settings(self) -> dict[str, Any]:
        return {"values": {}}

    def record(self, on: bool) -> None:
        self.asked.append(("record", on))

    def delete(self, number: str) -> None:
        self.asked.append(("delete", number))

    def try_output(self, port: str) -> None:
        self.asked.append(("note", port))

    def calibrate(self, input_: str | None) -> None:
        self.asked.append(("calibrate", input_))

    def learn(self, control: str | None) -> None:
        self.asked.append(("learn", control))

    def look(self, name: str) -> dict[str, Any]:
        return {"looked at": name}


class Site:
    """A page in this event loop, and a box that may be there."""

    def __init__(self, folder: Path, code: bool = True) -> None:
        self.folder, self.orders, self.moments = folder, Orders(), Moments()
        self.secret = secret_of(folder / "state")
        self.door = Door(self.secret if code else None)
        self.link = BoxLink(folder / "run")
        self.cookie = f"lefthand={self.secret.cookie}"
        sock, self.port = bind_unused_port()
        self.server = WebServer(application(self.door, self.link))
        self.server.add_socket(sock)
        self.box: ControlServer | None = None

    def begin_box(self) -> None:
        self.box = ControlServer(self.folder / "run", self.orders, self.moments, lambda error: None)
        self.box.publish(STATUS)

    def end_box(self) -> None:
        if self.box is not None:
            self.box.close()
            self.box = None

    async def ask(self, path: str, body: Any = None, **headers: str | None) -> HTTPResponse:
        """Send a request as the page's own browser does. A header that is None is left out."""
        own = f"localhost:{self.port}"
        usual = {"Host": own, "Cookie": self.cookie}
        if body is not None:
            usual |= {"Origin": f"http://{own}", "Content-Type": "application/json"}
        given = {**usual, **{name.replace("_", "-"): value for name, value in headers.items()}}
        request = HTTPRequest(
            f"http://127.0.0.1:{self.port}{path}",
            method="GET" if body is None else "POST",
            headers={name: value for name, value in given.items() if value is not None},
            body=None if body is None else body if isinstance(body, str) else json.dumps(body),
            request_timeout=PATIENCE_S,
        )
        return await AsyncHTTPClient(force_instance=True).fetch(request, raise_error=False)


def on_site(folder: Path, act: Callable[[Site], Awaitable[None]], code: bool = True) -> None:
    async def run() -> None:
        site = Site(folder, code)
        task = asyncio.create_task(site.link.run())
        try:
            await asyncio.wait_for(act(site), PATIENCE_S)
        finally:
            task.cancel()
            site.server.stop()
            site.end_box()

    asyncio.run(run())


async def reached(site: Site) -> None:
    while "error" in await site.link.ask({"settings": True}):
        await asyncio.sleep(0.01)
