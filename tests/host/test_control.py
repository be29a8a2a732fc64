"""The control socket of a real service that plays: actions, settings that are kept, and floods that do not stall it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
from rig import GRACE_S, PATIENCE_S, REPOSITORY, Instrument, Service, until
from scenes import KEYS, SCALE, Playing, Start, asked, scale, struck, until_down, until_silent

from device.control.client import ControlClient
from device.control.protocol import SOCKET
from tests.pace import TIMED, in_time

FLOOD_S = 20.0
LATE_S = 0.1
"""Limit in seconds from a note to the line that tells it. The clock holds some strikes back for the player."""


def lefthand(box: Service, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `lefthand` against the box."""
    env = {"RUNTIME_DIRECTORY": str(box.run_dir), "STATE_DIRECTORY": str(box.folder / "state"), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "device.cli", *words]
    return subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False)


def told(box: Service, *words: str) -> None:
    """Run `lefthand` until the box takes the order. On a busy machine the session may just begin again."""
    until(lambda: lefthand(box, *words).returncode == 0, PATIENCE_S, f"the order is taken: {words}")


def test_the_owner_steers_a_box_that_plays(service: Start, instrument: Callable[..., Instrument]) -> None:
    synth, keys = instrument("synth"), instrument("keys")
    box = service(KEYS)
    box.wait_until("playing")
    with ControlClient(box.run_dir) as owner:
        assert owner.ask({"settings": True})["settings"]["values"]["play"]["style"] == "auto"
    with Playing(keys):
        until_down(synth)
        # not armed: every key is up at once, and none is struck any more
        asked(box, {"do": "arm", "value": False})
        until(lambda: box.status.steering is not None and not box.status.steering.armed, GRACE_S, "not armed")
        until_silent(synth)
        before = struck(synth.received)
        time.sleep(1.0)
        assert struck(synth.received) == before
        told(box, "do", "arm", "on")
        until(lambda: struck(synth.received) > before, PATIENCE_S, "a note")
        # another style, at once and kept
        told(box, "do", "style", "bass")
        until(lambda: box.status.steering is not None and box.status.steering.style == "bass", GRACE_S, "the style")
        # a new count-in: silence, although the player plays on for some notes
        asked(box, {"do": "count-in"})
        until_silent(synth)
        asked(box, {"do": "panic"})
    listed = lefthand(box, "settings", "--config", str(box.settings)).stdout
    assert '[play] style = "bass"' in listed
    # after a restart the change still counts
    assert box.end(signal.SIGTERM) == 0
    until_silent(synth)
    assert not (box.run_dir / SOCKET).exists()
    box.close()
    again = service(KEYS)
    again.wait_until("playing")
    until(lambda: again.status.steering is not None and again.status.steering.style == "bass", GRACE_S, "the style")
    assert lefthand(again, "settings", "--config", str(again.settings), "--reset").returncode == 0
    until(lambda: again.status.steering is not None and again.status.steering.style == "auto", GRACE_S, "the style")
    keys.close()
    synth.close()


def test_a_watcher_sees_each_note_when_it_is_decided_and_another_port_begins_a_new_session(
    service: Start, instrument: Callable[..., Instrument]
) -> None:
    synth, keys = instrument("synth"), instrument("keys")
    box = service(KEYS)
    box.wait_until("playing")
    pid = box.status.pid
    with ControlClient(box.run_dir) as owner:
        owner.ask({"watch": True})
        heard, played, beats = [], [], []
        with Playing(keys, scale()):
            while len(heard) < 20 or not played or not beats:
                for moment in owner.next_line().get("moments", []):
                    {"heard": heard, "played": played, "beat": beats}.get(moment["kind"], []).append(moment)
        assert [moment["pitch"] for moment in heard[:5]] == SCALE[:5]
        in_time("a note that sounds to the line that tells it", -max(moment["in_s"] for moment in played), LATE_S)
    other = instrument("another synth")
    ran = lefthand(box, "settings", "--config", str(box.settings))
    with ControlClient(box.run_dir) as owner:
        owner.ask({"set": {"midi": {"output": "another synth in"}}})
    box.wait_until("playing", "playing on another synth")
    assert box.status.pid == pid and ran.returncode == 0
    for process in (keys, synth, other):
        process.close()


@pytest.mark.quiet
def test_a_flood_of_messages_neither_ends_nor_stalls_it(service: Start, instrument: Callable[..., Instrument]) -> None:
    synth, keys = instrument("synth"), instrument("keys")
    box = service(KEYS)
    box.wait_until("playing")
    stop = threading.Event()

    def pour(lines: bytes) -> None:
        while not stop.is_set():
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                peer.connect(str(box.run_dir / SOCKET))
                peer.settimeout(0.2)
                while not stop.is_set():
                    peer.sendall(lines)
            except OSError:
                time.sleep(0.01)
            finally:
                peer.close()

    floods = [
        b'{"id": 1, "do": "dance"}\n' * 50,
        b"\xff\x00garbage\n" * 50,
        b"x" * 20_000,
        b'{"id": 1, "settings": true}\n',
    ]
    threads = [threading.Thread(target=pour, args=(lines,), daemon=True) for lines in floods]
    with Playing(keys):
        until(lambda: struck(synth.received), PATIENCE_S, "a note")
        for thread in threads:
            thread.start()
        time.sleep(FLOOD_S)
        played = struck(synth.received)
        until(lambda: struck(synth.received) > played, PATIENCE_S, "a note in the flood")
        stop.set()
    for thread in threads:
        thread.join(GRACE_S)
    status = box.status
    print(json.dumps({"hop p99 ms": status.hop.p99_ms, "send p99 ms": status.send_p99_ms, "faults": status.faults}))
    assert status.state == "playing"
    if TIMED:
        assert not status.faults.get("stalls")
    with ControlClient(box.run_dir) as owner:
        assert owner.ask({"do": "panic"})["ok"]
    until_silent(synth)
    keys.close()
    synth.close()
