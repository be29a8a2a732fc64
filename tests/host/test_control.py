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
from typing import Any

import pytest
from rig import GRACE_S, PATIENCE_S, REPOSITORY, Instrument, Service, down_after, until
from scenes import KEYS, Start, right_hand, struck

from device.control.client import ControlClient
from device.control.protocol import SOCKET

PLAYS = right_hand(60)
"""The gestures of 28 seconds."""


class Player:
    """Plays in a thread."""

    def __init__(self, keys: Instrument, gestures: list[Any]) -> None:
        self._thread = threading.Thread(target=keys.play, args=(gestures,), daemon=True)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(PATIENCE_S)


def lefthand(box: Service, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `lefthand` against the box."""
    env = {"RUNTIME_DIRECTORY": str(box.run_dir), "STATE_DIRECTORY": str(box.folder / "state"), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "device.cli", *words]
    return subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False)


def test_the_owner_steers_a_box_that_plays(service: Start, instrument: Callable[..., Instrument]) -> None:
    synth, keys = instrument("synth"), instrument("keys")
    box = service(KEYS)
    box.wait_until("playing")
    with ControlClient(box.run_dir) as owner:
        assert owner.ask({"settings": True})["settings"]["values"]["play"]["style"] == "auto"
        playing = Player(keys, PLAYS)
        until(lambda: down_after(synth.received), GRACE_S, "a key that is down")
        # not armed: every key is up at once, and none is struck any more
        owner.ask({"do": "arm", "value": False})
        until(lambda: not down_after(synth.received), GRACE_S, "silence")
        until(lambda: box.status.steering is not None and not box.status.steering.armed, GRACE_S, "not armed")
        before = struck(synth.received)
        time.sleep(1.0)
        assert struck(synth.received) == before
        # on a busy machine the session may begin again at this moment
        until(lambda: lefthand(box, "do", "arm", "on").returncode == 0, PATIENCE_S, "the order is taken")
        until(lambda: struck(synth.received) > before, GRACE_S, "a note")
        # another style, at once and kept
        ran = lefthand(box, "do", "style", "bass")
        assert ran.returncode == 0, ran.stderr
        until(lambda: box.status.steering is not None and box.status.steering.style == "bass", GRACE_S, "the style")
        # a new count-in: silence, although the player plays on for some notes
        owner.ask({"do": "count-in"})
        until(lambda: not down_after(synth.received), GRACE_S, "silence")
        owner.ask({"do": "panic"})
        playing.join()
    listed = lefthand(box, "settings", "--config", str(box.settings)).stdout
    assert '[play] style = "bass"' in listed
    # after a restart the change still counts
    assert box.end(signal.SIGTERM) == 0
    assert not down_after(synth.received)
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
        sent_s = keys.play(right_hand(8))
        heard, played, beats = [], [], []
        while len(heard) < 20:
            for moment in owner.next_line().get("moments", []):
                {"heard": heard, "played": played, "beat": beats}.get(moment["kind"], []).append(moment)
        assert len(sent_s) == 40
        assert [moment["pitch"] for moment in heard[:5]] == [67, 67, 67, 67, 72]
        # the clock holds strikes back for the player: they are told when they sound, or a few milliseconds later
        assert played and beats and max(moment["in_s"] for moment in played) > -0.1
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
    playing = Player(keys, PLAYS)
    until(lambda: struck(synth.received), GRACE_S, "a note")
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
    for thread in threads:
        thread.start()
    playing.join()
    stop.set()
    for thread in threads:
        thread.join(GRACE_S)
    status = box.status
    print(json.dumps({"hop p99 ms": status.hop.p99_ms, "send p99 ms": status.send_p99_ms, "faults": status.faults}))
    assert status.state == "playing" and not status.faults.get("stalls")
    with ControlClient(box.run_dir) as owner:
        assert owner.ask({"do": "panic"})["ok"]
    until(lambda: not down_after(synth.received), GRACE_S, "silence")
    keys.close()
    synth.close()
