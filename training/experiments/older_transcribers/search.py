"""A search over an older family's configurations: Optuna's trials, cut short by a pruner, in a storage to share."""

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
from training.experiments.older_transcribers.chunks import frame_labels
from training.experiments.older_transcribers.decode import FrameCount
from training.experiments.older_transcribers.fit import Fitted, Normal, fit, hear
from training.experiments.older_transcribers.setup import OPTIMISERS, NotesSetup
from training.experiments.older_transcribers.spectra import Spectrum

PRUNERS = ("median", "hyperband")
RATES = (8_000, 16_000)
HOPS_S = (0.016, 0.032)
BINS = (12, 24, 36)
KINDS_OF = {"cnn": ("log", "mel"), "crnn": ("cqt", "log"), "transformer": ("log", "mel")}


def suggest(trial: Any, setup: NotesSetup) -> NotesSetup:
    """A configuration of `setup`'s family: what it reads (bins, sample rate, hop, spectrum) and how it is fitted."""
    rate = trial.suggest_categorical("sr", RATES)
    hop = round(trial.suggest_categorical("hop_s", HOPS_S) * rate)
    kind = trial.suggest_categorical("spectrum", KINDS_OF[setup.family])
    changed = replace(
        setup,
        spectrum=Spectrum(kind, rate, hop, trial.suggest_categorical("bins_per_octave", BINS)),
        optimiser=trial.suggest_categorical("optimiser", OPTIMISERS),
        lr=trial.suggest_float("lr", 1e-4, 1e-2, log=True),
        c=trial.suggest_int("c", 2, 6),
    )
    if setup.family == "crnn":
        changed = replace(changed, phases=trial.suggest_categorical("phases", (1, 2)))
    return changed


def frame_f1(models: list[Any], setup: NotesSetup, normal: Normal, dev: list[LabelledRecording]) -> float:
    """F1 of all keys in all frames of `dev`, at 0.5."""
    count = FrameCount(0.5)
    spectrum = setup.spectrum
    for recording in dev:
        labels = frame_labels(recording.notes, len(recording.levels), spectrum.hop_s, spectrum.window_s, setup.names)
        count.add(hear(models, setup.chunks, normal, recording.levels, setup.batch), labels)
    return count.f1


class Watch(keras.callbacks.Callback):
    """Tells the trial after each epoch how good it is, and ends it where the pruner says so."""

    def __init__(self, trial: Any, value: Callable[[Any], float]) -> None:
        super().__init__()
        self._trial, self._value = trial, value

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Report, and perhaps prune."""
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
    """Run `trials` trials of the study `notes-FAMILY`; with one `storage` URL, several machines share it."""
    try:
        import optuna
    except ImportError as error:
        raise UserError("--action search needs Optuna: pip install 'lefthand[train]'.") from error

    def objective(trial: Any) -> float:
        chosen = suggest(trial, setup)
        process_fit(cache, data, chosen.spectrum, scenes, dev_scenes, setup.seed)
        train, dev = (load_recordings(cache, chosen.spectrum, which) for which in ("train", "dev"))
        statistics = load_statistics(cache, chosen.spectrum)
        normal = Normal(*statistics)
        watch = Watch(trial, lambda model: frame_f1([model], replace(chosen, phases=1), normal, dev))
        folder = cache / "fits" / "notes" / "search" / f"{setup.family}-{trial.number:04d}"
        fit(chosen, train, dev, statistics, folder, extra=[watch], verbose=0)
        fitted = Fitted.load(folder)
        return frame_f1(fitted.models, chosen, fitted.normal, dev)

    pruners: dict[str, Any] = {"median": optuna.pruners.MedianPruner, "hyperband": optuna.pruners.HyperbandPruner}
    study = optuna.create_study(
        study_name=f"notes-{setup.family}-{setup.width}",
        storage=storage,
        load_if_exists=True,
        direction="maximize",
        pruner=pruners[pruner](),
        sampler=optuna.samplers.TPESampler(seed=None if storage else setup.seed),
    )
    study.optimize(objective, n_trials=trials, show_progress_bar=True, gc_after_trial=True)
    return study


def told(study: Any) -> str:
    """The trials of the study so far, best first."""
    done = sorted((t for t in study.trials if t.value is not None), key=lambda t: -float(t.value))
    cut = sum(t.state.name == "PRUNED" for t in study.trials)
    lines = [f"{len(study.trials)} trials, {cut} cut short; frame F1 on dev, best first:"]
    lines += [f"  {100 * t.value:.1f}  {t.params}" for t in done[:10]]
    return "\n".join(lines)
