"""Makes speech for scenes: short utterances of the program espeak-ng. Fits and evaluation use different voices."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from tqdm import tqdm

from device.errors import UserError
from training.pianos.renderer import RATE, Audio
from training.scenes.noise import Fold, unit_rms

VOICES: dict[Fold, tuple[str, ...]] = {
    "fit": ("nl", "sv", "pl", "pt", "ru", "cs", "fi", "hu"),
    "evaluate": ("en", "de", "fr", "it", "es"),
}
"""espeak-ng's names of languages, by use. No language is in both, so evaluation hears voices that no fit has heard."""
SPEAKERS = ("", "+f2", "+f4", "+m3", "+m7")
"""espeak-ng's variants of a voice: none, two women and two men."""
TEXTS = (
    "Could you play that once more, please, a little slower this time, and mind the left hand.",
    "One, two, three, four, and then we begin again from the top of the second page.",
    "The tea is ready, the window is open, and somebody is at the door, so let us stop for a while.",
    "Oh no, no, that was lovely, do go on, I only wanted to sit down here and listen.",
)


def record_voices(folder: Path, count: int = 96) -> None:
    """Write `count` utterances of the voices for fits into `folder`. 96 are about eight minutes."""
    folder.mkdir(parents=True, exist_ok=True)
    voices = utterances(np.random.default_rng(1), "fit")
    for number in tqdm(range(count), desc="voices"):
        soundfile.write(folder / f"{number:03d}.ogg", 0.1 * next(voices), RATE, format="OGG", subtype="VORBIS")


def load_voices(folder: Path) -> list[Audio]:
    """Return the recorded utterances (.ogg) of `folder`, float32 [samples] at 16 kHz, RMS 1 each; none if it is absent.

    They take the place of espeak-ng on a machine without it. `record_voices` writes such a folder.
    """
    return [unit_rms(soundfile.read(path, dtype="float32")[0]) for path in sorted(folder.glob("*.ogg"))]


def repeated(rng: np.random.Generator, voices: list[Audio]) -> Iterator[Audio]:
    """Yield without end: each time a random one of the recorded utterances `voices`."""
    while True:
        yield voices[int(rng.integers(len(voices)))]


def conversation(samples: int, voices: list[Audio], rng: np.random.Generator) -> Audio:
    """Return random utterances of `voices`, one after another, as float32 [samples] of RMS 1.

    The pauses between them are short, or in a third of the cases long.
    """
    pause_s = float(rng.choice([0.05, 0.4, 2.0]))
    parts: list[Audio] = [np.zeros(int(rng.exponential(pause_s) * RATE), np.float32)]
    while sum(map(len, parts)) < samples:
        voice = voices[int(rng.integers(len(voices)))]
        parts += [voice, np.zeros(int(rng.exponential(pause_s) * RATE), np.float32)]
    return unit_rms(np.concatenate(parts)[:samples])


def utterances(rng: np.random.Generator, fold: Fold) -> Iterator[Audio]:
    """Yield utterances without end, float32 [samples] at 16 kHz, RMS 1 each. Raises UserError without espeak-ng."""
    if shutil.which("espeak-ng") is None:
        raise UserError("espeak-ng is not installed, and this data needs its voices: run `make setup`.")
    while True:
        voice = str(rng.choice(VOICES[fold])) + str(rng.choice(SPEAKERS))
        text, speed, pitch = TEXTS[rng.integers(len(TEXTS))], rng.integers(110, 200), rng.integers(20, 80)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "voice.wav"
            command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "-w", str(path), text]
            subprocess.run(command, check=True, capture_output=True)
            audio, rate = soundfile.read(path, dtype="float32")
        yield unit_rms(soxr.resample(audio, rate, RATE))
