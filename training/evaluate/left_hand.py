"""Measures the chords that the left hand finds, and how hard real left hands strike.

The commands are `python -m training evaluate chords` and `evaluate touch`.
"""

from __future__ import annotations

from pathlib import Path

import click

from device.bundles.bundle import Bundle
from training.evaluate.options import BUNDLE, SPLIT_HELP, VALID_OR_TEST
from training.options import CACHE


@click.command("chords")
@BUNDLE
@CACHE
@click.option("--split", type=VALID_OR_TEST, default="valid", show_default=True, help=SPLIT_HELP)
@click.option("--songs", type=int, help="Only N pieces of each corpus, spread over it.")
def found_chords(folder: Path, cache: Path, split: str, songs: int | None) -> None:
    """Measure the chords that the device finds, and compare them with cheats and a simple rule.

    Each chord is played as a full triad.
    """
    from training.playing_figures.chord_bench import bench, show
    from training.playing_figures.comparison import pieces_of

    bundle = Bundle.open(folder)
    for corpus in ("lieder", "pop909"):
        pieces = pieces_of(cache, corpus, split, songs)
        show(corpus, bench(pieces, bundle.accompanist(), float(bundle.manifest.accompanist["gap_steps"])))


@click.command()
@CACHE
@click.option("--songs", default=150, show_default=True, help="Only N pieces, spread over the corpus.")
def touch(cache: Path, songs: int) -> None:
    """Measure how hard the real left hands in POP909's training songs strike the keys."""
    from training.playing_figures.comparison import pieces_of
    from training.playing_figures.touch_of_corpora import show, touch_of

    show(touch_of(pieces_of(cache, "pop909", "train", songs)))
