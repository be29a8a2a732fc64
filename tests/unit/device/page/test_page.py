"""The page's server with a real control socket behind it: who may use it, what reaches the box, what a browser gets."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from device.control.client_line import MOST_MISUNDERSTOOD
from device.control.protocol import SOCKET
from device.control.server import ControlServer
from device.page.access import FILE, MOST_WRONG, WINDOW_S, Door, host_is_ours, secret_of
from device.page.box_link import MOST_WAITING, BoxLink
from device.page.server import LARGEST_BODY, application
from device.settings.controls import Arm
from device.status.moments import Moment, Moments
from device.status.schema import Status

PATIENCE_S = 60.0
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
        self.server = HTTPServer(application(self.door, self.link), max_body_size=LARGEST_BODY)
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


def test_an_order_reaches_the_box_and_its_refusal_the_browser(tmp_path: Path) -> None:
    async def act(site: Site) -> None:
        site.begin_box()
        await reached(site)
        assert json.loads((await site.ask("/order", {"do": "arm", "value": False})).body) == {"ok": True}
        assert (await site.ask("/order", {"set": {"play": {"style": "bass"}}})).code == 200
        assert site.orders.asked == [Arm(False), {"play": {"style": "bass"}}]
        for request in ({"note": ""}, {"calibrate": "mic"}, {"learn": "arm"}):
            assert json.loads((await site.ask("/order", request)).body) == {"ok": True}
        assert sorted(site.orders.asked[2:]) == [("calibrate", "mic"), ("learn", "arm"), ("note", "")]
        assert b"the actions are" in (await site.ask("/order", {"do": "dance"})).body

    on_site(tmp_path, act)


def test_an_order_that_is_too_long_for_the_box_is_refused_and_the_connection_stays(tmp_path: Path) -> None:
    async def act(site: Site) -> None:
        site.begin_box()
        await reached(site)
        empty = json.dumps({"set": {"play": {"key": ""}}})
        longest = {"set": {"play": {"key": "a" * (LARGEST_BODY - len(empty))}}}
        assert b"at most" in (await site.ask("/order", longest)).body
        assert json.loads((await site.ask("/order", {"do": "arm", "value": False})).body) == {"ok": True}
        assert site.orders.asked == [Arm(False)]

    on_site(tmp_path, act)


def test_orders_that_the_box_cannot_understand_do_not_end_the_connection_of_other_browsers(tmp_path: Path) -> None:
    async def act(site: Site) -> None:
        site.begin_box()
        await reached(site)
        for _ in range(MOST_MISUNDERSTOOD + 1):
            assert b"the actions are" in (await site.ask("/order", {"do": "dance"})).body
        assert json.loads((await site.ask("/order", {"do": "arm", "value": False})).body) == {"ok": True}
        assert site.orders.asked == [Arm(False)]

    on_site(tmp_path, act)


def test_without_the_code_there_is_no_order_and_no_stream(tmp_path: Path) -> None:
    async def act(site: Site) -> None:
        site.begin_box()
        await reached(site)
        for cookie in (None, "lefthand=", "lefthand=" + "0" * 64):
            assert (await site.ask("/order", {"do": "panic"}, Cookie=cookie)).code == 401
            assert (await site.ask("/stream", Cookie=cookie)).code == 401
        assert site.orders.asked == []

    on_site(tmp_path, act)


def test_a_closed_network_needs_no_code(tmp_path: Path) -> None:
    async def act(site: Site) -> None:
        site.begin_box()
        await reached(site)
        assert (await site.ask("/order", {"do": "panic"}, Cookie=None)).code == 200

    on_site(tmp_path, act, code=False)


def test_the_code_gives_a_cookie_and_wrong_codes_are_limited_over_all_browsers(tmp_path: Path) -> None:
    async def act(site: Site) -> None:
        good = await site.ask("/login", {"code": site.secret.code}, Cookie=None)
        cookie = good.headers["Set-Cookie"]
        assert good.code == 200 and site.secret.cookie in cookie
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
        wrong = "000000" if site.secret.code != "000000" else "111111"
        codes = [(await site.ask("/login", {"code": wrong}, Cookie=None)).code for _ in range(MOST_WRONG + 1)]
        assert codes == [401] * MOST_WRONG + [429]
        assert (await site.ask("/login", {"code": site.secret.code}, Cookie=None)).code == 429

    on_site(tmp_path, act)


def test_a_code_that_is_no_text_of_utf_8_counts_as_a_wrong_one(tmp_path: Path) -> None:
    async def act(site: Site) -> None:
        for _ in range(MOST_WRONG):
            assert (await site.ask("/login", {"code": "\ud800"}, Cookie=None)).code == 401
        assert (await site.ask("/login", {"code": "\ud800"}, Cookie=None)).code == 429

    on_site(tmp_path, act)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 60_000,
        '{"code": "\\u001bc\\u001bc\\u001bc", "key": "ab"}',
        '{"code": "12345", "key": "ab"}',
        '{"code": "123456", "key": "\\ud800"}',
        '{"code": 123456, "key": "ab"}',
        '{"code": "123456", "key": 5}',
        "[1]",
    ],
    ids=lambda text: text[:40],
)
def test_a_damaged_code_is_replaced_by_a_new_one(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    (folder / FILE).write_text(text)
    made = secret_of(folder)
    assert re.fullmatch("[0-9]{6}", made.code) and len(made.cookie) == 64
    assert secret_of(folder) == made


@pytest.mark.parametrize("line", [b"[" * 100_000, b"5", b'{"id": [1]}', b'{"status": 7}'], ids=lambda line: line[:12])
def test_a_line_that_no_box_sends_ends_the_connection_and_not_the_page(tmp_path: Path, line: bytes) -> None:
    async def act() -> None:
        connections = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            writer.write(line + b"\n")
            writer.write_eof()
            await reader.read()
            writer.close()

        (tmp_path / "run").mkdir()
        async with await asyncio.start_unix_server(serve, tmp_path / "run" / SOCKET):
            link = BoxLink(tmp_path / "run")
            running = asyncio.create_task(link.run())
            async with asyncio.timeout(PATIENCE_S):
                while connections < 2 and not running.done():
                    await asyncio.sleep(0.05)
            assert not running.done() and link.bundle is None
            running.cancel()

    asyncio.run(act())


def test_the_limit_ends_after_a_minute() -> None:
    now = [0.0]
    door = Door(None, lambda: now[0])
    for _ in range(MOST_WRONG):
        assert not door.waits
        door.cookie_for("x")
    assert door.waits
    now[0] = WINDOW_S
    assert not door.waits


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": None},
    ],
)
def test_a_foreign_host_or_origin_is_refused(tmp_path: Path, headers: dict[str, str | None]) -> None:
    async def act(site: Site) -> None:
        site.begin_box()
        await reached(site)
        assert (await site.ask("/order", {"do": "panic"}, **headers)).code == 403
        assert site.orders.asked == []

    on_site(tmp_path, act)


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost:8080", True), ("127.0.0.1", True), ("192.168.1.9:80", True), ("[fe80::1]:80", True), ("::1", True),
        ("evil.example", False), ("localhost.evil.example", False), ("", False), ("127.0.0.1.evil.example:80", False),
    ],
)  # fmt: skip
def test_which_names_are_the_box(host: str, ours: bool) -> None:
    assert host_is_ours(host) is ours


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ("no json", {}, 400),
        ("[1]", {}, 400),
        ("[" * 5000, {}, 400),
        ({"watch": True}, {}, 400),
        ({"do": "panic"}, {"Content_Type": "text/plain"}, 400),
    ],
)
def test_what_is_no_order_is_refused(tmp_path: Path, body: Any, headers: dict[str, str], status: int) -> None:
    async def act(site: Site) -> None:
        assert (await site.ask("/order", body, **headers)).code == status

    on_site(tmp_path, act)


@pytest.mark.parametrize("what", [None, [], {}, 1, "halt", "../off"], ids=str)
def test_no_other_word_shuts_the_box_down(tmp_path: Path, what: Any) -> None:
    async def act(site: Site) -> None:
        assert (await site.ask("/power", {"power": what})).code == 400

    on_site(tmp_path, act)


def test_a_body_that_is_too_large_is_refused(tmp_path: Path) -> None:
    async def act(site: Site) -> None:
        assert (await site.ask("/order", "x" * (LARGEST_BODY + 1))).code in (400, 413, 599)
        assert (await site.ask("/")).code == 200

    on_site(tmp_path, act)


@pytest.mark.parametrize(
    "path", ["/../access.py", "/%2e%2e/access.py", "/static/page.js", "/page.json", "//etc/passwd"]
)
def test_only_the_page_s_own_files_are_served(tmp_path: Path, path: str) -> None:
    async def act(site: Site) -> None:
        assert (await site.ask(path)).code in (400, 404)

    on_site(tmp_path, act)


def test_the_files_need_nothing_from_the_internet_and_forbid_it(tmp_path: Path) -> None:
    async def act(site: Site) -> None:
        for path in ("/", "/page.js", "/page.css", "/texts.js", "/icon.svg"):
            answer = await site.ask(path, Cookie=None)
            assert answer.code == 200
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
            text = answer.body.decode().replace("http://www.w3.org/2000/svg", "")
            assert "http:" not in text and "https:" not in text and "innerHTML" not in text

    on_site(tmp_path, act)


def test_the_stream_brings_the_status_and_the_notes_and_says_when_the_box_is_away(tmp_path: Path) -> None:
    async def act(site: Site) -> None:
        got: list[Any] = []
        text = bytearray()

        def take(chunk: bytes) -> None:
            text.extend(chunk)
            *whole, rest = bytes(text).split(b"\n\n")
            text[:] = rest
            got.extend(json.loads(event[6:]) for event in whole if event.startswith(b"data: "))

        request = HTTPRequest(
            f"http://127.0.0.1:{site.port}/stream",
            headers={"Cookie": site.cookie},
            streaming_callback=take,
            request_timeout=PATIENCE_S,
        )
        client = AsyncHTTPClient(force_instance=True)
        fetched = asyncio.ensure_future(client.fetch(request, raise_error=False))

        async def until(key: str) -> Any:
            while not (found := [data[key] for data in got if key in data]):
                await asyncio.sleep(0.01)
            got.clear()
            return found[0]

        assert await until("away")
        site.begin_box()
        assert (await until("status"))["message"] == "listening"
        site.moments.add(Moment("played", 0.0, 48, 70))
        assert (await until("moments"))[0]["pitch"] == 48
        site.end_box()
        assert await until("away")
        assert json.loads((await site.ask("/order", {"do": "panic"})).body) == {"error": "away"}
        site.begin_box()
        assert await until("status")
        fetched.cancel()

    on_site(tmp_path, act)


def test_a_browser_that_reads_nothing_keeps_the_newest_lines_only(tmp_path: Path) -> None:
    link = BoxLink(None)
    lines = link.join()
    for number in range(3 * MOST_WAITING):
        link._send(b"%d" % number)
    assert lines.qsize() == MOST_WAITING
    assert [lines.get_nowait() for _ in range(MOST_WAITING)][-1] == b"%d" % (3 * MOST_WAITING - 1)


def test_the_code_stays_and_a_new_one_ends_the_cookies(tmp_path: Path) -> None:
    first = secret_of(tmp_path)
    assert secret_of(tmp_path) == first
    assert len(first.code) == 6 and first.code.isdigit()
    assert (tmp_path / "page.json").stat().st_mode & 0o077 == 0
    second = secret_of(tmp_path, new=True)
    assert second.cookie != first.cookie and not Door(second).opens(first.cookie)
    (tmp_path / "page.json").write_text("damaged")
    assert not Door(secret_of(tmp_path)).opens(second.cookie)


def test_the_process_of_the_page_loads_no_numpy_and_no_engine() -> None:
    code = (
        "import sys, device.commands.page, device.page.box_link, device.page.server\n"
        "print([name for name in ('numpy', 'mido', 'device.engine', 'device.settings.config') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
