"""Mixes the notes of a note bank into sound.

Each note sounds as loud as its velocity and begins exactly at the sample of its onset.
Dampers, pedal and detuning are imitated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soxr

from device.events import KEYS, LOWEST_KEY
from training.pianos.banks import Bank
from training.pianos.renderer import RATE
from training.pianos.sympathetic import RINGING, open_strings, ringing

HEADROOM = 0.25
"""Gain of the mix. The loudest note of a bank peaks at -12 dB full scale, so chords rarely exceed full scale."""
UNDAMPED_PITCH = 90
"""MIDI pitch from which strings have no dampers: about F#6."""
RESTRIKE_S = 0.03
"""Time constant in seconds with which a string's old sound fades when the string is struck again."""
FADED = 7.0
"""Number of time constants after which a damped note is cut. Its level is -61 dB then."""


OUT_OF_TUNE = 0.25
"""Probability that a whole piano is out of tune."""
OUT_OF_TUNE_CENTS = 45.0
"""Largest distance in cents of such a piano from its pitch. At 50 cents nothing tells one key from the next."""


class Played(NamedTuple):
    """A note as it is played: seconds of key-down and key-up, MIDI pitch, velocity 1 to 127."""

    onset_s: float
    offset_s: float
    pitch: int
    velocity: int


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """The differences between one rendering and the sampled bank.

    - `detune_cents`: shift of the whole instrument. `key_cents`: standard deviation of each key's own tuning.
    - `damping`: factor of the dampers' time. `damper_lag_s`: seconds from a key-up until its damper falls.
    - `key_db`: standard deviation of each key's own level. `tilt_db`: level in dB added to the highest key relative to
      the lowest. `dynamics`: factor of every level's distance in dB from velocity 80.
    - `open_strings`: seed of the strings that resonate under the pedal, or None for no resonance. `ringing_db`: their
      level.
    """

    detune_cents: float = 0.0
    key_cents: float = 0.0
    damping: float = 1.0
    key_db: float = 0.0
    tilt_db: float = 0.0
    dynamics: float = 1.0
    damper_lag_s: float = 0.0
    open_strings: int | None = None
    ringing_db: float = -32.0

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> RenderOptions:
        """Return random options.

        Most pianos are within 10 cents of their pitch, as in Mobile-AMT's training. Some are not: their pitch is
        anywhere within `OUT_OF_TUNE_CENTS`.
        """
        near, far = float(np.clip(rng.normal(0, 8), -25, 25)), float(rng.uniform(-1, 1) * OUT_OF_TUNE_CENTS)
        return cls(
            detune_cents=far if rng.random() < OUT_OF_TUNE else near,
            key_cents=float(rng.choice([0.0, 1.5, 4.0], p=[0.5, 0.3, 0.2])),
            damping=float(np.exp(rng.uniform(np.log(0.6), np.log(1.8)))),
            key_db=float(rng.uniform(0, 1.5)),
            # At one velocity, pianos become softer from A0 to C8. Banks made for sequencers are levelled.
            tilt_db=float(rng.uniform(-10, 2)),
            dynamics=float(rng.uniform(0.5, 1.4)),
            damper_lag_s=float(rng.uniform(0, 0.04)),
            open_strings=int(rng.integers(RINGING)) if rng.random() < 0.7 else None,
            ringing_db=float(rng.uniform(-40, -24)),
        )


@dataclass(frozen=True, slots=True)
class Rendered:
    """The sound of notes, and the ends of these notes.

    `audio` is float32 mono [samples] at 16 kHz. `damped_s` float64 [notes]: the second at which each note's damper fell
    (the pedal delays it) or its string was struck again. `end_s` float64 [notes]: the second at which the key went up,
    without regard to the pedal. It is earlier if the string was struck again or had already faded by 55 dB.
    """

    audio: npt.NDArray[np.float32]
    damped_s: npt.NDArray[np.float64]
    end_s: npt.NDArray[np.float64]


def damping_seconds(pitch: int) -> float:
    """Return the damper's time constant in seconds: 90 ms at A0, falling to 25 ms at the last damped key."""
    share = np.clip((pitch - LOWEST_KEY) / (UNDAMPED_PITCH - LOWEST_KEY), 0, 1)
    return float(0.09 * (0.025 / 0.09) ** share)


def released(offsets_s: npt.NDArray[np.float64], pedal: Sequence[tuple[float, float]]) -> npt.NDArray[np.float64]:
    """Return the time in seconds at which the damper of each note falls, [notes].

    `offsets_s` are the times at which the keys rise, and `pedal` the spans in which the pedal is down.
    """
    ends = offsets_s.copy()
    for down, up in sorted(pedal):
        ends[(ends >= down) & (ends < up)] = up
    return ends


def restruck(
    onsets_s: npt.NDArray[np.float64], pitches: npt.NDArray[np.int64], beyond_s: float
) -> npt.NDArray[np.float64]:
    """Return the time in seconds of the next stroke of each note's key, [notes]. It is `beyond_s` if there is none."""
    after = np.full(len(onsets_s), beyond_s)
    order = np.lexsort((onsets_s, pitches))
    same = pitches[order][1:] == pitches[order][:-1]
    after[order[:-1][same]] = onsets_s[order[1:][same]]
    return after


