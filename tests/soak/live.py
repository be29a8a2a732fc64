"""Runs the box live on a JACK server, as its service does, and measures sound, times and memory."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "host"))

from device.status.schema import Status  # noqa: E402
from tests.pace import within  # noqa: E402
from tests.soak.figure import Figure  # noqa: E402
from tests.soak.music import music  # noqa: E402

SETTLED = 0.1
"""Share of the time after which the growth of memory is measured. By then every buffer has reached its size."""
DUE_MS = 5.0
"""Limit in milliseconds for the 99th percentile of how far messages are from their due times."""
READY_S = 2.0
"""Limit in seconds from the start of the process to READY."""
LATE = 4.0
"""If an idle thread is late by more than a quarter of a limit, the limit is this many times its lateness."""


@dataclass(frozen=True)
class _LiveRun:
    """What was measured of a live run of `seconds`. `status` is the box's last one, `received` what the synth got."""

    seconds: float
    status: Status
    watched: _Watched
    received: list[Any]
    ready_s: float
    ready_limit_s: float
    ended_s: float
    exit_code: int
    late_ms: dict[str, float]
    """How late a bare real-time thread was: "p99" and "most", in milliseconds."""
    lost: int
    """Samples of the tape that are not in the capture, or in another place."""
    xruns: int
    """Xruns of the server that the box caused."""


def live(seconds: float, folder: Path) -> list[Figure]:
    """Run `lefthand run --wait` for `seconds` on a JACK server, with a tape and an instrument."""
    run = _run_live(seconds, folder)
    return [*_sound_figures(run), *_process_figures(run)]


def _run_live(seconds: float, folder: Path) -> _LiveRun:
    import soundfile
    from jackserver import RATE, jack_server
    from rig import Ensemble

    tape_file = folder / "tape.wav"
    soundfile.write(tape_file, music(seconds, RATE), RATE, subtype="FLOAT")
    with jack_server(folder, "soak") as server, Ensemble(server.env) as ensemble:
        synth, tape = ensemble.instrument("synth"), ensemble.tape(tape_file)
        settings = '[audio]\ninput = "tape"\n[midi]\noutput = "synth in"\n'
        box = ensemble.service(settings, folder, "--record", str(folder / "takes"))
        ready_s, ready_limit_s = _until_ready(box), within(READY_S)
        box.wait_until("playing")
        tape.say("play")
        bare = ensemble.bare()
        watched = _Watched(box.child.pid)
        for _ in watched.each_second(seconds):
            status = box.status
            watched.take(status.rss_mb, status.fds, status.clients or 0)
        # on a busy machine the server may stop for a while, and then the tape ends later
        tape.wait_for("over")
        status = box.status
        late_ms = bare.late_ms()
        began_s = time.monotonic()
        exit_code = box.end(signal.SIGTERM)
        ended_s = time.monotonic() - began_s
        received = synth.received
    captured, _ = soundfile.read(folder / "takes" / "001" / "capture.wav", dtype="float32")
    return _LiveRun(
        seconds=seconds,
        status=status,
        watched=watched,
        received=received,
        ready_s=ready_s,
        ready_limit_s=ready_limit_s,
        ended_s=ended_s,
        exit_code=exit_code,
        late_ms=late_ms,
        lost=_lost_samples(captured, music(seconds, RATE)),
        xruns=server.log.count("XRun: client = PortAudio") + server.log.count("XRun: client = lefthand"),
    )


def _sound_figures(run: _LiveRun) -> list[Figure]:
    """Return the figures of the sound and of the notes: what was lost, and what was late."""
    from jackserver import PERIOD, RATE

    status, late_ms = run.status, run.late_ms["p99"]
    hop = round(status.hop.length_ms / 1e3 * RATE)
    least_hops = 0.9 * run.seconds * 1e3 / status.hop.length_ms
    # if even an idle thread waits for longer than a period, every program loses sound
    steady = run.late_ms["most"] < 1e3 * PERIOD / RATE
    none_lost = "0" if steady else ""
    # a hop takes longer on a slower machine
    hop_limit_ms = max(within(status.hop.length_ms / 4), LATE * late_ms)
    due_limit_ms, sent_ms = max(DUE_MS, LATE * late_ms), status.send_p99_ms
    struck = sum(kind == "note_on" for _, kind, _, _ in run.received)
    figure = partial(Figure, _part(run))
    return [
        figure(
            "cold start to READY",
            f"{run.ready_s:.2f} s",
            f"{run.ready_limit_s:.1f} s",
            run.ready_s <= run.ready_limit_s,
            of_speed=True,
        ),
        figure("hops", str(status.hop.count), "", status.hop.count > least_hops, of_speed=True),
        figure("lost hops", str(-(-run.lost // hop)), none_lost, run.lost == 0 or not steady, of_speed=True),
        figure("xruns caused by the box", str(run.xruns), none_lost, run.xruns == 0 or not steady, of_speed=True),
        figure("xruns told by the server", str(status.audio.xruns), "", True),
        figure("hop p50", f"{status.hop.p50_ms:.2f} ms", "", True),
        figure("a bare real-time thread's lateness p99", f"{late_ms:.2f} ms", "", True),
        figure("a bare real-time thread's lateness at most", f"{run.late_ms['most']:.2f} ms", "", True),
        figure(
            "hop p99",
            f"{status.hop.p99_ms:.2f} ms",
            f"{hop_limit_ms:.1f} ms",
            status.hop.p99_ms <= hop_limit_ms,
            of_speed=True,
        ),
        figure("notes sent", str(struck), "", struck > 0),
        figure(
            "due-time error p99",
            "none sent" if sent_ms is None else f"{sent_ms:.2f} ms",
            f"{due_limit_ms:.1f} ms",
            sent_ms is not None and sent_ms <= due_limit_ms,
            of_speed=True,
        ),
    ]


def _process_figures(run: _LiveRun) -> list[Figure]:
    """Return the figures of the process: faults, memory, files, and its end."""
    from rig import down_after

    watched, down, faults = run.watched, down_after(run.received), run.status.faults
    # an input that a busy machine stops for a second is opened again
    restarted = "audio input lost" in faults
    figure = partial(Figure, _part(run))
    return [
        figure("faults", ", ".join(f"{k}: {n}" for k, n in faults.items()) or "none", "", True),
        figure("CPU share of one core", f"{100 * watched.cpu_share:.1f} %", "", True),
        figure("RSS at the end", f"{watched.rss_mb[-1]:.1f} MB", "", True),
        figure("RSS by the minute", ", ".join(f"{mb:.1f}" for mb in watched.rss_mb[::60]) + " MB", "", True),
        figure("RSS, highest less first", f"{watched.growth_mb:.1f} MB", "2 MB", watched.growth_mb <= 2.0),
        figure("file descriptors", _range(watched.fds), "constant", len(set(watched.fds)) == 1, of_speed=restarted),
        figure("MIDI clients", _range(watched.clients), "constant", len(set(watched.clients)) == 1, of_speed=restarted),
        figure("keys down at the end", str(len(down)), "0", not down),
        figure("SIGTERM to exit, after writing the capture", f"{run.ended_s:.2f} s", "", run.exit_code == 0),
    ]


def _part(run: _LiveRun) -> str:
    return f"live, {run.seconds / 60:g} min"


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
