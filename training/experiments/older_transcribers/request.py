"""Holds what `python -m training notes` is asked for, and what follows from the options together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from training.experiments.older_transcribers.cache import SCENES, root_of
from training.experiments.older_transcribers.setup import NotesSetup
from training.experiments.older_transcribers.spectra import Spectrum
from training.hearing_figures.datasets import folder_of

STEPS = ("extract-cqt", "midi-to-labels", "build-dataset", "train-model")
"""The steps of a fit on one's own pairs (`--pairs`), each as an action of its own that shows what it made."""


@dataclass(frozen=True, kw_only=True)
class NotesRequest:
    """The options of the command by the names of their parameters (`notes --help` explains them).

    `kind` is the option `--spectrum`, and `sets` are the values of `--on`.
    """

    action: str
    family: str
    phases: int
    kind: str | None
    lr: float
    num_epochs: int
    batch_size: int
    num_workers: int
    gamma: float
    milestones: tuple[int, ...]
    optimiser: str
    patience: int
    thresholds: tuple[float, ...]
    allowed_errors: tuple[int, ...]
    c: int
    test_dev: bool
    batch_seconds: float
    bins_per_octave: int
    only_note_names: bool
    sr: int
    hop_length: int
    sets: tuple[str, ...]
    corpus: str | None
    pairs: Path | None
    takes: int
    scenes: int
    dev_scenes: int
    trials: int
    storage: str | None
    best: str | None
    trackers: bool
    members: int
    classes: tuple[str, ...]
    out: Path
    pruner: str
    seed: int
    name: str | None
    cache: Path
    data: Path

    @property
    def corpus_of_fit(self) -> str:
        """The recordings of the fit: those that were asked for, one's own pairs, or scenes."""
        return self.corpus or ("pairs" if self.pairs else SCENES)

    @property
    def corpus_folder(self) -> Path:
        """The folder with the recordings of the fit."""
        corpus = self.corpus_of_fit
        return self.data if corpus == SCENES else folder_of(corpus, self.data, self.pairs)

    @property
    def root(self) -> Path:
        """The folder with the spectrograms and fits of this corpus."""
        return root_of(self.cache, self.corpus_of_fit, self.corpus_folder)

    @property
    def test_sets(self) -> tuple[str, ...]:
        """The sets to measure on: those that were asked for, that of the corpus, or the rendered ones.

        To the rendered ones MAPS is added, if it is in the folder of data.
        """
        if self.sets:
            return self.sets
        if self.corpus_of_fit != SCENES:
            return (self.corpus_of_fit,)
        return ("right", "maps") if (self.data / "maps-enstdkcl").is_dir() else ("right",)

    @property
    def spectrum(self) -> Spectrum:
        """The input of the net by the options, without regard to `best`."""
        kind = self.kind or ("cqt" if self.family == "crnn" or self.action in STEPS else "log")
        return Spectrum(kind, self.sr, self.hop_length, self.bins_per_octave)

    @cached_property
    def setup(self) -> NotesSetup:
        """The configuration of the net and its fit; with `best` that of the best trial of a search."""
        setup = NotesSetup(
            family=self.family,
            spectrum=self.spectrum,
            phases=self.phases,
            names=self.only_note_names,
            batch_seconds=self.batch_seconds,
            c=self.c,
            lr=self.lr,
            epochs=self.num_epochs,
            batch=self.batch_size,
            optimiser=self.optimiser,
            gamma=self.gamma,
            milestones=self.milestones,
            patience=self.patience,
            workers=self.num_workers,
            seed=self.seed,
        )
        if not self.best:
            return setup
        from training.experiments.older_transcribers.search import best_of

        return best_of(self.best, setup)

    @property
    def fit_name(self) -> str:
        """The name of the fit's folder, without the suffix of a fit that watches the development recordings."""
        return self.name or (f"best-{self.setup.name}" if self.best else self.setup.name)
