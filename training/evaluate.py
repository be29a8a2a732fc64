"""`python -m training evaluate` measures every figure that the documents state."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from device.bundles.bundle import Bundle, default_bundle
from device.errors import UserError
from device.settings.choices import STYLES, Steering, Style
from training.corpora.pieces import Piece
from training.hearing_figures.datasets import DATASETS
from training.hearing_figures.takes import QUIET, REAL, SETTINGS, Take
from training.playing_figures.by_ear import PLACES, Place
from training.playing_figures.compared_hands import ROWS
from training.playing_figures.measure import Performed

if TYPE_CHECKING:
    from training.hearing_figures.measure import Comparison

SETS = (REAL, *SETTINGS, QUIET)
"""Names of the sets of sound on which hearing is measured.

They are real recordings, the settings of `training.hearing_figures.takes`, and sound without a piano. Data sets that
the user has downloaded, and one's own pairs of sound and MIDI, are measured only if they are named.
"""


@click.group()
def evaluate() -> None:
    """Measure the exported .tflite files of a bundle, step by step."""


@evaluate.command()
@click.option(
    "--bundle", "folder", type=click.Path(path_type=Path), default=default_bundle, help="Default: the shipped bundle."
)
@click.option("--data", type=click.Path(path_type=Path), default=Path("../shared/data"), show_default=True)
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True)
@click.option(
    "--on", "sets", multiple=True, type=click.Choice((*SETS, *DATASETS)), help="Default: all but the last three."
)
@click.option("--takes", default=24, show_default=True, help="Rendered right hands, or recordings of a data set.")
@click.option("--pairs", type=click.Path(path_type=Path), help="--on pairs: folder of NAME.wav or .flac and NAME.mid.")
@click.option("--piano-only", is_flag=True, help="--on musicnet: leave out recordings with other instruments.")
@click.option("--frames", "scores_frames", is_flag=True, help="Score single frames too, as on the data sets.")
@click.option(
    "--threshold",
    "thresholds",
    type=click.FloatRange(0, 1),
    multiple=True,
    default=(0.2, 0.3, 0.4, 0.5, 0.6),
    show_default=True,
    help="Probability from which a key counts as sounding in a frame.",
)
@click.option("--peers/--no-peers", default=True, show_default=True, help="Measure Basic Pitch on the same sound too.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the means there too.")
@click.option(
    "--robustness", "ways", is_flag=True, help="Print instead what detuning, rooms, talk and other pianos cost."
)
def hearing(
    folder: Path,
    data: Path,
    cache: Path,
    sets: tuple[str, ...],
    takes: int,
    pairs: Path | None,
    piano_only: bool,
    scores_frames: bool,
    thresholds: tuple[float, ...],
    peers: bool,
    json_path: Path | None,
    ways: bool,
) -> None:
    """Measure onsets, offsets, frames, delay and cost of the transcriber.

    `--on musicnet` and `--on maestro` measure the test split of a data set that lies in DATA/musicnet or DATA/maestro
    in its published layout, and `--on pairs` that of one's own recordings. There, and with --frames, the average
    precision of all keys in all frames is printed too, as MusicNet's paper does, and precision and recall at each
    threshold.
    """
    if ways:
        _robustness(Bundle.open(folder), cache, takes)
        return
    from training.hearing_figures.datasets import dataset_takes, folder_of
    from training.hearing_figures.frame_scores import frames_of_bundle
    from training.hearing_figures.measure import compare, false_notes, report
    from training.hearing_figures.peers import BasicPitch
    from training.hearing_figures.takes import quiet_takes, takes_of

    for name in sets:
        if name in DATASETS:
            folder_of(name, data, pairs)
    bundle = Bundle.open(folder)
    peer = BasicPitch() if peers else None
    means: dict[str, dict[str, dict[str, float]]] = {}

    def takes_in(name: str) -> Iterable[Take]:
        if name in DATASETS:
            return dataset_takes(name, folder_of(name, data, pairs), "test", takes, piano_only)
        return takes_of(name, bundle, cache, data, takes)

    for name in sets or SETS:
        if name == QUIET:
            wrong = false_notes(bundle, quiet_takes(data))
            click.echo(f"\nfalse notes a minute: {wrong}, together {np.mean(list(wrong.values())):.2f}")
            means[name] = {"lefthand": {k: round(v, 2) for k, v in wrong.items()}}
            continue
        compared = compare(bundle, takes_in(name), peer)
        click.echo(f"\n{report(_title(name, len(compared.false)), compared)}")
        means[name] = _means(compared)
        if scores_frames or name in DATASETS:
            frames = frames_of_bundle(bundle, takes_in(name), thresholds)
            click.echo(frames.told())
            means[name]["frames"] = frames.to_dict()
    if json_path:
        json_path.write_text(json.dumps(means, indent=1))


def _title(name: str, recordings: int) -> str:
    """Return the title of the figures of the set `name`, which has so many recordings."""
    if name in DATASETS:
        return f"{name}, test split, {recordings} recordings, all notes"
    return "real piano (MAPS ENSTDkCl), all notes" if name == REAL else f"right hands, held-out piano, {name}"


def _means(compared: Comparison) -> dict[str, dict[str, float]]:
    """Return the mean of each score of each system, by name. Ours also has its delay and what it takes for its own."""
    means = {
        system: {k: round(float(np.mean([getattr(s, k) for s in r.scores])), 4) for k in vars(r.scores[0])}
        for system, r in compared.results.items()
    }
    if compared.delays_s:
        means["lefthand"]["delay_ms_median"] = round(1000 * float(np.median(compared.delays_s)), 1)
    if compared.taken:
        means["lefthand"]["own_notes_a_minute"] = round(float(np.mean(compared.taken)), 2)
    return means


def _robustness(bundle: Bundle, cache: Path, count: int) -> None:
    from training.hearing_figures.robustness import HEADER, WAYS, measured, row

    click.echo(HEADER)
    clean = None
    for name, scores in measured(bundle, cache, tuple(WAYS), count):
        clean = scores if clean is None else clean
        click.echo(row(name, scores, clean))


@evaluate.command()
@click.option(
    "--bundle", "folder", type=click.Path(path_type=Path), default=default_bundle, help="Default: the shipped bundle."
)
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True)
@click.option(
    "--corpus",
    "corpora",
    multiple=True,
    type=click.Choice(["lieder", "pop909"]),
    default=("lieder", "pop909"),
    show_default=True,
)
@click.option("--split", type=click.Choice(["valid", "test"]), default="valid", show_default=True)
@click.option("--songs", type=int, help="Only N pieces of each corpus, spread over it (with --panel: the first N).")
@click.option("--rows", multiple=True, type=click.Choice(list(ROWS)), help="Left hands to compare. Default: all.")
@click.option(
    "--net/--no-net", default=False, show_default=True, help="Train a net over both piano rolls to judge too."
)
@click.option("--seed", default=0, show_default=True, help="Seed of the listener's parts and of the net.")
@click.option(
    "--panel", is_flag=True, help="Print the older panel instead, which counts what sounds in each sixteenth."
)
@click.option("--styles", is_flag=True, help="Print the share of bars with each named style's own figure instead.")
@click.option(
    "--latency-ms", default=0.0, show_default=True, help="Delay of a note's detection: 0 for MIDI, 60 for sound."
)
@click.option(
    "--by-ear", type=click.Choice(PLACES), help="Transcribe the right hand from the held-out piano, clean or in a room."
)
@click.option("--style", type=click.Choice(STYLES), default="auto", show_default=True, help="How the left hand plays.")
@click.option("--density", type=click.FloatRange(0.25, 2.0), default=1.0, show_default=True, help="How much it plays.")
@click.option(
    "--register", type=click.IntRange(-12, 12), default=0, show_default=True, help="Shift of its register in semitones."
)
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Change a constant of the hand.")
@click.option(
    "--recovery/--no-recovery", default=True, show_default=True, help="With --panel: measure a jump of six semitones."
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures there too, by corpus.")
def playing(
    folder: Path,
    cache: Path,
    corpora: tuple[str, ...],
    split: str,
    songs: int | None,
    rows: tuple[str, ...],
    net: bool,
    seed: int,
    panel: bool,
    styles: bool,
    latency_ms: float,
    by_ear: Place | None,
    style: Style,
    density: float,
    register: int,
    changes: tuple[str, ...],
    recovery: bool,
    json_path: Path | None,
) -> None:
    """Compare the left hand on whole pieces with the true one, with cheats and with machines.

    docs/figures/playing.md explains the columns of the two tables.
    """
    from training.accompanist.data import HearingErrors
    from training.playing_figures.by_ear import Ear
    from training.playing_figures.comparison import compare, pieces_of, shares_of_styles, show, show_styles
    from training.playing_figures.constants import HAND, changed
    from training.playing_figures.measure import evaluate_playing, from_keys, play, right_hand_of

    bundle = Bundle.open(folder)
    gap = float(bundle.manifest.accompanist["gap_steps"])
    steering = Steering(style, density, register)
    listen = from_keys(HearingErrors(latency_s=latency_ms / 1000)) if by_ear is None else Ear(bundle, cache, by_ear)
    tables: dict[str, Any] = {}
    with changed(changes, HAND):
        accompanist = bundle.accompanist()

        def played(piece: Piece, named: Style) -> Performed:
            hand = replace(steering, style=named)
            return play(piece, right_hand_of(piece), accompanist, listen, gap, hand)

        for corpus in corpora:
            if panel:
                tables[corpus] = evaluate_playing(
                    accompanist, cache, corpus, split, songs, gap, listen, steering, recovery=recovery
                )
                continue
            pieces = pieces_of(cache, corpus, split, songs)
            if styles:
                tables[corpus] = shares_of_styles(pieces, played)
                show_styles(corpus, pieces, tables[corpus])
                continue
            tables[corpus] = compare(pieces, rows or list(ROWS), played, style, net, seed)
            show(corpus, pieces, tables[corpus])
    if json_path:
        json_path.write_text(json.dumps(tables, indent=1))


@evaluate.command("chords")
@click.option(
    "--bundle", "folder", type=click.Path(path_type=Path), default=default_bundle, help="Default: the shipped bundle."
)
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True)
@click.option("--split", type=click.Choice(["valid", "test"]), default="valid", show_default=True)
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


@evaluate.command()
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True)
@click.option("--songs", default=150, show_default=True, help="Only N pieces, spread over the corpus.")
def touch(cache: Path, songs: int) -> None:
    """Measure how hard the real left hands in POP909's training songs strike the keys."""
    from training.playing_figures.comparison import pieces_of
    from training.playing_figures.touch_of_corpora import show, touch_of

    show(touch_of(pieces_of(cache, "pop909", "train", songs)))


