"""`lefthand play --real-time` starts each hop when it is due. The tests use a simulated clock."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from device.cli import main
from device.commands import play_request
from device.files.midi_run import LONGEST_SILENCE_S, play_midi
from device.files.play import play_sound
from device.files.real_time import BEHIND_S, RealTime
from device.hearing.resample import Hops
from tests.unit.device.files.test_play import HOP_S, ClickHearing, clicks, engine, note_ons, right_hand

START_S = 5000.0


class Clock:
    """Seconds that pass only while the run waits, and by `work_s` each time that the clock is read."""

    def __init__(self, work_s: float = 0.0) -> None:
        self.now_s, self._work_s = START_S, work_s
        self.waits_s: list[float] = []

    def now(self) -> float:
        self.now_s += self._work_s
        return self.now_s

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.waits_s.append(seconds)
        self.now_s += seconds


def test_each_hop_of_a_sound_starts_when_it_is_due_and_the_notes_stay_the_same(tmp_path: Path) -> None:
    sound, clock, started = clicks(tmp_path / "a.wav", 2.0), Clock(), list[tuple[float, float]]()
    real_time = RealTime(clock.now, clock.sleep)

    def wait(at_s: float) -> None:
        real_time.wait(at_s)
        started.append((at_s, clock.now_s))

    slow = play_sound(engine(ClickHearing()), sound, Hops(sound.rate, 16_000, 256), wait=wait)
    fast = play_sound(engine(ClickHearing()), sound, Hops(sound.rate, 16_000, 256))
    assert len(started) == len(slow.hop_times_s) >= 2.0 / HOP_S
    assert [now_s - START_S for _, now_s in started] == pytest.approx([at_s for at_s, _ in started])
    assert note_ons(slow) == note_ons(fast) and slow.notes == fast.notes
    assert real_time.behind_s < 1e-6 and not real_time.warnings


def test_a_silence_of_a_midi_file_lasts_as_long_as_in_the_file() -> None:
    clock, far_s = Clock(), LONGEST_SILENCE_S * 10
    performance = play_midi(engine(None), right_hand(0.5, far_s), HOP_S, wait=RealTime(clock.now, clock.sleep).wait)
    assert len(performance.hop_times_s) < far_s / HOP_S / 2
    assert clock.now_s - START_S == pytest.approx(far_s + 0.2 + 2 * 4 * 0.5, abs=2 * HOP_S)


def test_a_machine_that_is_too_slow_is_not_held_back_and_says_so() -> None:
    clock = Clock(work_s=2 * HOP_S)
    real_time = RealTime(clock.now, clock.sleep)
    for hop in range(100):
        real_time.wait(hop * HOP_S)
    assert not clock.waits_s
    assert real_time.behind_s == pytest.approx(99 * HOP_S) and real_time.behind_s > BEHIND_S
    assert real_time.warnings == [
        "This machine was up to 1.6 s behind the recording: end other programs, or leave --real-time out."
    ]


def test_the_option_waits_for_a_midi_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mido

    track = mido.MidiTrack()
    for on in (1, 0) * 8:
        track.append(mido.Message("note_on", note=72, velocity=70 * on, time=240))
    mido.MidiFile(tracks=[track], ticks_per_beat=480).save(tmp_path / "a.mid")
    clock = Clock()
    monkeypatch.setattr(play_request, "RealTime", lambda: RealTime(clock.now, clock.sleep))
    for option, least_s in (("--listen", 0.0), ("--real-time", 4.0)):
        ran = CliRunner().invoke(main, ["play", str(tmp_path / "a.mid"), "--listen", option])
        assert ran.exit_code == 0, ran.output
        assert (clock.now_s - START_S >= least_s) and (bool(clock.waits_s) == (option == "--real-time"))
