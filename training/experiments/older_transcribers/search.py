"""Searches the configurations of an older family with Optuna. A pruner stops bad trials; machines can share a study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from device.errors import UserError
from training.experiments.older_transcribers.cache import (
    LabelledRecording,
    load_recordings,
    load_statistics,
    process_fit,
)
from training.experiments.older_transcribers.fit import Fitted, Normal, best_loss, fit, hear
from training.experiments.older_transcribers.setup import OPTIMISERS, NotesSetup
from training.experiments.older_transcribers.spectra import Spectrum
from training.hearing_figures.frame_scores import FrameCount, frame_labels

RATES = (8_000, 16_000)
"""Sample rates in Hz to choose from."""
HOPS_S = (0.016, 0.032)
"""Seconds between two frames to choose from."""
BATCHES = (4, 8, 16)
"""Batch sizes, in chunks of a recording, among which the search chooses."""
THRESHOLDS = tuple(t / 20 for t in range(1, 20))
"""Thresholds of the posteriors (probabilities of keys). A net is judged at the best of them."""
BINS = (12, 24, 36)
"""Bins an octave to choose from."""
KINDS_OF = {"cnn": ("log", "mel"), "crnn": ("cqt", "log"), "transformer": ("log", "mel")}


def suggest(trial: Any, setup: NotesSetup) -> NotesSetup:
    """Let the trial choose a configuration of `setup`'s family, and return it.

    The trial chooses the spectrum, the optimiser, the learning rate and the width.
    """
    rate = trial.suggest_categorical("sr", RATES)
    hop = round(trial.suggest_categorical("hop_s", HOPS_S) * rate)
    kind = trial.suggest_categorical("spectrum", KINDS_OF[setup.family])
    changed = replace(
        setup,
        spectrum=Spectrum(kind, rate, hop, trial.suggest_categorical("bins_per_octave", BINS)),
        optimiser=trial.suggest_categorical("optimiser", OPTIMISERS),
        lr=trial.suggest_float("lr", 1e-4, 1e-2, log=True),
        batch=trial.suggest_categorical("batch_size", BATCHES),
        c=trial.suggest_int("c", 2, 6),
    )
    if setup.family == "crnn":
        changed = replace(changed, phases=trial.suggest_categorical("phases", (1, 2)))
    return changed


def best_f1(models: list[Any], setup: NotesSetup, normal: Normal, dev: list[LabelledRecording]) -> float:
    """Return the F1 of all keys in all frames of the recordings `dev`, 0 to 1, at the best of `THRESHOLDS`.

    After a few epochs hardly any probability of a key reaches .5. So one fixed threshold would give good and bad nets
    the same F1.
    """
    counts = [FrameCount(threshold) for threshold in THRESHOLDS]
    spectrum = setup.spectrum
    for recording in dev:
        labels = frame_labels(
            recording.notes, len(recording.levels), spectrum.hop_s, spectrum.window_s, names=setup.names
        )
        posteriors = hear(models, setup.chunks, normal, recording.levels, setup.batch)
        for count in counts:
            count.add(posteriors, labels)
    return max(count.f1 for count in counts)


class Watch(keras.callbacks.Callback):
    """Reports the score of the net to the trial after each epoch.

    It raises TrialPruned, which stops the trial, if the pruner asks for it.
    """

    def __init__(self, trial: Any, value: Callable[[Any], float]) -> None:
        super().__init__()
        self._trial, self._value = trial, value

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Report the net's score after this epoch to the trial. Raises TrialPruned if the pruner stops the trial."""
        import optuna

        self._trial.report(self._value(self.model), epoch)
        if self._trial.should_prune():
            raise optuna.TrialPruned


def search(
    setup: NotesSetup,
    cache: Path,
    data: Path,
    scenes: int,
    dev_scenes: int,
    trials: int,
    storage: str | None,
    pruner: str,
) -> Any:
    """Run `trials` trials of the study `notes-FAMILY-WIDTH`, and return the study (Optuna's record of the trials).

    Machines with the same `storage` URL share the study. Raises UserError if Optuna is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise UserError("--action search needs Optuna: pip install 'lefthand[train]'.") from error

    def objective(trial: Any) -> float:
        chosen = suggest(trial, setup)
        process_fit(cache, data, chosen.spectrum, scenes, dev_scenes, setup.seed)
        # every trial gets as many scenes, also with a spectrum of which an earlier run has made more
        train = load_recordings(cache, chosen.spectrum, "train", scenes)
        dev = load_recordings(cache, chosen.spectrum, "dev", dev_scenes)
        statistics = load_statistics(cache, chosen.spectrum)
        normal = Normal(*statistics)
        watch = Watch(trial, lambda model: best_f1([model], replace(chosen, phases=1), normal, dev))
        folder = cache / "fits" / "notes" / "search" / f"{setup.family}-{trial.number:04d}"
        fit(chosen, train, dev, statistics, folder, extra=[watch], verbose=0)
        fitted = Fitted.load(folder)
        trial.set_user_attr("val_loss", best_loss(folder))
        return best_f1(fitted.models, chosen, fitted.normal, dev)

    pruners: dict[str, Any] = {"median": optuna.pruners.MedianPruner, "hyperband": optuna.pruners.HyperbandPruner}
    study = optuna.create_study(
        study_name=study_name(setup),
        storage=storage,
        load_if_exists=True,
        direction="maximize",
        pruner=pruners[pruner](),
        sampler=optuna.samplers.TPESampler(seed=None if storage else setup.seed),
    )
    study.optimize(objective, n_trials=trials, show_progress_bar=True, gc_after_trial=True)
    return study


def study_name(setup: NotesSetup) -> str:
    """Return the name of the study (a search in Optuna) for the family of `setup`, with 88 keys or 12 names."""
    return f"notes-{setup.family}-{setup.width}"


def best_of(storage: str, setup: NotesSetup) -> NotesSetup:
    """Return the best configuration of the study in `storage`, with the epochs, patience and seed of `setup`.

    Raises UserError if there is no such study, or if it has no finished trial.
    """
    import optuna

    try:
        study = optuna.load_study(study_name=study_name(setup), storage=storage)
        best = study.best_trial
    except (KeyError, ValueError) as error:
        raise UserError(
            f"--best {storage} has no finished trial of {study_name(setup)}: run --action search."
        ) from error
    # a study from before a parameter was searched has no value of it; then that of `setup` is used
    params = {"batch_size": setup.batch, **best.params}
    return suggest(optuna.trial.FixedTrial(params), setup)


def told(study: Any) -> str:
    """Return a text: the number of trials so far, and the ten best with frame F1, validation loss and parameters."""
    done = sorted((t for t in study.trials if t.value is not None), key=lambda t: -float(t.value))
    cut = sum(t.state.name == "PRUNED" for t in study.trials)
    lines = [f"{len(study.trials)} trials, {cut} cut short; best frame F1 on dev, then validation loss, best first:"]
    lines += [f"  {100 * t.value:.1f}  {t.user_attrs.get('val_loss', float('nan')):.4f}  {t.params}" for t in done[:10]]
    return "\n".join(lines)
