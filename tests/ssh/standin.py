"""A stand-in for systemd and the daemon of a box: `standin.py supervise FOLDER` starts `standin.py play FOLDER`
again whenever it ends, and at once when it gets SIGUSR1.

The player opens the current bundle as `lefthand run` does, runs its transcriber in time on silence and writes its
status. It really runs the models, so a model that fails after some steps fails here as it does on a box.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

RESTART_S = 0.1
START_S, WATCHDOG_S = 60.0, 3.0
"""Seconds without a status before the first one and after it, as in deploy/units/lefthand.service."""
HOPS_A_STATUS = 4
SLOW_S = 0.1
PACE = 4
"""Speed-up over real time, so that a trial of many hops is short."""
MORE_HOPS, REST = 100, 16
"""So many hops after those of a trial, each hop takes so many times longer: a box that plays at the pace of a trial
takes 40 % of a core, and three play beside each other."""


def supervise(folder: Path) -> None:
    """Keeps a player going, as `Restart=always` and `WatchdogSec=` do."""
    (folder / "supervisor.pid").write_text(str(os.getpid()))
    child: subprocess.Popen[bytes] | None = None

    def again(*_: int | FrameType | None) -> None:
        if child is not None:
            child.terminate()

    signal.signal(signal.SIGUSR1, again)
    status = folder / "run" / "status.json"
    while True:
        child = subprocess.Popen([sys.executable, __file__, "play", str(folder)])
        began_s = time.time()
        while child.poll() is None:
            time.sleep(0.02)
            told_s = status.stat().st_mtime if status.exists() else 0.0
            if time.time() - max(told_s, began_s) > (START_S if told_s < began_s else WATCHDOG_S):
                child.kill()
        time.sleep(RESTART_S)


def play(folder: Path) -> None:
    """Plays the current bundle until SIGTERM."""
    from device.assemble import hearing_of
    from device.bundles.bundle import default_bundle
    from device.bundles.choice import open_current
    from device.bundles.slots import Slots
    from device.flash.box import read_rules
    from device.hearing.pipeline import silence
    from device.status.schema import AudioStatus, BundleStatus, HopStatus, Status, write_status

    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    # exits without cleanup, because models may hang inside a step
    bundle = open_current(Slots(folder / "bundles", default_bundle(), folder / "allowed_signers"))
    named = BundleStatus(str(bundle.path), bundle.digest[:12])
    waits = (folder / "waits").exists()

    def tell(state: str, hop: HopStatus, faults: dict[str, int]) -> None:
        message = 'waiting for the sound input "piano"' if state == "waiting" else "plays"
        status = Status(state, message, "", os.getpid(), "0", named, AudioStatus(), hop=hop, faults=faults)  # type: ignore[arg-type]
        write_status(folder / "run", status)

    hearing = hearing_of(bundle)
    model = bundle.transcriber()
    spec = bundle.features
    nothing = silence(spec)
    tried_hops = read_rules(folder / "flash.toml").hops + MORE_HOPS
    count, times, faults = 0, [0.0], {}
    due_s = time.monotonic()
    while True:
        if waits:
            tell("waiting", HopStatus(length_ms=spec.hop_s * 1e3), {})
            time.sleep(0.1)
            continue
        began_s = time.monotonic()
        hearing.step(nothing, count * spec.hop_s)
        outputs = model.step(**{name: 0.0 * stored_zero(tensor.shape) for name, tensor in model.inputs.items()})
        if any((values != values).any() for values in outputs.values()):
            faults["not_a_number"] = faults.get("not_a_number", 0) + 1
        times = [*times[-250:], time.monotonic() - began_s]
        count += 1
        if count % HOPS_A_STATUS == 0 or times[-1] > SLOW_S:
            late_s = sorted(times)[int(0.99 * (len(times) - 1))]
            tell("playing", HopStatus(count, 0.0, late_s * 1e3, spec.hop_s * 1e3), faults)
        hop_s = spec.hop_s / PACE * (1 if count < tried_hops else REST)
        due_s = max(due_s + hop_s, time.monotonic() - 0.1)
        time.sleep(max(0.0, due_s - time.monotonic()))


def stored_zero(shape: tuple[int, ...]):  # type: ignore[no-untyped-def]
    """Return zeros in a tensor's shape."""
    import numpy as np

    return np.zeros(shape, np.float32)


def restart(folder: Path) -> None:
    """Stand-in for `systemctl restart`: signals the supervisor, or starts one if none runs."""
    try:
        os.kill(int((folder / "supervisor.pid").read_text()), signal.SIGUSR1)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        start(folder)


def start(folder: Path) -> None:
    """Start the supervisor, detached."""
    subprocess.Popen(
        [sys.executable, __file__, "supervise", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log").open("ab"),
        start_new_session=True,
    )


if __name__ == "__main__":
    {"supervise": supervise, "play": play, "restart": restart, "start": start}[sys.argv[1]](Path(sys.argv[2]))
