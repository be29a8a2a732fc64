"""Fits the transcriber on random crops of scenes, with AdamW and a cosine schedule of the learning rate.

The best and the last weights are stored. A fit that was stopped can be resumed.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
from numpy.typing import NDArray

from device.events import KEYS
from device.hearing.features import FeatureSpec
from training.fitting import callbacks, feed
from training.scenes.scene import Scene, targets
from training.transcriber.net import (
    DEFAULT_WEIGHTS,
    LossWeights,
    NetConfig,
    TranscriberNet,
    build_net,
    build_sequence,
    loss,
)
from training.transcriber.widen import widened

CROP_FRAMES = 192
"""Frames of a training example."""
WARM_UP = 100
"""Steps until the learning rate reaches its peak. A short fit uses a quarter of its steps instead."""


@dataclass(frozen=True)
class FitPlan:
    """The options of a fit. `rate` is the peak learning rate, `patience` is a number of epochs."""

    net: NetConfig
    spec: FeatureSpec
    steps: int
    epoch_steps: int
    batch: int
    rate: float
    patience: int
    seed: int
    weights: LossWeights = DEFAULT_WEIGHTS
    own: bool = True
    """True if the net receives the notes that the box sent."""
    norms: bool = True
    """False if the normalisations stay as the first fit left them. A step then takes a fifth less time on a CPU."""


def crop(scene: Scene, first: int, delays: NDArray[np.int64], hop_s: float, told: bool) -> tuple[dict[str, Any], Any]:
    """Return a training example: inputs {x, own} and target of `CROP_FRAMES` frames of a scene, from frame `first` on.

    x is [frames, bins, channels], own [frames, 88, 2], the target [frames, 88, 4]. own holds the notes that the box
    sent. If `told` is false, own is all zeros, as if the box had sent none. `delays` [88] is the look-ahead of each
    key.
    """
    stop = first + CROP_FRAMES
    x = scene.features[first:stop].astype(np.float32) / 255
    own = np.zeros((CROP_FRAMES, KEYS, 2), np.float32)
    if told and len(scene.own):
        own[:] = scene.own[first:stop].astype(np.float32) / 255
    return {"x": x, "own": own}, targets(scene.notes, first, CROP_FRAMES, delays, hop_s)


@dataclass
class Crops:
    """Returns batches of random crops. The batch depends only on (seed, step)."""

    scenes: list[Scene]
    delays: NDArray[np.int64]
    spec: FeatureSpec
    batch: int
    seed: int
    own: bool = True

    def at(self, step: int) -> tuple[dict[str, Any], Any]:
        """Return batch number `step`: {x, own} and targets, each [batch, frames, ...]."""
        rng = np.random.default_rng([self.seed, step])
        rows = []
        for number in rng.integers(len(self.scenes), size=self.batch):
            scene = self.scenes[number]
            first = int(rng.integers(len(scene.features) - CROP_FRAMES))
            rows.append(crop(scene, first, self.delays, self.spec.hop_s, self.own))
        x = {key: np.stack([inputs[key] for inputs, _ in rows]) for key in ("x", "own")}
        return x, np.stack([target for _, target in rows])


def fixed_crops(
    scenes: list[Scene], delays: NDArray[np.int64], spec: FeatureSpec, own: bool = True, each: int = 2
) -> tuple[dict[str, Any], Any]:
    """Return `each` fixed crops of every scene, for validation.

    The result is inputs {x, own} and targets, each [crops, frames, ...].
    """
    rows = [
        crop(scene, int(first), delays, spec.hop_s, own)
        for scene in scenes
        for first in np.linspace(0, len(scene.features) - CROP_FRAMES, each)
    ]
    return {key: np.stack([i[key] for i, _ in rows]) for key in ("x", "own")}, np.stack([t for _, t in rows])


def about_fit(folder: Path) -> dict[str, Any]:
    """Return the description of the fit in `folder`. Its first entry is the name of the fit.

    If the fit began with the weights of another fit, or is an average of fits, their descriptions are entries too.
    """
    about: dict[str, Any] = json.loads((folder / "config.json").read_text())
    told = ("net", "seed", "steps", "batch", "rate", "norms", "loss", "scenes", "begun_from", "averaged")
    return {"name": folder.name, **{key: about[key] for key in told if key in about}}


def first_net(plan: FitPlan, first: Path | None) -> TranscriberNet:
    """Return the net with which the fit of `plan` begins: that of the fit in the folder `first`, or a random one."""
    if first is None:
        net = build_net(plan.net, plan.spec)
    else:
        narrow = NetConfig.from_dict(about_fit(first)["net"])
        net = widened(plan.net, plan.spec, narrow, first / "best.weights.h5")
    for norm in (net.stem_norm, *net.norms, net.mix_norm):
        norm.trainable = plan.norms
    return net


def fit(plan: FitPlan, train: list[Scene], valid: list[Scene], folder: Path, first: Path | None = None) -> keras.Model:
    """Fit a net as `plan` says and store the fit in `folder`, or resume the fit there. Returns the fitted model.

    If `first` is given, it is the folder of another fit, whose best weights are the initial weights. Raises UserError
    if the net of `plan` cannot begin with these.
    """
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(plan.seed)
    begun = about_fit(first) if first else None
    model = build_sequence(first_net(plan, first), CROP_FRAMES)
    warm_up = min(WARM_UP, plan.steps // 4)
    schedule = keras.optimizers.schedules.CosineDecay(
        plan.rate / 20, plan.steps - warm_up, 0.01, warmup_target=plan.rate, warmup_steps=warm_up
    )
    adam = keras.optimizers.AdamW(schedule, weight_decay=1e-3, clipnorm=1.0)
    model.compile(adam, loss=partial(loss, weights=plan.weights))
    about = {
        "net": plan.net.to_dict(),
        "features": plan.spec.to_dict(),
        "seed": plan.seed,
        "steps": plan.steps,
        "batch": plan.batch,
        "crop_frames": CROP_FRAMES,
        "rate": plan.rate,
        "norms": plan.norms,
        "loss": asdict(plan.weights),
        "begun_from": begun,
        "scenes": {"train": len(train), "valid": len(valid)},
        "parameters": model.count_params(),
    }
    (folder / "config.json").write_text(json.dumps(about, indent=1))
    size = f"{plan.batch} x {CROP_FRAMES} frames"
    click.echo(f"{model.count_params()} parameters, {len(train)} scenes, {plan.steps} steps of {size}")
    delays = plan.net.delays()
    batches = feed(Crops(train, delays, plan.spec, plan.batch, plan.seed, plan.own).at, plan.epoch_steps)
    model.fit(
        batches,
        epochs=math.ceil(plan.steps / plan.epoch_steps),
        validation_data=fixed_crops(valid, delays, plan.spec, plan.own),
        validation_batch_size=plan.batch,
        callbacks=callbacks(folder, plan.patience, batches),
        verbose=2,
    )
    return model
