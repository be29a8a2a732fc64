"""The transcriber's fit: random crops of cached scenes, AdamW under a cosine, best and last checkpoint, resumable."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from device.errors import UserError
from device.features import FeatureSpec
from device.gate import OCTAVES
from device.types import KEYS
from training.scenes import Scene, load_scenes, targets

CROP_FRAMES = 192
KEPT = Path(__file__).with_name("fits")
"""Fits that are kept in the repository: float weights of what is shipped, for another fit to begin with."""


def crop(scene: Scene, first: int, delays: NDArray[np.int64], hop_s: float) -> tuple[dict[str, Any], Any]:
    """{x, own} and target of `CROP_FRAMES` frames of a scene."""
    stop = first + CROP_FRAMES
    x = scene.features[first:stop].astype(np.float32) / 255
    own = np.zeros((CROP_FRAMES, KEYS, 2), np.float32)
    if len(scene.own):
        own[:] = scene.own[first:stop].astype(np.float32) / 255
    return {"x": x, "own": own}, targets(scene.notes, first, CROP_FRAMES, delays, hop_s)


@dataclass
class Crops:
    """Random crops, the same for the same (seed, step)."""

    scenes: list[Scene]
    delays: NDArray[np.int64]
    spec: FeatureSpec
    batch: int
    seed: int

    def at(self, step: int) -> tuple[dict[str, Any], Any]:
        """Batch number `step`: {x, own} and targets, each [batch, frames, ...]."""
        rng = np.random.default_rng([self.seed, step])
        rows = []
        for number in rng.integers(len(self.scenes), size=self.batch):
            scene = self.scenes[number]
            first = int(rng.integers(len(scene.features) - CROP_FRAMES))
            rows.append(crop(scene, first, self.delays, self.spec.hop_s))
        x = {key: np.stack([inputs[key] for inputs, _ in rows]) for key in ("x", "own")}
        return x, np.stack([target for _, target in rows])


def fixed_crops(
    scenes: list[Scene], delays: NDArray[np.int64], spec: FeatureSpec, each: int = 2
) -> tuple[dict[str, Any], Any]:
    """The same few crops of every scene, for validation."""
    rows = [
        crop(scene, int(first), delays, spec.hop_s)
        for scene in scenes
        for first in np.linspace(0, len(scene.features) - CROP_FRAMES, each)
    ]
    return {key: np.stack([i[key] for i, _ in rows]) for key in ("x", "own")}, np.stack([t for _, t in rows])


def fit_named(cache: Path, name: str) -> Path:
    """The folder of a fit that another may begin with; raises UserError where there is none."""
    for folder in (cache / "fits" / name, KEPT / name):
        if (folder / "config.json").is_file():
            return folder
    there = sorted({path.parent.name for fits in (cache / "fits", KEPT) for path in fits.glob("*/config.json")})
    raise UserError(
        f"There is no fit {name} in {cache / 'fits'} or {KEPT}, only {there}: leave out --begin, or name one."
    )


def about_fit(folder: Path) -> dict[str, Any]:
    """What a fit's folder tells of it, its name first: where a fit begins with another's weights, all are told."""
    about: dict[str, Any] = json.loads((folder / "config.json").read_text())
    told = ("net", "seed", "steps", "batch", "rate", "scenes", "begun_from")
    return {"name": folder.name, **{key: about[key] for key in told if key in about}}


def asked_net(changes: str) -> Any:
    """The net's shape with JSON `changes`; raises UserError for what is none."""
    from training.transcriber_model import NetConfig

    try:
        config = NetConfig.from_dict(json.loads(changes))
    except (TypeError, ValueError, AttributeError) as error:
        fields = ", ".join(NetConfig.__dataclass_fields__)
        raise UserError(f"--net {changes}: {error}. It takes a JSON object of {fields}.") from error
    if len(config.later) != OCTAVES:
        raise UserError(f"--net: later has {len(config.later)} numbers, and takes {OCTAVES}, one an octave from A0 up.")
    return config


@click.command()
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True)
@click.option("--name", default="transcriber", show_default=True, help="Folder of the fit in CACHE/fits.")
@click.option("--steps", default=2400, show_default=True)
@click.option("--epoch-steps", default=100, show_default=True, help="Steps between validations and checkpoints.")
@click.option("--batch", default=8, show_default=True)
@click.option("--rate", default=3e-3, show_default=True, help="Peak learning rate.")
@click.option("--patience", default=12, show_default=True, help="Validations without a better one before it stops.")
@click.option("--seed", default=1, show_default=True)
@click.option(
    "--begin",
    help="Fit in CACHE/fits or training/fits whose best weights to begin with; --net may widen it, or let it wait.",
)
@click.option("--net", "changes", default="{}", help='JSON changes to the net, e.g. {"width": 32}.')
def hear(
    cache: Path,
    name: str,
    steps: int,
    epoch_steps: int,
    batch: int,
    rate: float,
    patience: int,
    seed: int,
    begin: str | None,
    changes: str,
) -> None:
    """Fit the transcriber on the cached scenes (`scenes` makes them); called again it resumes."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    from training.fitting import callbacks, feed
    from training.transcriber_model import NetConfig, build_net, build_sequence, loss
    from training.widen import widened

    spec = FeatureSpec()
    config = asked_net(changes)
    train, valid = load_scenes(cache, "train"), load_scenes(cache, "valid")
    if not train or not valid:
        raise UserError(f"No scenes in {cache}: run `python -m training scenes` for --split train and valid first.")
    folder = cache / "fits" / name
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(seed)
    begun = about_fit(first := fit_named(cache, begin)) if begin else None
    if begun:
        net = widened(config, spec, NetConfig.from_dict(begun["net"]), first / "best.weights.h5")
    else:
        net = build_net(config, spec)
    model = build_sequence(net, CROP_FRAMES)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 20, steps - 100, 0.01, warmup_target=rate, warmup_steps=100
    )
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=1e-3, clipnorm=1.0), loss=loss)
    about = {
        "net": config.to_dict(),
        "features": spec.to_dict(),
        "seed": seed,
        "steps": steps,
        "batch": batch,
        "crop_frames": CROP_FRAMES,
        "rate": rate,
        "begun_from": begun,
        "scenes": {"train": len(train), "valid": len(valid)},
        "parameters": model.count_params(),
    }
    (folder / "config.json").write_text(json.dumps(about, indent=1))
    click.echo(
        f"{model.count_params()} parameters, {len(train)} scenes, {steps} steps of {batch} x {CROP_FRAMES} frames"
    )
    crops = Crops(train, config.delays(), spec, batch, seed)
    batches = feed(crops.at, epoch_steps)
    model.fit(
        batches,
        epochs=math.ceil(steps / epoch_steps),
        validation_data=fixed_crops(valid, config.delays(), spec),
        validation_batch_size=batch,
        callbacks=callbacks(folder, patience, batches),
        verbose=2,
    )
