"""Notes of the box that come back late, more than once or transposed are echoes, and a player's canon is none."""

from __future__ import annotations

from random import Random

import mido
import pytest

from device.inputs.echoes import Echoes
from device.inputs.return_paths import MOST_DOWN, MOST_NOTES, MOST_PATHS

Played = tuple[float, int, int, float]
"""Time of the strike in seconds, pitch, velocity, and length in seconds."""
NOTES = 80
FIGURE = (36, 43, 48, 52, 55, 48, 43, 40)


def on(note: int, velocity: int) -> mido.Message:
    return mido.Message("note_on", note=note, velocity=velocity)


def off(note: int) -> mido.Message:
    return mido.Message("note_off", note=note)


def accompaniment(random: Random) -> list[Played]:
    """Return broken chords, in which every fourth note rings on beyond the next."""
    return [
        (1 + 0.3 * i + random.gauss(0, 0.004), FIGURE[i % 8] + i // 16 % 2 * 5, random.randint(52, 70), length_s)
        for i in range(NOTES)
        for length_s in [0.26 if i % 4 else 0.55]
    ]


def melody(random: Random) -> list[Played]:
    return [
        (1.1 + 0.4 * i + random.gauss(0, 0.02), 72 + i * 5 % 13, random.randint(60, 100), 0.35) for i in range(NOTES)
    ]


def passed(sent: list[Played], come: list[Played]) -> tuple[int, set[int]]:
    """Return how many note-ons in `come` are taken for the player's, and the keys that are down at the end."""
    echoes, count, down = Echoes(), 0, set[int]()
    timed = [
        (at_s, by, message)
        for by, notes in enumerate((sent, come))
        for on_s, pitch, velocity, length_s in notes
        for at_s, message in ((on_s, on(pitch, velocity)), (on_s + length_s, off(pitch)))
    ]
    for at_s, by, message in sorted(timed, key=lambda one: one[:2]):
        if not by:
            echoes.sent(message, at_s)
        elif not echoes.is_echo(message, at_s):
            count += message.type == "note_on"
            (down.add if message.type == "note_on" else down.discard)(message.note)
    return count, down


@pytest.mark.parametrize(
    ("paths", "most"),
    [
        # delay in seconds and interval in semitones of each path, and the notes that pass before all are known
        ([(0.02, 0)], 0),
        ([(0.2, 0)], 0),
        ([(1.0, 0)], 2),
        ([(0.02, 0), (0.2, 0)], 0),
        ([(0.02, 0), (1.0, 0)], 2),
        ([(0.2, 0), (0.4, 0)], 2),
        ([(0.5, 0), (1.0, 0)], 4),
        ([(1.0, 0)] * 3, 6),
        ([(0.02, 12)], 3),
        ([(1.0, -5)], 3),
        ([(0.02, 0), (0.02, 12)], 3),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_on_every_path_only_the_first_notes_pass_and_the_player_is_heard(
    paths: list[tuple[float, int]], most: int, seed: int
) -> None:
    random = Random(seed)
    sent, played = accompaniment(random), melody(random)
    back = [
        (on_s + delay_s + random.uniform(0, 0.003), pitch + interval, velocity, length_s)
        for delay_s, interval in paths
        for on_s, pitch, velocity, length_s in sent
    ]
    count, down = passed(sent, back + played)
    assert NOTES <= count <= NOTES + most
    assert not down


@pytest.mark.parametrize("seed", range(4))
def test_a_network_that_delays_each_note_by_another_time_is_a_path_too(seed: int) -> None:
    random = Random(seed)
    sent = accompaniment(random)
    back = [(on_s + random.gauss(1.0, 0.01), pitch, velocity, length_s) for on_s, pitch, velocity, length_s in sent]
    count, down = passed(sent, back)
    assert count <= 5 and not down


@pytest.mark.parametrize("later_s", [0.3, 0.6, 1.2])
def test_a_canon_at_the_velocities_of_the_box_is_the_player(later_s: float) -> None:
    """The standard deviation of the player's strikes is 20 ms, and that of his lengths 60 ms."""
    heard = 0
    for seed in range(8):
        random = Random(seed)
        sent = accompaniment(random)
        canon = [
            (on_s + later_s + random.gauss(0, 0.02), pitch, velocity, max(0.05, length_s + random.gauss(0, 0.06)))
            for on_s, pitch, velocity, length_s in sent
        ]
        count, down = passed(sent, canon)
        heard += count
        assert not down
    assert heard >= 0.9 * 8 * NOTES


@pytest.mark.parametrize("later_s", [0.0, 0.6])
def test_a_player_who_doubles_or_follows_an_octave_higher_at_the_velocities_of_the_box_is_heard(later_s: float) -> None:
    heard = 0
    for seed in range(8):
        random = Random(seed)
        sent = accompaniment(random)
        higher = [(on_s + later_s + abs(random.gauss(0, 0.02)), pitch + 12, v, 0.25) for on_s, pitch, v, _ in sent]
        heard += passed(sent, higher)[0]
    assert heard >= 0.95 * 8 * NOTES


def test_a_path_that_ends_is_forgotten_within_some_notes() -> None:
    echoes, dropped = Echoes(), []
    for i in range(40):
        echoes.sent(on(40 + i % 7, 60 + i % 5), 1.0 + i)
        if i < 20:
            echoes.is_echo(on(40 + i % 7, 60 + i % 5), 1.6 + i)
        elif i >= 25 and i % 7 == 0:
            # a player who strikes a key of the box just when its echo would come
            dropped.append(echoes.is_echo(on(40 + i % 7, 60 + i % 5), 1.6 + i))
    assert dropped and not any(dropped)


def test_what_is_remembered_has_a_limit() -> None:
    echoes = Echoes()
    for i in range(500):
        echoes.sent(on(40 + i % 3, 64), i * 0.01)
        echoes.is_echo(on(40 + i % 3, 64), i * 0.01 + 0.5)
    paths = echoes._paths
    assert len(paths._paths) <= MOST_PATHS and len(paths._notes) == MOST_NOTES
    assert all(len(down) <= MOST_DOWN for down in paths._down.values())
