"""Attacks on the shipped service, made as another account or another program of the machine would make them."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from stage import KEYS, SERVICE, Stage
from systemd_box import until

WATCHDOG_S = 3.0
"""The watchdog's limit in the unit. A process that systemd is told to end is gone long before."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202e]")


@pytest.fixture(scope="module")
def stage(set_stage: Callable[..., Stage]) -> Stage:
    stage = set_stage(KEYS)
    stage.jack()
    return stage


def test_a_port_whose_name_holds_lines_for_systemd_cannot_restart_the_service(stage: Stage) -> None:
    stage.player("piano\nWATCHDOG=trigger\n\x1b[31mforged")
    stage.start()
    status = stage.state("waiting")
    assert "forged" in status["message"], "the sentence lists the ports that are there"
    pid = stage.box.main_pid()
    time.sleep(WATCHDOG_S)
    assert stage.box.main_pid() == pid and stage.box.show("NRestarts") == "0", stage.box.messages()
    until("systemctl says it too", lambda: stage.box.show("StatusText") == status["message"])
    for said in (status["message"], *stage.box.messages()):
        assert not CONTROL.search(said), repr(said)


# the folder of the status file


@pytest.fixture(scope="module")
def mallory(stage: Stage) -> Callable[[str], str]:
    """Run a shell command as another account of the machine."""
    stage.box.run("useradd", "--create-home", "mallory")
    return lambda command: stage.box.run("runuser", "-u", "mallory", "--", "sh", "-euc", command)


@pytest.fixture
def idle(stage: Stage) -> Iterator[None]:
    """Stop the service for a test. Its run directory goes with it."""
    stage.box.run("systemctl", "stop", SERVICE)
    yield
    stage.start()


def by_hand(stage: Stage, account: str, *words: str) -> tuple[int, str]:
    """Run `lefthand WORDS` as an account that logged in without a session. Return its exit status and its output."""
    command = ["runuser", "-u", account, "--", "timeout", "20", "lefthand", *words]
    ran = subprocess.run(stage.box.command(*command), capture_output=True, text=True, check=False, timeout=60)
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize("account", ["pi", "root"])
def test_a_start_writes_through_no_link_of_another_account(
    stage: Stage, idle: None, mallory: Callable[[str], str], account: str
) -> None:
    precious = "/root/precious" if account == "root" else "/home/pi/precious"
    stage.box.write(precious, "kept")
    stage.box.run("chown", account, precious)
    stage.box.write("/tmp/wrong.toml", "[midi]\nno_such_key = 1\n")
    mallory(f"rm -rf /tmp/lefthand; mkdir -m 777 /tmp/lefthand; ln -s {precious} /tmp/lefthand/.status.json.new")
    mallory(f"ln -s {precious} /tmp/lefthand/status.json")
    code, said = by_hand(stage, account, "run", "--wait", "--config", "/tmp/wrong.toml")
    assert code == 78 and "no_such_key" in said, said
    assert stage.box.path(precious).read_text() == "kept"


def test_root_writes_through_no_link_of_the_service_s_account(stage: Stage, idle: None) -> None:
    box = stage.box
    box.write("/root/precious", "kept")
    box.write("/tmp/wrong.toml", "[midi]\nno_such_key = 1\n")
    box.run("install", "-d", "-o", "lefthand", "-g", "lefthand", "/run/lefthand")
    box.run("runuser", "-u", "lefthand", "--", "ln", "-s", "/root/precious", "/run/lefthand/.status.json.new")
    code, said = by_hand(stage, "root", "run", "--wait", "--config", "/tmp/wrong.toml")
    assert code == 78, said
    assert box.path("/root/precious").read_text() == "kept"
    box.run("rm", "-rf", "/run/lefthand")


@pytest.mark.parametrize("trap", ["mkfifo status.json", "head -c 200000000 /dev/zero | tr '\\0' '[' > status.json"])
def test_another_account_cannot_hold_up_a_reader(
    stage: Stage, idle: None, mallory: Callable[[str], str], trap: str
) -> None:
    mallory(f"rm -rf /tmp/lefthand; mkdir -m 777 /tmp/lefthand; cd /tmp/lefthand; {trap}")
    code, said = by_hand(stage, "pi", "status")
    assert code == 2 and "No box runs here" in said, (code, said)
