"""`python -m training prepare` reads the published corpora and writes one `.npz` file for each piece."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import click
from tqdm import tqdm

from training.corpora.archives import corpus_folder
from training.corpora.pieces import CORPORA, SPLITS, HandLabel, Piece, load_pieces, piece_path, save_piece
from training.options import CACHE, DATA

FILE_TIMEOUT_S = 120
"""Processor seconds per file. The longest piano score takes a tenth of this; a file that takes longer is malformed."""


@dataclass(frozen=True)
class Job:
    """Names one file to read, and holds the function that reads it and returns a piece."""

    name: str
    read: Callable[[], Piece]


def reader_of(corpus: str) -> Any:
    """Return the module that reads `corpus`. It is in this package and has the name of the corpus."""
    return import_module(f"{__package__}.{corpus}")


def jobs_of(corpus: str, root: Path) -> list[Job]:
    """Return one job for each usable file of a corpus. Primary editions come first.

    Only the corpus "chopin" has several editions of a movement. One of them is the primary one.
    """
    reader = reader_of(corpus)
    if corpus != "chopin":
        return [Job(path.stem, partial(reader.read_song, path)) for path in reader.song_files(root)]
    files = reader.edition_files(root)
    primary = reader.primary_files(files)
    ordered = sorted(files, key=lambda path: path not in primary)
    return [Job(path.stem, partial(reader.read_edition, path, primary=path in primary)) for path in ordered]


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the block after `seconds` of processor time. Works in the main thread only."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"took more than {seconds} s of processor time")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def prepare_corpus(corpus: str, data: Path, cache: Path) -> dict[str, str]:
    """Read every piece of a corpus that is not in the cache yet, and write it there.

    Returns a dict from the name of each file that could not be read to the reason. Raises UserError if `data` holds no
    such corpus.
    """
    failed: dict[str, str] = {}
    jobs = jobs_of(corpus, corpus_folder(data, cache, reader_of(corpus).ARCHIVE))
    for job in tqdm(jobs, desc=corpus, unit="piece"):
        if piece_path(cache, corpus, job.name).exists():
            continue
        try:
            with time_limit(FILE_TIMEOUT_S):
                save_piece(cache, job.read())
        except Exception as error:
            # The parsers raise many kinds of errors for malformed files. One such file must not end the run.
            failed[job.name] = f"{type(error).__name__}: {error}"
    return failed


def summary(pieces: list[Piece]) -> str:
    """Return text with one line for each split: pieces, primary editions, groups, and the notes of each hand."""
    lines = []
    for split in SPLITS:
        chosen = [piece for piece in pieces if piece.split == split]
        notes = Counter[int]()
        for piece in chosen:
            notes.update(piece.notes["hand"].tolist())
        hands = ", ".join(f"{hand.name.lower()} {notes[hand]:,}" for hand in HandLabel if notes[hand])
        primary = sum(piece.primary for piece in chosen)
        groups = len({piece.group for piece in chosen})
        lines.append(f"  {split}: {len(chosen)} pieces ({primary} primary, {groups} groups); notes: {hands or 'none'}")
    return "\n".join(lines)


@click.command()
@DATA
@CACHE
@click.option("--corpus", type=click.Choice(CORPORA), multiple=True, help="Read only this corpus; may be repeated.")
def prepare(data: Path, cache: Path, corpus: tuple[str, ...]) -> None:
    """Read the published corpora into the cache. Run it again to continue after a stop."""
    for name in corpus or CORPORA:
        failed = prepare_corpus(name, data, cache)
        click.echo(f"{name}:\n{summary(load_pieces(cache, name))}")
        for file, reason in failed.items():
            click.echo(f"  not read: {file}: {reason}", err=True)
