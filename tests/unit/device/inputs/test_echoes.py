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
