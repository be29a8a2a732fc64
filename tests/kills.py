"""Kills a recording at random moments, and reads what is left.

    python -m tests.kills [--kills COUNT] [--seed N] [--folder DIR]

records in a process of its own, from a keyboard and from sound, and kills it with SIGKILL at a random moment between
the first hop and the end. After each kill, everything older than a second must be there. The command prints one line
for each input, and exits with status 1 if anything is missing. `make kills` runs it; the unit tests run a short form.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from device.clock.tempo_map import TICKS_PER_BEAT, TempoMap
from device.events import Event, Note, NoteEnded, NoteHeard, Send
from device.files.midi.file import read_midi, sent_notes
from device.files.results.notes_csv import read_notes
from device.files.sound.file import SoundFile
from device.recording.capture import KEYS, NOTES, SENT, SOUND, CaptureSettings, how_captured

ROOT = Path(__file__).parents[1]
Kind = Literal["keyboard", "sound"]
RATE, HOP = 16_000, 256
HOP_S = HOP / RATE
TICKS = TempoMap(TICKS_PER_BEAT)
HOW = CaptureSettings(clock="fixed", tempo=100.0, meter="4/4", count_in=None, bundle="", hears_itself=True)
LOST_S = 1.0
"""Seconds before the kill that may be missing."""
LEAD_S = 0.2
"""Seconds before its time at which the left hand's message is decided."""
END_S = 0.01
"""Seconds after the begin of the end within which a kill meets the end: it takes 3 ms here, more on a slow machine."""
MEMORY = Path("/dev/shm")  # noqa: S108
"""A file system in memory. A kill loses nothing that the system has, so the disk does not matter; it may only pause."""


@dataclass(frozen=True)
class Hop:
    """A hop of the simulated run: its stream time, and the events of the engine."""

    now_s: float
    events: list[Event]


def hops(until_s: float, seed: int = 1) -> Iterator[Hop]:
    """Yield a run of an engine: seven right-hand notes a second of up to 3 s, and a left hand."""
    rng = random.Random(seed)
    ends: list[tuple[float, NoteHeard]] = []
    now_s = -1.0
    for index in range(1, round(until_s / HOP_S) + 1):
        before_s, now_s = now_s, index * HOP_S
        events: list[Event] = []
        for off_s, heard in [end for end in ends if end[0] <= now_s]:
            ends.remove((off_s, heard))
            events.append(NoteEnded(heard.note.pitch, heard.note.onset_s, off_s, decided_s=off_s))
        if rng.random() < 7 * HOP_S:
            at_s = TICKS.seconds(TICKS.tick(max(before_s, 0.0) + 0.6 * HOP_S))
            pitch = rng.choice([pitch for pitch in range(55, 105) if pitch not in {e[1].note.pitch for e in ends}])
            heard = NoteHeard(Note(at_s, None, pitch, rng.randrange(1, 128), 1.0, at_s, "right"))
            events.append(heard)
            ends.append((TICKS.seconds(TICKS.tick(at_s + rng.choice([0.05, 0.3, 3.0]))), heard))
        if index % 16 == 0:
            due_s = now_s + LEAD_S
            pitch = rng.randrange(28, 55)
            events.append(Send(due_s, now_s, "note_on", pitch, rng.randrange(1, 128)))
            events.append(Send(due_s + 0.1, now_s, "note_off", pitch, 0))
        yield Hop(now_s, events)


def sound_of(start: int, count: int) -> NDArray[np.float32]:
    """Return samples of a sound in which each sample says where it is, float32[count]."""
    return ((np.arange(start, start + count) * 7919) % 65_521 / 65_521).astype(np.float32)


# the process that is killed


class QuietEngine:
    """An engine that decides nothing more at the end."""

    hearing = None

    def step(self, *_: object) -> list[Event]:
        return []

    def finish(self, now_s: float) -> list[Event]:
        return []


