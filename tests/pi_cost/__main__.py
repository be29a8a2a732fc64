"""Counts the instructions of a hop on emulated aarch64, in both runtimes: the cost on a Pi without a Pi.

    python -m tests.pi_cost [--seconds N]

builds a Debian arm64 without a kernel in ~/.cache/lefthand/pi-cost (once), plays a few seconds of the demo in it
through the daemon's loop under qemu's user-mode emulation, and prints the tables of docs/figures/engine.md. A plugin
counts the instructions of the thread. They are counts, not timings: the emulator knows no cache and no pipeline, and
it does not count what the kernel does.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lefthand" / "pi-cost"
"""Outside the working tree, because a whole Debian is unpacked there."""
SUITE, PYTHON = "bookworm", "python3.11"
"""Debian 12, for its Python is the last one that tflite-runtime has wheels for."""
NEEDED = ("qemu-aarch64", "mmdebstrap", "gcc")
WHEELS = {"litert": "ai-edge-litert==2.3.0", "tflite": "tflite-runtime==2.14.0"}
"""Package of each runtime, by the name that it has in `device.bundles.tflite`."""
OTHERS = ("numpy<2", "mido", "click")
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
BEGINS_S = 4.0
"""Seconds of the demo that are left out, so that notes sound from the beginning."""
SKIPPED_HOPS = 30
"""Hops at the beginning that are not counted: the engine is new, and the first windows hold silence."""


@dataclass(frozen=True)
class Core:
    """A processor core as qemu names it, its lines in /proc/cpuinfo, and the boards that are given its counts."""

    name: str
    part: str
    features: str
    boards: tuple[str, ...]


A72 = Core("cortex-a72", "0xd08", "fp asimd evtstrm crc32 cpuid", ("Pi 4", "Zero 2 W"))
"""The core of a Pi 4. The Cortex-A53 of a Zero 2 W has the same instructions."""
A76 = Core("cortex-a76", "0xd0b", "fp asimd evtstrm crc32 cpuid fphp asimdhp asimddp", ("Pi 5",))
"""The core of a Pi 5, which multiplies four int8 numbers at once."""
RUNS = (("litert", A72), ("litert", A76), ("tflite", A72))


def main() -> None:
    """Build what is missing, run, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0)
    wanted = parser.parse_args()
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        raise SystemExit(f"{', '.join(missing)} is missing: run `deploy/system-packages.sh pi-cost`.")
    ready = build()
    # the package `tests` is found only from the root of the repository
    from tests.pi_cost.marks import counted, table
    from tests.soak.music import music

    with tempfile.TemporaryDirectory() as name:
        sound = Path(name) / "sound.npy"
        np.save(sound, music(BEGINS_S + wanted.seconds, 48_000)[round(BEGINS_S * 48_000) :])
        for runtime, core in RUNS:
            if runtime not in ready:
                print(f"{WHEELS[runtime]}, {core.name}: not measured, because pip found no wheel for arm64.\n")
                continue
            marks = run(runtime, core, sound, Path(name))
            counts = counted(marks, SKIPPED_HOPS)
            print(f"{table(counts, f'{WHEELS[runtime]}, {core.name}', core.boards)}\n", flush=True)


def build() -> set[str]:
    """Make the Debian, the wheels of both runtimes and the plugin, if they are missing.

    Return the runtimes that can be measured. One whose wheel pip does not find is left out: pip's own message says why.
    """
    root = CACHE / "root"
    if not (root / "usr" / "bin" / PYTHON).exists():
        shutil.rmtree(root, ignore_errors=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        packages = f"{PYTHON},lib{PYTHON}-stdlib,libstdc++6,libgcc-s1,libc6"
        command = ["mmdebstrap", "--quiet", "--variant=extract", "--arch=arm64", f"--include={packages}"]
        subprocess.run([*command, SUITE, str(root)], check=True)
    for runtime, wheel in WHEELS.items():
        site = CACHE / runtime
        if not site.exists():
            platforms = [word for name in PLATFORMS for word in ("--platform", name)]
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", "--implementation", "cp"]
            where = ["--python-version", PYTHON.removeprefix("python"), *platforms, "--target", str(site)]
            if subprocess.run([*pip, *where, wheel, *OTHERS]).returncode:
                shutil.rmtree(site, ignore_errors=True)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", CACHE / "count.so", HERE / "count.c"], check=True)
    ready = {runtime for runtime in WHEELS if (CACHE / runtime).exists()}
    if not ready:
        raise SystemExit("pip found a wheel of no runtime for arm64, so there is nothing to measure.")
    return ready


def run(runtime: str, core: Core, sound: Path, folder: Path) -> bytes:
    """Run `inside.py` on `core` and return its marks."""
    root, marks = CACHE / "root", folder / "marks"
    # the runtimes look here for the kind of core; qemu would show them the processor of this machine
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc" / "cpuinfo").write_text(
        f"processor\t: 0\nFeatures\t: {core.features}\nCPU implementer\t: 0x41\nCPU architecture: 8\n"
        f"CPU variant\t: 0x0\nCPU part\t: {core.part}\nCPU revision\t: 3\n"
    )
    processors = root / "sys" / "devices" / "system" / "cpu"
    processors.mkdir(parents=True, exist_ok=True)
    for name in ("possible", "present"):
        (processors / name).write_text("0\n")
    paths = f"{CACHE / runtime}:{ROOT}"
    env = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    emulator = ["qemu-aarch64", "-cpu", core.name, "-L", str(root), "-plugin", f"{CACHE / 'count.so'},out={marks}"]
    inside = [str(root / "usr" / "bin" / PYTHON), str(HERE / "inside.py"), str(sound), runtime, str(folder / "run")]
    ran = subprocess.run([*emulator, *inside], env=env, capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"The emulated run failed:\n{ran.stderr}")
    return marks.read_bytes()


if __name__ == "__main__":
    main()
