"""Compares two trees of this project: do they play the same notes, byte for byte?

    python -m tests.same_notes OTHER_TREE [SOUND ...]

plays each sound with `lefthand play` of this tree and of the other one, and compares the MIDI files and the tables of
notes. Without SOUND it plays the demo in several forms: at other rates, soft and noisy, tuned sharp, with lost blocks,
with a metronome's beeps. It exits with status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "demo" / "right-hand.flac"
SECONDS = 40.0
"""Seconds of the demo in each form."""
SHARP_CENTS = 30.0
SOFT, NOISE = 0.1, 0.0005
"""Factor of the soft form, and the standard deviation of its noise, as a share of full scale."""
LOST_EVERY_S, LOST_S = 1.7, 0.0053
"""A block of this length is cut out this often."""
BEEP_EVERY_S, BEEP_S, BEEP_HZ, BEEP_PEAK = 0.6, 0.05, 880.0, 0.2


def forms(folder: Path) -> list[Path]:
    """Write the forms of the demo into `folder` and return their files."""
    sound, rate = soundfile.read(DEMO, dtype="float32")
    sound = sound[: round(SECONDS * rate)]
    rng = np.random.default_rng(0)
    sharp = soxr.resample(sound, rate * 2 ** (SHARP_CENTS / 1200), rate)
    lost = [
        sound[round(start * rate) : round((start + LOST_EVERY_S - LOST_S) * rate)] for start in _starts(sound, rate)
    ]
    made: dict[str, tuple[NDArray[np.float32], int]] = {
        "as it is": (sound, rate),
        **{f"{other} Hz": (soxr.resample(sound, rate, other), other) for other in (16_000, 44_100, 48_000)},
        "soft and noisy": (SOFT * sound + NOISE * rng.standard_normal(len(sound)).astype(np.float32), rate),
        "sharp": (sharp, rate),
        "lost blocks": (np.concatenate(lost), rate),
        "beeps": (sound + _beeps(len(sound), rate), rate),
    }
    files = []
    for name, (samples, hertz) in made.items():
        files.append(folder / f"{name}.wav")
        soundfile.write(files[-1], samples, hertz, subtype="FLOAT")
    return files


def _starts(sound: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    return np.arange(0.0, len(sound) / rate, LOST_EVERY_S)


def _beeps(length: int, rate: int) -> NDArray[np.float32]:
    time_s = np.arange(length) / rate
    on = time_s % BEEP_EVERY_S < BEEP_S
    return (BEEP_PEAK * on * np.sin(2 * np.pi * BEEP_HZ * time_s)).astype(np.float32)


def played(tree: Path, sound: Path, out: Path) -> dict[str, bytes]:
    """Play `sound` with the code in `tree`. Returns the bytes of the MIDI file and of the table of notes."""
    out.mkdir(parents=True)
    midi, notes = out / "left.mid", out / "notes.csv"
    words = ["play", str(sound), "--midi", str(midi), "--notes", str(notes)]
    command = [sys.executable, "-m", "device.cli", *words]
    subprocess.run(command, check=True, cwd=tree, env={"PYTHONPATH": str(tree)}, capture_output=True)
    return {file.name: file.read_bytes() for file in (midi, notes)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, metavar="OTHER_TREE")
    parser.add_argument("sounds", type=Path, nargs="*", metavar="SOUND")
    wanted = parser.parse_args()
    different = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, sound in enumerate(wanted.sounds or forms(folder)):
            ours, theirs = (
                played(tree.resolve(), sound.resolve(), folder / f"{number}{who}")
                for who, tree in (("ours", ROOT), ("theirs", wanted.other))
            )
            unlike = [file for file in ours if ours[file] != theirs[file]]
            different += bool(unlike)
            notes = ours["notes.csv"].count(b"\n") - 1
            print(f"{sound.stem}: {notes} notes, {', '.join(unlike) + ' differ' if unlike else 'the same'}", flush=True)
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
