"""The demo recording is in the repository, is small, and matches its score."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import soundfile

from device.files.sound.file import SoundFile
from training.demo import BEATS_A_BAR, LEAD_S, MOST_JITTER_S, RATE, SCORE, SOUND, TEMPO, perform, read_score


def test_the_recording_is_whole_and_below_a_megabyte() -> None:
    sound = SoundFile(SOUND)
    assert SOUND.stat().st_size < 1_000_000
    assert sound.rate == RATE and 30 < sound.seconds < 60


def test_it_begins_with_a_count_in_of_four_on_one_key() -> None:
    count_in, theme = read_score(SCORE.read_text())[:4], read_score(SCORE.read_text())[4:]
    assert len({chord.pitches for chord in count_in}) == 1
    assert [chord.at for chord in count_in] == [0, 1, 2, 3]
    assert theme[0].at == BEATS_A_BAR and len(theme) > 50


def test_it_is_played_in_time_but_not_like_a_machine() -> None:
    score = read_score(SCORE.read_text())
    played = sorted({round(note.onset_s, 6) for note in perform(score)})
    errors = [min(abs(at - LEAD_S - chord.at * 60 / TEMPO) for at in played) for chord in score]
    assert 0.001 < np.mean(errors) < 0.015 and max(errors) <= MOST_JITTER_S


def test_the_recording_sounds_when_the_score_says() -> None:
    samples, rate = soundfile.read(SOUND, dtype="float32")
    onsets = [LEAD_S + chord.at * 60 / TEMPO for chord in read_score(SCORE.read_text())]

    def level(from_s: float, to_s: float) -> float:
        return float(np.sqrt(np.mean(samples[int(from_s * rate) : int(to_s * rate)] ** 2)))

    assert level(0.0, onsets[0] - 0.05) < 1e-3
    assert all(level(at + 0.03, at + 0.1) > 0.01 for at in onsets)


def test_the_same_seed_gives_the_same_performance_and_another_does_not() -> None:
    score = read_score(SCORE.read_text())
    assert perform(score) == perform(score) != perform(score, seed=2)


def test_a_bar_that_is_not_full_is_refused() -> None:
    with pytest.raises(ValueError, match="is not 4 beats long"):
        read_score("C4:1 D4:1 | E4:4 |")
    with pytest.raises(ValueError, match="is not a key"):
        read_score("H4:4 |")


def test_chords_and_rests_are_read() -> None:
    score = read_score("# a comment\nC4+E4:2 -:1 Bb3:1 |")
    assert [(chord.at, chord.pitches) for chord in score] == [(0, (60, 64)), (3, (58,))]
    assert all(a.at + a.beats <= b.at for a, b in itertools.pairwise(score))
