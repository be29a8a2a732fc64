"""Packs everything that scenes are made from into a folder of some 40 MB, and unpacks it on another machine.

A cache with all note banks has several GB. The parcel holds less: the sampled pianos as MP3, without their silence and
without what can be computed again. The computed pianos are rendered again where the parcel is unpacked.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import soundfile
from scipy.signal import lfilter
from tqdm import tqdm

from device.errors import UserError
from device.events import KEYS, LOWEST_KEY
from training.corpora.pieces import CORPORA, load_pieces, piece_path
from training.options import CACHE, DATA
from training.pianos.banks import LEVEL_S, NOTE_S, ONSET_WINDOW, bank_names, onset_sample, render_bank
from training.pianos.instruments import INSTRUMENTS, MODAL, darkening, open_instrument
from training.pianos.renderer import RATE
from training.scenes.cache import VOICES_FOLDER
from training.scenes.voices import record_voices

QUALITY = 0.35
"""libsndfile's compression level of the MP3 files (0 best, 1 smallest): about 40 kbit/s, and noise 38 dB below."""
GAP = RATE // 20
"""Samples of silence (50 ms) between two notes in a file. They keep the codec's noise of one note out of the next."""
FADE = RATE // 50
"""Number of samples of the fade at the end of an unpacked note. The parcel cuts a note where it becomes silent."""
SIZE_MB = 50.0
"""Size in MB above which the command says that the parcel is large."""

Layer = npt.NDArray[np.float32]


def packed_layers(about: dict[str, Any]) -> list[int]:
    """Return the numbers of the velocity layers of a bank that a parcel holds. `about` is the bank's description.

    A source with one layer has the same sound at all velocities, apart from level and darkness. So the loudest is
    enough.
    """
    count = len(about["velocities"])
    return [count - 1] if about["one_layer"] else list(range(count))


def pack_bank(cache: Path, name: str, folder: Path) -> None:
    """Write the bank `name` of `cache` into `folder` as one MP3 file and its description."""
    about = json.loads((cache / "banks" / f"{name}.json").read_text())
    samples = np.load(cache / "banks" / f"{name}.npy", mmap_mode="r")
    silence = np.zeros(GAP, np.float32)
    parts = []
    for key in range(KEYS):
        for layer in packed_layers(about):
            parts += [samples[key, layer, : _length(about, key, layer)].astype(np.float32) / 32768, silence]
    folder.mkdir(parents=True, exist_ok=True)
    soundfile.write(
        folder / f"{name}.mp3",
        np.concatenate(parts),
        RATE,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=QUALITY,
    )
    (folder / f"{name}.json").write_text(json.dumps(about))


def _length(about: dict[str, Any], key: int, layer: int) -> int:
    return int(about["sounding_s"][key][layer] * RATE)


def unpack_bank(folder: Path, name: str, cache: Path) -> None:
    """Write the bank `name`, packed in `folder`, into `cache`."""
    about = json.loads((folder / f"{name}.json").read_text())
    audio, _ = soundfile.read(folder / f"{name}.mp3", dtype="float32")
    velocities, layers = about["velocities"], packed_layers(about)
    bank = np.zeros((KEYS, len(velocities), int(NOTE_S * RATE)), np.int16)
    at = 0
    for key in range(KEYS):
        for layer in layers:
            length = _length(about, key, layer)
            note = audio[at : at + length].copy()
            note[-FADE:] *= np.linspace(1, 0, len(note[-FADE:]), dtype=np.float32)
            at += length + GAP
            sounds = range(len(velocities)) if about["one_layer"] else [layer]
            for number in sounds:
                made = darker(note, LOWEST_KEY + key, velocities[layer], velocities[number])
                if number != layer:
                    # a darker sound rises later: a bank's note begins where it is heard
                    made = made[max(0, onset_sample(made) - ONSET_WINDOW + 1) :]
                made = at_level(made, about["level_db"][key][number])
                bank[key, number, : len(made)] = np.round(np.clip(made, -1, 1) * 32767)
    target = cache / "banks"
    target.mkdir(parents=True, exist_ok=True)
    np.save(target / f"{name}.npy", bank)
    (target / f"{name}.json").write_text(json.dumps(about))


