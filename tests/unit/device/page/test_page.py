"""The page's server with a real control socket behind it: what reaches the box, and what a browser gets."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.testing import bind_unused_port

from device.control.client_line import MOST_MISUNDERSTOOD
from device.control.protocol import SOCKET, line_of
from device.page.access import Door
from device.page.box_link import MOST_WAITING, BoxLink
from device.page.server import application, serve
from device.page.web_server import LARGEST_BODY
from device.settings.controls import Arm
from device.status.moments import Moment
from tests.unit.helpers.page_site import Site, on_site, reached
from tests.unit.helpers.patience import PATIENCE_S

KILOBYTE, MOST_SENT = 1024, 1024 * 1024
TURNS = 20
"""Turns of the event loop, in which a line reaches the kernel."""


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


@pytest.mark.parametrize(
    ("order", "times", "said"),
    [
        # 30 bytes besides the name of the key: as long as the page accepts, and too long for the box with its number
        pytest.param({"set": {"play": {"key": "a" * (LARGEST_BODY - 30)}}}, 1, b"at most", id="too long"),
        pytest.param({"do": "dance"}, MOST_MISUNDERSTOOD + 1, b"the actions are", id="not understood"),
    ],
)
def test_a_refused_order_does_not_end_the_connection_of_other_browsers(
    tmp_path: Path, order: dict[str, Any], times: int, said: bytes
) -> None:
    async def act(site: Site) -> None:
        site.begin_box()
        await reached(site)
        for _ in range(times):
            assert said in (await site.ask("/order", order)).body
        assert json.loads((await site.ask("/order", {"do": "arm", "value": False})).body) == {"ok": True}
        assert site.orders.asked == [Arm(False)]

    on_site(tmp_path, act)


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
    assert len(lines) == MOST_WAITING
    assert [asyncio.run(lines.get()) for _ in range(MOST_WAITING)][-1] == b"%d" % (3 * MOST_WAITING - 1)
    for number in range(3):
        link._send(line_of({"status": {"number": number}}))
        link._send(line_of({"moments": [number]}))
    kept = [json.loads(asyncio.run(lines.get())) for _ in range(len(lines))]
    assert kept == [{"moments": [0]}, {"moments": [1]}, {"status": {"number": 2}}, {"moments": [2]}]


def test_little_waits_in_the_kernel_for_a_browser_that_reads_nothing(tmp_path: Path) -> None:
    async def act() -> None:
        link, (listener, port) = BoxLink(None), bind_unused_port()
        serving = asyncio.create_task(serve(application(Door(None), link), link, listener))
        with socket.socket() as browser:
            browser.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            browser.connect(("127.0.0.1", port))
            browser.sendall(f"GET /stream HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
            async with asyncio.timeout(PATIENCE_S):
                while not link.browsers:
                    await asyncio.sleep(0.01)
            (lines,) = link._browsers
            sent = 0
            while len(lines) < MOST_WAITING and sent < MOST_SENT:
                link._send(b"x" * KILOBYTE)
                sent += KILOBYTE
                for _ in range(TURNS):
                    await asyncio.sleep(0)
        serving.cancel()
        assert sent < MOST_SENT

    asyncio.run(act())


def test_the_process_of_the_page_loads_no_numpy_and_no_engine() -> None:
    code = (
        "import sys, device.commands.page, device.page.box_link, device.page.server\n"
        "print([name for name in ('numpy', 'mido', 'device.engine', 'device.settings.config') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