def record(kind: Kind, folder: Path, before_s: float, live_s: float) -> None:
    """Record `before_s` seconds of the run as fast as possible and `live_s` in real time, then end the recording.

    Writes the stream time of each hop of the second part to stdout, and at the end the seconds that the end took.
    """
    from device.recording.recorder import QUEUE_BLOCKS, Recording

    kept = Recording(folder, HOW, RATE if kind == "sound" else None, HOP_S, most_bytes=2**40)
    is_live = False
    for hop in hops(before_s + live_s):
        if hop.now_s > before_s and not is_live:
            # what came in the last second may be lost, and the first part came in less
            is_live = True
            time.sleep(LOST_S)
        if kind == "sound":
            kept.sound(sound_of(round(hop.now_s * RATE) - HOP, HOP))
        kept.collect(hop.events, hop.now_s)
        if is_live:
            os.write(1, f"{hop.now_s:.3f}\n".encode())
            time.sleep(HOP_S)
        while kept._waiting.qsize() > QUEUE_BLOCKS // 2:
            time.sleep(0.001)
    source: Any = SimpleNamespace(finish=list, silence=list, input_s=hop.now_s)
    while kept._waiting.qsize():
        time.sleep(0.001)
    os.write(1, b"ending\n")
    began_s = time.monotonic()
    engine: Any = QuietEngine()
    kept.finish(engine, source, hop.now_s)
    os.write(1, f"ended {time.monotonic() - began_s:.3f}\n".encode())


@dataclass(frozen=True)
class Killed:
    """Describes a killed process: its folder, the stream time of its last hop, and the seconds of its end, or None."""

    folder: Path
    fed_s: float
    ended_s: float | None


def kill(kind: Kind, folder: Path, before_s: float, live_s: float, after_s: float, at_end: bool = False) -> Killed:
    """Start a recording, and kill it `after_s` seconds after the first hop in real time, or after its end began."""
    command = [sys.executable, "-m", "tests.kills", "--record", kind, str(folder), str(before_s), str(live_s)]
    # the worktree's packages, not the installed ones
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert child.stdout is not None
    with contextlib.ExitStack() as stack:
        stack.callback(child.stdout.close)
        said = os.read(child.stdout.fileno(), 65_536)
        while at_end and b"ending" not in said:
            said += os.read(child.stdout.fileno(), 65_536)
        until_s = time.monotonic() + after_s
        while (left_s := until_s - time.monotonic()) > 0:
            if select.select([child.stdout], [], [], left_s)[0]:
                more = os.read(child.stdout.fileno(), 65_536)
                said += more
                if not more:
                    break
        child.send_signal(signal.SIGKILL)
        said += child.stdout.read()
        child.wait()
    lines = said.decode().splitlines()
    times = [float(line) for line in lines if not line.startswith("end")]
    ended = [float(line.split()[1]) for line in lines if line.startswith("ended ")]
    assert times, "the recording ended before its first hop in real time"
    return Killed(folder, times[-1], ended[0] if ended else None)


# what is left


@cache
def run(until_s: float) -> list[Hop]:
    return list(hops(until_s))


def check(kind: Kind, folder: Path, fed_s: float, until_s: float, lost_s: float = LOST_S) -> None:
    """Raise AssertionError if the capture in `folder` lacks anything that is older than `lost_s`.

    `fed_s` is the stream time that it had reached, of a run of `until_s`.
    """
    sure_s = fed_s - lost_s
    events = [event for hop in run(until_s) if hop.now_s <= fed_s + HOP_S for event in hop.events]
    capture = folder / (SOUND if kind == "sound" else KEYS)
    if sure_s > 0:
        assert how_captured(capture) == HOW
    _check_notes(folder, events, sure_s)
    if kind == "sound":
        _check_sound(capture, sure_s)
    else:
        _check_keys(capture, events, sure_s)
    wanted = {(e.pitch, TICKS.tick(e.due_s)) for e in events if isinstance(e, Send) and e.kind == "note_on"}
    sure = {(pitch, tick) for pitch, tick in wanted if TICKS.seconds(tick) <= sure_s}
    found = {(pitch, TICKS.tick(on_s)) for pitch, on_s, _ in sent_notes(folder / SENT)} if sure else set()
    assert sure <= found <= wanted, f"sent messages are missing: {sorted(sure - found)[:3]}"


