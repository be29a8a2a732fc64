"""The following clock on small files of a player: count-ins, pauses, a sudden new tempo, and a breath by ear.

The tune is eight bars of 4/4 with a beat of .6 s, in some files once more a fourth higher after the pause or at the new
tempo. The file of heard notes holds what the shipped models heard in a recording of the tune with a breath.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from device.engine import Engine
from device.events import Beat, Note
from device.files.midi.file import read_midi
from device.files.midi.notes import Part
from device.files.midi_run import play_midi
from device.files.results.notes_csv import read_notes
from device.make_clock import make_clock
from tests.unit.helpers.plays import HOP_S, fresh_left_hand

FOLDER = Path(__file__).parents[3] / "fixtures" / "beat"
BEAT_S, BAR_BEATS, BARS = 0.6, 4, 8
NEAR_S = 0.07
"""Seconds within which a beat is right."""
HELD = 0.175
"""Share of a beat within which a beat is told near enough to be held."""
TWO_BARS = 2 * BAR_BEATS
"""Beats after the change within which the true beat is found again."""
SURE = 0.5

COUNT_INS = {
    "clean": 2.4,
    "slip-between-1-and-2": 2.4,
    "second-not-heard": 2.4,
    "rolled-chords": 2.4,
    "key-touched-3-s-before": 5.4,
}
"""Time in seconds of the first bar line."""
CHANGES = {
    "pause-0.5-quarters": (0.5, 0.6),
    "pause-1.5-quarters": (1.5, 0.6),
    "pause-3.5-quarters": (3.5, 0.6),
    "goes-on-at-120": (0.0, 0.5),
    "goes-on-at-80": (0.0, 0.75),
}
"""The pause in beats of .6 s after eight bars, and the beat after it in seconds."""


def beats_of(notes: tuple[Note, ...], end_s: float) -> list[Beat]:
    """Return the beats that the engine tells while it plays the left hand to the notes."""
    engine = Engine(clock=make_clock("follow"), player=fresh_left_hand())
    return play_midi(engine, Part(1, "", notes, drums=False, end_s=end_s), HOP_S).beats


def beats_of_file(name: str) -> list[Beat]:
    part = read_midi(FOLDER / f"{name}.mid").part()
    return beats_of(part.notes, part.end_s)


@pytest.mark.parametrize("name", COUNT_INS)
def test_each_count_in_gives_the_beat_and_the_bar_lines_from_the_first_bar_on(name: str) -> None:
    start_s = COUNT_INS[name]
    true_s = start_s + BEAT_S * np.arange(BARS * BAR_BEATS)
    told = [beat for beat in beats_of_file(name) if beat.time_s < true_s[-1] + BEAT_S / 2]
    assert len(told) == len(true_s)
    assert np.abs(np.array([beat.time_s for beat in told]) - true_s).max() <= NEAR_S
    assert [beat.position for beat in told] == [i % BAR_BEATS for i in range(len(told))]


def assert_found_again(beats: list[Beat], change_s: float, beat_s: float, first_off_s: float, end_s: float) -> None:
    """The true beat is found within two bars of `change_s`, and the lock is low until then.

    `first_off_s` is the first onset that does not lie on the beat as it was: before it nobody can know of the change.
    """
    off = {beat: (beat.time_s - change_s) / beat_s for beat in beats if first_off_s < beat.time_s < end_s}
    later = [beats for beats in off.values() if beats > TWO_BARS + 0.5]
    assert len(later) >= 3 * BAR_BEATS
    assert max(abs(place - round(place)) * beat_s for place in later) <= NEAR_S
    assert np.diff(later) == pytest.approx(1.0, abs=2 * NEAR_S / beat_s)
    for beat, place in off.items():
        if abs(place - round(place)) > HELD:
            assert beat.lock < SURE, f"{place:.2f} beats after the change"


@pytest.mark.parametrize("name", CHANGES)
def test_the_beat_is_found_again_within_two_bars_and_the_lock_is_low_until_then(name: str) -> None:
    pause, beat_s = CHANGES[name]
    change_s = COUNT_INS["clean"] + (BARS * BAR_BEATS + pause) * BEAT_S
    onsets_s = [note.onset_s for note in read_midi(FOLDER / f"{name}.mid").part().notes]
    # with a new tempo the second onset is the first that lies elsewhere
    first_off_s = sorted(onset_s for onset_s in onsets_s if onset_s > change_s - 0.01)[0 if pause else 1]
    assert_found_again(beats_of_file(name), change_s, beat_s, first_off_s, max(onsets_s))


def test_after_a_breath_by_ear_the_beat_is_found_again_within_two_bars() -> None:
    notes = tuple(read_notes(FOLDER / "breath-half-a-beat.heard.csv"))
    begins_s = 0.5
    change_s = begins_s + COUNT_INS["clean"] + (BARS * BAR_BEATS + 0.5) * BEAT_S
    end_s = max(note.onset_s for note in notes)
    first_off_s = min(note.decided_s for note in notes if note.onset_s > change_s - NEAR_S)
    assert_found_again(beats_of(notes, end_s + 1), change_s, BEAT_S, first_off_s, end_s)
