"""Mixes both hands into one sound file. The left hand is played with an installed General MIDI soundfont."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from device.errors import UserError, missing_extra
from device.events import Note
from device.files.sound_file import SoundFile
from device.system.paths import soundfonts

if TYPE_CHECKING:
    import tinysoundfont

RATE = 44_100
"""Sample rate in Hz of a mix without recorded sound."""
TAIL_S = 1.5
"""Seconds after the last note-off, so that the last notes can die away."""
LEFT_BELOW_DB = 3.0
"""Decibels. The left hand is this much softer than the recorded right hand, so that it accompanies."""
_HEADROOM = 0.98
"""Highest peak of the mix, as a share of full scale. It leaves a small margin before clipping."""
_LOUDNESS_S, _LOUDNESS_PERCENTILE = 0.05, 90.0
"""Loudness is this percentile of the levels of frames of so many seconds. Quiet passages hardly affect it."""
_SHORTEST_S = 0.02
"""Seconds. Shorter notes are rendered with this length, so that each note-off comes after its note-on."""
_VOICES = 128
"""Largest number of voices that the synthesiser plays at once."""
_PIANO = 0
"""General MIDI program of the grand piano, counted from 0."""

Stereo = NDArray[np.float32]


def best_soundfont() -> Path:
    """Return the best installed soundfont. Raises UserError, with a package to install, if there is none."""
    # compressed soundfonts (.sf3) are not used: one takes a gigabyte of memory and 18 s to load here
    for path in soundfonts(".sf2"):
        return path
    raise UserError(
        "No soundfont was found for --audio: run `apt-get install timgm6mb-soundfont` "
        "(or fluid-soundfont-gm, which sounds better)."
    )


def mix(sound: SoundFile | None, right: Sequence[Note], left: Sequence[Note]) -> tuple[Stereo, int]:
    """Return both hands as float32[n, 2] within full scale, and the sample rate in Hz.

    With `sound`, that recording is the right hand, unchanged, and the left hand's level is adjusted to it. Without
    `sound`, both hands are rendered and scaled to nearly full scale. A mix that would clip is scaled down.
    """
    rate = RATE if sound is None else sound.rate
    lower = render(left, rate)
    if sound is None:
        upper = render(right, rate)
    else:
        recorded = np.nan_to_num(sound.read(), nan=0.0, posinf=0.0, neginf=0.0)
        upper = np.repeat(recorded[:, np.newaxis], 2, axis=1)
        lower *= _gain(upper, lower, rate)
    both = np.zeros((max(len(upper), len(lower)), 2), np.float32)
    both[: len(upper)] += upper
    both[: len(lower)] += lower
    peak = float(np.max(np.abs(both), initial=0.0))
    if peak > _HEADROOM or (sound is None and peak > 0.0):
        both *= np.float32(_HEADROOM / peak)
    return both, rate


def write_mix(path: Path, sound: SoundFile | None, right: Sequence[Note], left: Sequence[Note]) -> None:
    """Write the result of `mix` as a 16-bit WAV file."""
    import soundfile

    both, rate = mix(sound, right, left)
    soundfile.write(str(path), both, rate, format="WAV", subtype="PCM_16")


def render(notes: Sequence[Note], rate: int, soundfont: Path | None = None) -> Stereo:
    """Return `notes` played on a piano as float32[n, 2], from time 0. Open notes sound until the end.

    Without notes the array has no rows. Raises UserError if the soundfont or tinysoundfont is missing or unusable.
    """
    if not notes:
        return np.zeros((0, 2), np.float32)
    synth = _synth(rate, soundfont or best_soundfont())
    last_s = max(note.onset_s if note.offset_s is None else note.offset_s for note in notes)
    changes: list[tuple[int, int, int, int]] = []
    for note in notes:
        off_s = last_s if note.offset_s is None else note.offset_s
        changes.append((round(note.onset_s * rate), 1, note.pitch, note.velocity))
        changes.append((round(max(off_s, note.onset_s + _SHORTEST_S) * rate), 0, note.pitch, 0))
    out = np.zeros((round((last_s + TAIL_S) * rate), 2), np.float32)
    at = 0
    for frame, is_on, pitch, velocity in sorted(changes):
        if frame > at:
            out[at:frame] = np.frombuffer(synth.generate(frame - at), np.float32).reshape(-1, 2)
            at = frame
        if is_on:
            synth.noteon(0, pitch, velocity)
        else:
            synth.noteoff(0, pitch)
    out[at:] = np.frombuffer(synth.generate(len(out) - at), np.float32).reshape(-1, 2)
    return out


def _synth(rate: int, soundfont: Path) -> tinysoundfont.Synth:
    try:
        import tinysoundfont
    except ImportError:
        raise missing_extra("tinysoundfont", "play") from None
    synth = tinysoundfont.Synth(samplerate=rate)
    try:
        synth.program_select(0, synth.sfload(str(soundfont), max_voices=_VOICES), 0, _PIANO)
    except (RuntimeError, tinysoundfont.SoundFontException):
        raise UserError(
            f"The soundfont {soundfont} cannot be used: install another, such as timgm6mb-soundfont."
        ) from None
    return synth


def _gain(upper: Stereo, lower: Stereo, rate: int) -> np.float32:
    above, below = _loudness(upper, rate), _loudness(lower, rate)
    if above <= 0.0 or below <= 0.0:
        return np.float32(1.0)
    return np.float32(above / below * 10 ** (-LEFT_BELOW_DB / 20))


def _loudness(sound: Stereo, rate: int) -> float:
    """Return the root mean square of the loud passages of `sound`. A value of 1 is full scale."""
    frame = max(1, int(_LOUDNESS_S * rate))
    frames = sound[: len(sound) // frame * frame].reshape(-1, frame * 2)
    if len(frames) == 0:
        return 0.0
    return float(np.percentile(np.sqrt(np.mean(frames**2, axis=1)), _LOUDNESS_PERCENTILE))
