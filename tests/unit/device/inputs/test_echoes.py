"""Echoed notes are distinguished from played notes."""

from __future__ import annotations

import mido
import pytest

from device.inputs.echoes import Echoes


def on(note: int, velocity: int = 64, channel: int = 0) -> mido.Message:
    return mido.Message("note_on", note=note, velocity=velocity, channel=channel)


def off(note: int) -> mido.Message:
    return mido.Message("note_off", note=note)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_note_that_comes_back_several_times_is_an_echo_each_time(times: int) -> None:
    echoes = Echoes()
    echoes.sent(on(40), 1.0)
    assert all(echoes.is_echo(on(40, channel=5 * i), 1.01 + 0.01 * i) for i in range(times))
    echoes.sent(off(40), 1.5)
    assert all(echoes.is_echo(off(40), 1.51 + 0.01 * i) for i in range(times))
    assert not echoes.is_echo(off(40), 1.6)


def test_the_player_s_release_just_after_the_echo_of_the_box_s_is_heard() -> None:
    echoes = Echoes()
    echoes.sent(on(40), 1.0)
    assert echoes.is_echo(on(40), 1.01) and not echoes.is_echo(on(40, velocity=90), 1.3)
    echoes.sent(off(40), 1.5)
    assert echoes.is_echo(off(40), 1.51)
    assert not echoes.is_echo(off(40), 1.55)


def test_a_note_off_comes_back_in_either_form() -> None:
    echoes = Echoes()
    echoes.sent(off(40), 1.0)
    echoes.sent(off(41), 1.0)
    assert echoes.is_echo(mido.Message("note_off", note=40, velocity=90), 1.0)
    assert echoes.is_echo(on(41, velocity=0), 1.0)


def test_a_keyboard_that_changes_the_velocity_is_found_out_and_no_key_stays_down() -> None:
    echoes, down, passed = Echoes(), set[int](), 0
    for i, key in enumerate((40, 47, 52, 43, 47, 55, 40, 40)):
        at_s = 1.0 + 0.4 * i
        echoes.sent(on(key, velocity=70 + i), at_s)
        if not echoes.is_echo(on(key, velocity=64, channel=3), at_s + 0.02):
            passed += 1
            down.add(key)
        echoes.sent(off(key), at_s + 0.3)
        if not echoes.is_echo(off(key), at_s + 0.32):
            down.discard(key)
    assert passed == 2 and not down


def test_a_velocity_that_is_right_by_chance_does_not_end_the_knowledge_that_a_keyboard_changes_it() -> None:
    echoes, passed = Echoes(), []
    for i in range(24):
        at_s = 1.0 + 0.4 * i
        echoes.sent(on(40 + i % 5, velocity=64 if i % 4 == 3 else 70), at_s)
        if not echoes.is_echo(on(40 + i % 5, velocity=64), at_s + 0.02):
            passed.append(i)
    assert passed == [0, 1]


def test_fast_repeats_of_one_key_do_not_end_the_knowledge_that_a_keyboard_changes_the_velocity() -> None:
    echoes, passed, at_s = Echoes(), [], 1.0
    for i, later_s in enumerate((0.4, 0.4, 0.4, 0.4, 0.15, 0.15, 0.4, 0.4, 0.15, 0.4)):
        at_s += later_s
        echoes.sent(on(40, velocity=70), at_s)
        if not echoes.is_echo(on(40, velocity=64), at_s + 0.02):
            passed.append(i)
    assert passed == [0, 1]


def test_a_player_who_is_faster_than_the_echo_is_heard_every_time() -> None:
    echoes = Echoes()
    for i in range(6):
        at_s = 1.0 + i
        echoes.sent(on(40), at_s)
        assert not echoes.is_echo(on(40, velocity=100), at_s + 0.005)
        assert echoes.is_echo(on(40), at_s + 0.01)


def test_a_player_who_doubles_one_key_of_the_box_is_heard_with_its_release() -> None:
    echoes = Echoes()
    for i in range(6):
        at_s = 1.0 + i
        echoes.sent(on(40), at_s)
        assert echoes.is_echo(on(40), at_s + 0.01)
        if i % 2:
            assert not echoes.is_echo(on(40, velocity=100), at_s + 0.1)
            assert not echoes.is_echo(off(40), at_s + 0.3)
        echoes.sent(off(40), at_s + 0.5)
        assert echoes.is_echo(off(40), at_s + 0.51)


def test_another_key_another_velocity_or_another_time_is_the_player() -> None:
    echoes = Echoes(window_s=0.25)
    echoes.sent(on(40), 1.0)
    assert not echoes.is_echo(on(41), 1.01)
    assert not echoes.is_echo(on(40, velocity=65), 1.01)
    assert not echoes.is_echo(off(40), 1.01)
    assert not echoes.is_echo(on(40), 1.3)


