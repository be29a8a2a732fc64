"""`python -m training scenes`: renders the transcriber's scenes and keeps them.

A scene depends only on (seed, corpus, split, number), so the cache can be built in any order and resumed.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from tqdm import tqdm

from device.errors import UserError
from device.hearing.features import Features, FeatureSpec
from training.corpora.pieces import CORPORA, Piece, load_pieces
from training.pianos.banks import Bank, bank_names, load_bank
from training.pianos.renderer import Audio
from training.scenes.noise import load_clips
from training.scenes.scene import GATE, KINDS, Scene, draw, draw_quiet
from training.scenes.voices import utterances

INVENTED = "invented"
"""Name of the scenes with random notes: all keys, all densities, and some scenes with noise alone."""
QUIET = "quiet"
"""Name of the scenes without notes: speech, noise clips, hum."""
SOURCES = (*CORPORA, INVENTED, QUIET)


def load_scenes(cache: Path, split: str) -> list[Scene]:
    """Return all cached scenes of a split. Their features are memory-mapped."""
    scenes = []
    for path in sorted((cache / "scenes" / split).glob("*/*.npz")):
        with np.load(path, allow_pickle=False) as data:
            scenes.append(Scene(np.load(path.with_suffix(".npy"), mmap_mode="r"), data["notes"], data["own"]))
    return scenes


@dataclass(frozen=True)
class Studio:
    """Renders scenes with these pianos, noises and features.

    `without` names one of `scenes.COLOURS` that is left out.
    """

    banks: list[Bank]
    clips: list[Audio]
    features: Features
    without: str = ""

    @classmethod
    def opened(cls, cache: Path, data: Path, spec: FeatureSpec, without: str = "", only: str = "") -> Studio:
        """Open all banks in `cache` that a fit may use, or `only` the one with this name."""
        banks = [load_bank(cache, name) for name in bank_names(cache) if only in ("", name)]
        return cls(banks, load_clips(data, "fit"), Features(spec), without)

    def render(self, cache: Path, split: str, corpus: str, pieces: list[Piece], numbers: range, **drawn: Any) -> None:
        """Render the scenes `numbers` of a corpus into `cache` if they are missing. `drawn`: see `Studio.scene`."""
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
        """Render scene `number` of a corpus. `kind` (one of `KINDS`, None: any) sets the audible hands of a piece."""
        rng = np.random.default_rng([seed, zlib.crc32(f"{split}/{corpus}".encode()), number])
        if corpus == QUIET:
            return draw_quiet(rng, self.clips, utterances(rng, "fit"), self.features)
        return draw(rng, pieces, self.banks, self.clips, self.features, split == GATE, kind, self.without)


def pieces_of(cache: Path, corpus: str, split: str) -> list[Piece]:
    """Return the pieces for the scenes of a corpus. The list is empty for invented and for quiet scenes.

    Raises UserError if `cache` has no pieces of the corpus.
    """
    if corpus in (INVENTED, QUIET):
        return []
    pieces = [p for p in load_pieces(cache, corpus, "valid" if split == GATE else split) if p.primary]
    if not pieces:
        raise UserError(f"No pieces of {corpus} in {cache}: run `python -m training prepare` first.")
    return pieces


@click.command()
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True)
@click.option("--data", type=click.Path(path_type=Path), default=Path("../shared/data"), show_default=True)
@click.option("--split", type=click.Choice(["train", "valid", GATE]), default="train", show_default=True)
@click.option("--corpus", "corpora", multiple=True, type=click.Choice(SOURCES), help="Default: all.")
@click.option("--count", default=600, show_default=True, help="Scenes of 24 s per corpus.")
@click.option("--first", default=0, show_default=True, help="Number of the first scene.")
@click.option("--seed", default=1, show_default=True)
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
