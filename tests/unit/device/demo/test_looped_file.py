"""A recording in a loop in place of a sound card: its times, its rounds, and what is lost when nobody reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.demo.looped_file import BLOCK, PAUSE_S, LoopedFile
from device.errors import UserError
from device.inputs.sound_card import QUEUE_S
from device.stream_time import StreamTime

RATE, HOP = 16_000, 256
SOUND_S = 1.0


class Time:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "hand.wav"
    soundfile.write(path, 0.5 * np.sin(np.arange(int(SOUND_S * RATE)) / 5), RATE)
    return path


def test_the_hops_come_in_real_time_and_each_round_begins_with_a_call(sound: Path) -> None:
    time, rounds = Time(), [0.0]
    source = LoopedFile(sound, RATE, HOP, StreamTime(), lambda: rounds.append(time.now_s), None, lambda: time.now_s,
                        time.sleep)  # fmt: skip
    assert source.read() == []
    source.start()
    begun_s, seen = time.now_s, []
    length_s = SOUND_S + PAUSE_S
    while time.now_s < begun_s + 2 * length_s + 0.1:
        seen += [(now_s, time.now_s) for _, now_s, _ in source.read()]
    assert len(rounds) == 3
    assert rounds[1] == pytest.approx(begun_s + length_s, abs=2 * BLOCK / RATE)
    for now_s, at_s in seen:
        assert at_s - begun_s == pytest.approx(now_s, abs=2 * BLOCK / RATE)
    assert source.xruns == 0


def test_the_level_is_that_of_the_sound_since_the_last_call(sound: Path) -> None:
    time = Time()
    source = LoopedFile(sound, RATE, HOP, StreamTime(), lambda: None, None, lambda: time.now_s, time.sleep)
    source.start()
    while source.input_s < SOUND_S / 2:
        source.read()
    level_db = source.level_db()
    assert level_db is not None and level_db == pytest.approx(-6.0, abs=0.2)
    assert source.level_db() == pytest.approx(-120.0)


def test_sound_that_nobody_reads_for_too_long_is_lost_and_counted(sound: Path) -> None:
    time, kept = Time(), []
    source = LoopedFile(sound, RATE, HOP, StreamTime(), lambda: None, kept.append, lambda: time.now_s, time.sleep)
    source.start()
    time.now_s += QUEUE_S + 0.5
    source.read()
    assert source.xruns == 1
    (loss,) = source.losses()
    assert loss.sample == 0 and loss.missing is not None
    assert loss.missing / RATE == pytest.approx(0.5, abs=0.1)
    while time.now_s - source._due_s > 0:
        source.read()
    assert source.xruns == 1
    assert len(kept) * BLOCK / RATE == pytest.approx(QUEUE_S, abs=0.1)


def test_a_file_that_is_no_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.wav"
    path.write_text("no sound")
    with pytest.raises(UserError, match=r"text\.wav"):
        LoopedFile(path, RATE, HOP, StreamTime(), lambda: None)
