"""The key that the owner gives: which triads belong to it, and that the left hand uses it."""

from __future__ import annotations

import numpy as np
import pytest

from device.errors import ConfigError
from device.left_hand.chord_net import ChordNet, shipped_arrays
from device.left_hand.progression import Progression, triads_of_key
from device.left_hand.tonality import Tonality
from device.settings.choices import KEYS, Steering, key_named
from device.settings.config import parse_config
from tests.unit.helpers.plays import fresh_left_hand

HEAD = '[audio]\ninput = "mic"\n[midi]\noutput = "synth"\n[play]\n'


@pytest.mark.parametrize(
    ("key", "triads"),
    [
        ("C major", {0, 5, 7, 12 + 2, 12 + 4, 12 + 9}),
        ("A minor", {0, 5, 7, 4, 12 + 2, 12 + 4, 12 + 9}),
        ("Bb major", {10, 3, 5, 12 + 0, 12 + 2, 12 + 7}),
    ],
)
def test_the_triads_of_a_key(key: str, triads: set[int]) -> None:
    assert set(np.flatnonzero(triads_of_key(KEYS[key]))) == triads


def test_two_names_of_one_key_are_one_key() -> None:
    assert KEYS["C# minor"] == KEYS["Db minor"] == 13 and sorted(set(KEYS.values())) == list(range(24))
    for one, other in (("Cb", "B"), ("B#", "C"), ("E#", "F"), ("Fb", "E"), ("Gb", "F#"), ("A#", "Bb")):
        assert [KEYS[f"{one} {mode}"] for mode in ("major", "minor")] == [
            KEYS[f"{other} {mode}"] for mode in ("major", "minor")
        ]


def test_each_key_is_known_by_its_own_name() -> None:
    assert [key_named(name) for name in KEYS] == list(KEYS)


@pytest.mark.parametrize("key", ["Cb major", "b major", "C flat maj", "B major"])
def test_the_settings_take_a_key_by_each_of_its_names(key: str) -> None:
    hand = fresh_left_hand()
    hand.steering = parse_config(HEAD + f'key = "{key}"\n', "it").play.steering
    try:
        hand._steer()
        assert hand._progression.key == KEYS["B major"]
    finally:
        hand.steering = Steering()
        hand._steer()


def test_the_tonic_is_the_one_that_the_owner_gave() -> None:
    tonality = Tonality()
    tonality.key = KEYS["E minor"]
    assert tonality.tonic() is None
    tonality.at([1] + [0] * 11)
    tonic = tonality.tonic()
    assert tonic is not None and tonic.name == "Em"


def test_a_doubtful_chord_is_one_of_the_key() -> None:
    ahead = np.full(12, 0.2, np.float32)
    score = np.zeros(24, np.float32)
    score[1], score[7] = 0.5, 0.0
    chosen = []
    for key in (None, KEYS["C major"]):
        progression = Progression(ChordNet(shipped_arrays()))
        progression.key = key
        progression._choose(score, 0.0, ahead)
        chosen.append(progression.triad)
    assert chosen[0] == 1 and triads_of_key(KEYS["C major"])[chosen[1]] == 1.0


def test_the_settings_take_a_key_and_a_seed() -> None:
    play = parse_config(HEAD + 'key = "F major"\nseed = 7\nvariation = 2\n', "it").play
    assert (play.steering.key, play.steering.seed, play.steering.variation) == ("F major", 7, 2)


@pytest.mark.parametrize("line", ['key = "H major"', 'key = "f"', "key = 5", "seed = -1", "variation = 3"])
def test_settings_that_cannot_be_used_are_named(line: str) -> None:
    with pytest.raises(ConfigError, match=line.split()[0]):
        parse_config(HEAD + line + "\n", "it")
