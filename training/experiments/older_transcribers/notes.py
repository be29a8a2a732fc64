"""`python -m training notes` fits and measures the older transcribers. Each is a configuration of this command.

    python -m training notes --action process-train    # spectrograms of training and development scenes
    python -m training notes --action process-test     # spectrograms of the recordings to measure on
    python -m training notes --action train-val        # fit, watched on the development scenes
    python -m training notes --action test --test-dev  # figures of that fit

`train` fits without the development scenes. `--family shipped`, `pyin` and `neural` have only the action `test`.
docs/experiments.md has the figures.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from device.errors import UserError
from training.experiments.older_transcribers.cache import (
    TEST_SETS,
    load_recordings,
    load_statistics,
    process_fit,
    process_test,
)
from training.experiments.older_transcribers.setup import FITTED, GIVEN, OPTIMISERS, NotesSetup, fit_folder
from training.experiments.older_transcribers.spectra import KINDS, Spectrum

ACTIONS = ("train", "train-val", "test", "process-train", "process-test", "search")
SEVERAL = ("--thresholds", "--allowed-errors", "--milestones", "--on")
"""Options that take several values, for instance `--thresholds 0.3 0.5`."""


class SeveralValues(click.Command):
    """A command whose options in `SEVERAL` take all values up to the next option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Turn `--on a b` into `--on a --on b`, which click can read."""
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
@click.option("--takes", default=12, show_default=True, help="Rendered recordings of a test set.")
@click.option("--scenes", default=30, show_default=True, help="Training scenes of 24 s, of each corpus.")
@click.option("--dev-scenes", default=6, show_default=True, help="Development scenes, of each corpus.")
@click.option("--trials", default=20, show_default=True, help="Trials of a search.")
@click.option("--storage", help="Optuna URL of a search: sqlite:///FILE, or a database for several machines.")
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
    takes: int,
    scenes: int,
    dev_scenes: int,
    trials: int,
    storage: str | None,
    pruner: str,
    seed: int,
    name: str | None,
    cache: Path,
    data: Path,
) -> None:
    """Fit and measure older transcribers (CNN, CRNN, Transformer); measure two pitch trackers and the shipped one."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    maps = (data / "maps-enstdkcl").is_dir()
    sets = sets or (("right", "maps") if maps else ("right",))
    if family in GIVEN:
        if action != "test":
            raise UserError(f"--family {family} is not fitted: its only action is test.")
        from training.experiments.older_transcribers.figures import figures_of_given

        click.echo(figures_of_given(family, cache, data, sets, takes, only_note_names))
        return
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
    if action == "process-train":
        process_fit(cache, data, spectrum, scenes, dev_scenes, seed)
    elif action == "process-test":
        process_test(cache, data, spectrum, sets, takes)
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