def darker(note: Layer, pitch: int, velocity: int, softer: int) -> Layer:
    """Return the sound at velocity `softer` of a one-layer source, from its sound `note` at `velocity`.

    Both went through the low-pass of `training.pianos.instruments.darkening`. The filter here is their quotient. Both
    are first-order with a zero at half the sample rate, so the quotient is first-order too, and stable.
    """
    loud, soft = darkening(pitch, velocity), darkening(pitch, softer)
    if softer == velocity or soft is None:
        return note
    if loud is None:
        return np.asarray(lfilter(soft[0], soft[1], note), np.float32)
    return np.asarray(lfilter(np.array(loud[1]) * (soft[0][0] / loud[0][0]), soft[1], note), np.float32)


def at_level(note: Layer, level_db: float) -> Layer:
    """Return `note` float32 [samples], scaled to an RMS of `level_db` over its first 250 ms.

    `level_db` is relative to full scale (0 or negative). Silence stays silence.
    """
    # a bank's level is the mean over LEVEL_S even where the note ends sooner
    power = float(np.sum(note[: int(LEVEL_S * RATE)].astype(np.float64) ** 2)) / int(LEVEL_S * RATE)
    return note * np.float32(10 ** (level_db / 20) / np.sqrt(power)) if power > 0 else note


@click.command()
@CACHE
@DATA
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path(".cache/parcel"),
    show_default=True,
    help="Folder of the parcel.",
)
def parcel(cache: Path, data: Path, out: Path) -> None:
    """Pack the pianos, pieces and noises of a fit for a machine that has none of them."""
    names = [name for name in bank_names(cache) if not name.startswith(MODAL)]
    if not names:
        raise UserError(f"There is no sampled piano in {cache / 'banks'}: run `python -m training banks` first.")
    for name in tqdm(names, desc="banks"):
        pack_bank(cache, name, out / "banks")
    with tarfile.open(out / "pieces.tar.xz", "w:xz") as tar:
        for corpus in CORPORA:
            for piece in load_pieces(cache, corpus):
                path = piece_path(cache, corpus, piece.name)
                if piece.primary and piece.split != "test":
                    tar.add(path, path.relative_to(cache))
    for path in sorted((data / "esc10-noise").glob("*/1-*.ogg")):
        (out / "esc10-noise" / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, out / "esc10-noise" / path.parent.name / path.name)
    record_voices(out / VOICES_FOLDER)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1e6
    click.echo(f"{out}: {size:.0f} MB" + (f", more than {SIZE_MB:.0f}" if size > SIZE_MB else ""))


def unpack(folder: Path, cache: Path, modal: int) -> None:
    """Unpack the parcel in `folder` into `cache` on all cores, and render `modal` computed pianos.

    Raises UserError if `folder` holds no parcel.
    """
    if not (folder / "pieces.tar.xz").is_file():
        raise UserError(f"{folder} is no parcel: `python -m training parcel --out {folder}` writes one.")
    cache.mkdir(parents=True, exist_ok=True)
    names = sorted(path.stem for path in (folder / "banks").glob("*.json"))
    computed = [instrument for instrument in INSTRUMENTS if instrument.source == MODAL][:modal]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs: list[Future[None]] = [pool.submit(unpack_bank, folder / "banks", name, cache) for name in names]
        jobs += [pool.submit(_compute_bank, instrument.name, cache) for instrument in computed]
        with tarfile.open(folder / "pieces.tar.xz") as tar:
            tar.extractall(cache, filter="data")
        for name in (VOICES_FOLDER, "esc10-noise"):
            shutil.copytree(folder / name, cache / name, dirs_exist_ok=True)
        for job in as_completed(jobs):
            job.result()


def _compute_bank(name: str, cache: Path) -> None:
    instrument = next(each for each in INSTRUMENTS if each.name == name)
    renderer = open_instrument(instrument, cache, cache)
    assert not isinstance(renderer, str), renderer
    render_bank(instrument, renderer.note, cache / "banks")
