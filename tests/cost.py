"""Measures the cost of the box: live, as a paced file and as a file at full speed, in the same run.

    python -m tests.cost [--seconds N] [--block SAMPLES] [--profile FILE]
    python -m tests.cost --idle [--seconds N]
    python -m tests.cost --stages [--seconds N]

prints two tables: the three runs side by side, and the live process thread by thread. A share is processor time over
elapsed time, in per cent of one core. --block sets [audio] block of the live run. --idle measures only the live box,
in a room with soft noise in which nobody plays. With --profile, py-spy samples the
live process and writes its stacks. --stages prints what each stage of a hop takes at full speed and paced, in turn.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "host"), str(ROOT / "tests" / "unit")]

THREAD_NAMES = ROOT / "tests" / "host" / "thread_names"
"""A folder that gives each thread of a process its name."""
SETTLE_S = 2.0
"""Seconds of sound before the measurement. By then all code of a hop has run."""
IDLE_SETTLE_S = 15.0
"""Seconds of noise before an idle box is measured. By then nothing has happened for long enough that it rests."""
NOISE = 3e-4
"""Standard deviation of the noise of a quiet room, as a share of full scale: -70 dBFS."""
SAMPLES_A_S = 200
"""Samples a second that py-spy takes."""


@dataclass(frozen=True)
class Run:
    """One row of the table: a share of one core in per cent, times of hops in ms, resident memory in MiB.

    `private_mb` is the part of the memory that no other process shares, see `private_mb`.
    """

    name: str
    share: float
    p50_ms: float
    p99_ms: float
    rss_mb: float | None
    private_mb: float

    def line(self) -> str:
        rss = "" if self.rss_mb is None else f"{self.rss_mb:.1f}"
        figures = f"{self.share:.1f} | {self.p50_ms:.2f} | {self.p99_ms:.2f} | {rss} | {self.private_mb:.1f}"
        return f"| {self.name} | {figures} |"


@dataclass(frozen=True)
class Thread:
    """Processor time in seconds and number of wakings of all threads with the same name so far."""

    cpu_s: float
    wakings: int


def threads(pid: int) -> dict[str, Thread]:
    """Return the threads of a process by name. The first thread is called main.

    A thread that a library made has no name of its own, and gets its number.
    """
    found: dict[str, Thread] = defaultdict(lambda: Thread(0.0, 0))
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            name = "main" if task.name == str(pid) else (task / "comm").read_text().strip()
            if name != "main" and not name.startswith("py "):
                name = f"{name} {task.name}"
            cpu_s = int((task / "schedstat").read_text().split()[0]) / 1e9
            status = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines() if ":" in line)
            before = found[name]
            wakings = int(status["voluntary_ctxt_switches"])
            found[name] = Thread(before.cpu_s + cpu_s, before.wakings + wakings)
    return dict(found)


def private_mb(pid: int | str) -> float:
    """Return the memory in MiB that a process shares with no other one (Private_Clean and Private_Dirty).

    It is what the process adds on a machine on which other programs use Python and the C library too. Memory that a
    JACK server shares with its clients does not count.
    """
    lines = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()]
    return sum(int(words[1]) for words in lines if words[0] in ("Private_Clean:", "Private_Dirty:")) / 1024


def unit_environment() -> dict[str, str]:
    """Return the environment variables that the unit of the service sets."""
    lines = (ROOT / "deploy" / "units" / "lefthand.service").read_text().splitlines()
    words = (word for line in lines if line.startswith("Environment=") for word in line.partition("=")[2].split())
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def live(
    seconds: float, folder: Path, profile: Path | None, block: int | None, idle: bool = False
) -> tuple[Run, list[str]]:
    """Run the service on a JACK server for `seconds`, without a recording. Returns its row and a line per thread.

    `block` is [audio] block; None leaves the default. If `idle` is true, nobody plays.
    """
    import numpy as np
    import soundfile
    from jackserver import RATE, jack_server
    from rig import Ensemble

    from tests.soak.music import music

    tape_file = folder / "tape.wav"
    settle_s = IDLE_SETTLE_S if idle else SETTLE_S
    length_s = seconds + settle_s + SETTLE_S + 2
    noise = NOISE * np.random.default_rng(0).standard_normal(round(length_s * RATE)).astype(np.float32)
    soundfile.write(tape_file, noise if idle else music(length_s, RATE), RATE, subtype="FLOAT")
    with jack_server(folder, "cost") as server, Ensemble(server.env) as ensemble:
        ensemble.instrument("synth")
        tape = ensemble.tape(tape_file)
        env = {**server.env, **unit_environment(), "PYTHONPATH": f"{THREAD_NAMES}:{ROOT}"}
        audio = "" if block is None else f"block = {block}\n"
        box = ensemble.service(f'[audio]\ninput = "tape"\n{audio}[midi]\noutput = "synth in"\n', folder, env=env)
        box.wait_until("playing")
        tape.say("play")
        time.sleep(settle_s)
        pid = box.child.pid
        with _sampled(pid, seconds, profile):
            began_s, before = time.monotonic(), threads(pid)
            time.sleep(seconds)
            after, took_s = threads(pid), time.monotonic() - began_s
        status, alone_mb = box.status, private_mb(pid)
    lines = []
    none = Thread(0.0, 0)
    spent = {name: thread.cpu_s - before.get(name, none).cpu_s for name, thread in after.items()}
    for name in sorted(spent, key=lambda name: -spent[name]):
        wakings = (after[name].wakings - before.get(name, none).wakings) / took_s
        lines.append(f"| {name.removeprefix('py ')} | {100 * spent[name] / took_s:.2f} | {wakings:.0f} |")
    share = 100 * sum(spent.values()) / took_s
    return Run(
        "live, idle" if idle else "live", share, status.hop.p50_ms, status.hop.p99_ms, status.rss_mb, alone_mb
    ), lines


@contextlib.contextmanager
def _sampled(pid: int, seconds: float, profile: Path | None) -> Iterator[None]:
    """Let py-spy sample the process, if a profile is asked for."""
    if profile is None:
        yield
        return
    spy = shutil.which("py-spy")
    if spy is None:
        raise SystemExit("py-spy is not installed: run `pip install py-spy`, or leave out --profile.")
    command = [spy, "record", "--pid", str(pid), "--duration", str(round(seconds)), "--rate", str(SAMPLES_A_S)]
    sampler = subprocess.Popen([*command, "--threads", "--format", "raw", "--output", str(profile), "--nonblocking"])
    yield
    sampler.wait()


def play(seconds: float, folder: Path, paced: bool) -> Run:
    """Play as much of the demo as `lefthand play` does, paced or at full speed, in a process of its own."""
    import soundfile

    from tests.soak.music import music

    tape = folder / "play.wav"
    soundfile.write(tape, music(seconds, 48_000), 48_000, subtype="FLOAT")
    command = [sys.executable, "-m", "tests.cost", "--play", str(tape), *(["--paced"] if paced else [])]
    # numpy's threads as in every command of lefthand, see device/cli.py
    env = {"OPENBLAS_NUM_THREADS": "1", **os.environ, "PYTHONPATH": str(ROOT)}
    said = subprocess.run(command, check=True, cwd=ROOT, env=env, stdout=PIPE)
    cpu_s, p50_ms, p99_ms, rss_mb, alone_mb = json.loads(said.stdout)
    return Run("play, paced" if paced else "play, full speed", 100 * cpu_s / seconds, p50_ms, p99_ms, rss_mb, alone_mb)


def _play(tape: Path, paced: bool) -> None:
    """Play a file with the engine of a live run, and print the figures of a `Run` as JSON."""
    import numpy as np

    from device.assemble import engine_of
    from device.files.play import play_sound
    from device.files.real_time import RealTime, at_once
    from device.files.sound.file import SoundFile
    from device.hearing.resample import Hops
    from device.live.monitor import memory_mb
    from device.settings.config import parse_config
    from device.system.realtime import ask_for_fifo, settled
    from tests.unit.helpers.shipped import bundle

    engine = engine_of(parse_config('[audio]\ninput = "mic"\n[midi]\noutput = "synth"\n', "cost"), bundle())
    ask_for_fifo()
    sound = SoundFile(tape)
    with settled():
        hops = Hops(sound.rate, bundle().features.sample_rate, bundle().features.hop)
        began_s = time.process_time()
        performance = play_sound(engine, sound, hops, wait=RealTime().wait if paced else at_once)
        cpu_s = time.process_time() - began_s
    p50_ms, p99_ms = np.percentile(performance.hop_times_s, [50, 99]) * 1e3
    print(json.dumps([cpu_s, float(p50_ms), float(p99_ms), memory_mb(), private_mb("self")]))


STAGES = {
    "seams": "hearing._seams.step",
    "tuning": "hearing._estimate.step",
    "beeps": "hearing._beeps.step",
    "features": "hearing._features.step",
    "net and its tensors": "hearing._transcriber.step",
    "gate": "hearing._gate.step",
    "clock, a note": "_clock.hear",
    "clock, a hop": "_clock.due",
    "left hand, a sixteenth": "_player.play",
}
"""Stages of a hop, and the methods of the engine's parts in which they run."""


