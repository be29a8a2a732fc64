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
from jackserver import JackServer, jack_server
from rig import PATIENCE_S, Ensemble, Process, Service, until
from scenes import KEYS, SCALE, SOUND, play_until_struck, scale

from device.files.midi.file import read_midi
from device.files.results.notes_csv import read_notes

SINCE_S = 1.2
"""Seconds from the last note to the kill: what is older than a second must be on the disk."""
TAKES = 3
"""Most takes, of which one must have lost no sound."""
LAST = 91
"""A key that is still down at the kill."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[JackServer]:
    """A server of its own: a killed client holds a server up, and the server is killed with it."""
    with jack_server(tmp_path, "killed") as server:
        yield server


def kill(box: Service, server: JackServer) -> None:
    time.sleep(SINCE_S)
    box.child.send_signal(signal.SIGKILL)
    box.child.wait()
    server.kill()


def play(path: Path, out: Path) -> None:
    with contextlib.closing(Process([sys.executable, "-m", "device.cli", "play", str(path), "--notes", str(out)], {
        **os.environ}, "stderr")) as run:  # fmt: skip
        assert run.ended() == 0, run.text


def written(notes: Path) -> list[int]:
    """Return the pitches that are on the disk."""
    return [note.pitch for note in read_notes(notes)]


def test_the_keys_of_a_killed_recording_are_played_again(server: JackServer, tmp_path: Path) -> None:
    take = tmp_path / "takes" / "001"
    with Ensemble(server.env) as ensemble:
        synth, keys = ensemble.instrument("synth"), ensemble.instrument("keys")
        box = ensemble.service(KEYS, tmp_path, "--record", str(take.parent))
        box.wait_until("playing")
        hands = play_until_struck(keys, synth, 1, scale())
        received = [key for _, kind, key, _ in synth.received if kind == "note_on"]
        keys.play([(0.0, "note_on", LAST, 80)])
        until(lambda: written(take / "notes.csv")[-1:] == [LAST], PATIENCE_S, "the last key on the disk")
        kill(box, server)
    played = hands * SCALE
    assert written(take / "notes.csv") == [*played, LAST]
    play(take / "capture.mid", tmp_path / "again.csv")
    assert written(tmp_path / "again.csv") == [*played, LAST], "the last key was down when the power went"
    sent = [note.pitch for note in read_midi(take / "sent.mid").part().notes]
    assert sent[: len(received)] == received


def test_the_sound_of_a_killed_recording_gives_the_same_notes_again(
    server: JackServer, right_hand: Path, tmp_path: Path
) -> None:
    for number in range(TAKES):
        folder = tmp_path / str(number)
        folder.mkdir()
        if number:
            server.start()
        if keeps_all_sound(server, right_hand, folder):
            break
    else:
        pytest.skip("this machine loses sound in every take")
    take = folder / "takes" / "001"
    notes = [(note.pitch, note.onset_s) for note in read_notes(take / "notes.csv")]
    play(take / "capture.wav", tmp_path / "again.csv")
    again = [(note.pitch, note.onset_s) for note in read_notes(tmp_path / "again.csv")]
    assert notes
    assert again[: len(notes)] == notes


def keeps_all_sound(server: JackServer, right_hand: Path, folder: Path) -> bool:
    """Record the tape in `folder`/takes/001, and kill box and server. Return whether the box told of no lost sound.

    After a loss, a replay holds strokes back, as the box did (tests/unit/device/recording/test_losses.py).
    This test is about the kill alone, so a take with losses is made again.
    """
    with Ensemble(server.env) as ensemble:
        ensemble.instrument("synth")
        tape = ensemble.tape(right_hand)
        box = ensemble.service(SOUND, folder, "--record", str(folder / "takes"))
        box.wait_until("playing", "listening to tape")
        tape.say("again")
        until(lambda: len(box.status.heard) > 6, PATIENCE_S, "notes")
        heard = str([note.pitch for note in box.status.heard])[1:-1]
        notes = folder / "takes" / "001" / "notes.csv"
        until(lambda: heard in str(written(notes)) or is_lossy(box), PATIENCE_S, "the notes on the disk")
        kill(box, server)
        return not is_lossy(box)


def is_lossy(box: Service) -> bool:
    """Return whether the box has told of lost sound."""
    box.read()
    return "xrun" in box.text or "of sound were lost" in box.text
