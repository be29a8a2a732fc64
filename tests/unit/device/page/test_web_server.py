"""The server of the page has room for its browsers: others are closed at once, and those that went away are noticed."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from device.page import web_server
from tests.unit.helpers.page_site import Site, on_site

FEW = 3


async def connected(site: Site) -> tuple[bool, asyncio.StreamWriter]:
    """Ask for a small file on a new connection that stays open, and return whether it came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(f"GET /icon.svg HTTP/1.1\r\nHost: localhost:{site.port}\r\n\r\n".encode())
    try:
        return await reader.read(15) == b"HTTP/1.1 200 OK", writer
    except ConnectionResetError:
        return False, writer


def test_connections_beyond_the_limit_are_closed_and_the_page_answers_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_server, "MOST_CONNECTIONS", FEW)

    async def act(site: Site) -> None:
        kept = [await connected(site) for _ in range(FEW)]
        assert all(answers for answers, _ in kept)
        assert not (await connected(site))[0]
        kept[0][1].close()
        while not (await connected(site))[0]:
            await asyncio.sleep(0.01)

    on_site(tmp_path, act)


def test_a_browser_that_went_away_without_a_word_gives_its_place_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_server, "GONE_S", 0.2)

    async def act(site: Site) -> None:
        asked = f"GET /stream HTTP/1.1\r\nHost: localhost:{site.port}\r\nCookie: {site.cookie}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", site.port)) as browser:
            browser.sendall(asked.encode())
            while not site.link.browsers:
                await asyncio.sleep(0.01)
            # the browser reads nothing, so what it was sent soon fills all buffers
            while site.link.browsers:
                site.link._send(bytes(256 * 1024))
                await asyncio.sleep(0.01)

    on_site(tmp_path, act)


@pytest.mark.parametrize("path", ["/nothing", "/../access.py", "/%ff%zz", "/recording/1/capture.wav"])
def test_a_path_that_the_page_does_not_have_is_checked_as_every_other(tmp_path: Path, path: str) -> None:
    async def act(site: Site) -> None:
        answer = await site.ask(path, Cookie=None)
        assert answer.code == 404 and answer.headers["Server"] == "lefthand"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert (await site.ask(path, Host="evil.example")).code == 403
        assert (await site.ask(path, {}, Origin="http://evil.example")).code == 403

    on_site(tmp_path, act)
