"""A simulated machine for the doctor, and its settings, findings and status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from device.bundles.bundle import Bundle, default_bundle
from device.bundles.choice import Choice
from device.bundles.tflite import RuntimeName
from device.calibration.latency import Calibration
from device.doctor import checks_system
from device.doctor.examine import WIDTH
from device.doctor.finding import Finding
from device.doctor.machine import Machine
from device.ports.port import Port, SoundInput
from device.settings.config import Config, parse_config
from device.status.hop_times import HopTimes
from device.status.schema import Status

CARD = SoundInput("USB Audio CODEC: - (hw:1,0)", "ALSA", 0, 2, 48_000)
KEYS = Port("Digital Piano MIDI 1 20:0", "ALSA", 0)
MEMINFO = "MemTotal: 900000 kB\nMemFree: 1 kB\nMemAvailable: {} kB"
NO_SUCH_PID = 2**22 + 1


class Paper(Machine):
    """A simulated Pi without faults. A test breaks one thing."""

    def __init__(self) -> None:
        self.files = {
            "/proc/meminfo": MEMINFO.format(600_000),
            "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand",
            checks_system.THROTTLED: "0x0",
        }
        self.answers: dict[str, str] = {"timedatectl": "yes"}
        self.nodes = ["/dev/snd/controlC1", "/dev/snd/pcmC1D0c", "/dev/snd/by-id"]
        self.usable = True
        self.permitted = True
        self.free = 5_000 * 2**20
        self.clock = datetime(2026, 11, 1, 12, tzinfo=UTC)
        self.versions = {"numpy": "1.26.4", "tflite-runtime": "2.14.0", "ai-edge-litert": "2.3.0"}
        self.found_runtimes: list[RuntimeName] = ["litert", "tflite"]
        self.told: tuple[Status, float] | None = None
        self.tuned = 0.0
        self.measured: Calibration | None = Calibration("2026-10-01T10:00:00+00:00", round_trip_ms=31.0)
        self.inputs: list[tuple[SoundInput, Sequence[int]]] = [(CARD, (44_100, 48_000))]
        self.outputs, self.midi_in = [KEYS], [KEYS]
        self.programs = {"fluidsynth"}
        self.hop_s = 0.001
        self.refused: tuple[str, ...] = ()

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def find(self, pattern: str) -> list[str]:
        return self.nodes if pattern.startswith("/dev") else [path for path in self.files if "governor" in path]

    def ask(self, *command: str) -> str | None:
        return self.answers.get(command[0])

    def has_program(self, name: str) -> bool:
        return name in self.programs

    def version(self, package: str) -> str | None:
        return self.versions.get(package)

    def runtimes(self) -> list[RuntimeName]:
        return self.found_runtimes

    def may_use(self, path: str) -> bool:
        return self.usable

    def real_time(self) -> bool:
        return self.permitted

    def free_bytes(self, folder: Path) -> int:
        return self.free

    def now(self) -> datetime:
        return self.clock

    def status(self) -> tuple[Status, float] | None:
        return self.told

    def calibration(self) -> Calibration | None:
        return self.measured

    def tuning(self) -> float:
        return self.tuned

    def sound_inputs(self, rates_for: str, channels: int) -> list[tuple[SoundInput, Sequence[int]]]:
        return self.inputs

    def midi_outputs(self) -> list[Port]:
        return self.outputs

    def midi_inputs(self) -> list[Port]:
        return self.midi_in

    def bundle(self, path: str) -> Choice:
        return Choice(Bundle.open(path or default_bundle()), self.refused)

    def hop_times(self, bundle: Bundle) -> HopTimes:
        times = HopTimes()
        for _ in range(100):
            times.add(self.hop_s)
        return times


def config(text: str = '[audio]\ninput = "USB Audio"\n[midi]\noutput = "Piano"\n') -> Config:
    return parse_config(text, "test")


def says(finding: Finding, level: str, *words: str) -> None:
    line = finding.line(WIDTH)
    assert finding.level == level, line
    assert all(word in line for word in words), line


def status(**changes: object) -> Status:
    import os

    known = Status("playing", "listening to USB Audio", "2026-11-01T12:00:00+00:00", os.getpid(), "1.0.0")
    return replace(known, **changes)  # type: ignore[arg-type]