def _check_notes(folder: Path, events: list[Event], sure_s: float) -> None:
    heard = {(e.note.pitch, round(e.note.onset_s, 6)): e.note for e in events if isinstance(e, NoteHeard)}
    ended = {(e.pitch, round(e.onset_s, 6)): e for e in events if isinstance(e, NoteEnded)}
    sure = {key for key, note in heard.items() if note.decided_s <= sure_s}
    found = {(note.pitch, note.onset_s): note for note in (read_notes(folder / NOTES) if sure else [])}
    assert sure <= set(found) <= set(heard), f"notes are missing: {sorted(sure - set(found))[:3]}"
    for key in sure:
        end_s = ended[key].offset_s if key in ended else None
        assert found[key].velocity == heard[key].velocity
        if end_s is not None and end_s <= sure_s:
            assert found[key].offset_s == round(end_s, 6), key


def _check_keys(capture: Path, events: list[Event], sure_s: float) -> None:
    wanted = {(e.note.pitch, TICKS.tick(e.note.onset_s)) for e in events if isinstance(e, NoteHeard)}
    sure = {(pitch, tick) for pitch, tick in wanted if TICKS.seconds(tick) <= sure_s}
    notes = read_midi(capture).part().notes if sure else ()
    found = {(note.pitch, TICKS.tick(note.onset_s)) for note in notes}
    assert sure <= found <= wanted, f"keys are missing: {sorted(sure - found)[:3]}"


def _check_sound(capture: Path, sure_s: float) -> None:
    if sure_s <= 0:
        return
    at = 0
    for block in SoundFile(capture).blocks(2**20):
        sure = block[: max(0, round(sure_s * RATE) - at)]
        assert np.array_equal(sure, sound_of(at, len(sure))), f"the sound differs after sample {at}"
        at += len(block)
    assert at >= sure_s * RATE, f"the sound ends after {at / RATE:.3f} s, {sure_s:.3f} s must be there"


def kills(kind: Kind, count: int, before_s: float, live_s: float, seed: int, root: Path, jobs: int) -> list[Killed]:
    """Kill `count` recordings, every fourth while it ends, and check each."""
    rng = random.Random(seed)
    at_end = [number % 4 == 3 for number in range(count)]
    moments = [rng.uniform(0, END_S if at_end[number] else live_s) for number in range(count)]

    def one(number: int) -> Killed:
        folder = root / f"{kind}-{number}"
        try:
            killed = kill(kind, folder, before_s, live_s, moments[number], at_end[number])
            try:
                check(kind, folder, killed.fed_s, before_s + live_s)
            except AssertionError as error:
                raise AssertionError(f"{kind}, kill {number} after {killed.fed_s:.2f} s: {error}") from error
            return killed
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, range(count)))


def main() -> None:
    if sys.argv[1:2] == ["--record"]:
        kind, folder, before_s, live_s = sys.argv[2:]
        record("sound" if kind == "sound" else "keyboard", Path(folder), float(before_s), float(live_s))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, metavar="COUNT", help="kills in all, half for each input")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=6, metavar="N", help="recordings at a time")
    parser.add_argument("--folder", type=Path, default=MEMORY if MEMORY.is_dir() else None, metavar="DIR")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=wanted.folder) as folder:
        for kind, before_s in (("keyboard", 5400.0), ("sound", 300.0)):
            which: Kind = "sound" if kind == "sound" else "keyboard"
            killed = kills(which, wanted.kills // 2, before_s, 4.0, wanted.seed, Path(folder), wanted.jobs)
            ends = sorted(one.ended_s for one in killed if one.ended_s is not None)
            after = f"{len(ends)} after the end, which took at most {max(ends):.2f} s" if ends else "none after the end"
            print(f"{kind}: {len(killed)} kills of a recording of {before_s / 60:g} min, {after}: nothing older than "
                  f"{LOST_S:g} s is missing", flush=True)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for which in ("keyboard", "sound"):
            ended = kill(which, Path(folder) / which, 5400.0, 0.1, 600.0)
            assert ended.ended_s is not None
            check(which, ended.folder, ended.fed_s, 5400.1, lost_s=0.0)
            print(f"{which}: the end of a recording of 1.5 hours, on the disk, took {ended.ended_s:.2f} s", flush=True)


if __name__ == "__main__":
    main()
