"""Augmentation of rendered audio: room, noise, microphone, clipping and level, each with its own probability."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from training.pianos.renderer import Audio
from training.scenes.acoustics import in_room, microphone, room_response, through_microphone
from training.scenes.noise import COLOURS, clip_noise

CHANGES = ("room", "noise", "microphone", "overdrive", "level")
"""What happens to a sound on its way: names of `Augmentation`'s probabilities."""
QUIET_RMS = 0.01
"""Noise is set against at least this level, so that silence gets some noise too."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How often and how hard audio is changed.

    Probabilities are per call; ranges are drawn uniformly (RT60 on a logarithmic scale). `strength` scales every
    probability and moves each range's harsher end towards the milder one: 0 leaves audio alone, 1 is as written.
    """

    room: float = 0.6
    rt60_s: tuple[float, float] = (0.15, 0.9)
    direct_to_reverberant_db: tuple[float, float] = (15.0, -3.0)
    noise: float = 0.6
    clip_share: float = 0.3
    """Of the times that noise is added, how often it is a recorded clip where there are any."""
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
        """The same with another `strength`, 0 to 1: for a curriculum."""
        return replace(self, strength=strength)

    def without(self, name: str) -> Augmentation:
        """The same with one of `CHANGES` never happening."""
        never: dict[str, Any] = {name: 0.0}
        return replace(self, **never)

    def happens(self, probability: float, rng: np.random.Generator) -> bool:
        """One draw of `probability` times the strength."""
        return bool(rng.random() < probability * self.strength)

    def draw(self, mild_to_harsh: tuple[float, float], rng: np.random.Generator) -> float:
        """One draw from a range given as (mild end, harsh end)."""
        mild, harsh = mild_to_harsh
        return float(mild + (harsh - mild) * self.strength * rng.random())


def augment(
    audio: Audio,
    rng: np.random.Generator,
    settings: Augmentation | None = None,
    clips: list[Audio] | None = None,
) -> Audio:
    """A random variant of `audio`, float32 [samples] at 16 kHz, of the same length; onsets stay at their samples.

    `clips` are recorded noises (`noise.load_clips(data, "fit")`). Order as in life: the room, the noise that sounds
    in it, the microphone, its overload, and the level at which the samples arrive.
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
    """`audio` plus one kind of noise, `snr_db` below its RMS."""
    if clips and rng.random() < clip_share:
        noise = clip_noise(len(audio), clips, rng)
    else:
        noise = COLOURS[rng.integers(len(COLOURS))](len(audio), rng)
    rms = max(float(np.sqrt(np.mean(np.square(audio)))), QUIET_RMS)
    return audio + np.float32(rms * 10 ** (-snr_db / 20)) * noise


def overdriven(audio: Audio, drive_db: float) -> Audio:
    """`audio` through tanh, its peak `drive_db` above the knee: soft clipping."""
    peak = float(np.abs(audio).max())
    if peak == 0:
        return audio
    drive = np.float32(10 ** (drive_db / 20) / peak)
    return np.asarray(np.tanh(audio * drive) / drive)


def at_peak(audio: Audio, peak_db: float) -> Audio:
    """`audio` scaled so that its largest sample lies at `peak_db` under full scale; silence stays silence."""
    peak = float(np.abs(audio).max())
    return audio * np.float32(10 ** (peak_db / 20) / peak) if peak > 0 else audio