@evaluate.command()
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True)
@click.option("--split", type=click.Choice(["valid", "test"]), default="test", show_default=True)
@click.option("--corpus", "corpora", multiple=True, default=("pop909", "lieder"), show_default=True)
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
@click.option(
    "--bundle", "folder", type=click.Path(path_type=Path), default=default_bundle, help="Default: the shipped bundle."
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the means there too.")
def clock(
    cache: Path,
    split: str,
    corpora: tuple[str, ...],
    pieces: int,
    changes: tuple[str, ...],
    timing_ms: float,
    performances: Path | None,
    every: int,
    rows: Path | None,
    sound: bool,
    hand: bool,
    folder: Path,
    json_path: Path | None,
) -> None:
    """Measure how well the clock predicts beats: in steady playing, with changing tempo, and without a count-in.

    With --performances, measure it on real performances, and compare it with other methods. With --sound, compare it
    instead with the same clock that hears the performances from sound.
    docs/figures/clock.md explains the columns of the tables.
    """
    from training.playing_figures.clock import evaluate_clock
    from training.playing_figures.constants import CLOCK, changed

    if sound and performances is None:
        raise UserError("--sound renders real performances: name their folder with --performances.")
    bundle = Bundle.open(folder) if hand or sound else None
    with changed(changes, CLOCK):
        if performances is not None and sound:
            from training.playing_figures.followed_by_ear import evaluate_by_ear

            assert bundle is not None
            table = evaluate_by_ear(performances, cache, bundle, every, rows)
        elif performances is None:
            table = evaluate_clock(cache, corpora, split, pieces, timing_ms / 1000, bundle)
        else:
            from training.playing_figures.following_table import evaluate_following

            table = evaluate_following(performances, every, rows, bundle)
    if json_path:
        json_path.write_text(json.dumps(table, indent=1))
