"""`lefthand run` with the right hand from a MIDI port, on a keyboard that echoes what it receives."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from rig import PATIENCE_S, Ensemble, Process, down_after, until

from device.events import Note
from device.files.midi.file import read_midi
from device.files.results.notes_csv import read_notes

SETTINGS = """
[audio]
input = "midi"
[midi]
input = "keys out"
output = "keys in"
[clock]
mode = "follow"
"""

BEAT_S = 0.6
COUNT_IN, MELODY = [67] * 4, [72, 74, 76, 79, 77, 76, 74, 72, 71, 72, 74, 67, 69, 71, 72, 76]
RIGHT_HAND = [(i * BEAT_S, key) for i, key in enumerate(COUNT_IN)]
RIGHT_HAND += [((4 + i / 2) * BEAT_S, key) for i, key in enumerate(MELODY)]
"""(seconds, key): four beats, then eighths."""
TAKES = 3
"""Most takes in which the keyboard's own notes are looked for. A busy machine may send an echo too late for one."""


@dataclass
class Take:
    """A finished run."""

    status: int
    said: str
    received: list[tuple[float, str, int, int]]
    folder: Path
    played: list[int]
    """The keys that were played: the right hand, once or several times."""

    @property
    def heard(self) -> list[int]:
        """Return the keys that the box took for the player's."""
        return [note.pitch for note in read_notes(self.folder / "notes.csv")]


@pytest.fixture(scope="module")
def record(jack: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Take]:
    """Let a keyboard play the right hand and echo the left hand, and stop the box with Ctrl-C."""
    gestures = []
    for at_s, key in RIGHT_HAND:
        gestures += [(at_s, "note_on", key, 80), (at_s + 0.25, "note_off", key, 0)]

    def recorded() -> Take:
        folder = tmp_path_factory.mktemp("take")
        (folder / "lefthand.toml").write_text(SETTINGS)
        with Ensemble(jack) as ensemble:
            keys = ensemble.instrument("keys", "--echo")
            run = ensemble.box("run", "--config", str(folder / "lefthand.toml"), "--record", str(folder / "capture"))
            run.wait_for("listening to keys")
            played: list[int] = []

            def strikes() -> bool:
                keys.play(gestures)
                played.extend(key for _, key in RIGHT_HAND)
                return any(kind == "note_on" for _, kind, _, _ in keys.received)

            # a box on a busy machine may still listen when the first right hand is over
            until(strikes, PATIENCE_S, "the box strikes a key")
            status = run.end(signal.SIGINT)
            # the keyboard may read the last messages a moment after the box has ended
            until(lambda: keys.received[-1][1:] == ("control_change", 123, 0), PATIENCE_S, "the end of the left hand")
            return Take(status, run.text, keys.received, folder / "capture", played)

    return recorded


@pytest.fixture(scope="module")
def take(record: Callable[[], Take]) -> Take:
    return record()


def test_ctrl_c_ends_it_in_silence(take: Take) -> None:
    assert take.status == 0, take.said
    assert any(kind == "note_on" for _, kind, _, _ in take.received)
    assert not down_after(take.received)


def test_what_the_keyboard_only_echoes_is_not_the_player(take: Take, record: Callable[[], Take]) -> None:
    takes = itertools.chain([take], (record() for _ in range(TAKES - 1)))
    assert any(one.heard == one.played for one in takes)


def test_play_of_the_captured_keys_gives_the_same_notes_bit_for_bit(
    take: Take, box: Callable[..., Process], tmp_path: Path
) -> None:
    outputs = ["--notes", str(tmp_path / "notes.csv"), "--midi", str(tmp_path / "left.mid")]
    assert box("play", str(take.folder / "capture.mid"), *outputs).ended() == 0
    assert read_notes(tmp_path / "notes.csv") == read_notes(take.folder / "notes.csv")
    again, sent = (read_midi(path).part().notes for path in (tmp_path / "left.mid", take.folder / "sent.mid"))
    assert sent
    # a file ends with its last key and is played on for two bars; the run was stopped near that point
    assert [_plain(note) for note in sent] == [_plain(note) for note in again][: len(sent)]


def _plain(note: Note) -> tuple[float, int, int]:
    return note.onset_s, note.pitch, note.velocity
