"""Scenes: what the transcriber is trained on, half a minute each: features, the notes to find, and what we sent.

A scene is drawn from (seed, corpus, split, number) alone, so the cache can be built in any order and resumed.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from device.errors import UserError
from device.features import Features, FeatureSpec
from device.own import OwnNotes
from device.types import KEYS, LOWEST_KEY
from training.augment import Augmentation, augment, with_noise
from training.banks import Bank, bank_names, load_bank
from training.instruments import Audio
from training.noise import load_clips
from training.perform import Performance, invent, perform
from training.pieces import CORPORA, Hand, Piece, load_pieces
from training.render import Played, RenderOptions, render

SCENE_S = 24.0
INVENTED = "invented"
"""Notes from no piece: every key, every density, and rests with nothing but noise."""
KINDS = {"both": 0.6, "right": 0.2, "bleed": 0.2}
"""Which hands are played, and how often: both by the pianist, the right alone, or the right over our own left."""

GATE = "gate"
"""A split of its own for fitting the gate: validation pieces as they reach a box at home, mildly coloured, no bleed."""
MILD = 0.4
"""Strength of the gate scenes' augmentation."""
ACOUSTIC = 3.0
"""How much more often an acoustic piano is drawn than an electric one."""

SCENE_NOTE = np.dtype([("onset_s", "<f8"), ("offset_s", "<f8"), ("pitch", "u1"), ("velocity", "u1")])


@dataclass(frozen=True)
class Scene:
    """`features` uint8 [frames, bins, channels] (levels x 255), `notes`, `own` uint8 [frames, 88, 2] or empty."""

    features: npt.NDArray[np.uint8]
    notes: npt.NDArray[Any]
    own: npt.NDArray[np.uint8]


def scene_folder(cache: Path, split: str, corpus: str) -> Path:
    """Where a corpus' scenes lie."""
    return cache / "scenes" / split / corpus


def load_scenes(cache: Path, split: str) -> list[Scene]:
    """All cached scenes of a split, features memory-mapped."""
    scenes = []
    for path in sorted((cache / "scenes" / split).glob("*/*.npz")):
        with np.load(path, allow_pickle=False) as data:
            scenes.append(Scene(np.load(path.with_suffix(".npy"), mmap_mode="r"), data["notes"], data["own"]))
    return scenes


def draw(
    rng: np.random.Generator,
    pieces: list[Piece],
    banks: list[Bank],
    clips: list[Audio],
    features: Features,
    mild: bool = False,
) -> Scene:
    """One random scene from `pieces` (an empty list: invented notes)."""
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values()))) if pieces else "both"
    if mild and kind == "bleed":
        kind = "right"
    if pieces:
        piece = pieces[int(rng.integers(len(pieces)))]
        hands = (Hand.RIGHT, Hand.VOICE) if kind == "right" and piece.corpus == "pop909" else (Hand.RIGHT,)
        heard = perform(piece, rng, SCENE_S, tuple(Hand) if kind == "both" else hands)
    else:
        heard = invent(rng, SCENE_S)
    bank = _any(rng, banks)
    rendered = render(heard.notes, bank, SCENE_S, heard.pedal, RenderOptions.drawn(rng), rng)
    audio, own = rendered.audio, np.zeros((0, KEYS, 2), np.uint8)
    if kind == "bleed":
        sent = perform(piece, rng, SCENE_S, (Hand.LEFT,), like=heard)
        audio = audio + _bleed(rng, sent, banks, audio)
        own = own_frames(sent.notes, features.spec)
    if not heard.notes:
        hiss = rng.normal(0, 1, len(audio)).astype(np.float32)
        audio = with_noise(hiss * np.float32(1e-3), rng, -20.0, 0.5, clips)
    audio = augment(audio, rng, Augmentation(strength=MILD if mild else 1.0), clips)
    levels = features.frames(audio)
    return Scene(np.rint(levels * 255).astype(np.uint8), _labels(heard.notes, rendered.sounding_end_s), own)


def _any(rng: np.random.Generator, banks: list[Bank]) -> Bank:
    """A bank: each timbre once, however many banks it has, an acoustic piano more often than another."""
    timbres = [bank.timbre for bank in banks]
    weight = np.array([(ACOUSTIC if bank.acoustic else 1.0) / timbres.count(bank.timbre) for bank in banks])
    return banks[int(rng.choice(len(banks), p=weight / weight.sum()))]


