"""Captures: `play` of a capture gives the same notes, at whatever point the run was stopped."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from device.clock.fixed_clock import FixedClock
from device.clock.meter import Meter
from device.clock.step import Step
from device.engine import Engine
from device.errors import UserError
from device.events import KEYS, Note, NoteEnded
from device.files.midi.file import sent_notes, write_midi
from device.files.play import play_sound
from device.files.results.notes_csv import read_notes, write_notes
from device.files.sound.file import SoundFile
from device.hearing.features import FeatureSpec
from device.hearing.gate_spec import GateSpec
from device.hearing.pipeline import Hearing
from device.hearing.resample import Hops
from device.hearing.transcriber import FRAME, ONSET, VELOCITY
from device.inputs.source import Feed
from device.left_hand.performer import Move, Strike
from device.ports.port import Port
from device.recording import recorder
from device.recording.capture import Capture, CaptureSettings, how_captured
from device.recording.recorder import Recording
from device.recording.tape import Tape
from device.settings.config import parse_config
from tests.unit.helpers.patience import patiently

RATE, BLOCK = 48_000, 441
SPEC = FeatureSpec()
HOW = CaptureSettings(clock="fixed", tempo=100.0, meter="4/4", count_in=None, bundle="", hears_itself=True)


class ToyTranscriber:
    """Posteriors from the levels of the keys' bands, raised slightly at the keys that the box itself plays."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._past = np.zeros(KEYS, np.float32)

    def step(self, **inputs: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        level = inputs["x"].reshape(-1, SPEC.channels)[1 : 3 * KEYS : 3, 1]
        own = inputs["own"].reshape(KEYS, 2)[:, 0]
        y = np.zeros((KEYS, 4), np.float32)
        y[:, ONSET] = (level > 0.62) & (level - self._past > 0.05)
        y[:, FRAME] = level > 0.62
        y[:, VELOCITY] = level * (1 - 0.2 * own.max())
        self._past = level.copy()
        return {"y": y}


class ToyHand:
    """Strikes a fifth on every beat and releases it on the next."""

    def hear(self, note: Note) -> None: ...

    def end(self, ended: NoteEnded) -> None: ...

    def reset(self) -> None: ...

    def play(self, step: Step) -> Move:
        if not step.is_beat:
            return Move(None, [], [], None)
        return Move("C", [Strike(step.time_s, pitch, 70, None) for pitch in (36, 43)], [36, 43], None)


class ArraySource:
    """A sound input that reads from an array."""

    port = Port("array", "test", 0)

    def __init__(self, sound: NDArray[np.float32], recording: Recording | Tape) -> None:
        self._blocks = [sound[i : i + BLOCK] for i in range(0, len(sound), BLOCK)]
        self._recording = recording
        self._hops = Hops(RATE, SPEC.sample_rate, SPEC.hop)
        self.input_s = 0.0

    def read(self) -> list[Feed]:
        block = self._blocks.pop(0)
        self._recording.sound(block)
        hops = self._hops.push(block)
        self.input_s = self._hops.pushed_s
        return [(hop, now_s, []) for hop, now_s in hops]

    def finish(self) -> list[Feed]:
        return [(hop, now_s, []) for hop, now_s in self._hops.flush()]

    def silence(self) -> list[Feed]:
        return [(hop, now_s, []) for hop, now_s in self._hops.push(np.zeros(SPEC.hop, np.float32))]

    def close(self) -> None: ...

    @property
    def over(self) -> bool:
        return not self._blocks


def engine() -> Engine:
    hearing = Hearing(SPEC, GateSpec(), ToyTranscriber())
    return Engine(clock=FixedClock(100.0, Meter(4, 4)), hearing=hearing, player=ToyHand(), hears_itself=True)


def tones() -> NDArray[np.float32]:
    """Four decaying tones, half a second apart."""
    t = np.arange(RATE // 2) / RATE
    sound = [0.3 * np.exp(-4 * t) * np.sin(2 * np.pi * hertz * t) for hertz in (440.0, 523.25, 587.33, 659.26)]
    return np.concatenate([np.zeros(RATE // 4), *sound]).astype(np.float32)


def recorded(sound: NDArray[np.float32], folder: Path) -> None:
    """Record a run of the box on `sound`."""
    kept, box, now_s = Recording(folder, HOW, RATE, SPEC.hop_s), engine(), 0.0
    source = ArraySource(sound, kept)
    while not source.over:
        for hop, now_s, midi in source.read():
            kept.collect(box.step(hop, now_s, midi), now_s)
    kept.finish(box, source, now_s)


@pytest.mark.parametrize("samples", [100, 12_000, 40_000, 40_321, 41_000, 66_000, 90_001, 108_000])
def test_play_of_a_capture_gives_the_same_wherever_the_run_was_stopped(samples: int, tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    recorded(tones()[:samples], capture)
    sound = SoundFile(capture / "capture.wav", is_capture=True)
    again = play_sound(engine(), sound, Hops(sound.rate, SPEC.sample_rate, SPEC.hop))
    write_notes(tmp_path / "again.csv", again.notes)
    notes = read_notes(capture / "notes.csv")
    assert read_notes(tmp_path / "again.csv") == notes
    write_midi(tmp_path / "again.mid", again.sends)
    assert sent_notes(tmp_path / "again.mid") == sent_notes(capture / "sent.mid")
    assert bool(notes) == (samples > 15_000)
    beats = [line.split(",") for line in (capture / "beats.csv").read_text().splitlines()[1:]]
    same = [[f"{beat.time_s:.3f}", str(beat.position), f"{beat.lock:.3f}"] for beat in again.beats]
    assert beats == same[: len(beats)] and (beats or samples < 15_000)


def test_the_settings_of_a_run_are_found_beside_its_capture_alone(tmp_path: Path) -> None:
    recorded(tones()[:1000], tmp_path / "capture")
    assert how_captured(tmp_path / "capture" / "capture.wav") == HOW
    assert how_captured(tmp_path / "capture" / "other.wav") is None
    assert how_captured(tmp_path / "capture.wav") is None


def test_a_capture_is_not_written_over(tmp_path: Path) -> None:
    recorded(tones()[:1000], tmp_path)
    with pytest.raises(UserError, match="exists already"):
        Recording(tmp_path, HOW, RATE, SPEC.hop_s)


def test_a_disk_too_slow_ends_the_capture_and_is_told_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "QUEUE_BLOCKS", 1)
    kept = Recording(tmp_path, HOW, RATE, SPEC.hop_s)
    for _ in range(10_000):
        kept.sound(np.zeros(BLOCK, np.float32))
    with pytest.raises(UserError, match=r"capture\.wav ends early \(the disk is too slow\)"):
        kept.close()
    assert (tmp_path / "notes.csv").exists()


def test_a_full_recording_is_whole_and_playing_goes_on(tmp_path: Path) -> None:
    sound = tones()
    kept = Recording(tmp_path, HOW, RATE, SPEC.hop_s, most_bytes=len(sound) * 2)
    box, source, now_s = engine(), ArraySource(sound, kept), 0.0
    while not source.over:
        for hop, now_s, midi in source.read():
            kept.collect(box.step(hop, now_s, midi), now_s)
    kept.finish(box, source, now_s)
    captured = SoundFile(tmp_path / "capture.wav").read()
    assert len(sound) * 0.4 < len(captured) <= len(sound) / 2
    assert np.array_equal(captured, sound[: len(captured)])
    notes = read_notes(tmp_path / "notes.csv")
    assert notes
    assert all(note.decided_s <= len(captured) / RATE for note in notes)


@pytest.mark.parametrize("most_bytes", [200_000, 10_000_000])
def test_the_log_has_the_length_of_what_was_captured(
    most_bytes: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lefthand")
    config = parse_config('[audio]\ninput = "mic"\n[midi]\noutput = "synth"\n', "the test")
    tape, sound = Tape(config, Capture(tmp_path / "take", most_bytes), SPEC.hop_s, service=True), tones()
    hearing = Hearing(SPEC, GateSpec(), ToyTranscriber())
    box, now_s = Engine(clock=FixedClock(100.0, Meter(4, 4)), hearing=hearing, player=None), 0.0
    source = ArraySource(sound, tape)
    tape.begin(RATE, box)
    while not source.over:
        for hop, now_s, midi in source.read():
            tape.collect(box.step(hop, now_s, midi), now_s)
    tape.end(box, source, now_s, whole=True)  # type: ignore[arg-type]
    captured = len(SoundFile(tmp_path / "take" / "capture.wav").read()) / RATE
    assert (captured < source.input_s / 2) == (most_bytes == 200_000)
    early = ", which ended early" if most_bytes == 200_000 else ""
    assert caplog.messages[-1] == f"captured {captured:.1f} s in {tmp_path / 'take'}{early}"


def test_a_disk_that_is_full_ends_the_recording_and_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def write(descriptor: int, content: object) -> int:
        raise OSError(28, "No space left on device")

    kept = Recording(tmp_path, HOW, RATE, SPEC.hop_s)
    monkeypatch.setattr(os, "write", write)

    def is_noticed() -> bool:
        kept.sound(np.zeros(BLOCK, np.float32))
        return bool(caplog.records)

    patiently(is_noticed, "the recording ends")
    assert "ends early ([Errno 28] No space left on device); playing goes on" in caplog.text
    kept.sound(np.zeros(BLOCK, np.float32))
    with pytest.raises(UserError, match="ends early"):
        kept.close()


def test_what_others_need_of_the_disk_is_left_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder.shutil, "disk_usage", lambda path: SimpleNamespace(free=recorder.KEPT_FREE + 10_000))
    kept = Recording(tmp_path, HOW, RATE, SPEC.hop_s)
    for _ in range(1000):
        kept.sound(np.zeros(BLOCK, np.float32))
    kept.close()
    assert (tmp_path / "capture.wav").stat().st_size < 12_000
