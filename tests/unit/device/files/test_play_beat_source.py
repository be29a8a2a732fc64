"""`lefthand play` says whether the count-in was heard, and where the beat came from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import mido
import pytest
from click.testing import CliRunner

from device.cli import main
from device.clock.fixed_clock import FixedClock
from device.clock.meter import Meter
from device.clock.midi_clock import MidiClock
from device.clock.step import Clock
from device.commands.beat_source import beat_sources, metre_source
from device.following.follow_clock import FollowClock

NONE = "if you counted in, --count-in N says by how many even notes, and --tempo BPM says how fast."
FOUND = "The beat follows the player, after a count-in of 4 at 0.0 s (if this was music, give --count-in 0)."
TUNE = (64, 67, 72, 71, 69, 65, 62, 67, 71, 74, 72, 67, 64, 60, 62, 65)


def summary(path: Path, counts: int, notes: int, *options: str, signatures: Sequence[tuple[int, int]] = ()) -> str:
    """Return the end of the summary of `play` on `counts` quarters on one key and then `notes` quarters of a tune.

    The file names the metres `signatures`, twelve quarters each.
    """
    track = mido.MidiTrack()
    changes = mido.MidiTrack(
        mido.MetaMessage("time_signature", numerator=beats, denominator=beat_type, time=480 * 12 * (number > 0))
        for number, (beats, beat_type) in enumerate(signatures)
    )
    for key in [60] * counts + list(TUNE[:notes]):
        track.append(mido.Message("note_on", note=key, velocity=70))
        track.append(mido.Message("note_off", note=key, time=480))
    mido.MidiFile(tracks=[changes, track]).save(path)
    said = CliRunner().invoke(main, ["play", str(path), "--midi", str(path.with_suffix(".out.mid")), *options])
    assert said.exit_code == 0, said.output
    (line,) = said.stdout.splitlines()
    return line.partition(" played.")[2].strip()


@pytest.mark.parametrize(
    ("counts", "notes", "options", "words"),
    [
        (4, 16, ("--clock", "follow"), FOUND),
        (
            *(2, 16, ("--clock", "follow")),
            f"No count-in (four even notes on one key) was heard, so the beat was found in the notes: {NONE}",
        ),
        (
            *(3, 1, ("--clock", "follow")),
            f"No count-in (four even notes on one key) was heard, and no beat was found in the notes: {NONE}",
        ),
        # a count-in that was announced is no music
        (2, 16, ("--clock", "follow", "--count-in", "2"), "The beat follows the player, after a count-in of 2."),
        (
            *(0, 16, ("--clock", "follow", "--count-in", "0")),
            "No count-in was looked for, and the beat was found in the notes.",
        ),
        (0, 16, ("--clock", "fixed", "--tempo", "120"), "The beat is the set tempo."),
        (
            *(2, 2, ("--clock", "fixed", "--tempo", "120", "--count-in", "6")),
            "Only 4 of the 6 notes of the count-in came, so nothing was played: --count-in N says how many count in.",
        ),
        (0, 16, ("--clock", "file"), "The beat is that of the file's tempo map."),
        (4, 12, ("--count-in", "4"), "The beat is that of the file's tempo map, after a count-in of 4."),
        (4, 12, ("--listen",), ""),
        # four counts are four beats in any metre; in 3/4 a player may have meant six
        (
            *(6, 16, ("--clock", "follow", "--meter", "3/4")),
            f"{FOUND} If the notes that came next on its key were counts too, give --count-in 6.",
        ),
        (4, 16, ("--clock", "follow", "--meter", "3/4"), FOUND),
        (5, 16, ("--clock", "follow", "--meter", "3/4"), FOUND),
        (8, 16, ("--clock", "follow"), FOUND),
    ],
)
def test_the_summary_says_where_the_beat_came_from(
    tmp_path: Path, counts: int, notes: int, options: tuple[str, ...], words: str
) -> None:
    assert summary(tmp_path / "a.mid", counts, notes, *options).partition("The metre is")[0].rstrip() == words


TAKEN = "The metre is taken to be 4/4: --meter M names another."


@pytest.mark.parametrize(
    ("signatures", "options", "words"),
    [
        ((), (), TAKEN),
        ((), ("--meter", "3/4"), "The metre is 3/4."),
        (((3, 4),), (), "The metre is 3/4, as the file says."),
        (((3, 4),), ("--clock", "follow"), "The metre is 3/4."),
        (((3, 4),), ("--clock", "fixed", "--tempo", "120"), "The metre is 3/4."),
        (((3, 4),), ("--meter", "4/4"), "The metre is 4/4."),
        (((3, 4), (4, 4), (3, 4)), (), "The metres are 3/4 and 4/4, as the file says."),
    ],
)
def test_the_summary_names_the_metre(
    tmp_path: Path, signatures: tuple[tuple[int, int], ...], options: tuple[str, ...], words: str
) -> None:
    said = summary(tmp_path / "a.mid", 0, 16, *options, signatures=signatures)
    assert said.endswith((f". {words}", f": {NONE} {words}"))


def test_many_metres_are_counted() -> None:
    metres = [Meter(beats, 4) for beats in (2, 3, 4, 2, 5, 7)]
    assert metre_source(None, metres) == "The metres are 2/4, 3/4, 4/4 and 2 more, as the file says."


def test_a_run_without_a_beat_names_no_metre(tmp_path: Path) -> None:
    assert "metre" not in summary(tmp_path / "a.mid", 3, 1, "--clock", "follow")


def used(clock: Clock, keys: Sequence[int]) -> Clock:
    """Return `clock` after it heard a note on each of `keys`, one every half second."""
    for number, key in enumerate(keys):
        clock.hear(number / 2, number / 2, key)
        while clock.due(number / 2) is not None:
            pass
    return clock


def follow(*keys: int) -> Clock:
    return used(FollowClock(Meter(4, 4)), keys)


def test_each_clock_that_the_owner_chose_is_told_with_the_beats_that_it_gave() -> None:
    counted = FOUND
    fixed = FixedClock(90.0, Meter(4, 4))
    assert beat_sources([(0.0, follow(60, 60, 60, 60)), (9.5, fixed)], [2.0, 10.0]) == (
        f"{counted} The clock was changed at 9.5 s: the beat is the set tempo."
    )
    # a clock that gave no beat needs no word, and no advice
    assert beat_sources([(0.0, follow(60)), (3.0, fixed)], [3.5]) == (
        "The clock was changed at 3.0 s: the beat is the set tempo."
    )
    told = beat_sources([(0.0, fixed), (4.0, MidiClock(Meter(4, 4))), (8.0, follow(60))], [1.0, 5.0])
    assert told == (
        "The beat is the set tempo. The clock was changed 2 times, last at 8.0 s: no count-in (four even notes "
        f"on one key) was heard, and no beat was found in the notes: {NONE}"
    )
    assert beat_sources([(0.0, follow(60, 60, 60, 60))], [2.0]) == counted


def test_tapped_beats_are_no_missing_count_in() -> None:
    clock = FollowClock(Meter(4, 4))
    clock.hear(0.1, 0.1, 64)
    for at_s in (1.0, 1.5, 2.0, 2.5):
        clock.tap(at_s)
    assert beat_sources([(0.0, clock)], [3.0]) == "The beat follows the player, from the tapped beats on."