def test_messages_that_are_no_notes_are_never_echoes() -> None:
    echoes = Echoes()
    pedal = mido.Message("control_change", control=64, value=127)
    echoes.sent(pedal, 1.0)
    assert not echoes.is_echo(pedal, 1.0)


def test_without_a_keyboard_nothing_piles_up() -> None:
    echoes = Echoes(window_s=0.25)
    for i in range(10_000):
        echoes.sent(mido.Message("note_on", note=60, velocity=64), i * 0.1)
    assert len(echoes._sent) < 5


@pytest.mark.parametrize("late_s", [0.3, 0.7, 1.9])
def test_notes_that_come_back_late_and_unchanged_are_echoes_from_the_third_on(late_s: float) -> None:
    echoes, passed, down = Echoes(), [], set[int]()
    messages = []
    for i in range(12):
        at_s, key = 1.0 + 0.25 * i, 40 + i % 5
        messages += [(at_s, 0, on(key, 60 + 3 * i)), (at_s + 0.2, 0, off(key))]
        jitter_s = 0.01 * (i % 3)
        messages += [(at_s + late_s + jitter_s, 1, on(key, 60 + 3 * i)), (at_s + 0.2 + late_s, 1, off(key))]
    for at_s, comes, message in sorted(messages, key=lambda timed: timed[:2]):
        if not comes:
            echoes.sent(message, at_s)
        elif not echoes.is_echo(message, at_s):
            passed.append(message.type)
            (down.add if message.type == "note_on" else down.discard)(message.note)
    assert passed.count("note_on") == 2 and not down


def test_a_player_who_repeats_the_keys_of_the_box_is_heard() -> None:
    """His velocities differ from those of the box, or his delays from each other."""
    velocities, delays = Echoes(), Echoes()
    for i in range(12):
        at_s, key = 1.0 + 0.5 * i, 40 + i % 5
        velocities.sent(on(key, 60 + i), at_s)
        delays.sent(on(key, 60 + i), at_s)
        assert not velocities.is_echo(on(key, 61 + i), at_s + 0.4)
        assert not delays.is_echo(on(key, 60 + i), at_s + 0.3 + 0.1 * (i % 2))
        assert not velocities.is_echo(off(key), at_s + 0.45) and not delays.is_echo(off(key), at_s + 0.45)


def test_late_echoes_that_stop_coming_are_forgotten() -> None:
    echoes = Echoes()
    for i in range(3):
        echoes.sent(on(40, 60 + i), 1.0 + i)
        assert echoes.is_echo(on(40, 60 + i), 1.6 + i) == (i == 2)
    echoes.sent(on(40, 90), 4.0)  # does not come back
    echoes.sent(on(43, 91), 7.0)
    assert not echoes.is_echo(on(43, 91), 7.6)


def test_a_late_echo_is_not_taken_for_that_of_a_later_strike_of_its_key() -> None:
    echoes, passed, messages = Echoes(), [], []
    for i in range(24):
        # a key that is struck again 0.3 s later, while the echo of its first strike is still on its way
        at_s, key = 1.0 + 0.6 * (i // 2) + 0.3 * (i % 2), 40 if i < 6 and i % 2 else 41 + i // 2
        for late_s in (0.0, 0.5):
            messages += [(at_s + late_s, late_s, on(key, 60)), (at_s + 0.1 + late_s, late_s, off(key))]
    for at_s, late_s, message in sorted(messages, key=lambda timed: timed[:2]):
        if not late_s:
            echoes.sent(message, at_s)
        elif not echoes.is_echo(message, at_s):
            passed.append(message.type)
    assert passed == ["note_on", "note_off"] * 2


def test_a_player_who_strikes_the_key_of_a_late_echo_may_release_it_when_the_echo_would() -> None:
    echoes = Echoes()
    for i in range(3):
        echoes.sent(on(41 + i, 60), 1.0 + i)
        assert echoes.is_echo(on(41 + i, 60), 1.9 + i) == (i == 2)
    echoes.sent(off(43), 3.5)
    assert not echoes.is_echo(on(43, 80), 4.0)
    assert not echoes.is_echo(off(43), 4.4), "the key of the player would stay down"


@pytest.mark.parametrize("channels", [1, 2])
def test_a_player_on_a_keyboard_without_echoes_releases_a_key_just_after_the_box(channels: int) -> None:
    """A layered keyboard sends each stroke on two channels."""
    echoes = Echoes()
    echoes.sent(on(48, 60), 1.0)
    assert not any(echoes.is_echo(on(48, 80, channel), 2.0) for channel in range(channels))
    echoes.sent(off(48), 2.5)
    releases = [mido.Message("note_off", note=48, channel=channel) for channel in range(channels)]
    assert not any(echoes.is_echo(release, 2.6) for release in releases), "the key of the player would stay down"