def note_level_db(bank: Bank, key: int, velocity: float) -> float:
    """Return the level in dB of `key` (0 to 87) at `velocity`.

    It is interpolated between the velocities of the bank. Above and below these the amplitude is proportional to v^2.
    """
    layers, levels = bank.velocities, bank.level_db[key]
    level = float(np.interp(velocity, layers, levels))
    beyond = max(velocity, 1.0) / float(np.clip(velocity, layers[0], layers[-1]))
    return level + 40 * float(np.log10(beyond))


def render(
    notes: Sequence[Played],
    bank: Bank,
    seconds: float,
    pedal: Sequence[tuple[float, float]] = (),
    options: RenderOptions | None = None,
    rng: np.random.Generator | None = None,
) -> Rendered:
    """Render `notes` with the sounds of `bank`. Returns the sound, `seconds` long, and the ends of the notes.

    `pedal` holds the spans (down, up) in seconds in which the pedal is down. A note begins exactly at the sample of its
    onset. A note that begins before 0 is audible from 0 on. `rng` sets each key's own tuning and level if `options` ask
    for them.
    """
    options = options or RenderOptions()
    rng = rng or np.random.default_rng(0)
    speed = 2 ** (options.detune_cents / 1200)
    # Mixing runs at a sample rate `speed` times as high. One resampling to RATE then detunes all notes.
    rate = RATE * speed
    mix = np.zeros(int(np.ceil(seconds * rate)) + 1, np.float32)
    table = np.asarray(notes, np.float64).reshape(-1, 4)
    onsets, pitches = table[:, 0], table[:, 2].astype(np.int64)
    dampers = released(np.maximum(table[:, 1], onsets) + options.damper_lag_s, pedal)
    strings = restruck(onsets, pitches, np.inf)
    held = bank.samples.shape[2] / RATE
    dampers = np.where(pitches >= UNDAMPED_PITCH, np.maximum(dampers, onsets + held), dampers)
    ends = np.minimum(dampers, strings)
    key_cents = rng.normal(0, 1, KEYS) * options.key_cents
    key_db = rng.normal(0, 1, KEYS) * options.key_db + options.tilt_db * (np.arange(KEYS) / (KEYS - 1) - 0.5)
    reference = float(np.interp(80, bank.velocities, np.median(bank.level_db, axis=0)))
    heard_until = np.minimum(np.maximum(table[:, 1], onsets), ends)
    for i, (pitch, velocity) in enumerate(zip(pitches, table[:, 3], strict=True)):
        key = int(pitch) - LOWEST_KEY
        layer = int(np.argmin(np.abs(bank.velocities - velocity)))
        heard_until[i] = min(heard_until[i], onsets[i] + bank.sounding_s[key, layer])
        constant = RESTRIKE_S if strings[i] <= dampers[i] else options.damping * damping_seconds(int(pitch))
        begin = round(onsets[i] * rate)
        kept = int(min((ends[i] - onsets[i] + FADED * constant) * rate, bank.samples.shape[2]))
        skipped, stop = max(0, -begin), min(begin + kept, len(mix))
        if stop - begin <= skipped:
            continue
        level = note_level_db(bank, key, float(velocity))
        gain_db = level - bank.level_db[key, layer] + key_db[key] + (options.dynamics - 1) * (level - reference)
        audio = _tuned(bank.samples[key, layer], stop - begin, float(key_cents[key]))
        audio *= np.float32(HEADROOM / 32767 * 10 ** (gain_db / 20))
        _damp(audio, round((ends[i] - onsets[i]) * rate), constant * rate)
        mix[begin + skipped : stop] += audio[skipped:]
    audio = _fit(mix if speed == 1 else soxr.resample(mix, rate, RATE), round(seconds * RATE))
    if bank.acoustic and options.open_strings is not None:
        audio = audio + ringing(audio, pedal, open_strings(options.open_strings), options.ringing_db)
    return Rendered(audio, ends, heard_until)


def _damp(audio: npt.NDArray[np.float32], closing: int, constant: float) -> None:
    """Let `audio` [samples] fade from sample `closing` on, by a factor of e in `constant` samples."""
    if closing < len(audio):
        fall = np.arange(len(audio) - closing, dtype=np.float32) * np.float32(-1 / constant)
        audio[closing:] *= np.exp(fall)


def _tuned(samples: npt.NDArray[np.int16], length: int, cents: float) -> npt.NDArray[np.float32]:
    if cents == 0:
        return samples[:length].astype(np.float32)
    at = np.arange(length) * 2 ** (cents / 1200)
    return np.interp(at, np.arange(len(samples)), samples, right=0).astype(np.float32)


def _fit(audio: npt.NDArray[np.float32], length: int) -> npt.NDArray[np.float32]:
    fitted = np.zeros(length, np.float32)
    fitted[: min(length, len(audio))] = audio[:length]
    return fitted
