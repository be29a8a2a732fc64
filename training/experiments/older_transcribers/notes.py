"""`python -m training notes` fits and measures the older transcribers. Each is a configuration of this command.

    python -m training notes --action process-train    # spectrograms of training and development scenes
    python -m training notes --action process-test     # spectrograms of the recordings to measure on
    python -m training notes --action train-val        # fit, watched on the development scenes
    python -m training notes --action test --test-dev  # figures of that fit

With `--corpus musicnet` or `maestro`, the fit uses that data set in DATA/musicnet or DATA/maestro, and with
`--pairs FOLDER` one's own recordings: NAME.wav or NAME.flac, and NAME.mid. `--on musicnet` and the like measure there.

    python -m training notes --action extract-cqt --pairs FOLDER       # the four steps of a fit on one's own pairs
    python -m training notes --action midi-to-labels --pairs FOLDER
    python -m training notes --action build-dataset --pairs FOLDER
    python -m training notes --action train-model --pairs FOLDER --family crnn

    python -m training notes --action report           # out/notes/index.html: all fits and the shipped one side by side
    python -m training notes --action train-val --best sqlite:///.cache/notes/search.db    # the best of a search
    python -m training notes --action doubt --members 5      # one net, Monte Carlo dropout and an ensemble
    python -m training notes --action classes --classes silence C E G    # the class-room experiment
    python -m training notes --action umap

`train` fits without the development scenes. `--family shipped`, `pyin` and `neural` have only the action `test`.
docs/experiments/older-transcribers.md has the figures.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from training.experiments.older_transcribers.actions import ACTIONS, run_action
from training.experiments.older_transcribers.cache import CORPORA_OF_FITS, TEST_SETS
from training.experiments.older_transcribers.request import NotesRequest
from training.experiments.older_transcribers.setup import FITTED, GIVEN, OPTIMISERS
from training.experiments.older_transcribers.spectra import KINDS
from training.options import CACHE, DATA, SEED

SEVERAL = ("--thresholds", "--allowed-errors", "--milestones", "--on", "--classes")
"""Options that take several values, for instance `--thresholds 0.3 0.5`."""


class SeveralValues(click.Command):
    """A click command whose options in `SEVERAL` accept all values up to the next option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Turn arguments like `--on a b` into `--on a --on b`, then let click parse them. Return what click returns."""
        spread: list[str] = []
        option, alone = "", False
        for arg in [*args, "--"]:
            if arg.startswith("--") or arg == "-a":
                # an option without a value stays as it is, and click reports the error
                spread += [option] if alone else []
                option, alone = (arg, True) if arg in SEVERAL else ("", False)
                spread += [] if option or arg == "--" else [arg]
            else:
                spread += [option, arg] if option else [arg]
                alone = False
        return super().parse_args(ctx, spread)


@click.command(cls=SeveralValues)
@click.option("-a", "--action", type=click.Choice(tuple(ACTIONS)), required=True, help="What is done.")
@click.option(
    "--family", type=click.Choice([*FITTED, *GIVEN]), default="cnn", show_default=True, help="Kind of net, or method."
)
@click.option("--phases", type=click.IntRange(1, 2), default=1, show_default=True, help="2: silence first, then pitch.")
@click.option("--spectrum", "kind", type=click.Choice(KINDS), help="Default: cqt for the crnn, log for the others.")
@click.option("--lr", default=1e-3, show_default=True, help="Learning rate.")
@click.option("--num-epochs", default=8, show_default=True, help="Most epochs; a fit may stop early.")
@click.option("--batch-size", default=8, show_default=True, help="Chunks in a batch.")
@click.option("--num-workers", default=1, show_default=True, help="Threads that make batches.")
@click.option("--gamma", default=0.1, show_default=True, help="Factor of the rate at each milestone.")
@click.option("--milestones", type=int, multiple=True, help="Epochs (from 0) at which the rate changes.")
@click.option(
    "--optimiser", type=click.Choice(OPTIMISERS), default="adam", show_default=True, help="Optimiser of the fit."
)
@click.option("--patience", default=4, show_default=True, help="Epochs without progress before it stops.")
@click.option(
    "--thresholds",
    type=click.FloatRange(0, 1),
    multiple=True,
    default=(0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
    help="Thresholds of a probability to try.",
)
@click.option(
    "--allowed-errors",
    type=click.IntRange(0),
    multiple=True,
    default=(0, 1, 2),
    help="Wrong keys a frame that still count as right.",
)
@click.option("--c", default=4, show_default=True, help="Multiplies the width of every layer.")
@click.option("--test-dev", is_flag=True, help="Test the fit of train-val, not that of train.")
@click.option("--batch-seconds", default=4.0, show_default=True, help="Length of a chunk; 7 % more on either side.")
@click.option("--bins-per-octave", default=36, show_default=True, help="Bins of the spectrum in an octave.")
@click.option("--only-note-names", is_flag=True, help="Transcribe 12 note names, not 88 keys.")
@click.option("--sr", default=16_000, show_default=True, help="Sample rate in Hz.")
@click.option("--hop-length", default=256, show_default=True, help="Samples between two frames.")
@click.option(
    "--on", "sets", type=click.Choice(TEST_SETS), multiple=True, help="Default: right, and maps if it is there."
)
@click.option("--corpus", type=click.Choice(CORPORA_OF_FITS), help="Recordings of the fit. Default: scenes, or pairs.")
@click.option("--pairs", type=click.Path(path_type=Path), help="Folder of one's own NAME.wav or .flac with NAME.mid.")
@click.option("--takes", default=12, show_default=True, help="Rendered recordings of a test set; doubt: of any set.")
@click.option(
    "--scenes",
    default=30,
    show_default=True,
    help="Training scenes of 24 s of each corpus, or recordings of a data set.",
)
@click.option("--dev-scenes", default=6, show_default=True, help="Development scenes, of each corpus.")
@click.option("--trials", default=20, show_default=True, help="Trials of a search.")
@click.option("--storage", help="Optuna URL of a search: sqlite:///FILE, or a database for several machines.")
@click.option("--best", help="Optuna URL of a study: train and test its best configuration.")
@click.option("--trackers", is_flag=True, help="report: also pYIN and SwiftF0, which are slow.")
@click.option("--members", type=click.IntRange(2), default=5, show_default=True, help="doubt: nets of the ensemble.")
@click.option("--classes", multiple=True, default=("silence", "C", "E", "G"), help="classes: silence, notes, keys.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("out/notes"),
    show_default=True,
    help="Folder of pages and tables.",
)
@click.option(
    "--pruner",
    type=click.Choice(["median", "hyperband"]),
    default="median",
    show_default=True,
    help="search: how trials are cut.",
)
@SEED
@click.option("--name", help="Folder of the fit in CACHE/fits/notes. Default: the configuration's name.")
@CACHE
@DATA
def notes(**options: Any) -> None:
    """Fit and measure older transcribers (CNN, CRNN, Transformer); measure two pitch trackers and the shipped one."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    if report := run_action(NotesRequest(**options)):
        click.echo(report)
