"""Tempos of a MIDI file that are in another unit than microseconds, or whose quarters are no beats of a player."""

from __future__ import annotations

from pathlib import Path

import mido
import pytest
from click.testing import CliRunner

from device.cli import main
from device.clock.map_fit import fits
from device.clock.tempo_map import TempoMap
from device.files.midi.file import read_midi
from device.files.midi.tempo_units import right_tempos

TICKS = 480
KEYS = (64, 67, 72, 67, 65, 69, 67, 65)


def save(path: Path, tempo: int, notes: int = 24, ticks: int = TICKS, length: int = TICKS) -> None:
    """Write even notes of `length` ticks at `tempo`."""
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=tempo)])
    for i in range(notes):
        track.append(mido.Message("note_on", note=KEYS[i % len(KEYS)], velocity=70))
        track.append(mido.Message("note_off", note=KEYS[i % len(KEYS)], time=length))
    mido.MidiFile(tracks=[track], ticks_per_beat=ticks).save(path)


@pytest.mark.parametrize(
    ("tempo", "meant", "how"),
    [
        (600, 600_000, "read as milliseconds"),
        (1200, 1_200_000, "read as milliseconds"),
        (100, 600_000, "read as beats a minute"),
        (6000, 500_000, "left out"),
    ],
)
def test_a_tempo_in_a_wrong_unit_is_read_as_it_was_meant_and_said(
    tmp_path: Path, tempo: int, meant: int, how: str
) -> None:
    save(tmp_path / "a.mid", tempo)
    source = read_midi(tmp_path / "a.mid")
    assert [us for _, us in source.tempo_map.tempos] == [meant]
    assert source.parts[0].notes[1].onset_s == pytest.approx(meant / 1e6)
    assert len(source.warnings) == 1 and f"({how})" in source.warnings[0]


def test_only_the_stretch_with_a_wrong_tempo_is_changed() -> None:
    onsets = range(0, 40 * TICKS, TICKS)
    tempos, flaw = right_tempos([(0, 500_000), (10 * TICKS, 700), (20 * TICKS, 400_000)], onsets, TICKS)
    assert tempos == [(0, 500_000), (10 * TICKS, 700_000), (20 * TICKS, 400_000)] and flaw
    tempos, _ = right_tempos([(0, 500_000), (10 * TICKS, 7000), (20 * TICKS, 400_000)], onsets, TICKS)
    assert tempos == [(0, 500_000), (20 * TICKS, 400_000)]


@pytest.mark.parametrize(
    ("tempos", "onsets", "ticks"),
    [
        # ticks of a millisecond, a rest that is passed over quickly, quick but playable notes, and frames
        ([(0, 1000)], range(0, 40_000, 600), 1),
        ([(0, 500_000), (960, 1000), (9600, 500_000)], [0, 480, 9600, 10_080, 10_560], TICKS),
        ([(0, 60_000)], range(0, 40 * TICKS, TICKS), TICKS),
        ([(0, 600)], range(0, 40 * TICKS, TICKS), -6360),
        ([(0, 600)], [0, 480], TICKS),
    ],
)
def test_short_quarters_that_give_playable_notes_stay(
    tempos: list[tuple[int, int]], onsets: range | list[int], ticks: int
) -> None:
    assert right_tempos(tempos, onsets, ticks) == (tempos, "")


@pytest.mark.parametrize(("usual", "odd"), [(600, 40_000), (100, 1)])
def test_no_tempo_becomes_longer_than_a_midi_file_can_have(tmp_path: Path, usual: int, odd: int) -> None:
    save(tmp_path / "a.mid", usual)
    file = mido.MidiFile(tmp_path / "a.mid")
    file.tracks[0].append(mido.MetaMessage("set_tempo", tempo=odd))
    file.tracks[0].append(mido.MetaMessage("set_tempo", tempo=usual, time=1))
    file.save(tmp_path / "a.mid")
    assert [us for _, us in read_midi(tmp_path / "a.mid").tempo_map.tempos][1] == 0xFFFFFF


class CountedTick(int):
    """A tick that counts how often ticks are compared."""

    compared = 0

    def __lt__(self, other: int) -> bool:
        CountedTick.compared += 1
        return int(self) < int(other)

    def __le__(self, other: int) -> bool:
        CountedTick.compared += 1
        return int(self) <= int(other)

    def __gt__(self, other: int) -> bool:
        return CountedTick(other) < self

    def __ge__(self, other: int) -> bool:
        return CountedTick(other) <= self


def test_many_wrong_tempos_and_notes_are_not_each_compared_with_each() -> None:
    many = 1000
    onsets = [CountedTick(10 * i) for i in range(many)]
    CountedTick.compared = 0
    tempos, flaw = right_tempos([(10 * i, 600) for i in range(many)], onsets, TICKS)
    assert flaw and len(tempos) == many
    assert 0 < CountedTick.compared < 50 * many


@pytest.mark.parametrize("onsets", [1, 8, 40])
def test_quarters_that_no_player_could_count_are_no_beats_even_of_a_few_notes(onsets: int) -> None:
    times = [0.6 * i for i in range(onsets)]
    assert not fits(times, TempoMap(1, [(0, 600)])) and not fits(times, TempoMap(10, [(0, 6000)]))
    assert fits(times, TempoMap(TICKS, [(0, 600_000)]))


def test_a_few_notes_in_small_units_are_followed(tmp_path: Path) -> None:
    save(tmp_path / "a.mid", 600, notes=12, ticks=1, length=1000)
    result = CliRunner().invoke(main, ["play", str(tmp_path / "a.mid"), "--midi", str(tmp_path / "b.mid")])
    assert result.exit_code == 0 and "does not fit its notes" in result.output
