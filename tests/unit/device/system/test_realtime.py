"""The garbage collector is off during play, and the times of hops are counted."""

from __future__ import annotations

import gc
import sys

import pytest

from device.errors import UserError
from device.ports.midi_ports import midi_outputs
from device.ports.sound_inputs import portaudio
from device.status.hop_times import HopTimes
from device.system.realtime import paced, settled


def test_garbage_is_not_collected_while_settled_and_is_afterwards() -> None:
    before_s = sys.getswitchinterval()
    with settled():
        assert not gc.isenabled()
        assert sys.getswitchinterval() < 0.001
    assert gc.isenabled()
    assert sys.getswitchinterval() == before_s


def test_percentiles_of_hop_times_are_right_to_two_bins() -> None:
    times = HopTimes()
    for i in range(1, 101):
        times.add(i * 1e-4)
    times.add(10.0)
    assert times.count == 101
    assert times.percentile_ms(50) == pytest.approx(5.1, abs=2 * HopTimes.BIN_MS)
    assert times.percentile_ms(99) == pytest.approx(10.0, abs=2 * HopTimes.BIN_MS)
    assert times.percentile_ms(100) == HopTimes.BINS * HopTimes.BIN_MS
    assert HopTimes().percentile_ms(99) == 0


def test_paced_numbers_come_when_they_are_due_and_late_ones_at_once() -> None:
    clock, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    came = []
    for number in paced(4, 0.5, lambda: clock[0], sleep):
        came.append((number, clock[0]))
        # the second one takes longer than the next two are away
        clock[0] += 1.2 if number == 1 else 0.1
    assert came == [(0, 100.0), (1, pytest.approx(100.5)), (2, pytest.approx(101.7)), (3, pytest.approx(101.8))]
    assert slept == [pytest.approx(0.4)]


def test_without_the_live_extra_one_sentence_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyaudio", None)
    monkeypatch.setitem(sys.modules, "rtmidi", None)
    with pytest.raises(UserError, match=r"pyaudio is not installed: .*lefthand\[live\]"), portaudio():
        pass
    with pytest.raises(UserError, match=r"python-rtmidi is not installed: .*lefthand\[live\]"):
        midi_outputs()
