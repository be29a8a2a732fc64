"""Makes the sounds of the class-room experiment: one note or silence, on computed pianos, with noise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import UserError

RATE = 16_000
"""Sample rate in Hz."""
SECONDS = 0.5
"""Length of a sound in seconds."""
SILENCE = "silence"
NAMES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
OCTAVES = (3, 4, 5)
"""Octaves in which a class without an octave (`C`) is played."""
NOISE_DB = (-60.0, -25.0)
"""Level of the noise in dB below full scale, drawn for each sound."""
PARTIALS = 12
"""Number of partials (sine tones) in a note."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Sounds:
    """Holds n sounds [n, samples] in float32 at `RATE`, the number of the class of each, [n], and the class names."""

    audio: Array
    classes: Array
    names: tuple[str, ...]


def pitches_of(name: str) -> list[int]:
    """Return the MIDI pitches of a class: `C4` or `F#4` is one key, `C` that note in `OCTAVES`, and `silence` none.

    Raises UserError if the name is none of these.
    """
    if name == SILENCE:
        return []
    found = re.fullmatch(r"([A-G])([#b]?)(\d?)", name)
    if not found:
        raise UserError(f"There is no class {name!r}: name silence, a note (C, F#) or a key (C4).")
    letter, sign, octave = found.groups()
    pitch_class = NAMES[letter] + {"#": 1, "b": -1, "": 0}[sign]
    return [12 * (int(o) + 1) + pitch_class for o in (octave or OCTAVES)]


def note(pitch: int, rng: np.random.Generator) -> Array:
    """Return the sound of one struck string, float32 [samples].

    It has slightly inharmonic partials that decay. Higher partials decay faster.

    The partials of a stiff string lie at n f sqrt(1 + B n^2) (Fletcher 1964). Brightness, decay, tuning and onset are
    drawn by chance.
    """
    t = np.arange(int(SECONDS * RATE)) / RATE - rng.uniform(0, 0.1)
    hertz = 440 * 2 ** ((pitch - 69 + rng.normal(0, 0.1)) / 12)
    stiffness, bright, decay = 10 ** rng.uniform(-4, -3), rng.uniform(0.4, 1.6), rng.uniform(1, 5)
    out = np.zeros_like(t)
    for n in range(1, PARTIALS + 1):
        partial = n * hertz * np.sqrt(1 + stiffness * n * n)
        if partial < RATE / 2:
            fade = np.exp(-decay * n**0.5 * np.maximum(t, 0))
            out += n**-bright * fade * np.sin(2 * np.pi * partial * t + rng.uniform(0, 2 * np.pi))
    out *= (t > 0) * 10 ** (rng.uniform(-30, -6) / 20) / max(np.abs(out).max(), 1e-9)
    return out.astype(np.float32)


def make(names: tuple[str, ...], each: int, seed: int) -> Sounds:
    """Return `each` sounds of every class, in random order, with noise. The same seed gives the same sounds.

    Raises UserError if there are fewer than two classes, or if two are the same.
    """
    if len(names) < 2 or len(set(names)) != len(names):
        raise UserError("--classes needs two or more different classes, for example silence C E G.")
    pitches = [pitches_of(name) for name in names]
    rng = np.random.default_rng(seed)
    audio, classes = [], []
    for _ in range(each):
        for number, own in enumerate(pitches):
            sound = note(int(rng.choice(own)), rng) if own else np.zeros(int(SECONDS * RATE), np.float32)
            level = 10 ** (rng.uniform(*NOISE_DB) / 20)
            audio.append(sound + (level * rng.normal(size=len(sound))).astype(np.float32))
            classes.append(number)
    order = rng.permutation(len(classes))
    return Sounds(np.stack(audio)[order].astype(np.float32), np.array(classes)[order], names)