def _bleed(
    rng: np.random.Generator, sent: Performance, banks: list[Bank], right: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Our left hand as it comes back: late by a wire's or a room's delay, from inaudible to as loud as the player."""
    wire = rng.random() < 0.35
    late = rng.uniform(0.005, 0.02) if wire else rng.uniform(0.02, 0.2)
    below_db = 80.0 if rng.random() < 0.12 else rng.uniform(-3, 3) if wire else rng.uniform(0, 18)
    notes = [n._replace(onset_s=n.onset_s + late, offset_s=n.offset_s + late) for n in sent.notes]
    audio = render(notes, _any(rng, banks), SCENE_S, sent.pedal, RenderOptions.drawn(rng), rng).audio
    level = np.sqrt(np.mean(right**2) + 1e-12) / np.sqrt(np.mean(audio**2) + 1e-12)
    return (audio * level * 10 ** (-below_db / 20)).astype(np.float32)


def own_frames(notes: list[Played], spec: FeatureSpec) -> npt.NDArray[np.uint8]:
    """uint8 [frames, 88, 2]: the device's own-note input for notes sent at these times."""
    own = OwnNotes()
    waiting = sorted(notes)
    frames = int(SCENE_S * spec.sample_rate) // spec.hop
    out = np.zeros((frames, KEYS, 2), np.uint8)
    for k in range(frames):
        now = (k + 1) * spec.hop_s
        while waiting and waiting[0].onset_s < now:
            note = waiting.pop(0)
            own.sent(note.pitch, note.onset_s, note.offset_s)
        out[k] = np.rint(own.frame(now)[0] * 255)
    return out


def _labels(notes: list[Played], ends: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    rows = [
        (n.onset_s, end, n.pitch, n.velocity)
        for n, end in zip(notes, ends, strict=True)
        if 0 <= n.onset_s < SCENE_S and LOWEST_KEY <= n.pitch < LOWEST_KEY + KEYS
    ]
    return np.array(rows, SCENE_NOTE)


def targets(notes: npt.NDArray[Any], first: int, frames: int, delay: int, hop_s: float) -> npt.NDArray[np.float32]:
    """[frames, 88, 4] onset, frame, offset, velocity for the frames from `first` on, labels `delay` frames late.

    Frame k holds the samples from k to k + 1 hops; onset and offset are marked over one frame to either side, for
    where exactly a note begins within a frame is not audible.
    """
    out = np.zeros((frames, KEYS, 4), np.float32)
    onsets = np.floor(notes["onset_s"] / hop_s).astype(int) + delay - first
    offsets = np.floor(notes["offset_s"] / hop_s).astype(int) + delay - first
    for on, off, pitch, velocity in zip(onsets, offsets, notes["pitch"], notes["velocity"], strict=True):
        if off < -1 or on > frames:
            continue
        key = int(pitch) - LOWEST_KEY
        out[max(on, 0) : max(off, on + 1, 0), key, 1] = 1
        out[max(off - 1, 0) : max(off + 2, 0), key, 2] = 1
        out[max(on - 1, 0) : max(on + 2, 0), key, 0] = 1
        out[max(on - 1, 0) : max(on + 2, 0), key, 3] = velocity / 127
    return out


@click.command()
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True)
@click.option("--data", type=click.Path(path_type=Path), default=Path("../shared/data"), show_default=True)
@click.option("--split", type=click.Choice(["train", "valid", GATE]), default="train", show_default=True)
@click.option("--corpus", "corpora", multiple=True, type=click.Choice([*CORPORA, INVENTED]), help="Default: all.")
@click.option("--count", default=600, show_default=True, help="Scenes of 24 s per corpus.")
@click.option("--first", default=0, show_default=True, help="Number of the first scene.")
@click.option("--seed", default=1, show_default=True)
def scenes(cache: Path, data: Path, split: str, corpora: tuple[str, ...], count: int, first: int, seed: int) -> None:
    """Render the transcriber's training scenes into the cache (resumable)."""
    features = Features(FeatureSpec())
    banks = [load_bank(cache, name) for name in bank_names(cache)]
    clips = load_clips(data, "fit")
    for corpus in corpora or (*CORPORA, INVENTED):
        pieces = (
            []
            if corpus == INVENTED
            else [p for p in load_pieces(cache, corpus, "valid" if split == GATE else split) if p.primary]
        )
        if corpus != INVENTED and not pieces:
            raise UserError(f"No pieces of {corpus} in {cache}: run `python -m training prepare` first.")
        folder = scene_folder(cache, split, corpus)
        folder.mkdir(parents=True, exist_ok=True)
        for number in tqdm(range(first, first + count), desc=f"{split} {corpus}"):
            path = folder / f"{number:05d}.npz"
            if path.exists():
                continue
            rng = np.random.default_rng([seed, zlib.crc32(f"{split}/{corpus}".encode()), number])
            scene = draw(rng, pieces, banks, clips, features, mild=split == GATE)
            np.save(path.with_suffix(".npy"), scene.features)
            temporary = path.with_suffix(".part")
            with temporary.open("wb") as file:
                np.savez_compressed(file, notes=scene.notes, own=scene.own)
            temporary.replace(path)
