"""Renders and reads note banks. A note bank holds every note of one instrument as sound.

The notes are rendered only once. Training sound is then made by mixing notes of a bank.

A bank is `NAME.npy`, int16 [88 keys, V velocities, samples] at 16 kHz under one gain, and `NAME.json` beside it.
The key of every note is held to the end. Every note begins at sample 0.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from device.errors import UserError
from device.events import KEYS, LOWEST_KEY
from training.options import CACHE, DATA
from training.pianos.instruments import INSTRUMENTS, LEAD_IN_S, Instrument, open_instrument
from training.pianos.renderer import RATE, Audio

VERSION = 1
"""Version of the banks' format. It is increased when banks on disk must be rendered again."""
NOTE_S = 6.0
"""Length in seconds of a note in a bank."""
FADE_S = 0.5
"""Seconds of the fade at the end of a bank's note."""
ONSET_DB = -30.0
"""The onset is the first sample with a level within 30 dB of the attack's peak. This is above the noise of the key and
below the slow rise of a bass string."""
ATTACK_S = 0.12
"""Seconds after the first loud sample in which the attack's peak is searched for."""
ONSET_WINDOW = RATE // 2000
"""Samples (0.5 ms) over which the level is measured to find the onset. The same number of samples is kept before
the onset, so the onsets in a bank lie at 0.44 ms."""
SILENT_DB = -55.0
"""A note has ended when its level stays below this level, in dB relative to the note's own peak."""
LEVEL_S = 0.25
"""Seconds over which the level of a note is measured."""

Purpose = Literal["fit", "evaluate"]


@dataclass(frozen=True)
class Bank:
    """An instrument of which every key was rendered as sound, at each of V velocities.

    `timbre` names the recording of which it was made. `acoustic` is false for an electric piano. A bank that is
    `heldout` is for evaluation only. `velocities` float64 [V]: the MIDI velocities. `samples` int16 [88, V, samples]:
    one note for each key and velocity, at 16 kHz. `level_db` float64 [88, V]: RMS of the first 250 ms in dB relative to
    full scale (0 or negative). `sounding_s` float64 [88, V]: seconds until the held note has faded by 55 dB from its
    peak, or until the samples end.
    """

    name: str
    timbre: str
    acoustic: bool
    heldout: bool
    velocities: npt.NDArray[np.float64]
    samples: npt.NDArray[np.int16]
    level_db: npt.NDArray[np.float64]
    sounding_s: npt.NDArray[np.float64]


def onset_sample(audio: Audio) -> int:
    """Return the sample at which a single note begins to sound. `audio` is float [samples] at 16 kHz.

    It is the first sample whose RMS over the last 0.5 ms is within `ONSET_DB` of a peak. That peak is the largest such
    RMS up to 120 ms after the RMS first reaches half of its maximum. (The lead-in of a source can be longer than an
    attack.)
    """
    window = ONSET_WINDOW
    power = np.convolve(audio.astype(np.float64) ** 2, np.full(window, 1 / window))[: len(audio)]
    first_loud = int(np.argmax(power >= 0.25 * power.max()))
    peak = power[: first_loud + int(ATTACK_S * RATE)].max()
    return int(np.argmax(power >= peak * 10 ** (ONSET_DB / 10))) if peak > 0 else 0


