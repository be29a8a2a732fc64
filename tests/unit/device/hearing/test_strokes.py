"""At the end of a beep or a loss of sound, a key that only rings is no stroke, and a key that was struck is one."""

from __future__ import annotations

import numpy as np
import pytest

from device.events import LOWEST_KEY
from device.hearing.beep_trains import Tone
from device.hearing.kept_tones import KeptTones
from device.hearing.strokes import is_struck, is_struck_after_loss

HOP, RATE, FRAMES = 256, 16_000, 17
E5, C3 = 76 - LOWEST_KEY, 48 - LOWEST_KEY
HZ = 659.26
AGE = 4
ONSET = (FRAMES - AGE) * HOP


def kept(sound: np.ndarray) -> KeptTones:
    tones = KeptTones(RATE, HOP, FRAMES)
    for hop in sound.astype(np.float32).reshape(-1, HOP):
        tones.step(hop)
    return tones


def string(since: int = -RATE, level: float = 0.1) -> np.ndarray:
    """Return a string that was struck at the sample `since`. It rings until the end of the kept sound."""
    t = (np.arange(FRAMES * HOP) - since) / RATE
    partials = sum(np.sin(2 * np.pi * HZ * n * t) / n for n in (1, 2, 3, 4))
    return level * np.exp(-t) * partials * (t >= 0)


def test_a_click_over_a_string_that_rings_is_no_stroke() -> None:
    sound = string()
    sound[ONSET : ONSET + 16] += 0.5
    assert not is_struck(kept(sound), E5, AGE, [])


@pytest.mark.parametrize("level", [0.1, 0.3])
def test_a_key_that_is_struck_while_it_rings_is_one(level: float) -> None:
    assert is_struck(kept(string() + string(ONSET, level)), E5, AGE, [])


def test_a_beep_that_begins_is_no_stroke_of_a_key_with_a_partial_there() -> None:
    t = np.arange(FRAMES * HOP)
    beep = 0.3 * np.sin(2 * np.pi * 2 * HZ * t / RATE) * (t >= ONSET)
    sound = kept(string() + beep)
    assert is_struck(sound, E5, AGE, []), "the second partial has become louder"
    assert not is_struck(sound, E5, AGE, [Tone(hz=2 * HZ, step=0.3, length=960.0, clicks=False)])


def test_a_stroke_that_a_loud_beep_hid_is_one_although_its_higher_partials_seem_to_fall() -> None:
    at = np.arange(FRAMES * HOP)
    beep = 0.4 * np.sign(np.sin(2 * np.pi * 1_500 * at / RATE)) * ((at >= ONSET - 960) & (at < ONSET))
    tones = [Tone(hz=1_500.0, step=0.4, length=960.0, clicks=True)]
    assert is_struck(kept(string(ONSET - 700, 0.02) + beep), E5, AGE, tones)
    assert not is_struck(kept(string(level=0.02) + beep), E5, AGE, tones), "the string rings all the time"


def test_low_keys_are_always_taken_as_struck() -> None:
    assert is_struck(kept(string()), C3, AGE, [])


@pytest.mark.parametrize("lost", [11, 128, 500])
def test_a_string_that_rings_through_a_loss_of_sound_is_no_stroke(lost: int) -> None:
    longer = np.concatenate([string(), np.zeros(HOP * 2)])
    longer[FRAMES * HOP :] = string(-RATE - FRAMES * HOP)[: HOP * 2]
    sound = np.delete(longer, range(ONSET, ONSET + lost))[: FRAMES * HOP]
    assert not is_struck_after_loss(kept(sound), E5, AGE, [])


@pytest.mark.parametrize("level", [0.1, 0.3])
def test_a_key_that_is_struck_again_where_sound_was_lost_is_one(level: float) -> None:
    assert is_struck_after_loss(kept(0.7 * string() + string(ONSET, level)), E5, AGE, [])


def test_after_a_loss_of_sound_low_keys_are_never_taken_as_struck() -> None:
    assert not is_struck_after_loss(kept(string(ONSET)), C3, AGE, [])
