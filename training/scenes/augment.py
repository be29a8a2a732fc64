"""Augmentation of rendered audio: room, noise, microphone, clipping and level, each with its own probability."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from training.pianos.renderer import Audio
from training.scenes.acoustics import in_room, microphone, room_response, through_microphone
from training.scenes.noise import COLOURS, clip_noise

CHANGES = ("room", "noise", "microphone", "overdrive", "level")
"""The changes to a sound on its way: names of `Augmentation`'s probabilities."""
QUIET_RMS = 0.01
"""Lowest RMS (1 is full scale) that noise is measured against. Silence therefore gets some noise too."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How often and how strongly audio is changed.

    Probabilities are per call. Ranges are drawn uniformly (RT60 on a logarithmic scale). `strength` scales every
    probability and moves the harsher end of each range towards the milder one: 0 changes nothing, 1 uses the ranges as
    written.
    """

    room: float = 0.6
    rt60_s: tuple[float, float] = (0.15, 0.9)
    direct_to_reverberant_db: tuple[float, float] = (15.0, -3.0)
    noise: float = 0.6
    clip_share: float = 0.3
    """Probability that added noise is a recorded clip, if there are clips."""
    snr_db: tuple[float, float] = (50.0, 10.0)
    microphone: float = 0.6
    overdrive: float = 0.1
    overdrive_db: tuple[float, float] = (0.0, 9.0)
    level: float = 1.0
    peak_db: tuple[float, float] = (0.0, -30.0)
    strength: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ValueError(f"strength is {self.strength}, not between 0 and 1")

    def scaled(self, strength: float) -> Augmentation:
        """Return a copy with another `strength`, 0 to 1. A curriculum raises it."""
        return replace(self, strength=strength)

    def without(self, name: str) -> Augmentation:
        """Return a copy in which one of `CHANGES` never happens."""
        never: dict[str, Any] = {name: 0.0}
        return replace(self, **never)

    def happens(self, probability: float, rng: np.random.Generator) -> bool:
        """Return True with `probability` times the strength."""
        return bool(rng.random() < probability * self.strength)

    def draw(self, mild_to_harsh: tuple[float, float], rng: np.random.Generator) -> float:
        """Draw a value from a range given as (mild end, harsh end)."""
        mild, harsh = mild_to_harsh
        return float(mild + (harsh - mild) * self.strength * rng.random())


def augment(
    audio: Audio,
    rng: np.random.Generator,
    settings: Augmentation | None = None,
    clips: list[Audio] | None = None,
) -> Audio:
    """Return a random variant of `audio`, float32 [samples] at 16 kHz. Length and onsets stay the same.

    `clips` are recorded noises (`noise.load_clips(data, "fit")`). The order is that of a real recording: the room, the
    noise in it, the microphone, its overload, and the level of the samples.
    """
    settings = settings or Augmentation()
    heard = np.array(audio, np.float32)
    if settings.happens(settings.room, rng):
        rt60_s = float(np.exp(settings.draw((np.log(settings.rt60_s[0]), np.log(settings.rt60_s[1])), rng)))
        heard = in_room(heard, room_response(rt60_s, settings.draw(settings.direct_to_reverberant_db, rng), rng))
    if settings.happens(settings.noise, rng):
        heard = with_noise(heard, rng, settings.draw(settings.snr_db, rng), settings.clip_share, clips)
    if settings.happens(settings.microphone, rng):
        heard = through_microphone(heard, microphone(rng, settings.strength))
    if settings.happens(settings.overdrive, rng):
        heard = overdriven(heard, settings.draw(settings.overdrive_db, rng))
    if settings.happens(settings.level, rng):
        heard = at_peak(heard, settings.draw(settings.peak_db, rng))
    return heard


def with_noise(
    audio: Audio, rng: np.random.Generator, snr_db: float, clip_share: float = 0.0, clips: list[Audio] | None = None
) -> Audio:
    """Add one kind of noise to `audio`, `snr_db` below its RMS."""
    if clips and rng.random() < clip_share:
        noise = clip_noise(len(audio), clips, rng)
    else:
        noise = COLOURS[rng.integers(len(COLOURS))](len(audio), rng)
    rms = max(float(np.sqrt(np.mean(np.square(audio)))), QUIET_RMS)
    return audio + np.float32(rms * 10 ** (-snr_db / 20)) * noise


def overdriven(audio: Audio, drive_db: float) -> Audio:
    """Clip `audio` softly with tanh. The peak lies `drive_db` above the knee."""
    peak = float(np.abs(audio).max())
    if peak == 0:
        return audio
    drive = np.float32(10 ** (drive_db / 20) / peak)
    return np.asarray(np.tanh(audio * drive) / drive)


def at_peak(audio: Audio, peak_db: float) -> Audio:
    """Scale `audio` so that its largest sample lies at `peak_db` relative to full scale. Silence stays silence."""
    peak = float(np.abs(audio).max())
    return audio * np.float32(10 ** (peak_db / 20) / peak) if peak > 0 else audio
