"""The page's service under systemd: what it may do, and that the daemon plays on whatever happens to it."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from page_in_box import DEPLOY, PAGE, SOCKET, add_page, ask, cookie_of
from stage import KEYS, SERVICE, Player, Stage
from systemd_box import until
from tape_sound import TAPE, again_and_again

from tests.pace import in_time

WATCHDOG_S = 10.0
MOST_MEMORY_MB = 40.0
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
    """A box that plays, with its page."""
    stage = set_stage(KEYS)
    add_page(stage)
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
    return cookie_of(stage)


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
        in_time("the page killed or stopped to its answer", back_s, WATCHDOG_S + 5.0)
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


def until_linked(stage: Stage, cookie: str) -> None:
    """Wait until the page has the box again, which it looks for from time to time after the box was started."""
    until("the page has the box", lambda: '"look"' in ask(stage, "order", {"look": "recordings"}, cookie)[1])


def recorded(stage: Stage, cookie: str) -> dict[str, Any]:
    """Record until notes of both hands are there. Return the recording as the page lists it."""
    until_linked(stage, cookie)
    assert "ok" in ask(stage, "order", {"record": True}, cookie)[1]

    def number() -> str | None:
        found: str | None = stage.status().get("recording")
        return found

    made = until("a recording is made", number)
    until("both hands play", lambda: stage.status().get("heard") and stage.status().get("played"))
    time.sleep(1.0)
    assert "ok" in ask(stage, "order", {"record": False}, cookie)[1]
    until("it is ended", lambda: stage.status().get("recording") is None)
    listed = json.loads(ask(stage, "order", {"look": "recordings"}, cookie)[1])["look"]["recordings"]
    (one,) = [one for one in listed if one["number"] == made]
    assert one["seconds"] > 0 and one["bytes"] > 0
    return dict(one)


def test_the_page_s_account_reads_what_the_service_records_and_others_do_not(
    stage: Stage, synth: Player, cookie: str
) -> None:
    keys = recorded(stage, cookie)
    stage.box.write(TAPE, again_and_again(DEPLOY.parent / "demo" / "right-hand.flac"))
    tape = stage.tape(TAPE)
    stage.configure(KEYS.replace('input = "midi"', 'input = "tape"'))
    stage.start()
    stage.state("playing")
    tape.say("")
    sound = recorded(stage, cookie)
    tape.close()
    stage.configure(KEYS)
    stage.start()
    stage.state("playing")
    until_linked(stage, cookie)
    assert not keys["sound"] and sound["sound"]
    for one, files in ((keys, {"capture.mid": "MThd"}), (sound, {"capture.wav": "RIFF"})):
        for name, begins in {**files, "sent.mid": "MThd", "notes.csv": "onset_s"}.items():
            path = f"recording/{one['number']}/{name}"
            assert ask(stage, path)[0] == 401
            status, said, _ = ask(stage, path, cookie=cookie)
            assert status == 200 and said.startswith(begins), (name, status, said[:80])
        assert len(ask(stage, f"recording/{one['number']}/notes.csv", cookie=cookie)[1].splitlines()) > 1
        folder = f"/var/lib/lefthand/recordings/{one['number']}"
        refused = stage.box.run("runuser", "-u", "pi", "--", "ls", folder, check=False)
        assert not refused, "another account reads it"
        assert "ok" in ask(stage, "order", {"delete": one["number"]}, cookie)[1]
        assert not stage.box.path(folder).exists()
        assert ask(stage, f"recording/{one['number']}/notes.csv", cookie=cookie)[0] == 404


def test_avahi_announces_the_page_to_the_network(stage: Stage, synth: Player) -> None:
    box = stage.box
    for words in ("add lan0 type veth peer name lan1", "set lan0 up", "set lan1 up"):
        box.run("ip", "link", *words.split())
    box.run("ip", "address", "add", "10.9.0.1/24", "dev", "lan0")
    box.write("/etc/avahi/services/lefthand-page.service", (DEPLOY / "lefthand-page.avahi").read_bytes())
    box.run("systemctl", "start", "avahi-daemon.service")
    browse = ("avahi-browse", "--resolve", "--parsable", "--terminate", "--no-db-lookup", "_http._tcp")

    def found() -> list[str]:
        lines = box.run(*browse, check=False).splitlines()
        return next((line.split(";") for line in lines if line.startswith("=;lan0;IPv4")), [])

    announced = until("the page is resolved", found)
    assert announced[3].replace("\\032", " ") == "Left hand on box"
    assert announced[4:6] == ["_http._tcp", "local"] and announced[6:9] == ["box.local", "10.9.0.1", "80"]
    box.run("systemctl", "stop", "avahi-daemon.service", "avahi-daemon.socket")


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
