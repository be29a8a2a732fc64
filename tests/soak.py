"""The long run: live on JACK, music at full speed through the engine, random faults at the session's seams.

    python -m tests.soak [--live SECONDS] [--music SECONDS] [--faults COUNT] [--seed N]

prints one table, part by part, and exits with status 1 if a figure exceeds its limit. The host and unit tests use the
same parts, shortened.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import platform
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "host"), str(ROOT / "tests" / "unit")]

from device.events import Event, NoteHeard, Send  # noqa: E402
from tests.pace import TIMED, within  # noqa: E402

DEMO = ROOT / "demo" / "right-hand.flac"
SETTLED = 0.1
"""Share of the time after which the growth of memory is measured. By then every buffer has reached its size."""
DUE_MS = 5.0
"""Limit in milliseconds for the 99th percentile of how far messages are from their due times."""
READY_S = 2.0
"""Limit in seconds from the start of the process to READY."""
LATE = 4.0
"""If an idle thread is late by more than a quarter of a limit, the limit is this many times its lateness."""
HOP_OVER_MODEL = 20.0
"""Limit of a hop's 99th percentile, in medians of its features and transcriber alone. Measured values are 5 to 8.

This limit applies on slow machines, where it is longer than a quarter of a hop.
"""
PAUSE_S = 4.0
"""Seconds between two rounds of the demo. The box ends its playing in this pause; a count-in begins the next round."""


@dataclass(frozen=True)
class Figure:
    """A line of the table: a measured figure and its limit."""

    part: str
    name: str
    value: str
    limit: str
    good: bool
    of_speed: bool = False
    """Whether a slow or busy machine alone can miss the limit. The short form judges these only in `make timed`."""


def music(seconds: float, rate: int) -> NDArray[np.float32]:
    """Return the demo, repeated, as float32[seconds * rate]."""
    import soundfile
    import soxr

    sound, own_rate = soundfile.read(DEMO, dtype="float32")
    once = np.concatenate([soxr.resample(sound, own_rate, rate), np.zeros(round(PAUSE_S * rate), np.float32)])
    return np.tile(once, int(np.ceil(seconds * rate / len(once))))[: round(seconds * rate)].astype(np.float32)


def missed(figures: list[Figure]) -> list[Figure]:
    """Return the figures that miss their limits. Those that depend on the machine's speed count in `make timed`."""
    return [figure for figure in figures if not figure.good and (TIMED or not figure.of_speed)]


# live


