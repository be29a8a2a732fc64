"""The files of a recording over HTTP: whole, in parts, and nothing else of the machine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from device.page.access import Door, Secret
from device.page.box_link import BoxLink
from device.page.server import application

SOUND = bytes(range(256)) * 1000
SECRET = Secret("123456", "key")


class Link(BoxLink):
    """A box whose recordings are in `folder`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(None)
        self.folder = folder

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"look": {"folder": str(self.folder)}}


def asked(folder: Path, path: str, **headers: str) -> HTTPResponse:
    async def run() -> HTTPResponse:
        sock, port = bind_unused_port()
        server = HTTPServer(application(Door(SECRET), Link(folder)))
        server.add_socket(sock)
        given = {"Host": "localhost", "Cookie": f"lefthand={SECRET.cookie}", **headers}
        request = HTTPRequest(f"http://127.0.0.1:{port}{path}", headers=given)
        try:
            return await AsyncHTTPClient(force_instance=True).fetch(request, raise_error=False)
        finally:
            server.stop()

    ran: Callable[[Awaitable[HTTPResponse]], HTTPResponse] = asyncio.run  # type: ignore[assignment]
    return ran(run())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "recordings" / "001"
    made.mkdir(parents=True)
    (made / "capture.wav").write_bytes(SOUND)
    (made / "capture.json").write_text("{}")
    (tmp_path / "recordings" / "secret.wav").write_bytes(b"secret")
    (made / "sent.mid").symlink_to(tmp_path / "recordings" / "secret.wav")
    (made.parent / "002").symlink_to(made)
    return made.parent


def test_a_file_comes_whole_and_can_be_saved(folder: Path) -> None:
    answer = asked(folder, "/recording/001/capture.wav?save")
    assert answer.code == 200 and answer.body == SOUND
    assert answer.headers["Content-Type"] == "audio/wav"
    assert "lefthand-001-capture.wav" in answer.headers["Content-Disposition"]
    assert "media-src 'self'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("asks", "first", "last"),
    [("bytes=0-99", 0, 99), ("bytes=255000-", 255_000, 255_999), ("bytes=5-9999999", 5, 255_999)],
)
def test_a_part_is_what_was_asked_for(folder: Path, asks: str, first: int, last: int) -> None:
    answer = asked(folder, "/recording/001/capture.wav", Range=asks)
    assert answer.code == 206 and answer.body == SOUND[first : last + 1]
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(SOUND)}"


def test_a_part_beyond_the_end_is_refused(folder: Path) -> None:
    assert asked(folder, "/recording/001/capture.wav", Range="bytes=999999-").code == 416


@pytest.mark.parametrize(
    "path",
    [
        "/recording/001/capture.json",
        "/recording/001/sent.mid",
        "/recording/002/capture.wav",
        "/recording/003/capture.wav",
        "/recording/001/../secret.wav",
        "/recording/../secret.wav",
        "/recording/001/%2e%2e%2fsecret.wav",
    ],
)
def test_nothing_else_is_sent_and_no_link_is_followed(folder: Path, path: str) -> None:
    assert asked(folder, path).code == 404


def test_without_the_code_there_is_no_file(folder: Path) -> None:
    assert asked(folder, "/recording/001/capture.wav", Cookie="lefthand=0").code == 401
