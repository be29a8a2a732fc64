"""The control socket with real sockets and simulated orders: answers, the stream, bounds, clients that misbehave."""

from __future__ import annotations

import json
import random
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device.control import server as server_module
from device.control.client import ControlClient
from device.control.client_line import MOST_MISUNDERSTOOD, MOST_STREAM_BYTES, MOST_WAITING_BYTES
from device.control.protocol import LONGEST_LINE, SOCKET, line_of
from device.control.server import MOST_CHANGES, MOST_CLIENTS, ControlServer
from device.errors import UserError
from device.settings.changes import Wanted
from device.settings.controls import Action, Arm, Panic, Tap
from device.status.moments import Moment, Moments
from device.status.schema import Status
from tests.unit.helpers.patience import PATIENCE_S, patiently

STATUS = Status(state="playing", message="listening", since="", pid=1, version="0")


class Recorded:
    """Orders that keep what they were given. `disk` holds up changes while it is clear."""

    def __init__(self) -> None:
        self.acted: list[Action] = []
        self.wanted: list[Wanted] = []
        self.resets = 0
        self.disk = threading.Event()
        self.disk.set()
        self.tapes: list[Any] = []
        self.eyes = threading.Event()
        self.eyes.set()
        self.refusal = ""

    def act(self, action: Action) -> None:
        if self.refusal:
            raise UserError(self.refusal)
        self.acted.append(action)

    def change(self, wanted: Wanted) -> None:
        assert self.disk.wait(PATIENCE_S)
        if self.refusal:
            raise UserError(self.refusal)
        self.wanted.append(wanted)

    def reset(self) -> None:
        self.resets += 1

    def settings(self) -> dict[str, Any]:
        return {"values": {"play": {"style": "auto"}}}

    def record(self, on: bool) -> None:
        self.tapes.append(("record", on))

    def delete(self, number: str) -> None:
        self.tapes.append(("delete", number))

    def try_output(self, port: str) -> None:
        self.tapes.append(("note", port))

    def calibrate(self, input_: str | None) -> None:
        self.tapes.append(("calibrate", input_))

    def learn(self, control: str | None) -> None:
        self.tapes.append(("learn", control))

    def look(self, name: str) -> dict[str, Any]:
        assert self.eyes.wait(PATIENCE_S)
        return {"looked at": name}