def live(seconds: float, folder: Path) -> list[Figure]:
    """Run `lefthand run --wait` for `seconds` on a JACK server, with a tape and an instrument."""
    import soundfile
    from jackserver import PERIOD, RATE, JackServer
    from rig import HERE, Bare, Instrument, Process, Service, down_after

    tape_file = folder / "tape.wav"
    soundfile.write(tape_file, music(seconds, RATE), RATE, subtype="FLOAT")
    server = JackServer(folder, f"lefthand-soak-{os.getpid()}")
    with contextlib.ExitStack() as stack:
        stack.callback(server.stop)
        server.start()
        synth = Instrument("synth", server.env)
        stack.callback(synth.close)
        tape = Process([sys.executable, str(HERE / "tape.py"), str(tape_file)], server.env)
        stack.callback(tape.close)
        tape.wait_for("ready")
        settings = '[audio]\ninput = "tape"\n[midi]\noutput = "synth in"\n'
        box = Service(settings, folder, server.env, "--record", str(folder / "takes"))
        stack.callback(box.close)
        ready_s, ready_limit_s = _until_ready(box), within(READY_S)
        box.wait_until("playing")
        tape.say("play")
        bare = Bare(server.env)
        stack.callback(bare.close)
        watched = _Watched(box.child.pid)
        for _ in watched.each_second(seconds):
            status = box.status
            watched.take(status.rss_mb, status.fds, status.clients or 0)
        # on a busy machine the server may stop for a while, and then the tape ends later
        tape.wait_for("over")
        status = box.status
        late = bare.late_ms()
        late_ms = late["p99"]
        began_s = time.monotonic()
        exit_code = box.end(signal.SIGTERM)
        ended_s = time.monotonic() - began_s
        received = synth.received
    captured, _ = soundfile.read(folder / "takes" / "001" / "capture.wav", dtype="float32")
    lost = _lost_samples(captured, music(seconds, RATE))
    hop = round(status.hop.length_ms / 1e3 * RATE)
    ours = server.log.count("XRun: client = PortAudio") + server.log.count("XRun: client = lefthand")
    struck = sum(kind == "note_on" for _, kind, _, _ in received)
    part = f"live, {seconds / 60:g} min"
    # if even an idle thread waits for longer than a period, every program loses sound
    steady = late["most"] < 1e3 * PERIOD / RATE
    # an input that a busy machine stops for a second is opened again
    restarted = "audio input lost" in status.faults
    # a hop takes longer on a slower machine
    hop_limit_ms = max(within(status.hop.length_ms / 4), LATE * late_ms)
    due_limit_ms = max(DUE_MS, LATE * late_ms)

    def figure(name: str, value: str, limit: str, good: bool, of_speed: bool = False) -> Figure:
        return Figure(part, name, value, limit, good, of_speed)

    return [
        figure("cold start to READY", f"{ready_s:.2f} s", f"{ready_limit_s:.1f} s", ready_s <= ready_limit_s, True),
        figure("hops", str(status.hop.count), "", status.hop.count > 0.9 * seconds * 1e3 / status.hop.length_ms, True),
        figure("lost hops", str(-(-lost // hop)), "0" if steady else "", lost == 0 or not steady, True),
        figure("xruns caused by the box", str(ours), "0" if steady else "", ours == 0 or not steady, True),
        figure("xruns told by the server", str(status.audio.xruns), "", True),
        figure("hop p50", f"{status.hop.p50_ms:.2f} ms", "", True),
        figure("a bare real-time thread's lateness p99", f"{late_ms:.2f} ms", "", True),
        figure("a bare real-time thread's lateness at most", f"{late['most']:.2f} ms", "", True),
        figure(
            "hop p99", f"{status.hop.p99_ms:.2f} ms", f"{hop_limit_ms:.1f} ms", status.hop.p99_ms <= hop_limit_ms, True
        ),
        figure("notes sent", str(struck), "", struck > 0),
        figure(
            "due-time error p99",
            "none sent" if status.send_p99_ms is None else f"{status.send_p99_ms:.2f} ms",
            f"{due_limit_ms:.1f} ms",
            status.send_p99_ms is not None and status.send_p99_ms <= due_limit_ms,
            True,
        ),
        figure("faults", ", ".join(f"{k}: {n}" for k, n in status.faults.items()) or "none", "", True),
        figure("CPU share of one core", f"{100 * watched.cpu_share:.1f} %", "", True),
        figure("RSS at the end", f"{watched.rss_mb[-1]:.1f} MB", "", True),
        figure("RSS by the minute", ", ".join(f"{mb:.1f}" for mb in watched.rss_mb[::60]) + " MB", "", True),
        figure("RSS, highest less first", f"{watched.growth_mb:.1f} MB", "2 MB", watched.growth_mb <= 2.0),
        figure("file descriptors", _range(watched.fds), "constant", len(set(watched.fds)) == 1, restarted),
        figure("MIDI clients", _range(watched.clients), "constant", len(set(watched.clients)) == 1, restarted),
        figure("keys down at the end", str(len(down_after(received))), "0", not down_after(received)),
        figure("SIGTERM to exit, after writing the capture", f"{ended_s:.2f} s", "", exit_code == 0),
    ]


class _Watched:
    """Records memory, file descriptors and MIDI clients of a process once a second, and its processor time."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.rss_mb: list[float] = []
        self.fds: list[int] = []
        self.clients: list[int] = []

    def each_second(self, seconds: float) -> Iterator[None]:
        began_s, cpu_s = time.monotonic(), self._cpu_s()
        while (now_s := time.monotonic()) < began_s + seconds:
            if now_s >= began_s + SETTLED * seconds:
                yield
            time.sleep(1.0)
        self.cpu_share = (self._cpu_s() - cpu_s) / (time.monotonic() - began_s)

    def take(self, rss_mb: float, fds: int, clients: int) -> None:
        self.rss_mb.append(rss_mb)
        self.fds.append(fds)
        self.clients.append(clients)

    @property
    def growth_mb(self) -> float:
        return max(self.rss_mb) - self.rss_mb[0]

    def _cpu_s(self) -> float:
        fields = Path(f"/proc/{self._pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _until_ready(box: object) -> float:
    from rig import PATIENCE_S, Service, until

    assert isinstance(box, Service)

    def ready() -> list[float]:
        return [at_s for at_s, line in box.notified if line == "READY=1"]

    until(ready, PATIENCE_S, "READY=1")
    return ready()[0] - box.began_s


def _lost_samples(captured: NDArray[np.float32], tape: NDArray[np.float32]) -> int:
    """Return the number of misplaced samples of the tape. Its last second may be missing."""
    if not captured.any():
        return len(tape)
    start = int(np.flatnonzero(captured)[0] - np.flatnonzero(tape)[0])
    whole = min(len(tape), len(captured) - start)
    if start < 0 or whole < len(tape) - 48_000:
        return len(tape) - max(whole, 0)
    return int(np.sum(captured[start : start + whole] != tape[:whole]))


def _range(counts: list[int]) -> str:
    return str(counts[0]) if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"


# music at full speed


class Played:
    """Counts the notes that an engine heard and struck, and keeps which keys are down."""

    def __init__(self) -> None:
        self.heard, self.struck = 0, 0
        self.down: set[int] = set()

    def take(self, events: Iterable[Event]) -> None:
        """Add the events of a hop."""
        for event in events:
            if isinstance(event, NoteHeard):
                self.heard += 1
            elif isinstance(event, Send) and event.kind == "note_on":
                self.struck += 1
                self.down.add(event.pitch)
            elif isinstance(event, Send) and event.kind == "note_off":
                self.down.discard(event.pitch)


def full_speed(seconds: float) -> list[Figure]:
    """Run the shipped engine over `seconds` of music at full speed, with the same inputs as in a live run."""
    from device.assemble import engine_of
    from device.bundles import golden
    from device.hearing.resample import Hops
    from device.live.monitor import memory_mb
    from device.settings.config import parse_config
    from device.status.hop_times import HopTimes
    from device.system.realtime import settled
    from tests.unit.helpers.shipped import bundle

    rate, block = 48_000, 256
    config = parse_config('[audio]\ninput = "mic"\n[midi]\noutput = "synth"\n', "soak")
    alone_ms = 1e3 * float(np.median(golden.hop_times(bundle(), bundle().transcriber())))
    engine = engine_of(config, bundle())
    spec = bundle().features
    hops, times = Hops(rate, spec.sample_rate, spec.hop), HopTimes()
    once = music(60.0, rate)
    played = Played()
    fed_s, now_s, began_s = 0.0, 0.0, time.monotonic()
    first_mb, most_mb = 0.0, 0.0
    with settled():
        while fed_s < seconds:
            for start in range(0, len(once), block):
                for hop, now_s in hops.push(once[start : start + block]):
                    # processor time, which excludes the machine's other work
                    hop_s = time.thread_time()
                    events = engine.step(hop, now_s)
                    times.add(time.thread_time() - hop_s)
                    played.take(events)
            fed_s += len(once) / rate
            # after the first minutes every buffer has reached its size
            first_mb = memory_mb() if fed_s <= max(60.0, seconds / 10) else first_mb
            most_mb = max(most_mb, memory_mb())
    took_s = time.monotonic() - began_s
    played.take(engine.finish(now_s))
    hop_ms = spec.hop_s * 1e3
    p99_ms, slope = times.percentile_ms(99), max(0.0, most_mb - first_mb) / (fed_s / 3600)
    limit_ms = max(hop_ms / 4, HOP_OVER_MODEL * alone_ms)
    part = f"full speed, {fed_s / 60:g} min of music"
    return [
        Figure(part, "took", f"{took_s:.0f} s, {fed_s / took_s:.1f} times real time", "", True),
        Figure(part, "hops", str(times.count), "", times.count > 0.99 * fed_s / spec.hop_s),
        Figure(part, "hop p50, processor time", f"{times.percentile_ms(50):.2f} ms", "", True),
        Figure(part, "features and transcriber alone, processor time", f"{alone_ms:.2f} ms", "", True),
        Figure(part, "hop p99, processor time", f"{p99_ms:.2f} ms", f"{limit_ms:.1f} ms", p99_ms <= limit_ms, True),
        Figure(
            part,
            "notes heard, notes played",
            f"{played.heard}, {played.struck}",
            "",
            played.heard > 0 and played.struck > 0,
        ),
        Figure(part, "growth of RSS", f"{slope:.2f} MB an hour of music", "1 MB", slope < 1.0 or fed_s < 1800),
        Figure(part, "keys down after the end", str(len(played.down)), "0", not played.down),
    ]


# faults


def faults(count: int, seed: int) -> list[Figure]:
    """Inject `count` random faults between box and devices. Raises AssertionError at the first that does harm."""
    from device.live.monitor import memory_mb, open_files
    from tests.unit.helpers.seams import FAULTS, Stage, fault, seams

    logging.getLogger("lefthand").setLevel(logging.ERROR)
    stage = Stage(seed)
    seen = dict.fromkeys(FAULTS, 0)
    began_s = time.monotonic()
    with seams(stage):
        for done in range(count):
            kind = stage.rng.choice(FAULTS)
            fault(stage, kind)
            seen[kind] += 1
            stage.clients.clear()
            if done == min(500, count // 2):
                first = memory_mb(), open_files(), threading.active_count()
    last = memory_mb(), open_files(), threading.active_count()
    part = f"{count:,} faults at the seams"
    return [
        Figure(part, "took", f"{time.monotonic() - began_s:.0f} s", "", True),
        Figure(
            part, "of each of the kinds", f"{min(seen.values())} to {max(seen.values())} ({len(seen)} kinds)", "", True
        ),
        Figure(part, "sessions after which a note hung", "0", "0", True),
        Figure(part, "growth of RSS", f"{last[0] - first[0]:.1f} MB", "5 MB", last[0] - first[0] < 5.0),
        Figure(
            part, "file descriptors, threads", f"{last[1]}, {last[2]}", f"{first[1]}, {first[2]}", last[1:] == first[1:]
        ),
    ]


def table(figures: list[Figure], head: bool = True) -> str:
    """Return the table as Markdown."""
    lines = ["| part | figure | measured | limit |", "|---|---|---|---|"] if head else []
    for figure in figures:
        mark = "" if figure.good else " **missed**"
        lines.append(f"| {figure.part} | {figure.name} | {figure.value}{mark} | {figure.limit} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--live", type=float, default=600.0, metavar="SECONDS")
    parser.add_argument("--music", type=float, default=3600.0, metavar="SECONDS")
    parser.add_argument("--faults", type=int, default=10_000, metavar="COUNT")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, seed {wanted.seed}\n")
    print(table([]), flush=True)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        parts = (
            lambda: live(wanted.live, Path(folder)) if wanted.live else [],
            lambda: full_speed(wanted.music) if wanted.music else [],
            lambda: faults(wanted.faults, wanted.seed) if wanted.faults else [],
        )
        for part in parts:
            figures = part()
            good &= all(figure.good for figure in figures)
            print(table(figures, head=False), flush=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
