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

import click

from device.errors import UserError
from training.experiments.older_transcribers.cache import (
    CORPORA_OF_FITS,
    SCENES,
    TEST_SETS,
    load_recordings,
    load_statistics,
    process_dataset,
    process_fit,
    process_test,
    root_of,
    test_takes,
)
from training.experiments.older_transcribers.setup import FITTED, GIVEN, OPTIMISERS, NotesSetup, fit_folder
from training.experiments.older_transcribers.spectra import KINDS, Spectrum
from training.hearing_figures.datasets import folder_of

STEPS = ("extract-cqt", "midi-to-labels", "build-dataset", "train-model")
"""The steps of a fit on one's own pairs (`--pairs`), each as an action of its own that shows what it made."""
LESSONS = ("classes", "umap")
"""Actions of the class-room experiment (`training.experiments.classroom`)."""
ACTIONS = (
    "train",
    "train-val",
    "test",
    "process-train",
    "process-test",
    "search",
    "report",
    "doubt",
    *STEPS,
    *LESSONS,
)
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
@click.option("-a", "--action", type=click.Choice(ACTIONS), required=True)
@click.option("--family", type=click.Choice([*FITTED, *GIVEN]), default="cnn", show_default=True)
@click.option("--phases", type=click.IntRange(1, 2), default=1, show_default=True, help="2: silence first, then pitch.")
@click.option("--spectrum", "kind", type=click.Choice(KINDS), help="Default: cqt for the crnn, log for the others.")
@click.option("--lr", default=1e-3, show_default=True, help="Learning rate.")
@click.option("--num-epochs", default=8, show_default=True, help="Most epochs; a fit may stop early.")
@click.option("--batch-size", default=8, show_default=True, help="Chunks in a batch.")
@click.option("--num-workers", default=1, show_default=True, help="Threads that make batches.")
@click.option("--gamma", default=0.1, show_default=True, help="Factor of the rate at each milestone.")
@click.option("--milestones", type=int, multiple=True, help="Epochs (from 0) at which the rate changes.")
@click.option("--optimiser", type=click.Choice(OPTIMISERS), default="adam", show_default=True)
@click.option("--patience", default=4, show_default=True, help="Epochs without progress before it stops.")
@click.option("--thresholds", type=click.FloatRange(0, 1), multiple=True, default=(0.2, 0.3, 0.4, 0.5, 0.6, 0.7))
@click.option("--allowed-errors", type=click.IntRange(0), multiple=True, default=(0, 1, 2), help="Keys a frame.")
@click.option("--c", default=4, show_default=True, help="Multiplies the width of every layer.")
@click.option("--test-dev", is_flag=True, help="Test the fit of train-val, not that of train.")
@click.option("--batch-seconds", default=4.0, show_default=True, help="Length of a chunk; 7 % more on either side.")
@click.option("--bins-per-octave", default=36, show_default=True)
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
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/notes"), show_default=True)
@click.option("--pruner", type=click.Choice(["median", "hyperband"]), default="median", show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--name", help="Folder of the fit in CACHE/fits/notes. Default: the configuration's name.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True)
@click.option("--data", type=click.Path(path_type=Path), default=Path("../shared/data"), show_default=True)
def notes(
    action: str,
    family: str,
    phases: int,
    kind: str | None,
    lr: float,
    num_epochs: int,
    batch_size: int,
    num_workers: int,
    gamma: float,
    milestones: tuple[int, ...],
    optimiser: str,
    patience: int,
    thresholds: tuple[float, ...],
    allowed_errors: tuple[int, ...],
    c: int,
    test_dev: bool,
    batch_seconds: float,
    bins_per_octave: int,
    only_note_names: bool,
    sr: int,
    hop_length: int,
    sets: tuple[str, ...],
    corpus: str | None,
    pairs: Path | None,
    takes: int,
    scenes: int,
    dev_scenes: int,
    trials: int,
    storage: str | None,
    best: str | None,
    trackers: bool,
    members: int,
    classes: tuple[str, ...],
    out: Path,
    pruner: str,
    seed: int,
    name: str | None,
    cache: Path,
    data: Path,
) -> None:
    """Fit and measure older transcribers (CNN, CRNN, Transformer); measure two pitch trackers and the shipped one."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    if action in LESSONS:
        from training.experiments.classroom.lesson import lesson

        click.echo(lesson(action, classes, seed, out))
        return
    corpus = corpus or ("pairs" if pairs else SCENES)
    if corpus != SCENES:
        sets = sets or (corpus,)
    maps = (data / "maps-enstdkcl").is_dir()
    sets = sets or (("right", "maps") if maps else ("right",))
    if family in GIVEN:
        if action != "test":
            raise UserError(f"--family {family} is not fitted: its only action is test.")
        from training.experiments.older_transcribers.figures import figures_of_given

        click.echo(figures_of_given(family, cache, data, sets, takes, only_note_names, thresholds, pairs))
        return
    folder_of_corpus = data if corpus == SCENES else folder_of(corpus, data, pairs)
    cache = root_of(cache, corpus, folder_of_corpus)
    if action in STEPS:
        kind = kind or "cqt"
    spectrum = Spectrum(kind or ("cqt" if family == "crnn" else "log"), sr, hop_length, bins_per_octave)
    setup = NotesSetup(
        family=family,
        spectrum=spectrum,
        phases=phases,
        names=only_note_names,
        batch_seconds=batch_seconds,
        c=c,
        lr=lr,
        epochs=num_epochs,
        batch=batch_size,
        optimiser=optimiser,
        gamma=gamma,
        milestones=milestones,
        patience=patience,
        workers=num_workers,
        seed=seed,
    )
    if best:
        from training.experiments.older_transcribers.search import best_of

        setup = best_of(best, setup)
        spectrum, name = setup.spectrum, name or f"best-{setup.name}"
    if action == "report":
        from training.experiments.older_transcribers.report import write_report

        found = [take for which in sets[:1] for take in test_takes(cache, data, which, takes, pairs)[:takes]]
        click.echo(write_report(cache, found, trackers, out))
    elif action == "doubt":
        from training.experiments.older_transcribers.doubt import measure_doubt

        click.echo("\n\n".join(measure_doubt(setup, cache, which, takes, members, out) for which in sets))
    elif action in STEPS:
        from training.experiments.older_transcribers.steps import run_step

        click.echo(run_step(action, setup, folder_of_corpus, cache, corpus))
    elif action == "process-train" and corpus != SCENES:
        process_dataset(cache, spectrum, corpus, folder_of_corpus, tests=False, most=scenes)
    elif action == "process-train":
        process_fit(cache, data, spectrum, scenes, dev_scenes, seed)
    elif action == "process-test":
        process_test(cache, data, spectrum, sets, takes, pairs)
    elif action in ("train", "train-val"):
        from training.experiments.older_transcribers.fit import fit

        train = load_recordings(cache, spectrum, "train")
        dev = load_recordings(cache, spectrum, "dev") if action == "train-val" else None
        folder = fit_folder(cache, name or setup.name, dev is not None)
        fit(setup, train, dev, load_statistics(cache, spectrum), folder)
        click.echo(f"{folder}")
    elif action == "test":
        from training.experiments.older_transcribers.figures import figures_of_fit

        click.echo(
            figures_of_fit(fit_folder(cache, name or setup.name, test_dev), cache, sets, thresholds, allowed_errors)
        )
    else:
        from training.experiments.older_transcribers.search import search, told

        click.echo(told(search(setup, cache, data, scenes, dev_scenes, trials, storage, pruner)))
