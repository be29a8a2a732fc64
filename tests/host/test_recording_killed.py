"""A service that is killed while it records: `lefthand play` reads what is left."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jackserver import JackServer
from rig import HERE, PATIENCE_S, Ensemble, Process, Service, until
from scenes import KEYS, SOUND, right_hand

from device.files.midi_file import read_midi
from device.files.notes_csv import read_notes

SINCE_S = 1.2
"""Seconds from the last note to the kill: what is older than a second must be on the disk."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[JackServer]:
    """A server of its own: a killed client holds a server up, and the server is killed with it."""
    server = JackServer(tmp_path, f"lefthand-killed-{os.getpid()}")
    server.start()
    yield server
    server.stop()


def kill(box: Service, server: JackServer) -> None:
    time.sleep(SINCE_S)
    box.child.send_signal(signal.SIGKILL)
    box.child.wait()
    server.kill()


def play(path: Path, out: Path) -> None:
    with contextlib.closing(Process([sys.executable, "-m", "device.cli", "play", str(path), "--notes", str(out)], {
        **os.environ}, "stderr")) as run:  # fmt: skip
        assert run.ended() == 0, run.text


def test_the_keys_of_a_killed_recording_are_played_again(server: JackServer, tmp_path: Path) -> None:
    with Ensemble(server.env) as ensemble:
        synth, keys = ensemble.instrument("synth"), ensemble.instrument("keys")
        box = ensemble.service(KEYS, tmp_path, "--record", str(tmp_path / "takes"))
        box.wait_until("playing")
        gestures = right_hand(4)
        keys.play([*gestures, (gestures[-1][0] + 0.2, "note_on", 91, 80)])
        time.sleep(SINCE_S)
        received = [key for _, kind, key, _ in synth.received if kind == "note_on"]
        kill(box, server)
    take = tmp_path / "takes" / "001"
    played = [pitch for _, kind, pitch, _ in gestures if kind == "note_on"]
    assert [note.pitch for note in read_notes(take / "notes.csv")] == [*played, 91]
    play(take / "capture.mid", tmp_path / "again.csv")
    again = [note.pitch for note in read_notes(tmp_path / "again.csv")]
    assert again == [*played, 91], "the last key was down when the power went"
    sent = [note.pitch for note in read_midi(take / "sent.mid").part().notes]
    assert len(received) > 1
    assert sent[: len(received)] == received


def test_the_sound_of_a_killed_recording_gives_the_same_notes_again(
    server: JackServer, right_hand: Path, tmp_path: Path
) -> None:
    with Ensemble(server.env) as ensemble:
        ensemble.instrument("synth")
        tape = ensemble.begin(str(HERE / "tape.py"), str(right_hand))
        tape.wait_for("ready")
        box = ensemble.service(SOUND, tmp_path, "--record", str(tmp_path / "takes"))
        box.wait_until("playing", "listening to tape")
        tape.say("play")
        until(lambda: len(box.status.heard) > 6, PATIENCE_S, "notes")
        heard = [note.pitch for note in box.status.heard]
        kill(box, server)
    take = tmp_path / "takes" / "001"
    notes = [(note.pitch, note.onset_s) for note in read_notes(take / "notes.csv")]
    assert str(heard)[1:-1] in str([pitch for pitch, _ in notes])
    play(take / "capture.wav", tmp_path / "again.csv")
    again = [(note.pitch, note.onset_s) for note in read_notes(tmp_path / "again.csv")]
    assert again[: len(notes)] == notes