def stages(seconds: float) -> list[str]:
    """Return a line per stage of a hop: p50 and mean of its time at full speed and paced, in ms.

    The engine hears the same sound at full speed and paced, twice in turn. A mean is over all hops, a median over the
    calls. The timers themselves take 0.01 ms of a paced hop.
    """
    import numpy as np

    from device.assemble import engine_of
    from device.hearing.resample import Hops
    from device.settings.config import parse_config
    from device.system.realtime import ask_for_fifo, paced, settled
    from tests.soak.music import music
    from tests.unit.helpers.shipped import bundle

    rate = 48_000
    engine = engine_of(parse_config('[audio]\ninput = "mic"\n[midi]\noutput = "synth"\n', "cost"), bundle())
    times: dict[tuple[str, bool], list[float]] = defaultdict(list)
    waits = False

    def timed(stage: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any) -> Any:
            began_s = time.perf_counter()
            result = method(*given)
            times[stage, waits].append(time.perf_counter() - began_s)
            return result

        return run

    for stage, path in STAGES.items():
        *owners, name = path.split(".")
        part: Any = engine
        for owner in owners:
            part = getattr(part, owner)
        setattr(part, name, timed(stage, getattr(part, name)))
    step, sound = timed("the whole hop", engine.step), music(seconds, rate)
    spec = bundle().features
    samples = spec.hop * rate // spec.sample_rate
    ask_for_fifo()
    for waits in (False, True, False, True):
        engine.reset()
        hops = Hops(rate, spec.sample_rate, spec.hop)
        push = timed("resampling", hops.push)
        with settled():
            for number in paced(len(sound) // samples, spec.hop_s, sleep=time.sleep if waits else lambda _: None):
                for hop, now_s in push(sound[number * samples : (number + 1) * samples]):
                    step(hop, now_s)
    count = len(times["the whole hop", False])
    lines = []
    for stage in ("resampling", *STAGES, "the whole hop"):
        figures = (times[stage, way] for way in (False, True))
        cells = [f"{np.median(s) * 1e3:.3f} | {sum(s) / count * 1e3:.3f}" if s else "|" for s in figures]
        lines.append(f"| {stage} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--block", type=int)
    parser.add_argument("--profile", type=Path)
    parser.add_argument("--idle", action="store_true")
    parser.add_argument("--stages", action="store_true")
    parser.add_argument("--play", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--paced", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.play is not None:
        _play(wanted.play, wanted.paced)
        return
    if wanted.stages:
        lines = stages(wanted.seconds)
        print("| stage | full speed, p50, ms | mean, ms | paced, p50, ms | mean, ms |\n|---|---|---|---|---|")
        print("\n".join(lines))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        box, by_thread = live(wanted.seconds, folder, wanted.profile, wanted.block, wanted.idle)
        rows = [box]
        if not wanted.idle:
            rows += [play(wanted.seconds, folder, paced=paced) for paced in (True, False)]
    print("| run | % of a core | hop p50, ms | hop p99, ms | RSS, MB | private, MB |")
    print("|---|---|---|---|---|---|")
    print("\n".join(row.line() for row in rows))
    print("\n| thread, live | % of a core | wakings a second |\n|---|---|---|")
    print("\n".join(by_thread))


if __name__ == "__main__":
    main()
