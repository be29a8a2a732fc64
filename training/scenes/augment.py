"""Changes rendered sound at random, so that it resembles a real recording.

The changes are room, talk, noise, microphone, clipping, automatic gain and level. Each happens with its own
probability.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from training.pianos.renderer import RATE, Audio
from training.scenes.acoustics import in_room, microphone, room_response, through_microphone
from training.scenes.noise import COLOURS, clip_noise
from training.scenes.voices import conversation

CHANGES = ("room", "talk", "noise", "microphone", "overdrive", "gain_control", "level")
"""Names of the changes. The field of `Augmentation` with the same name is the probability of the change."""
QUIET_RMS = 0.01
"""Lowest RMS of the sound from which the level of the noise is computed (1 is full scale).

So even silence gets some noise.
"""

GAIN_BLOCK = RATE // 200
"""Samples (5 ms) after which an automatic gain control changes its gain."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Says how often and how strongly audio is changed.

    Each probability holds for one call of `augment`. A value is chosen uniformly from its range (for `rt60_s`, the
    seconds in which a room's sound decays by 60 dB, on a logarithmic scale). `strength` multiplies every probability,
    and moves the harsher end of each range towards the milder one. With strength 0 nothing changes, with strength 1 the
    probabilities and ranges hold as they are written. Raises ValueError if `strength` is not between 0 and 1.
    """

    room: float = 0.6
    rt60_s: tuple[float, float] = (0.15, 2.0)
    direct_to_reverberant_db: tuple[float, float] = (15.0, -7.0)
    """The harsh end is a microphone some metres away from the piano, where the room is louder than the piano itself."""
    talk: float = 0.35
    """Probability that somebody talks, if there are recorded voices."""
    talk_db: tuple[float, float] = (25.0, 3.0)
    """Level of the piano above the voice."""
    noise: float = 0.6
    clip_share: float = 0.3
    """Probability that the noise is a recorded clip and not computed, if there are clips."""
    snr_db: tuple[float, float] = (50.0, 10.0)
    microphone: float = 0.6
    overdrive: float = 0.1
    overdrive_db: tuple[float, float] = (0.0, 9.0)
    gain_control: float = 0.2
    gain_control_db: tuple[float, float] = (3.0, 24.0)
    """Largest gain by which a telephone makes soft passages louder."""
    level: float = 1.0
    peak_db: tuple[float, float] = (0.0, -30.0)
    strength: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ValueError(f"strength is {self.strength}, not between 0 and 1")

    def scaled(self, strength: float) -> Augmentation:
        """Return a copy with another `strength`, 0 to 1. Raises ValueError for any other number."""
        return replace(self, strength=strength)

    def without(self, name: str) -> Augmentation:
        """Return a copy in which the change `name`, one of `CHANGES`, never happens."""
        never: dict[str, Any] = {name: 0.0}
        return replace(self, **never)

    def happens(self, probability: float, rng: np.random.Generator) -> bool:
        """Return True at random. The probability of True is `probability` times the strength."""
        return bool(rng.random() < probability * self.strength)

    def draw(self, mild_to_harsh: tuple[float, float], rng: np.random.Generator) -> float:
        """Return a random value from a range (mild end, harsh end), which the strength narrows."""
        mild, harsh = mild_to_harsh
        return float(mild + (harsh - mild) * self.strength * rng.random())


def augment(
    audio: Audio,
    rng: np.random.Generator,
    settings: Augmentation | None = None,
    clips: list[Audio] | None = None,
    talk: list[Audio] | None = None,
) -> Audio:
    """Return a random variant of `audio`, float32 [samples] at 16 kHz. Length and onsets stay the same.

    `clips` are recorded noises (`noise.load_clips(data, "fit")`), `talk` are recorded voices. The changes come in the
    order in which they happen to real sound: the room, voices and noise in it, the microphone, its overload, its
    automatic gain, and the level of the samples.
    """
    settings = settings or Augmentation()
    heard = np.array(audio, np.float32)
    if settings.happens(settings.room, rng):
        rt60_s = float(np.exp(settings.draw((np.log(settings.rt60_s[0]), np.log(settings.rt60_s[1])), rng)))
        heard = in_room(heard, room_response(rt60_s, settings.draw(settings.direct_to_reverberant_db, rng), rng))
    if talk and settings.happens(settings.talk, rng):
        said = conversation(len(heard), talk, rng)
        heard = with_noise(heard, rng, settings.draw(settings.talk_db, rng), 1.0, [said])
    if settings.happens(settings.noise, rng):
        heard = with_noise(heard, rng, settings.draw(settings.snr_db, rng), settings.clip_share, clips)
    if settings.happens(settings.microphone, rng):
        heard = through_microphone(heard, microphone(rng, settings.strength))
    if settings.happens(settings.overdrive, rng):
        heard = overdriven(heard, settings.draw(settings.overdrive_db, rng))
    if settings.happens(settings.gain_control, rng):
        heard = gain_controlled(heard, rng, settings.draw(settings.gain_control_db, rng))
    if settings.happens(settings.level, rng):
        heard = at_peak(heard, settings.draw(settings.peak_db, rng))
    return heard


def with_noise(
    audio: Audio, rng: np.random.Generator, snr_db: float, clip_share: float = 0.0, clips: list[Audio] | None = None
) -> Audio:
    """Return `audio` with noise of one kind, whose level is `snr_db` below the RMS of `audio`.

    The noise is one of the recordings `clips` with the probability `clip_share`, else it is computed.
    """
    if clips and rng.random() < clip_share:
        noise = clip_noise(len(audio), clips, rng)
    else:
        noise = COLOURS[rng.integers(len(COLOURS))](len(audio), rng)
    rms = max(float(np.sqrt(np.mean(np.square(audio)))), QUIET_RMS)
    return audio + np.float32(rms * 10 ** (-snr_db / 20)) * noise


def overdriven(audio: Audio, drive_db: float) -> Audio:
    """Return `audio` softly clipped with tanh.

    Its peak lies `drive_db` above the level at which the clipping begins.
    """
    peak = float(np.abs(audio).max())
    if peak == 0:
        return audio
    drive = np.float32(10 ** (drive_db / 20) / peak)
    return np.asarray(np.tanh(audio * drive) / drive)


def at_peak(audio: Audio, peak_db: float) -> Audio:
    """Scale `audio` so that its largest sample lies at `peak_db` relative to full scale. Silence stays silence."""
    peak = float(np.abs(audio).max())
    return audio * np.float32(10 ** (peak_db / 20) / peak) if peak > 0 else audio


def gain_controlled(audio: Audio, rng: np.random.Generator, most_db: float) -> Audio:
    """Return `audio` after an automatic gain control, as in a telephone: it raises soft passages by up to `most_db`.

    The gain follows the level that was heard before: it falls within 5 to 40 ms, and rises within 0.3 to 3 s. The
    loudest passages keep their level.
    """
    blocks = len(audio) // GAIN_BLOCK
    power = np.square(audio[: blocks * GAIN_BLOCK].reshape(blocks, GAIN_BLOCK)).mean(axis=1)
    if not power.any():
        return audio
    fall, rise = (1 - np.exp(-GAIN_BLOCK / RATE / s) for s in (rng.uniform(0.005, 0.04), rng.uniform(0.3, 3.0)))
    level = np.empty(blocks + 1)
    level[0] = now = float(power.max())
    for i, block in enumerate(power):
        now += (fall if block > now else rise) * (float(block) - now)
        level[i + 1] = now
    wanted_db = -10 * np.log10(np.maximum(level / level.max(), 1e-12))
    gain = 10 ** (np.minimum(wanted_db * rng.uniform(0.4, 1.0), most_db) / 20)
    at = np.arange(len(audio)) / GAIN_BLOCK
    return np.asarray(audio * np.interp(at, np.arange(blocks + 1), gain), np.float32)
