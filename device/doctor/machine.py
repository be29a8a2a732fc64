"""Gives `lefthand doctor` access to the machine. Its checks read everything through one class."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np

from device.assemble import hearing_of, left_hand_of
from device.bundles.bundle import GOLDEN_SAMPLES, Bundle
from device.bundles.choice import Choice, choose
from device.bundles.slots import Slots
from device.bundles.tflite import RuntimeName, available_runtimes
from device.calibration.latency import Calibration, read_calibration
from device.calibration.tuning_file import read_tuning
from device.clock.meter import Meter
from device.engine import Engine
from device.flash.preflight import preflight
from device.make_clock import make_clock
from device.ports.midi_ports import midi_inputs, midi_outputs
from device.ports.port import Port, SoundInput, found
from device.ports.sound_inputs import portaudio, rates_of, sound_inputs
from device.status.hop_times import HopTimes
from device.status.schema import Status, read_status, status_age_s
from device.system.paths import run_dir, state_dir
from device.system.realtime import ask_for_fifo, paced, settled

ANSWER_S = 5.0
"""Longest time in seconds for a program to answer."""
MEASURED_S = 3.0
"""Seconds of sound in which hops are timed. Each hop begins when it is due, so the measurement takes as long."""


class Machine:
    """Answers questions about the machine that runs this program. Tests replace this class by a subclass."""

    def read(self, path: str) -> str | None:
        """Return the text of a small file, without spaces and line feeds at its ends. None if it cannot be read."""
        try:
            return Path(path).read_text(encoding="utf-8", errors="replace").strip("\0 \n")
        except OSError:
            return None

    def find(self, pattern: str) -> list[str]:
        """Return the sorted paths of all files that match the glob `pattern`, which begins with /."""
        return sorted(str(path) for path in Path("/").glob(pattern.removeprefix("/")))

    def ask(self, *command: str) -> str | None:
        """Run a program and return what it prints, without blanks at the ends.

        None if the program is missing, fails, or needs longer than ANSWER_S.
        """
        if shutil.which(command[0]) is None:
            return None
        try:
            ran = subprocess.run(command, capture_output=True, errors="replace", timeout=ANSWER_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return ran.stdout.strip() if ran.returncode == 0 else None

    def has_program(self, name: str) -> bool:
        """Return whether the program `name` is installed."""
        return shutil.which(name) is not None

    def version(self, package: str) -> str | None:
        """Return the version of an installed Python package. None if it is not installed."""
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            return None

    def runtimes(self) -> list[RuntimeName]:
        """Return the names of the runtimes for TFLite models that can be imported."""
        return available_runtimes()

    def may_use(self, path: str) -> bool:
        """Return whether this account may read and write the file `path`."""
        return os.access(path, os.R_OK | os.W_OK)

    def real_time(self) -> bool:
        """Return whether a thread of this account may have real-time priority."""
        given: list[bool] = []
        thread = threading.Thread(target=lambda: given.append(ask_for_fifo()))
        thread.start()
        thread.join()
        return given[0]

    def free_bytes(self, folder: Path) -> int:
        """Return how many bytes are free on the disk of `folder`.

        If the folder does not exist yet, the nearest folder above it counts.
        """
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free

    def state_dir(self) -> Path:
        """Return the folder of the models and the calibration. It may not exist yet."""
        return state_dir()

    def now(self) -> datetime:
        """Return the time of the system clock, in UTC."""
        return datetime.now(UTC)

    def status(self) -> tuple[Status, float] | None:
        """Return the status of the running box and its age in seconds. None if there is no status."""
        status, age_s = read_status(run_dir()), status_age_s(run_dir())
        return None if status is None or age_s is None else (status, age_s)

    def calibration(self) -> Calibration | None:
        """Return the stored calibration. None if there is none."""
        return read_calibration()

    def tuning(self) -> float:
        """Return the stored tuning of the piano in cents above A4 = 440 Hz. 0 if there is none."""
        return read_tuning()

    def sound_inputs(self, rates_for: str, channels: int) -> list[tuple[SoundInput, Sequence[int]]]:
        """Return all sound inputs, each with the sample rates in Hz at which it delivers `channels` channels.

        The rates are looked up only for inputs that the name `rates_for` can mean. All other inputs have an empty list
        of rates.
        """
        with portaudio() as system:
            inputs = sound_inputs(system)
            meant = found(rates_for, inputs)
            return [(sound, rates_of(system, sound, channels) if sound in meant else ()) for sound in inputs]

    def midi_outputs(self) -> list[Port]:
        """Return the MIDI outputs that are connected."""
        return midi_outputs()

    def midi_inputs(self) -> list[Port]:
        """Return the MIDI inputs that are connected."""
        return midi_inputs()

    def bundle(self, path: str) -> Choice:
        """Open the bundle (folder of models) in `path`, or the one that plays if `path` is empty.

        Return it, and the reasons why others were refused. Raises UserError if none can be opened.
        """
        return Choice(Bundle.open(path)) if path else choose(Slots())

    def self_test(self, bundle: Bundle) -> None:
        """Check that the models in `bundle` give the outputs they should, in a process of its own.

        They may be slow. Raises BundleError if they fail.
        """
        preflight(bundle.path, slowest=float("inf"))

    def hop_times(self, bundle: Bundle) -> HopTimes:
        """Measure and return the times that the whole engine takes for hops, which are short blocks of sound.

        As in `lefthand run`, the engine is warmed up first, and each hop begins when it is due. It takes MEASURED_S and
        the time of the warm-up.
        """
        engine = Engine(
            clock=make_clock("fixed", 100.0, 0, Meter.parse("4/4"), None),
            hearing=hearing_of(bundle),
            player=left_hand_of(bundle),
        )
        spec, times = bundle.features, HopTimes()
        samples = np.asarray(bundle.golden[GOLDEN_SAMPLES], np.float32)
        hops = samples[: len(samples) // spec.hop * spec.hop].reshape(-1, spec.hop)

        def measure() -> None:
            ask_for_fifo()
            warm_up = len(hops)
            for i in range(warm_up):
                engine.step(hops[i], (i + 1) * spec.hop_s)
            for i in paced(round(MEASURED_S / spec.hop_s), spec.hop_s):
                begun = time.perf_counter()
                engine.step(hops[i % len(hops)], (warm_up + i + 1) * spec.hop_s)
                times.add(time.perf_counter() - begun)

        with settled():
            thread = threading.Thread(target=measure)
            thread.start()
            thread.join()
        return times
