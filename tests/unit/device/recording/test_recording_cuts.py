"""A recording that is cut off: by SIGKILL, and by power cuts that lose what was not synced. The last second may go."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from device.errors import UserError
from device.files.midi.file import read_midi
from device.recording.capture import how_captured
from device.recording.capture_writer import CaptureWriter, InputEnd
from device.recording.folder import CaptureFolder
from tests.kills import HOP, HOW, LOST_S, MEMORY, RATE, Kind, check, hops, kills, sound_of

RUN_S = 3.0
KINDS: list[Kind] = ["keyboard", "sound"]
REAL: dict[str, Any] = {
    name: getattr(os, name) for name in ("open", "write", "pwrite", "fdatasync", "fsync", "mkdir", "close")
}
CHANGES = ("open", "write", "pwrite", "fdatasync", "fsync", "mkdir")


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_recording_keeps_all_but_the_last_second(kind: Kind) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        assert len(kills(kind, 4, 10.0, 1.0, 1, Path(folder), 4)) == 4


class PowerCutError(BaseException):
    """The power is cut."""


class Disk:
    """Counts the changes of the disk and cuts the power at number `last`. `lose` then takes what was not synced."""

    def __init__(self, last: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self._last, self._rng = 0, last, random.Random(seed)
        self._paths: dict[int, Path] = {}
        self._synced: dict[int, bytes] = {}
        self._unsynced_names: dict[Path, list[Path]] = {}
        self._patch, self._is_cut = monkeypatch, False
        for name in CHANGES:
            monkeypatch.setattr(os, name, self._counted(name))
        monkeypatch.setattr(os, "close", self._close)

    def _counted(self, name: str) -> Callable[..., Any]:
        def changed(*arguments: Any, **keywords: Any) -> Any:
            makes = name == "mkdir" or (name == "open" and arguments[1] & os.O_CREAT)
            if makes or name != "open":
                self.count += 1
                if self.count == self._last:
                    self._is_cut = True
                    raise PowerCutError
            result = REAL[name](*arguments, **keywords)
            path = Path(arguments[0]) if name in ("open", "mkdir") else Path()
            if name == "open":
                if "dir_fd" in keywords:
                    path = self._paths[keywords["dir_fd"]] / path
                self._paths[result] = path
                if makes:
                    self._synced[result] = b""
            elif name == "fdatasync":
                self._synced[arguments[0]] = self._paths[arguments[0]].read_bytes()
            elif name == "fsync":
                self._unsynced_names.pop(self._paths[arguments[0]], None)
            if makes:
                self._unsynced_names.setdefault(path.parent, []).append(path)
            return result

        return changed

    def _close(self, descriptor: int) -> None:
        if self._is_cut:
            return
        if descriptor in self._synced:
            path = self._paths[descriptor]
            assert self._synced.pop(descriptor) == path.read_bytes(), f"{path} was closed without fdatasync"
        self._paths.pop(descriptor, None)
        REAL["close"](descriptor)

    def lose(self) -> None:
        """Lose any part of what was not synced."""
        self._patch.undo()
        for descriptor, synced in self._synced.items():
            path = self._paths[descriptor]
            path.write_bytes(self._left(synced, path.read_bytes()))
        for paths in self._unsynced_names.values():
            for path in paths:
                if self._rng.random() < 0.5:
                    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        for descriptor in self._paths:
            REAL["close"](descriptor)

    def _left(self, synced: bytes, written: bytes) -> bytes:
        """Return bytes that a disk may hold: a prefix of the new ones, the rest missing or zero; any old ones."""
        rng, size = self._rng, len(synced)
        old = written[:size] if rng.random() < 0.5 else synced
        more = written[size:]
        prefix = more[: rng.choice([0, rng.randint(0, len(more)), len(more)])]
        fate = rng.choice(["missing", "zero", "hole"])
        if fate == "missing":
            return old + prefix
        if fate == "zero":
            return old + prefix + bytes(len(more) - len(prefix))
        # the last block reached the disk before those before it
        hole = rng.randint(0, len(more))
        return old + bytes(hole) + more[hole:]


def record(kind: Kind, folder: Path, reached: list[float]) -> None:
    """Record RUN_S of a run, in stream time. `reached` receives the stream time of each hop."""
    writer = CaptureWriter(CaptureFolder(folder), HOW, RATE if kind == "sound" else None)
    for hop in hops(RUN_S):
        writer.step(hop.now_s)
        if kind == "sound":
            writer.sound(sound_of(round(hop.now_s * RATE) - HOP, HOP))
        writer.collect(hop.events)
        writer.reached(hop.now_s)
        reached.append(hop.now_s)
    writer.end(InputEnd([], hop.now_s, hop.now_s + 2.0))


@pytest.mark.parametrize("kind", KINDS)
def test_a_power_cut_at_any_change_of_the_disk_keeps_all_but_the_last_second(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts = 0
    for last in range(1, 10_000):
        for seed in range(3):
            folder, reached = tmp_path / "makes" / "capture", [0.0]
            shutil.rmtree(tmp_path / "makes", ignore_errors=True)
            disk = Disk(last, seed, monkeypatch)
            try:
                record(kind, folder, reached)
            except PowerCutError:
                cuts += 1
            else:
                monkeypatch.undo()
                check(kind, folder, reached[-1], RUN_S, lost_s=0.0)
                assert cuts > 100
                return
            disk.lose()
            try:
                check(kind, folder, reached[-1], RUN_S)
            except AssertionError as error:
                raise AssertionError(f"cut {last} after {reached[-1]:.2f} s, seed {seed}: {error}") from error
    raise AssertionError("the recording never ended")


def test_the_end_changes_as_little_of_the_disk_after_a_long_recording_as_after_a_short_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time of the end depends on the machine; what it writes does not."""
    took: list[tuple[int, int]] = []
    for number, seconds in enumerate((10.0, 200.0)):
        writer = CaptureWriter(CaptureFolder(tmp_path / str(number)), HOW, None)
        for hop in hops(seconds):
            writer.collect(hop.events)
            writer.reached(hop.now_s)
            writer.step(hop.now_s)
        calls: list[int] = []

        def write(descriptor: int, content: bytes, calls: list[int] = calls) -> int:
            calls.append(len(content))
            written: int = REAL["write"](descriptor, content)
            return written

        with monkeypatch.context() as patched:
            patched.setattr(os, "write", write)
            writer.end(InputEnd([], hop.now_s, hop.now_s + 2.0))
        took.append((len(calls), sum(calls)))
    short, long = took
    assert long[0] <= short[0] + 1
    assert long[1] <= short[1] + 500, "the bytes of half a second of notes"


