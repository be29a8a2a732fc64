"""`python -m training scenes` renders the scenes that train the transcriber, and stores them in the cache.

A scene depends only on (seed, corpus, split, number). So the scenes can be rendered in any order, and a stopped run can
continue later.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
from tqdm import tqdm

from device.errors import UserError
from device.hearing.features import Features, FeatureSpec
from training.corpora.pieces import CORPORA, Piece, load_pieces
from training.options import CACHE, DATA, SEED
from training.pianos.banks import Bank, bank_names, load_bank
from training.pianos.renderer import Audio
from training.scenes.noise import load_clips
from training.scenes.scene import GATE, KINDS, Scene, draw, draw_quiet
from training.scenes.voices import load_voices, record_voices, repeated, utterances

INVENTED = "invented"
"""Corpus name of the scenes with random notes on all keys, at all densities. Some of them have noise and no notes."""
QUIET = "quiet"
"""Corpus name of the scenes without notes. They have speech, recorded noises or mains hum."""
VOICES_FOLDER = "voices"
"""Folder of recorded utterances in the cache."""
SOURCES = (*CORPORA, INVENTED, QUIET)


def load_scenes(cache: Path, split: str) -> list[Scene]:
    """Return all scenes of a split that are in `cache`. The list is empty if there are none.

    The features of the scenes are memory-mapped.
    """
    scenes = []
    for path in sorted((cache / "scenes" / split).glob("*/*.npz")):
        with np.load(path, allow_pickle=False) as data:
            scenes.append(Scene(np.load(path.with_suffix(".npy"), mmap_mode="r"), data["notes"], data["own"]))
    return scenes


@dataclass(frozen=True)
class Studio:
    """Renders scenes with the pianos `banks`, the recorded noises `clips` and these `features`.

    `without` names the one entry of `scene.COLOURS` (random changes of the sound) that is left out, or is empty.
    `talk` are recorded voices. If there are none, espeak-ng speaks in the scenes of `QUIET`, and nobody in others.
    """

    banks: list[Bank]
    clips: list[Audio]
    features: Features
    without: str = ""
    talk: list[Audio] = field(default_factory=list)

    @classmethod
    def opened(cls, cache: Path, data: Path, spec: FeatureSpec, without: str = "", only: str = "") -> Studio:
        """Open a studio with all note banks in `cache` that a fit may use.

        If `only` is not empty, just the bank of that name is used.

        `data` holds the recorded noises. The folder `voices` in `cache` holds recorded voices, if it is there
        (`python -m training voices`). `spec` describes the features. For `without`, see the class.
        """
        banks = [load_bank(cache, name) for name in bank_names(cache) if only in ("", name)]
        return cls(banks, load_clips(data, "fit"), Features(spec), without, load_voices(cache / VOICES_FOLDER))

    def render(self, cache: Path, split: str, corpus: str, pieces: list[Piece], numbers: range, **drawn: Any) -> None:
        """Render those of the scenes `numbers` of a corpus that are missing in `cache`, and write them there.

        `drawn` is passed on to `Studio.scene`.
        """
        folder = cache / "scenes" / split / corpus
        folder.mkdir(parents=True, exist_ok=True)
        for number in tqdm(numbers, desc=f"{split} {corpus}"):
            path = folder / f"{number:05d}.npz"
            if path.exists():
                continue
            scene = self.scene(split, corpus, pieces, number, **drawn)
            np.save(path.with_suffix(".npy"), scene.features)
            temporary = path.with_suffix(".part")
            with temporary.open("wb") as file:
                np.savez_compressed(file, notes=scene.notes, own=scene.own)
            temporary.replace(path)

    def scene(
        self, split: str, corpus: str, pieces: list[Piece], number: int, seed: int = 1, kind: str | None = None
    ) -> Scene:
        """Return scene number `number` of a corpus, rendered from `pieces`.

        `kind` is one of `KINDS` and sets the hands that are audible. If it is None, they are chosen at random.
        """
        rng = np.random.default_rng([seed, zlib.crc32(f"{split}/{corpus}".encode()), number])
        if corpus == QUIET:
            voices = repeated(rng, self.talk) if self.talk else utterances(rng, "fit")
            return draw_quiet(rng, self.clips, voices, self.features)
        mild = split == GATE
        return draw(
            rng,
            pieces,
            banks=self.banks,
            clips=self.clips,
            features=self.features,
            mild=mild,
            kind=kind,
            without=self.without,
            talk=self.talk,
        )


def pieces_of(cache: Path, corpus: str, split: str) -> list[Piece]:
    """Return the pieces from which the scenes of `corpus` in this `split` are rendered.

    They are the primary editions of the corpus in `cache`. The split `gate` uses the pieces of the split `valid`. The
    list is empty for `INVENTED` and `QUIET`, whose scenes use no pieces. Raises UserError if `cache` has no pieces for
    any other corpus.
    """
    if corpus in (INVENTED, QUIET):
        return []
    pieces = [p for p in load_pieces(cache, corpus, "valid" if split == GATE else split) if p.primary]
    if not pieces:
        raise UserError(f"No pieces of {corpus} in {cache}: run `python -m training prepare` first.")
    return pieces


@click.command()
@CACHE
@DATA
@click.option(
    "--split",
    type=click.Choice(["train", "valid", GATE]),
    default="train",
    show_default=True,
    help="Pieces of the fit, of its validation, or of the gate.",
)
@click.option("--corpus", "corpora", multiple=True, type=click.Choice(SOURCES), help="Default: all.")
@click.option("--count", default=600, show_default=True, help="Scenes of 24 s per corpus.")
@click.option("--first", default=0, show_default=True, help="Number of the first scene.")
@SEED
@click.option("--kind", type=click.Choice(list(KINDS)), help="Audible hands in scenes of pieces. Default: any.")
def scenes(
    cache: Path,
    data: Path,
    split: str,
    corpora: tuple[str, ...],
    count: int,
    first: int,
    seed: int,
    kind: str | None,
) -> None:
    """Render the transcriber's training scenes into the cache. Run it again to continue after a stop."""
    studio = Studio.opened(cache, data, FeatureSpec())
    for corpus in corpora or SOURCES:
        pieces = pieces_of(cache, corpus, split)
        studio.render(cache, split, corpus, pieces, range(first, first + count), seed=seed, kind=kind)


@click.command()
@CACHE
@click.option("--count", default=96, show_default=True, help="Utterances. 96 are about eight minutes.")
def voices(cache: Path, count: int) -> None:
    """Record spoken utterances into the cache, so that somebody talks in some scenes."""
    record_voices(cache / VOICES_FOLDER, count)
