"""`lefthand play` with a style, a density and a register, and with the player's own left hand in the file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import mido
import pytest
from click.testing import CliRunner

from device.cli import main
from device.files.midi.file import read_midi

TICKS, BARS = 480, 12
STEP = TICKS // 4


@pytest.fixture
def both_hands(tmp_path: Path) -> Path:
    """Quarters over twelve bars of 4/4, and under the first four of them a bass and a third in turn."""
    struck = [(TICKS * i, TICKS - 20, 72 + (0, 4, 7, 4)[i % 4]) for i in range(4 * BARS)]
    struck += [(TICKS * i, TICKS - 20, 36) for i in range(0, 16, 2)]
    struck += [(TICKS * i, TICKS - 20, key) for i in range(1, 16, 2) for key in (48, 52)]
    timed = sorted(
        (at, on, key) for start, length, key in struck for at, on, key in ((start, 1, key), (start + length, 0, key))
    )
    track, last = mido.MidiTrack(), 0
    for tick, on, key in timed:
        track.append(mido.Message("note_on", note=key, velocity=70 * on, time=tick - last))
        last = tick
    mido.MidiFile(tracks=[track], ticks_per_beat=TICKS).save(tmp_path / "both.mid")
    return tmp_path / "both.mid"


def left_hand(path: Path, *options: str) -> list[tuple[int, int]]:
    """Return (sixteenth, key) of the played notes."""
    out = path.with_name("left.mid")
    result = CliRunner().invoke(main, ["play", str(path), "--midi", str(out), *options])
    assert result.exit_code == 0, result.output
    return [(round(note.onset_s / 0.125), note.pitch) for note in read_midi(out).parts[-1].notes]


def test_a_style_a_density_and_a_register_are_heard(both_hands: Path) -> None:
    bass = left_hand(both_hands, "--split", "55", "--style", "bass")
    struck = Counter(at for at, _ in bass)
    # the last strike is the chord that closes the piece, when the player has stopped
    assert all(keys == 1 for at, keys in struck.items() if at != max(struck))
    dense = left_hand(both_hands, "--split", "55", "--style", "bass", "--density", "2")
    low = left_hand(both_hands, "--split", "55", "--style", "bass", "--register", "-12")
    assert len(dense) > len(bass) > 0
    assert sum(key for _, key in low) / len(low) < sum(key for _, key in bass) / len(bass)


def test_it_is_silent_under_the_player_s_left_hand_and_goes_on_in_its_manner(both_hands: Path) -> None:
    played = left_hand(both_hands, "--split", "55")
    assert 64 <= min(at for at, _ in played) <= 84
    usual = Counter(at % 16 for at, _ in played)
    assert sum(usual[at] for at in (0, 4, 8, 12)) >= 0.9 * len(played)
    assert usual[4] > usual[0]


@pytest.mark.parametrize(
    "options",
    [("--style", "polka"), ("--density", "3"), ("--register", "40"), ("--split", "200"), ("--confidence", "1")],
)
def test_what_cannot_be_is_refused(both_hands: Path, options: tuple[str, str]) -> None:
    result = CliRunner().invoke(main, ["play", str(both_hands), *options])
    assert result.exit_code != 0 and options[0] in result.output
