"""Messages to systemd and to the journal."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from device.service import systemd as notify_module
from device.service.journal import FIELDS, JournalHandler
from device.service.systemd import Systemd

PINGS = 1000
"""More than the queue of any such socket holds."""
PATIENCE_S = 60.0


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """systemd's end, with a watchdog of 40 ms."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(tmp_path / "notify"))
        end.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "40000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield end


def told(manager: socket.socket) -> list[str]:
    said = []
    while True:
        try:
            said.append(manager.recv(4096).decode())
        except BlockingIOError:
            return said


def test_systemd_is_told_of_each_step(manager: socket.socket) -> None:
    notify = Systemd()
    notify.status("waiting for a keyboard")
    notify.ready()
    notify.reloading()
    notify.stopping()
    status, ready, reloading, stopping = told(manager)
    assert (status, ready, stopping) == ("STATUS=waiting for a keyboard", "READY=1", "STOPPING=1")
    assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
    notify.close()


def test_the_watchdog_is_pinged_no_more_often_than_four_times_its_limit(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [100.0]
    monkeypatch.setattr(notify_module, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    notify = Systemd()
    for _ in range(100):
        notify.alive()
        # exact in binary, so that ten of them and a period of 10 ms differ by nothing but the ninth digit
        now_s[0] += 1 / 1024
    notify.close()
    # 40 ms are four periods of 10 ms: one ping in each, the first at once, in 100 / 1024 s
    assert told(manager).count("WATCHDOG=1") == 10


def test_a_manager_that_does_not_read_holds_up_no_loop(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "0")
    # a send that waits for the manager now waits for ever
    monkeypatch.setattr(notify_module, "LONGEST_US", 0)
    notify = Systemd()

    def ping() -> None:
        for _ in range(PINGS):
            notify.alive()

    loop = threading.Thread(target=ping, daemon=True)
    loop.start()
    loop.join(PATIENCE_S)
    assert not loop.is_alive()
    assert len(told(manager)) < PINGS, "the manager's queue was not full"
    notify.close()


@pytest.mark.parametrize("address", [None, "", "/nowhere/notify", "nonsense"])
def test_without_systemd_nothing_is_told_and_nothing_fails(
    address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify = Systemd()
    notify.ready()
    notify.alive()
    notify.close()
    notify.stopping()


def test_the_journal_gets_the_state_as_a_field() -> None:
    sent: list[tuple[str, dict[str, object]]] = []
    handler = JournalHandler(lambda message, **fields: sent.append((message, fields)))
    record = logging.LogRecord("lefthand", logging.WARNING, "", 0, "waiting for %s", ("a card",), None)
    setattr(record, FIELDS, {"LEFTHAND_STATE": "waiting"})
    handler.handle(record)
    assert sent == [
        (
            "waiting for a card",
            {"PRIORITY": "4", "SYSLOG_IDENTIFIER": "lefthand", "LOGGER": "lefthand", "LEFTHAND_STATE": "waiting"},
        )
    ]


def test_a_journal_that_is_gone_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(message: str, **fields: object) -> None:
        raise OSError("no journal")

    monkeypatch.setattr(logging, "raiseExceptions", False)
    JournalHandler(gone).handle(logging.LogRecord("lefthand", logging.INFO, "", 0, "on", (), None))
