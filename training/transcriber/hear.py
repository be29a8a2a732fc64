"""`python -m training hear` fits the transcriber on the cached scenes."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

import training
from device.errors import UserError
from device.hearing.features import FeatureSpec
from device.hearing.gate_spec import OCTAVES
from training.options import CACHE, SEED
from training.scenes.cache import load_scenes

KEPT = Path(training.__path__[0]) / "fits"
"""Folder of the fits in the repository: float weights of the shipped models. Another fit can begin with them."""


def fit_named(cache: Path, name: str) -> Path:
    """Return the folder of the fit `name`. Raises UserError if there is none."""
    for folder in (cache / "fits" / name, KEPT / name):
        if (folder / "config.json").is_file():
            return folder
    there = sorted({path.parent.name for fits in (cache / "fits", KEPT) for path in fits.glob("*/config.json")})
    raise UserError(f"There is no fit {name} in {cache / 'fits'} or {KEPT}, only {there}: name one of them.")


def asked_net(changes: str) -> Any:
    """Return the default `NetConfig`, changed by the JSON object `changes`.

    Raises UserError if `changes` is invalid.
    """
    from training.transcriber.net import NetConfig

    try:
        config = NetConfig.from_dict(json.loads(changes))
    except (TypeError, ValueError, AttributeError) as error:
        fields = ", ".join(NetConfig.__dataclass_fields__)
        raise UserError(f"--net {changes}: {error}. It takes a JSON object of {fields}.") from error
    if len(config.later) != OCTAVES:
        raise UserError(f"--net: later has {len(config.later)} numbers, and takes {OCTAVES}, one an octave from A0 up.")
    return config


def asked_weights(changes: str) -> Any:
    """Return the default `LossWeights`, changed by the JSON object `changes`.

    Raises UserError if `changes` is invalid.
    """
    from training.transcriber.net import LossWeights

    try:
        weights = LossWeights(**json.loads(changes))
        if min(asdict(weights).values()) < 0:
            raise ValueError("an error counts for 0 or more")
    except (TypeError, ValueError) as error:
        fields = ", ".join(LossWeights.__dataclass_fields__)
        raise UserError(f"--loss {changes}: {error}. It takes a JSON object of {fields}.") from error
    return weights


@click.command()
@CACHE
@click.option("--name", default="transcriber", show_default=True, help="Folder of the fit in CACHE/fits.")
@click.option("--steps", default=2400, show_default=True, help="Training steps.")
@click.option("--epoch-steps", default=100, show_default=True, help="Steps between validations and checkpoints.")
@click.option("--batch", default=8, show_default=True, help="Stretches in a batch.")
@click.option("--rate", default=3e-3, show_default=True, help="Peak learning rate.")
@click.option("--patience", default=12, show_default=True, help="Validations without improvement before the fit stops.")
@SEED
@click.option(
    "--begin",
    help="Begin with the best weights of this fit in CACHE/fits or training/fits. --net may make it wider or later.",
)
@click.option("--net", "changes", default="{}", help='JSON changes to the net, e.g. {"width": 32}.')
@click.option("--loss", "weights", default="{}", help='JSON changes to the weights of the heads, e.g. {"offset": 0}.')
@click.option(
    "--norms/--no-norms", default=True, show_default=True, help="Fit the normalisations too, or keep those of --begin."
)
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
    weights: str,
    norms: bool,
) -> None:
    """Fit the transcriber on the cached scenes (`scenes` makes them). Run it again to resume a fit."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    from training.transcriber.fit import FitPlan, fit

    spec, config, counts = FeatureSpec(), asked_net(changes), asked_weights(weights)
    if not norms and not begin:
        raise UserError("--no-norms keeps the normalisations of another fit: name it with --begin.")
    train, valid = load_scenes(cache, "train"), load_scenes(cache, "valid")
    if not train or not valid:
        raise UserError(f"No scenes in {cache}: run `python -m training scenes` for --split train and valid first.")
    plan = FitPlan(
        config,
        spec,
        steps=steps,
        epoch_steps=epoch_steps,
        batch=batch,
        rate=rate,
        patience=patience,
        seed=seed,
        weights=counts,
        norms=norms,
    )
    fit(plan, train, valid, cache / "fits" / name, fit_named(cache, begin) if begin else None)