def test_a_keyboards_capture_that_an_older_version_left_cut_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "capture.json").write_text("{}")
    (tmp_path / ".told").write_bytes(b"\x80\x05")
    with pytest.raises(UserError, match=r"capture\.mid was never written: an older lefthand was cut off"):
        how_captured(tmp_path / "capture.mid")


def test_a_midi_file_of_another_program_that_is_cut_is_read_to_the_cut_with_a_warning(tmp_path: Path) -> None:
    record("keyboard", tmp_path / "capture", [])
    content = (tmp_path / "capture" / "capture.mid").read_bytes()
    (tmp_path / "cut.mid").write_bytes(content[: len(content) // 2])
    whole, cut = read_midi(tmp_path / "capture" / "capture.mid"), read_midi(tmp_path / "cut.mid")
    struck = [(note.onset_s, note.pitch, note.velocity) for note in cut.part().notes]
    assert len(struck) > 5
    assert struck == [(note.onset_s, note.pitch, note.velocity) for note in whole.part().notes][: len(struck)]
    assert any("a track that is cut short" in warning for warning in cut.warnings)


def test_the_constants_leave_room_within_the_last_second() -> None:
    from device.recording.capture_writer import LAG_S, SYNC_S
    from device.recording.recorder import WAIT_S

    assert SYNC_S + LAG_S + 2 * WAIT_S < LOST_S
