"""The engine on sound: with every clock it uses no note before it is heard, and it releases every key."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from device.assemble import hearing_of
from device.engine import Engine
from device.files.performance import Performance
from device.files.play import play_sound
from device.files.sound.file import SoundFile
from device.hearing.pipeline import Hearing
from device.hearing.resample import Hops
from device.make_clock import Mode, make_clock
from tests.unit.helpers.plays import before, fresh_left_hand, known, let_go, note_ons
from tests.unit.helpers.shipped import bundle, recording

RATE, HOP = 16_000, 256
SOUND_S = 12.0
"""Seconds of the demo: count-in, the bar of listening, and three bars of both hands."""
DEMO_BPM = 100.0


@pytest.fixture(scope="module")
def hearing() -> Hearing:
    return hearing_of(bundle())


def play(hearing: Hearing, samples: NDArray[np.float32], mode: Mode, folder: Path) -> Performance:
    """Run the shipped bundle on samples at the demo's rate."""
    path = folder / "input.wav"
    rate = recording()[1]
    soundfile.write(path, samples, rate, subtype="FLOAT")
    hearing.reset()
    clock = make_clock(mode, DEMO_BPM if mode == "fixed" else None, 4)
    engine = Engine(clock=clock, hearing=hearing, player=fresh_left_hand())
    return play_sound(engine, SoundFile(path), Hops(rate, RATE, HOP))


def beginning() -> NDArray[np.float32]:
    samples, rate = recording()
    first: NDArray[np.float32] = samples[: round(SOUND_S * rate)]
    return first


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="module")
def whole(hearing: Hearing, folder: Path) -> dict[str, Performance]:
    """Return the result on the demo's beginning for each clock that works with sound."""
    modes: tuple[Mode, ...] = ("follow", "fixed")
    return {mode: play(hearing, beginning(), mode, folder) for mode in modes}


SOUND_CLOCKS = pytest.mark.parametrize("mode", ["follow", "fixed"])


@SOUND_CLOCKS
def test_the_demo_is_answered(whole: dict[str, Performance], mode: Mode) -> None:
    assert len(before(note_ons(whole[mode].sends), SOUND_S)) >= 5


@SOUND_CLOCKS
def test_the_same_sound_gives_the_same_left_hand(
    hearing: Hearing, folder: Path, whole: dict[str, Performance], mode: Mode
) -> None:
    again = play(hearing, beginning(), mode, folder)
    assert (again.sends, again.notes, again.beats) == (whole[mode].sends, whole[mode].notes, whole[mode].beats)


def replaced(at: int, how: str) -> NDArray[np.float32]:
    """Return the demo's beginning with other sound from the sample `at` on, of the same length unless it is cut."""
    samples = beginning().copy()
    rest = len(samples) - at
    if how == "cut":
        return samples[:at]
    samples[at:] = {
        "silence": np.zeros(rest),
        "noise": np.random.default_rng(at).uniform(-1, 1, rest),
        "the beginning again": samples[:rest],
        "nan": np.full(rest, np.nan),
    }[how]
    return samples


@SOUND_CLOCKS
@given(
    at_s=st.floats(5.5, SOUND_S - 0.1),
    how=st.sampled_from(["cut", "silence", "noise", "the beginning again", "nan"]),
)
@settings(max_examples=5, deadline=None)
def test_sound_after_t_changes_nothing_before_t(
    hearing: Hearing, folder: Path, whole: dict[str, Performance], mode: Mode, at_s: float, how: str
) -> None:
    at = round(at_s * recording()[1])
    changed, all_of_it = play(hearing, replaced(at, how), mode, folder), whole[mode]
    until_s = at / recording()[1]
    assert before(note_ons(changed.sends), until_s) == before(note_ons(all_of_it.sends), until_s)
    assert known(changed, until_s) == known(all_of_it, until_s)
    assert [b for b in changed.beats if b.predicted_at_s <= until_s] == [
        b for b in all_of_it.beats if b.predicted_at_s <= until_s
    ]
    if how == "cut":
        assert len(changed.notes) == len(known(all_of_it, until_s)), "and nothing else was heard"


@SOUND_CLOCKS
def test_every_key_is_let_go_within_two_bars_of_the_end_of_the_sound(whole: dict[str, Performance], mode: Mode) -> None:
    sends = whole[mode].sends
    assert sends and let_go(sends)
    assert max(send.due_s for send in sends) <= SOUND_S + 2 * 4 * 60 / DEMO_BPM * 1.1
    assert max(on[0] for on in note_ons(sends)) < SOUND_S + 2 * 4 * 60 / DEMO_BPM


@SOUND_CLOCKS
def test_nothing_is_played_during_the_count_in(whole: dict[str, Performance], mode: Mode) -> None:
    fourth = sorted(note.onset_s for note in whole[mode].notes)[3]
    assert min(on[0] for on in note_ons(whole[mode].sends)) > fourth + 60 / DEMO_BPM / 2
