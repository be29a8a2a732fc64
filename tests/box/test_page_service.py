"""The page's service under systemd: what it may do, and that the daemon plays on whatever happens to it."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stage import KEYS, SERVICE, Player, Stage
from systemd_box import until

from tests.pace import within

PAGE, SOCKET = "lefthand-page.service", "lefthand-page.socket"
DEPLOY = Path(__file__).parents[2] / "deploy"
WATCHDOG_S = 10.0
MOST_MEMORY_MB = 40.0
BROWSER = """
import json, sys, urllib.request, urllib.error
url, body, cookie = sys.argv[1], sys.argv[2], sys.argv[3]
headers = {"Origin": url.rsplit("/", 1)[0], "Content-Type": "application/json", "Cookie": cookie}
try:
    request = urllib.request.Request(url, body.encode() or None, headers)
    with urllib.request.urlopen(request, timeout=50) as answer:
        print(json.dumps([answer.status, answer.read().decode(), answer.headers.get("Set-Cookie", "")]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, error.read().decode(), ""]))
except OSError as error:
    print(json.dumps([0, str(error), ""]))
"""
"""A program that sends one request, as a browser would."""
KNOCK = """
import socket
try:
    socket.socket(socket.AF_UNIX).connect("/run/lefthand/control")
    print("connected")
except OSError as error:
    print(type(error).__name__)
"""


@pytest.fixture(scope="module")
def stage(set_stage: Callable[..., Stage]) -> Stage:
    """A box that plays, with the page's account and units as provisioning makes them."""
    stage = set_stage(KEYS)
    box = stage.box
    box.run("useradd", "--system", "--user-group", "--shell", "/usr/sbin/nologin", "lefthand-page")
    box.run("install", "-d", "-m", "700", "-o", "lefthand-page", "-g", "lefthand-page", "/var/lib/lefthand-page")
    generator = "/usr/local/lib/systemd/system-generators/lefthand-page-settings"
    box.write(generator, (DEPLOY / "lefthand-page-settings").read_bytes(), 0o755)
    units = (SOCKET, "lefthand-poweroff.path", "lefthand-reboot.path")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "enable", "--now", "--quiet", *units)
    stage.jack()
    return stage


@pytest.fixture(scope="module")
def synth(stage: Stage) -> Player:
    synth = stage.instrument()
    stage.start()
    stage.state("playing")
    return synth


@pytest.fixture(scope="module")
def cookie(stage: Stage) -> str:
    """The cookie of a browser that gave the code which root can read."""
    said = stage.box.run("lefthand", "page", "--code")
    assert "http://box.local" in said and "█" in said, said
    code = said.split("Its code is ")[1].split()[0]
    status, _, given = ask(stage, "login", {"code": code})
    assert status == 200 and "HttpOnly" in given and "SameSite=Strict" in given
    return given.split(";")[0]


def ask(stage: Stage, path: str = "", body: Any = None, cookie: str = "", port: int = 80) -> tuple[int, str, str]:
    """Send a request as the user `pi`. Return the status, the answer and the cookie. 0: there was no answer."""
    url = f"http://localhost{'' if port == 80 else f':{port}'}/{path}"
    words = [url, "" if body is None else json.dumps(body), cookie]
    status, said, given = json.loads(stage.box.run("runuser", "-u", "pi", "--", "python3", "-c", BROWSER, *words))
    return status, said, given


def armed(stage: Stage) -> bool | None:
    """Whether the left hand is armed. None if the status does not say it."""
    steering = stage.status().get("steering") or {}
    return steering.get("armed")