def sounding_seconds(audio: Audio) -> float:
    """Return the time in seconds after which a note stays below `SILENT_DB` relative to its peak.

    `audio` is float [samples] at 16 kHz. The level is measured over 20 ms.
    """
    frame = RATE // 50
    power = (audio[: len(audio) // frame * frame].astype(np.float64).reshape(-1, frame) ** 2).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 10 ** (SILENT_DB / 10))
    return float((loud[-1] + 1) * frame / RATE) if len(loud) else 0.0


def render_bank(
    instrument: Instrument,
    note: Callable[[int, int, float], Audio],
    folder: Path,
    seconds: float = NOTE_S,
) -> None:
    """Render every key and velocity with `note(pitch, velocity, seconds)` and write the bank into `folder`.

    Raises UserError if all notes are silent.
    """
    length = int(seconds * RATE)
    shape = (KEYS, len(instrument.velocities), length)
    audio = np.zeros(shape, np.float32)
    fade = np.linspace(1, 0, int(min(FADE_S, seconds / 4) * RATE), dtype=np.float32)
    lead_ms = np.zeros(shape[:2])
    for key in tqdm(range(KEYS), desc=instrument.name, unit="key", mininterval=2):
        for layer, velocity in enumerate(instrument.velocities):
            source = note(LOWEST_KEY + key, velocity, seconds + LEAD_IN_S)
            begin = max(0, onset_sample(source) - ONSET_WINDOW + 1)
            lead_ms[key, layer] = 1e3 * begin / RATE
            trimmed = source[begin : begin + length]
            audio[key, layer, : len(trimmed)] = trimmed
    audio[:, :, -len(fade) :] *= fade
    peak = float(np.abs(audio).max())
    if peak == 0:
        raise UserError(f"{instrument.name} rendered as silence: its source {instrument.source} is damaged.")
    # One gain for the whole bank: its largest peak lies at full scale.
    audio /= peak
    start = audio[:, :, : int(LEVEL_S * RATE)].astype(np.float64)
    level = 10 * np.log10((start**2).mean(axis=2) + 1e-12)
    sounding = np.array([[sounding_seconds(layer) for layer in key] for key in audio])
    about = {
        **asdict(instrument),
        "version": VERSION,
        "rate": RATE,
        "gain": 1 / peak,
        "lead_in_ms": {"median": float(np.median(lead_ms)), "max": float(lead_ms.max())},
        "level_db": level.round(2).tolist(),
        "sounding_s": sounding.round(3).tolist(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / f"{instrument.name}.npy", lambda path: _save(path, audio))
    # The description is written last, because a bank without it counts as missing.
    _replace(folder / f"{instrument.name}.json", lambda path: path.write_text(json.dumps(about)))


def _save(path: Path, audio: npt.NDArray[np.float32]) -> None:
    with path.open("wb") as stream:
        np.save(stream, np.round(audio * 32767).astype(np.int16))


def _replace(path: Path, write: Callable[[Path], Any]) -> None:
    temporary = path.with_name(path.name + ".part")
    write(temporary)
    temporary.replace(path)


def _about(cache: Path, name: str) -> dict[str, Any] | None:
    path = cache / "banks" / f"{name}.json"
    if not path.is_file():
        return None
    about: dict[str, Any] = json.loads(path.read_text())
    return about if about["version"] == VERSION else None


def load_bank(cache: Path, name: str, purpose: Purpose = "fit") -> Bank:
    """Return the bank `name` of `cache`. Its samples are memory-mapped.

    Raises UserError if the bank is missing, or if it is held out and `purpose` is "fit".
    """
    about = _about(cache, name)
    if about is None:
        raise UserError(f"There is no bank {name} in {cache / 'banks'}: run `python -m training banks`.")
    if about["heldout"] and purpose == "fit":
        raise UserError(f"The bank {name} is held out: load it with purpose 'evaluate' only.")
    return Bank(
        name=name,
        timbre=about["timbre"],
        acoustic=about["acoustic"],
        heldout=about["heldout"],
        velocities=np.asarray(about["velocities"], np.float64),
        samples=np.load(cache / "banks" / f"{name}.npy", mmap_mode="r"),
        level_db=np.asarray(about["level_db"]),
        sounding_s=np.asarray(about["sounding_s"]),
    )


def bank_names(cache: Path, purpose: Purpose = "fit") -> list[str]:
    """Return the sorted names of the note banks in `cache`.

    These are the held-out banks if `purpose` is "evaluate", and all others if it is "fit".
    """
    names = sorted(path.stem for path in (cache / "banks").glob("*.json"))
    abouts = {name: _about(cache, name) for name in names}
    return [name for name, about in abouts.items() if about and about["heldout"] == (purpose == "evaluate")]


@click.command()
@DATA
@CACHE
@click.option("--bank", "chosen", type=click.Choice([i.name for i in INSTRUMENTS]), multiple=True, help="Default: all.")
def banks(data: Path, cache: Path, chosen: tuple[str, ...]) -> None:
    """Render the note banks that are not in the cache yet."""
    for instrument in INSTRUMENTS:
        if (chosen and instrument.name not in chosen) or _about(cache, instrument.name):
            continue
        renderer = open_instrument(instrument, data, cache / "downloads")
        if isinstance(renderer, str):
            click.echo(f"{instrument.name} skipped: {renderer}")
            continue
        render_bank(instrument, renderer.note, cache / "banks")
