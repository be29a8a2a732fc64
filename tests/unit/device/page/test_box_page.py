"""The page as a service: the socket that is passed, the settings of the port, the code, and the way to shut down."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from device.errors import ConfigError, UserError
from device.page import box_page
from device.page.access import Door, Secret
from device.page.power import ask_for, can_ask
from device.page.rollback import Rollback
from device.page.socket_settings import CLOSED, drop_in, main
from device.settings.config import read_page
from device.settings.sections import PageSettings
from tests.unit.helpers.patience import PATIENCE_S

ROOT = Path(__file__).parents[4]


def test_the_service_serves_on_the_socket_that_it_is_given_and_reports_that_it_is_alive(tmp_path: Path) -> None:
    with socket.socket() as listener, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE_S)
        # the number of the process is known only to the process itself
        words = f'LISTEN_PID=$$ exec "{sys.executable}" -m device.cli page --service 3<&{listener.fileno()}'
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LISTEN_FDS": "1", "HOME": str(tmp_path)}
        env |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "STATE_DIRECTORY": str(tmp_path)}
        page = subprocess.Popen(["bash", "-c", words], env=env, pass_fds=[listener.fileno()], cwd=tmp_path)
        try:
            assert [systemd.recv(100) for _ in range(2)] == [b"READY=1", b"WATCHDOG=1"]
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
                assert b"<title>" in answer.read()
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.urlopen(f"{url}/stream", timeout=PATIENCE_S)
            assert systemd.recv(100) == b"WATCHDOG=1"
            assert (tmp_path / "page.json").stat().st_mode & 0o777 == 0o600
        finally:
            page.send_signal(signal.SIGTERM)
            page.wait(PATIENCE_S)


def test_without_a_socket_it_names_the_unit() -> None:
    with pytest.raises(UserError, match="systemctl start lefthand-page.socket"):
        box_page.passed_socket()


@pytest.mark.parametrize(
    ("page", "listens"),
    [
        (PageSettings(), "80"),
        (PageSettings(address="192.168.1.5", port=8081), "192.168.1.5:8081"),
        (PageSettings(address="fe80::1"), "[fe80::1]:80"),
    ],
)
def test_the_socket_unit_listens_where_the_settings_say(page: PageSettings, listens: str) -> None:
    assert drop_in(page) == f"[Socket]\nListenStream=\nListenStream={listens}\n"


@pytest.mark.parametrize("text", ["[page]\nenabled = false\n", "[page]\nport = 0\n", "[page\n", "page = 3\n"])
def test_a_page_that_is_off_or_has_unusable_settings_is_not_served(tmp_path: Path, text: str) -> None:
    (tmp_path / "lefthand.toml").write_text(text)
    main(tmp_path, tmp_path / "lefthand.toml")
    assert (tmp_path / "lefthand-page.socket.d" / "settings.conf").read_text() == CLOSED


def test_the_page_works_beside_other_sections_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "lefthand.toml").write_text("[audio]\nno_such_key = 1\n[page]\nport = 81\n")
    assert read_page(tmp_path / "lefthand.toml") == PageSettings(port=81)


@pytest.mark.parametrize(
    "line",
    [
        "address = 'box.local'",
        'address = "fe80::1%a\\n]:80\\nService=x"',
        "address = 'fe80::1%a]:80'",
        "address = 3",
        "code = 1",
        "port = 70000",
        "name = ''",
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "lefthand.toml").write_text(f"[page]\n{line}\n")
    with pytest.raises(ConfigError, match=rf"\[page\] {line.split()[0]}"):
        read_page(tmp_path / "lefthand.toml")


def test_a_new_code_ends_the_cookies_of_a_running_page() -> None:
    old, new = Secret("123456", "a"), Secret("654321", "b")
    door = Door(old)
    assert door.asks and door.opens(old.cookie)
    door.use(new)
    assert door.opens(new.cookie) and not door.opens(old.cookie)


def test_what_is_printed_names_the_host_the_addresses_and_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_page, "addresses", lambda: ["192.168.1.5", "fd00::2"])
    lines = box_page.introduction(80, "123456").splitlines()
    assert lines[0].endswith(".local or http://192.168.1.5 or http://[fd00::2]")
    assert lines[1] == "Its code is 123456"
    assert len(lines) > 10 and set("".join(lines[2:])) <= set(" █▀▄")
    assert ":8081" in box_page.introduction(8081, None)


def test_shutting_down_is_a_file_that_systemd_waits_for(tmp_path: Path) -> None:
    ask_for("off", tmp_path)
    ask_for("restart", tmp_path)
    Rollback(tmp_path).ask()
    watched = {
        path.read_text().split("PathChanged=")[1].split()[0] for path in (ROOT / "deploy" / "units").glob("*.path")
    }
    assert {Path(path).name for path in watched} == {path.name for path in tmp_path.iterdir()}
    with pytest.raises(UserError, match="cannot be shut down from the page"):
        ask_for("off", tmp_path / "nowhere")


def test_the_buttons_are_offered_only_where_the_page_may_write_the_file(tmp_path: Path) -> None:
    assert can_ask(tmp_path) and not can_ask(tmp_path / "no such folder")
