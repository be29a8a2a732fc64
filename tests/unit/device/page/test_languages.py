"""The language of the page: which one a browser gets, and that another one is one more file."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from device.page.access import Door
from device.page.box_link import BoxLink
from device.page.languages import wanted_language
from device.page.server import STATIC, application


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fi,fr;q=0.9", "en"),
        ("en;q=0.2, de;q=0.7", "de"),
        ("de;q=0", "en"),
        ("de;q=nonsense", "en"),
        (";;,,q=,", "en"),
    ],
)
def test_which_language_a_browser_gets(header: str, language: str) -> None:
    assert wanted_language(header, {"en", "de"}) == language


def test_another_language_is_one_more_file(tmp_path: Path) -> None:
    static = tmp_path / "static"
    shutil.copytree(STATIC, static)
    (static / "texts.de.js").write_text('window.TEXTS = {language: "de"};', encoding="utf-8")

    async def run() -> list[str]:
        server = HTTPServer(application(Door(None), BoxLink(None), static))
        sock, port = bind_unused_port()
        server.add_socket(sock)
        client = AsyncHTTPClient(force_instance=True)
        try:
            return [
                (
                    await client.fetch(f"http://127.0.0.1:{port}/texts.js", headers={"Accept-Language": language})
                ).body.decode()
                for language in ("de-CH,en;q=0.5", "en")
            ]
        finally:
            server.stop()

    german, english = asyncio.run(run())
    assert 'language: "de"' in german
    assert 'language: "en"' in english and english == (STATIC / "texts.js").read_text(encoding="utf-8")
