"""Fits an older transcriber on chunks of recordings, and runs it on whole recordings."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt

from device.errors import UserError
from training.experiments.older_transcribers.cache import LabelledRecording, labels_of
from training.experiments.older_transcribers.chunks import Chunks
from training.experiments.older_transcribers.nets import build
from training.experiments.older_transcribers.setup import NotesSetup
from training.experiments.older_transcribers.spectra import Levels
from training.hearing_figures.frame_scores import Labels, Posteriors

Phase = Literal["silence", "pitch"]
PLATEAU = 0.5
"""Factor by which the learning rate is multiplied after a plateau of the validation loss."""


def phases_of(setup: NotesSetup) -> tuple[Phase, ...]:
    """Return the names of the phases of a setup. One net is fitted for each phase."""
    return ("silence", "pitch") if setup.phases == 2 else ("pitch",)


@dataclass(frozen=True)
class Normal:
    """Holds the mean and standard deviation of all training levels, and normalises levels with them."""

    mean: float
    deviation: float

    def __call__(self, levels: Levels, inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
        """Return levels [frames, bins] normalised around 0, float32. Frames of padding (not `inside`) become 0."""
        x = (levels.astype(np.float32) - np.float32(self.mean)) / np.float32(self.deviation)
        return np.asarray(x * inside[:, None], np.float32)


def phase_target(labels: Labels, answers: npt.NDArray[np.bool_], phase: Phase, phases: int) -> tuple[Any, Any]:
    """Return the targets and the weights [frames] of a chunk.

    The targets are [frames, keys], or [frames, 1] in the phase "silence". There the target is 1 in a frame in which
    something sounds. With two phases the pitch net learns only from such frames, because the other net handles silence.
    """
    sounds = labels.any(axis=1)
    if phase == "silence":
        return sounds[:, None].astype(np.float32), answers.astype(np.float32)
    weights = answers & sounds if phases == 2 else answers
    return labels.astype(np.float32), weights.astype(np.float32)


class ChunkFeed(keras.utils.PyDataset):
    """Gives Keras batches of chunks: the inputs `x` and `inside`, then the targets and the weights.

    `x` has levels [batch, frames, bins], and `inside` is 0 for padding. The chunks are shuffled if `shuffle` is true.
    """

    def __init__(
        self, setup: NotesSetup, recordings: list[LabelledRecording], normal: Normal, phase: Phase, shuffle: bool
    ) -> None:
        super().__init__(workers=setup.workers, use_multiprocessing=False, max_queue_size=4)
        self._setup, self._recordings, self._normal, self._phase = setup, recordings, normal, phase
        self._labels = labels_of(recordings, setup.spectrum, names=setup.names)
        chunks = setup.chunks
        self._places = [(i, k) for i, r in enumerate(recordings) for k in range(chunks.count(len(r.levels)))]
        self._rng = np.random.default_rng(setup.seed) if shuffle else None
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self._places) // self._setup.batch)

    def on_epoch_end(self) -> None:
        """Shuffle the chunks for the next epoch, if shuffling was asked for."""
        if self._rng is not None:
            self._rng.shuffle(self._places)

    def __getitem__(self, index: int) -> tuple[dict[str, Any], Any, Any]:
        first = index * self._setup.batch
        rows = [self._chunk(*place) for place in self._places[first : first + self._setup.batch]]
        x, inside, targets, weights = (np.stack(column) for column in zip(*rows, strict=True))
        return {"x": x, "inside": inside}, targets, weights

    def _chunk(self, recording: int, number: int) -> tuple[Any, Any, Any, Any]:
        chunks, levels = self._setup.chunks, self._recordings[recording].levels
        inside, answers = chunks.inside(len(levels), number), chunks.answers(len(levels), number)
        labels = chunks.cut(self._labels[recording], number)
        targets, weights = phase_target(labels, answers, self._phase, self._setup.phases)
        x = self._normal(chunks.cut(levels, number), inside)
        return x, inside.astype(np.float32), targets, weights


def build_phase(setup: NotesSetup, phase: Phase, dropping: bool = False) -> keras.Model:
    """Build and return a new net for the phase `phase`. The net for silence has half as many channels in each layer.

    If `dropping` is true, dropout stays on when the net listens.
    """
    if phase == "silence":
        return build(setup.family, setup.chunks.frames, setup.spectrum.bins, 1, max(1, setup.c // 2), dropping)
    return build(setup.family, setup.chunks.frames, setup.spectrum.bins, setup.width, setup.c, dropping)


def optimiser(setup: NotesSetup) -> keras.optimizers.Optimizer:
    """Return the optimiser that `setup` names. It clips gradients to a norm of 1."""
    made = {"adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "sgd": "SGD"}[setup.optimiser]
    extra = {"momentum": 0.9, "nesterov": True} if setup.optimiser == "sgd" else {}
    return getattr(keras.optimizers, made)(setup.lr, clipnorm=1.0, **extra)


def rate_at(setup: NotesSetup, epoch: int, rate: float) -> float:
    """Return the learning rate of `epoch` (from 0). `rate` is that of the epoch before.

    The rate is multiplied by `gamma` if the epoch is a milestone, and stays the same otherwise.
    """
    return rate * setup.gamma if epoch in setup.milestones else rate


def fit(
    setup: NotesSetup,
    train: list[LabelledRecording],
    dev: list[LabelledRecording] | None,
    statistics: tuple[float, float],
    folder: Path,
    extra: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 2,
) -> None:
    """Fit the net of every phase, and write the best weights, the history and the setup to `folder`.

    The loss on `dev` decides which weights are best, when the learning rate falls and when the fit ends. Without `dev`
    the loss on `train` decides. `extra` callbacks run in the last phase.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "setup.json").write_text(json.dumps({"setup": setup.to_dict(), "statistics": statistics}, indent=1))
    keras.utils.set_random_seed(setup.seed)
    normal = Normal(*statistics)
    watched = "val_loss" if dev else "loss"
    for phase in phases_of(setup):
        model = build_phase(setup, phase)
        loss = keras.losses.BinaryCrossentropy(from_logits=True, reduction="mean_with_sample_weight")
        model.compile(optimiser(setup), loss=loss)
        kept = [
            keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate_at(setup, epoch, rate)),
            keras.callbacks.ReduceLROnPlateau(watched, factor=PLATEAU, patience=max(1, setup.patience // 2)),
            keras.callbacks.EarlyStopping(watched, patience=setup.patience),
            keras.callbacks.ModelCheckpoint(
                str(folder / f"{phase}.weights.h5"), watched, save_best_only=True, save_weights_only=True
            ),
            keras.callbacks.CSVLogger(str(folder / f"{phase}.csv")),
            keras.callbacks.TensorBoard(str(folder / "tensorboard" / phase), write_graph=False),
        ]
        model.fit(
            ChunkFeed(setup, train, normal, phase, shuffle=True),
            epochs=setup.epochs,
            validation_data=ChunkFeed(setup, dev, normal, phase, shuffle=False) if dev else None,
            callbacks=[*kept, *(extra if phase == phases_of(setup)[-1] else ())],
            verbose=verbose,
        )


def best_loss(folder: Path) -> float:
    """Return the lowest validation loss in the last phase of the fit in `folder`.

    If the fit has no validation loss, return its lowest training loss.
    """
    with (folder / "pitch.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return min(float(row.get("val_loss") or row["loss"]) for row in rows)


@dataclass
class Fitted:
    """Holds the nets of a fit, and the normalisation of the levels that they read.

    There is one net, or one that finds silence and one that finds the pitches.
    """

    setup: NotesSetup
    normal: Normal
    models: list[keras.Model]

    @classmethod
    def load(cls, folder: Path, dropping: bool = False) -> Fitted:
        """Load the fit in `folder`. If `dropping` is true, dropout stays on, so each run gives another answer.

        Raises UserError if there is no fit.
        """
        if not (folder / "setup.json").is_file() or not (folder / "pitch.weights.h5").is_file():
            raise UserError(f"There is no fit in {folder}: run with --action train or train-val first.")
        about = json.loads((folder / "setup.json").read_text())
        setup = NotesSetup.from_dict(about["setup"])
        models = []
        for phase in phases_of(setup):
            model = build_phase(setup, phase, dropping)
            model.load_weights(folder / f"{phase}.weights.h5")
            models.append(model)
        return cls(setup, Normal(*about["statistics"]), models)

    def posteriors(self, levels: Levels) -> Posteriors:
        """Return the probability that each key sounds in each frame of a recording, float32 [frames, keys].

        `levels` [frames, bins] is the whole recording. With two phases, the probability that something sounds is
        multiplied by the probability that this key sounds if something does.
        """
        return hear(self.models, self.setup.chunks, self.normal, levels, self.setup.batch)

    @property
    def parameters(self) -> int:
        """Return the number of weights of all nets together."""
        return sum(model.count_params() for model in self.models)


def hear(models: list[keras.Model], chunks: Chunks, normal: Normal, levels: Levels, batch: int) -> Posteriors:
    """Return the probability that each key sounds in each frame of a recording, float32 [frames, keys].

    `levels` [frames, bins] is the whole recording. It is cut into `chunks`, and the outputs of all nets `models` are
    multiplied. `batch` is the number of chunks that a net processes at once.
    """
    numbers = range(chunks.count(len(levels)))
    inside = [chunks.inside(len(levels), n) for n in numbers]
    x = np.stack([normal(chunks.cut(levels, n), i) for n, i in zip(numbers, inside, strict=True)])
    shares: Any = 1.0
    for model in models:
        logits = model.predict({"x": x, "inside": np.stack(inside).astype(np.float32)}, batch_size=batch, verbose=0)
        shares = shares / (1 + np.exp(-logits))
    return np.asarray(chunks.join(shares, len(levels)), np.float32)
