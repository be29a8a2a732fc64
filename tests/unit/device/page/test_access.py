"""Who may use the page: the code, its cookie, the limit of wrong codes, and the names of the box."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from device.page.access import FILE, MOST_WRONG, WINDOW_S, Door, host_is_ours, secret_of
from tests.unit.helpers.page_site import Site, on_site, reached


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
    ("host", "ours"),
    [
        ("lefthand", True), ("Lefthand.local:8080", True), ("lefthand.lan", True), ("lefthand.home.arpa:80", True),
        ("lefthand.fritz.box.", True), ("lefthand.evil.example", False), ("lefthand.lan.evil.example", False),
        ("evil.lan", False), ("evil.lefthand.lan", False), ("lan", False), ("lefthand.", True),
    ],
)  # fmt: skip
def test_the_names_that_routers_give_are_the_box(monkeypatch: pytest.MonkeyPatch, host: str, ours: bool) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Lefthand")
    assert host_is_ours(host) is ours


def test_the_code_stays_and_a_new_one_ends_the_cookies(tmp_path: Path) -> None:
    first = secret_of(tmp_path)
    assert secret_of(tmp_path) == first
    assert len(first.code) == 6 and first.code.isdigit()
    assert (tmp_path / "page.json").stat().st_mode & 0o077 == 0
    second = secret_of(tmp_path, new=True)
    assert second.cookie != first.cookie and not Door(second).opens(first.cookie)
    (tmp_path / "page.json").write_text("damaged")
    assert not Door(secret_of(tmp_path)).opens(second.cookie)