class Box:
    """A server with recorded orders."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.orders, self.moments = folder, Recorded(), Moments()
        self.failures: list[Exception] = []
        self.server = ControlServer(folder, self.orders, self.moments, self.failures.append)

    def connect(self) -> socket.socket:
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        peer.connect(str(self.folder / SOCKET))
        peer.settimeout(PATIENCE_S)
        return peer


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path / "run")
    yield made
    made.server.close()
    assert not made.failures


def test_an_action_a_change_a_reset_and_the_settings(box: Box) -> None:
    with ControlClient(box.folder) as client:
        assert client.ask({"do": "arm", "value": False})["ok"]
        assert client.ask({"do": "tap"})["ok"]
        assert client.ask({"set": {"play": {"style": "bass"}}})["ok"]
        assert client.ask({"reset": True})["ok"]
        assert client.ask({"record": True})["ok"] and client.ask({"record": False})["ok"]
        assert client.ask({"delete": "003"})["ok"]
        assert client.ask({"settings": True})["settings"] == {"values": {"play": {"style": "auto"}}}
    assert box.orders.acted == [Arm(False), Tap()]
    assert box.orders.wanted == [{"play": {"style": "bass"}}]
    assert box.orders.resets == 1
    assert box.orders.tapes == [("record", True), ("record", False), ("delete", "003")]


def test_a_note_a_calibration_and_a_switch_that_is_learnt(box: Box) -> None:
    asked = [("note", ""), ("note", "synth"), ("calibrate", "mic"), ("calibrate", ""), ("learn", "arm")]
    with ControlClient(box.folder) as client:
        for kind, value in asked:
            assert client.ask({kind: value})["ok"]
        for kind in ("calibrate", "learn"):
            assert client.ask({kind: False})["ok"]
        for request, words in (
            ({"note": True}, "the name of a MIDI output"),
            ({"calibrate": 1}, "the name of a sound input"),
            ({"learn": "dance"}, "cannot be learnt: there is arm, "),
            ({"learn": True}, "cannot be learnt"),
        ):
            with pytest.raises(UserError, match=words):
                client.ask(request)
    # two threads carry them out: a note may take seconds
    assert sorted(box.orders.tapes, key=str) == sorted([*asked, ("calibrate", None), ("learn", None)], key=str)


def test_what_the_box_refuses_is_said_to_the_client(box: Box) -> None:
    box.orders.refusal = "The box does not play now."
    with ControlClient(box.folder) as client:
        for request in ({"do": "tap"}, {"set": {"play": {"style": "bass"}}}):
            with pytest.raises(UserError, match="The box does not play now"):
                client.ask(request)
        with pytest.raises(UserError, match="the actions are"):
            client.ask({"do": "dance"})


def test_only_its_user_and_its_group_may_connect(box: Box) -> None:
    mode = (box.folder / SOCKET).stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o660


def test_a_watcher_gets_the_status_and_the_moments_and_no_moments_from_before(box: Box) -> None:
    box.moments.add(Moment("heard", 0.0, 60, 64))
    box.server.publish(STATUS)
    with ControlClient(box.folder) as client:
        client.ask({"watch": True})
        assert client.newest("status", PATIENCE_S)["message"] == "listening"
        box.moments.add(Moment("played", time.monotonic() + 0.1, 48, 70))
        (moment,) = client.newest("moments", PATIENCE_S)
        assert (moment["kind"], moment["pitch"]) == ("played", 48)
        assert moment["in_s"] < 0.1
        client.ask({"watch": False})


def test_a_change_that_waits_for_the_disk_holds_up_no_action(box: Box) -> None:
    box.orders.disk.clear()
    with ControlClient(box.folder) as other, ControlClient(box.folder) as client:
        other._socket.sendall(b'{"id": 1, "set": {"play": {"style": "bass"}}}\n')
        assert client.ask({"do": "panic"})["ok"]
        assert box.orders.acted == [Panic()] and not box.orders.wanted
        box.orders.disk.set()
        assert other.next_line() == {"id": 1, "ok": True}


def test_changes_that_wait_for_the_disk_are_bounded(box: Box) -> None:
    box.orders.disk.clear()
    peer = box.connect()
    number = MOST_CHANGES + 3
    for i in range(number):
        peer.sendall(json.dumps({"id": i, "set": {"play": {"style": "bass"}}}).encode() + b"\n")
    said = peer.makefile("rb")
    refused = json.loads(said.readline())
    assert "Too many changes" in refused["error"]
    box.orders.disk.set()
    answers = [json.loads(said.readline()) for _ in range(number - 1)]
    assert len({answer["id"] for answer in [refused, *answers]}) == number
    said.close()
    peer.close()


def test_clients_are_bounded_and_a_place_that_is_free_again_is_given(box: Box) -> None:
    clients = [ControlClient(box.folder) for _ in range(MOST_CLIENTS)]
    for client in clients:
        client.ask({"do": "tap"})
    beyond = box.connect()
    assert b"close one" in beyond.recv(4096)
    assert beyond.recv(4096) == b""
    beyond.close()
    clients.pop().close()

    def served() -> bool:
        with ControlClient(box.folder) as again:
            try:
                return bool(again.ask({"do": "tap"})["ok"])
            except UserError:
                return False

    patiently(served)
    for client in clients:
        assert client.ask({"do": "tap"})["ok"]
        client.close()


@pytest.mark.parametrize("line", [b"x" * (LONGEST_LINE + 1), b"x" * (LONGEST_LINE * 4) + b"\n"])
def test_a_line_that_is_too_long_ends_the_connection_and_no_other(box: Box, line: bytes) -> None:
    with ControlClient(box.folder) as other:
        peer = box.connect()
        try:
            peer.sendall(line)
            assert b"at most" in peer.recv(4096)
            while peer.recv(4096):
                pass
        except (BrokenPipeError, ConnectionResetError):
            # the server has closed its end with bytes that it did not read
            pass
        peer.close()
        assert other.ask({"do": "tap"})["ok"]


def test_a_client_that_speaks_another_language_is_disconnected(box: Box) -> None:
    peer = box.connect()
    peer.sendall(b"GET / HTTP/1.1\r\n" * (MOST_MISUNDERSTOOD + 5))
    said = b""
    while more := peer.recv(4096):
        said += more
    assert said.count(b"JSON object") == MOST_MISUNDERSTOOD
    assert b"the connection ends" in said
    peer.close()


def test_a_client_that_reads_nothing_misses_the_stream_and_holds_up_nobody(box: Box) -> None:
    deaf = box.connect()
    deaf.sendall(b'{"id": 1, "watch": true}\n')
    with ControlClient(box.folder) as other:
        for number in range(3000):
            box.moments.add(Moment("chord", time.monotonic(), chord="x" * 500))
            if number % 50 == 0:
                assert other.ask({"do": "tap"})["ok"]
        (line,) = [client for client in box.server._clients.values() if client.watches]
        assert len(line._out) <= MOST_STREAM_BYTES * 2
    deaf.close()


def test_a_client_that_takes_no_answers_is_disconnected(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    big = {"values": "x" * (MOST_WAITING_BYTES // 4)}
    monkeypatch.setattr(box.orders, "settings", lambda: big)
    deaf = box.connect()
    deaf.settimeout(PATIENCE_S)
    with ControlClient(box.folder) as other:
        try:
            for number in range(100):
                deaf.sendall(json.dumps({"id": number, "settings": True}).encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        patiently(lambda: len(box.server._clients) == 1, "the deaf client is gone")
        assert other.ask({"do": "tap"})["ok"]
    deaf.close()


def test_random_bytes_and_torn_requests_from_many_clients_leave_it_whole(box: Box) -> None:
    rng = random.Random(20)
    good = b'{"id": 3, "do": "tap"}\n'
    for _ in range(60):
        peer = box.connect()
        try:
            for _ in range(rng.randrange(1, 40)):
                kind = rng.random()
                if kind < 0.4:
                    peer.sendall(rng.randbytes(rng.randrange(1, 400)))
                elif kind < 0.7:
                    peer.sendall(good[: rng.randrange(1, len(good))])
                else:
                    peer.sendall(b"\n" + good)
        except (BrokenPipeError, ConnectionResetError):
            pass
        peer.close()
    patiently(lambda: not box.server._clients, "all clients are gone")
    with ControlClient(box.folder) as client:
        assert client.ask({"do": "panic"})["ok"]
    assert box.orders.acted[-1] == Panic()


def test_a_flood_of_one_client_leaves_turns_to_another(box: Box) -> None:
    flood = box.connect()
    stop = threading.Event()

    def pour() -> None:
        lines = b'{"id": 1, "do": "tap"}\n' * 100
        flood.setblocking(False)
        while not stop.is_set():
            try:
                flood.send(lines)
                flood.recv(65536)
            except BlockingIOError:
                time.sleep(0.001)
            except OSError:
                return

    thread = threading.Thread(target=pour)
    thread.start()
    with ControlClient(box.folder) as other:
        for _ in range(20):
            assert other.ask({"do": "panic"})["ok"]
    stop.set()
    thread.join()
    flood.close()
    assert sum(action == Panic() for action in box.orders.acted) == 20


def test_a_socket_that_a_killed_box_left_is_replaced(tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(str(tmp_path / SOCKET))
    left.close()
    box = Box(tmp_path)
    with ControlClient(tmp_path) as client:
        assert client.ask({"do": "tap"})["ok"]
    box.server.close()
    assert not (tmp_path / SOCKET).exists()


def test_where_it_cannot_be_opened_the_box_plays_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "run").write_text("a file where the folder should be")
    box = Box(tmp_path / "run")
    assert "cannot be opened" in caplog.text
    box.server.publish(STATUS)
    box.server.close()
    assert not box.failures


def test_an_error_of_ours_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box(tmp_path)

    def broken(line: bytes) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(server_module, "parsed", broken)
    peer = box.connect()
    peer.sendall(b"{}\n")
    patiently(lambda: box.failures, "the failure")
    assert isinstance(box.failures[0], ZeroDivisionError)
    peer.close()
    box.server.close()


def test_without_a_box_the_client_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No box runs here"):
        ControlClient(tmp_path)


def test_a_look_that_takes_long_holds_up_no_action_and_too_many_are_refused(box: Box) -> None:
    box.orders.eyes.clear()
    with ControlClient(box.folder) as slow, ControlClient(box.folder) as quick:
        slow._socket.sendall(b"".join(line_of({"id": i, "look": "ports"}) for i in range(20)))
        assert quick.ask({"do": "tap"})["ok"] and quick.ask({"set": {"play": {"style": "bass"}}})["ok"]
        assert quick.ask({"note": ""})["ok"]
        slow._socket.settimeout(PATIENCE_S)
        assert "try again in a moment" in slow.next_line()["error"]
        box.orders.eyes.set()
        while "look" not in (line := slow.next_line()):
            pass
        assert line["look"] == {"looked at": "ports"}
        with pytest.raises(UserError, match="there is ports and doctor and recordings"):
            quick.ask({"look": "stars"})
