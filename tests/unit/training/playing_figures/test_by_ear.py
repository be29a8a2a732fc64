"""A piece's right hand as the box hears it, on a computed piano that stands for the held-out one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from device.bundles.bundle import Bundle, default_bundle
from device.errors import UserError
from device.events import Note
from training.corpora.pieces import NOTE_DTYPE, HandLabel, Piece
from training.hearing_figures.takes import HELD_OUT
from training.pianos.banks import render_bank
from training.pianos.instruments import Instrument
from training.pianos.renderer import RATE
from training.playing_figures.by_ear import Ear
from training.playing_figures.measure import play, right_hand_of

TEMPO = 96.0
MELODY = [72, 74, 76, 77, 79, 77, 76, 74] * 4


def string(pitch: int, velocity: int, seconds: float) -> npt.NDArray[np.float32]:
    """Eight partials that die away, the higher ones sooner."""
    time_s = np.arange(int(seconds * RATE)) / RATE
    hz = 440 * 2 ** ((pitch - 69) / 12)
    partials = [n for n in range(1, 9) if n * hz < RATE / 2]
    tone = sum(np.sin(2 * np.pi * n * hz * time_s) * np.exp(-1.2 * n * time_s) / n**1.5 for n in partials)
    return np.asarray(0.3 * (velocity / 127) ** 2 * tone, np.float32)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    piano = Instrument(HELD_OUT, "computed strings", True, "none", heldout=True, velocities=(80,))
    render_bank(piano, string, folder / "banks", 2.0)
    return folder


@pytest.fixture
def piece() -> Piece:
    notes = np.zeros(len(MELODY) + 1, NOTE_DTYPE)
    notes["pitch"][:-1], notes["onset"][:-1], notes["duration"][:-1] = MELODY, np.arange(len(MELODY)), 0.9
    notes["hand"] = HandLabel.RIGHT
    # two voices on one key
    notes[-1] = notes[0]
    notes["duration"][-1] = 0.5
    notes.sort(order=["onset", "pitch"])
    return Piece("scale", "test", "test", "test", "test", notes, [(0.0, 4, 4)], np.arange(0.0, len(MELODY), 4.0))


def test_what_is_heard_is_what_is_played_and_known_only_later(cache: Path, piece: Piece) -> None:
    heard = Ear(Bundle.open(default_bundle()), cache, "room")(piece, right_hand_of(piece), TEMPO)
    decided = [event.decided_s for event in heard]
    assert decided == sorted(decided)
    notes = [event for event in heard if isinstance(event, Note)]
    played = [(i * 60 / TEMPO, pitch) for i, pitch in enumerate(MELODY)]
    found = [any(n.pitch == pitch and abs(n.onset_s - at_s) < 0.05 for n in notes) for at_s, pitch in played]
    assert np.mean(found) >= 0.9
    assert all(note.decided_s > note.onset_s for note in notes)


def test_a_left_hand_is_played_to_what_is_heard(cache: Path, piece: Piece) -> None:
    bundle = Bundle.open(default_bundle())
    played = play(piece, right_hand_of(piece), bundle.accompanist(), Ear(bundle, cache, "clean"))
    assert len(played.notes) > 4
    assert played.notes["pitch"].max() < min(MELODY)


def test_a_key_that_two_voices_share_is_struck_once(piece: Piece) -> None:
    notes = right_hand_of(piece)
    assert len(notes) == len(MELODY) and notes["duration"][0] == pytest.approx(0.9)


def test_without_the_held_out_piano_the_command_that_makes_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="training banks"):
        Ear(Bundle.open(default_bundle()), tmp_path)
