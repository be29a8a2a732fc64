"""The process that looks at the ports: what it keeps open, and when it opens again. The drivers are stand-ins."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from device.ports import watch
from device.ports.port import Port, SoundInput
from device.ports.watch import LISTEN_S, REST_S, PortLooks, rest_s

KEYS, FOOT, OWN = Port("keys", "JACK", 0), Port("foot", "JACK", 1), Port("lefthand:right hand", "JACK", 2)
TAPE = SoundInput("tape", "JACK", 0, 1, 48_000)
CARD = SoundInput("USB card", "ALSA", 1, 2, 48_000)


class Machine:
    """The ports of a machine, and a list of what was opened (+) and closed (-)."""

    def __init__(self) -> None:
        self.midi, self.sound = [KEYS, OWN], [TAPE, CARD]
        self.done: list[str] = []
        self.works = True
        self.jack = True

    def taken(self) -> list[str]:
        done, self.done = self.done, []
        return done


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()

    class Input:
        opened = True

        def __init__(self, *what: Any) -> None:
            self._name, self.any = what[-1].name, True
            self.opened = machine.works
            machine.done.append(f"+{self._name}")

        def db(self) -> float:
            return -12.0

        def close(self) -> None:
            machine.done.append(f"-{self._name}")

    class Ports:
        def __init__(self, output: bool) -> None: ...

        def refresh(self) -> None: ...

        def close(self) -> None:
            machine.done.append("-lists")

        def ports(self) -> list[Port]:
            return list(machine.midi)

    class Jack:
        def __init__(self) -> None:
            if not machine.jack:
                raise ImportError

        def sources(self) -> frozenset[str]:
            return frozenset(source.name for source in machine.sound if source.api == "JACK")

        def close(self) -> None: ...

    @contextlib.contextmanager
    def portaudio() -> Iterator[str]:
        machine.done.append("+PortAudio")
        yield "PortAudio"
        machine.done.append("-PortAudio")

    monkeypatch.setattr(watch, "_Level", Input)
    monkeypatch.setattr(watch, "_Arrivals", Input)
    monkeypatch.setattr(watch, "MidiPorts", Ports)
    monkeypatch.setattr(watch, "JackClients", Jack)
    monkeypatch.setattr(watch, "portaudio", portaudio)
    monkeypatch.setattr(watch, "sound_inputs", lambda system: list(machine.sound))
    monkeypatch.setattr(watch, "LISTEN_S", 0.0)
    return machine


def test_inputs_on_jack_stay_open_and_a_card_is_open_for_a_moment_of_each_round(machine: Machine) -> None:
    looks = PortLooks(True, threading.Event())
    found = looks.step()
    assert machine.taken() == ["+keys", "+PortAudio", "+tape", "+USB card", "-USB card"]
    assert found["sound_inputs"][1] == {"name": "USB card [ALSA]", "channels": 2, "level_db": -12.0}
    assert found["midi_inputs"] == [{"name": "keys [JACK]", "arrived": True}]
    for _ in range(10):
        assert looks.step() == found
        assert machine.taken() == ["+USB card", "-USB card"]
    looks.close()
    assert machine.taken() == ["-tape", "-PortAudio", "-keys", "-lists", "-lists"]


def test_a_port_that_comes_or_goes_is_seen_and_sound_is_closed_before_midi_is_opened(machine: Machine) -> None:
    machine.sound = [TAPE]
    looks = PortLooks(True, threading.Event())
    looks.step()
    machine.taken()
    machine.midi = [KEYS, FOOT]
    assert [port["name"] for port in looks.step()["midi_inputs"]] == ["keys [JACK]", "foot [JACK]"]
    assert machine.taken() == ["-tape", "-PortAudio", "-keys", "+keys", "+foot", "+PortAudio", "+tape"]
    machine.sound = []
    assert looks.step()["sound_inputs"] == []
    machine.taken()


def test_a_level_that_no_sound_can_have_is_not_shown() -> None:
    pytest.importorskip("pyaudio")
    opened: dict[str, Any] = {}
    level = watch._Level(SimpleNamespace(open=lambda **given: opened.update(given) or object()), CARD)
    for peak in (np.nan, np.inf, 1e37, 0.1):
        opened["stream_callback"](np.full(8, peak, np.float32).tobytes(), 8, None, 0)
    assert level.db() == -20.0


def test_an_input_that_cannot_be_opened_is_looked_for_again(machine: Machine) -> None:
    machine.sound, machine.works = [CARD], False
    looks = PortLooks(True, threading.Event())
    looks.step()
    machine.taken()
    looks.step()
    assert "+PortAudio" in machine.taken()


def test_without_the_right_to_open_nothing_is_opened(machine: Machine) -> None:
    found = PortLooks(False, threading.Event()).step()
    assert machine.taken() == ["+PortAudio"]
    assert found["sound_inputs"][0]["level_db"] is None and found["midi_inputs"][0]["arrived"] is False


def test_a_process_that_is_to_end_opens_nothing_more(machine: Machine) -> None:
    over = threading.Event()
    over.set()
    PortLooks(True, over).step()
    assert machine.taken() == ["+PortAudio"]


def test_without_jack_client_portaudio_starts_again_after_a_while(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.jack, machine.sound = False, []
    now_s = [0.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: now_s[0])
    looks = PortLooks(False, threading.Event())
    looks.step()
    machine.taken()
    looks.step()
    assert machine.taken() == []
    now_s[0] = watch.RENEW_S
    looks.step()
    assert machine.taken() == ["-PortAudio", "+PortAudio"]


def test_a_machine_on_which_opening_takes_long_gets_longer_rests() -> None:
    assert rest_s(LISTEN_S) == REST_S
    assert rest_s(LISTEN_S + 3.0) == pytest.approx(6.0)