def test_the_page_starts_with_the_first_browser_and_steers_the_box(
    stage: Stage, synth: Player, cookie: str, figure: Callable[[str], None]
) -> None:
    assert ask(stage)[0] == 200
    assert ask(stage, "order", {"do": "arm", "value": False})[0] == 401
    # the page connects to the box a moment after its start
    until("the box takes the order", lambda: "ok" in ask(stage, "order", {"do": "arm", "value": False}, cookie)[1])
    until("it is not armed", lambda: armed(stage) is False)
    assert "ok" in ask(stage, "order", {"do": "arm", "value": True}, cookie)[1]
    until("it is armed", lambda: armed(stage) is True)
    pid = stage.box.main_pid(PAGE)
    facts = stage.box.run("cat", f"/proc/{pid}/status")
    memory_mb, most_mb = (int(facts.split(f"{name}:")[1].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    figure(f"the page without a browser: {memory_mb:.1f} MB RSS, largest {most_mb:.1f} MB")
    assert memory_mb <= MOST_MEMORY_MB


def test_it_has_an_account_of_its_own_no_capability_and_no_network(stage: Stage, synth: Player, cookie: str) -> None:
    box, pid = stage.box, stage.box.main_pid(PAGE)
    assert box.run("ps", "-o", "user:20=", "-p", str(pid)).strip() == "lefthand-page"
    told = dict(line.split(":\t", 1) for line in box.run("cat", f"/proc/{pid}/status").splitlines() if ":\t" in line)
    assert int(told["CapEff"], 16) == int(told["CapBnd"], 16) == 0
    assert told["NoNewPrivs"] == "1" and told["Seccomp"] == "2"
    assert box.run("readlink", f"/proc/{pid}/ns/net") != box.run("readlink", "/proc/1/ns/net")
    assert box.run(
        "stat", "-c", "%U %a", "/var/lib/lefthand-page", "/var/lib/lefthand-page/page.json"
    ).splitlines() == [
        "lefthand-page 700",
        "lefthand-page 600",
    ]


def test_only_the_page_and_the_service_s_group_reach_the_control_socket(stage: Stage, synth: Player) -> None:
    as_page = ("setpriv", "--reuid=lefthand-page", "--regid=lefthand-page", "--groups=lefthand")
    for account, result in ((("runuser", "-u", "pi", "--"), "PermissionError"), (as_page, "connected")):
        assert stage.box.run(*account, "python3", "-c", KNOCK).strip() == result
    for words in (("stop", SERVICE), ("poweroff",), ("start", "lefthand-power@poweroff.service")):
        refused = stage.box.run(*as_page, "sh", "-c", f"systemctl {' '.join(words)} 2>&1 || echo refused")
        assert refused.strip().endswith("refused"), refused
    assert stage.box.main_pid()


def test_a_page_that_is_killed_or_hangs_comes_back_and_the_box_plays_on(
    stage: Stage, synth: Player, cookie: str, figure: Callable[[str], None]
) -> None:
    daemon = stage.box.main_pid()
    before = stage.status()["hop"]
    for number in (signal.SIGKILL, signal.SIGSTOP):
        pid = stage.box.main_pid(PAGE)
        hit_s = stage.box.kill(number, PAGE)
        assert synth.struck(hit_s + 1.0)
        until("another process serves the page", lambda pid=pid: stage.box.main_pid(PAGE) not in (0, pid))
        until("it answers", lambda: ask(stage)[0] == 200)
        back_s = time.monotonic() - hit_s
        figure(f"the page after {number.name}: back after {back_s:.1f} s")
        assert back_s <= within(WATCHDOG_S + 5.0)
    assert stage.box.main_pid() == daemon
    after = stage.state("playing")["hop"]
    assert after["count"] > before["count"]


def test_settings_move_the_port_and_close_the_page(stage: Stage, synth: Player) -> None:
    def settle(section: str) -> None:
        stage.configure(f"{KEYS}[page]\n{section}\n")
        stage.box.run("systemctl", "stop", PAGE, SOCKET)
        stage.box.run("systemctl", "daemon-reload")
        stage.box.run("systemctl", "start", SOCKET)

    settle("port = 8081\ncode = false")
    assert ask(stage)[0] == 0
    # without a code everybody is let in
    assert ask(stage, "order", {"dance": 1}, port=8081)[0] == 400
    settle("enabled = false")
    assert ask(stage)[0] == ask(stage, port=8081)[0] == 0
    assert stage.box.show("ActiveState", SOCKET) == "inactive"
    assert "enabled is false" in stage.box.run("lefthand", "page", "--code")
    settle("")
    assert ask(stage)[0] == 200


def test_an_owner_may_shut_the_box_down_from_the_page(stage: Stage, synth: Player, cookie: str) -> None:
    """The last test of this file: nothing runs in the box after it."""
    assert ask(stage, "power", {"power": "off"})[0] == 401
    assert ask(stage, "power", {"power": "halt"}, cookie)[0] == 400
    assert stage.box.show("ActiveState", "lefthand-power@poweroff.service") == "inactive"
    status, said, _ = ask(stage, "power", {"power": "off"}, cookie)
    assert (status, json.loads(said)) == (200, {"ok": True})
    state = ("systemctl", "is-system-running")
    until("the box shuts down", lambda: stage.box.run(*state, check=False).strip() in ("stopping", "offline", ""))
    jobs = stage.box.run("systemctl", "list-jobs", "--no-legend", "--plain", check=False)
    assert "poweroff.target" in jobs or not jobs, jobs
    until("the service has ended", lambda: not stage.status())
