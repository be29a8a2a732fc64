"""`python -m training evaluate clock` measures how well the clock predicts beats."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from device.bundles.bundle import Bundle
from device.errors import UserError
from training.evaluate.options import BUNDLE, SPLIT_HELP, VALID_OR_TEST
from training.options import CACHE


@click.command()
@CACHE
@click.option("--split", type=VALID_OR_TEST, default="test", show_default=True, help=SPLIT_HELP)
@click.option(
    "--corpus",
    "corpora",
    multiple=True,
    default=("pop909", "lieder"),
    show_default=True,
    help="Corpus to measure. May be repeated.",
)
@click.option("--pieces", default=40, show_default=True, help="Number of pieces of each corpus.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Change a constant of the clock.")
@click.option("--timing-ms", default=20.0, show_default=True, help="Standard deviation of a note's timing.")
@click.option(
    "--performances",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Measure on the real performances of this folder instead.",
)
@click.option("--every", default=1, show_default=True, help="With --performances: take every so many of them.")
@click.option(
    "--rows",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --performances: keep the scores of single pieces in this file. A run that was cut goes on from there.",
)
@click.option(
    "--sound", is_flag=True, help="With --performances: let the transcriber hear them on the held-out piano, too."
)
@click.option(
    "--hand/--no-hand", default=True, show_default=True, help="Play the left hand too: its places, or its evenness."
)
@BUNDLE
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the means there too.")
def clock(**options: Any) -> None:
    """Measure how well the clock predicts beats: in steady playing, with changing tempo, and without a count-in.

    With --performances, measure it on real performances, and compare it with other methods. With --sound, compare it
    instead with the same clock that hears the performances from sound.
    docs/figures/clock.md explains the columns of the tables.
    """
    from training.playing_figures.constants import CLOCK, changed

    asked = ClockRequest(**options)
    with changed(asked.changes, CLOCK):
        table = _table(asked)
    if asked.json_path:
        asked.json_path.write_text(json.dumps(table, indent=1))


@dataclass(frozen=True, kw_only=True)
class ClockRequest:
    """The options of the command by the names of their parameters (`evaluate clock --help` explains them).

    `folder` is that of the bundle, and `changes` are the values of `--set`.
    """

    cache: Path
    split: str
    corpora: tuple[str, ...]
    pieces: int
    changes: tuple[str, ...]
    timing_ms: float
    performances: Path | None
    every: int
    rows: Path | None
    sound: bool
    hand: bool
    folder: Path
    json_path: Path | None


def _table(asked: ClockRequest) -> Any:
    """Measure what is asked for, print its figures and return them. Raises UserError if options do not fit."""
    if asked.performances is None and asked.sound:
        raise UserError("--sound renders real performances: name their folder with --performances.")
    bundle = Bundle.open(asked.folder) if asked.hand or asked.sound else None
    if asked.performances is None:
        from training.playing_figures.clock import evaluate_clock

        return evaluate_clock(
            asked.cache,
            corpora=asked.corpora,
            split=asked.split,
            pieces=asked.pieces,
            timing_s=asked.timing_ms / 1000,
            bundle=bundle,
        )
    if asked.sound:
        from training.playing_figures.followed_by_ear import evaluate_by_ear

        assert bundle is not None
        return evaluate_by_ear(asked.performances, asked.cache, bundle, asked.every, asked.rows)
    from training.playing_figures.following_table import evaluate_following

    return evaluate_following(asked.performances, asked.every, asked.rows, bundle)
