"""Collects everything that the export needs from the fits (training runs) of the two models.

For each model these are the step model, inputs of real music for calibration and comparison, and entries of the
manifest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from device.errors import UserError
from device.hearing.features import FeatureSpec
from device.hearing.gate_spec import GateSpec
from export.conversion.rolls import Inputs, Roll
from export.conversion.verify import Thresholds
from export.files import read_json

CALIBRATION_ROLLS, CALIBRATION_STEPS = 10, 150
"""Number of roll-outs for the calibration, and number of steps of each.

Together they are 24 s of sound. More are not used, because the converter takes about 20 ms for each step.
"""
CHECK_ROLLS, CHECK_STEPS = 2, 600
NO_DECISION = float("inf")
"""Threshold that no value reaches. The output velocity has it, because it is not compared with a threshold."""


@dataclass(frozen=True)
class ModelPart:
    """One model with everything that its export needs."""

    name: str
    model: keras.Model
    calibration: list[Roll]
    """Inputs from training data, to calibrate the converter."""
    check: list[Roll]
    """Inputs from validation data, to compare the int8 model with the float model."""
    section: dict[str, Any]
    """The section of the manifest that the device reads for this model: `gate` or `accompanist`."""
    training: dict[str, Any]
    """The content of the fit's config.json, and the number of times that the fit was validated."""
    thresholds: Mapping[str, Thresholds] = field(default_factory=dict)
    """Threshold of each output that is compared with one: see `export.conversion.verify.compare`."""


class StoredFit(NamedTuple):
    """Names what a fit has left: its configuration, the path of its best weights, and the manifest's entry on it."""

    config: dict[str, Any]
    weights: Path
    training: dict[str, Any]


def stored_fit(fit: Path) -> StoredFit:
    """Return what the fit in the folder `fit` has left. Raises UserError if the weights are missing."""
    weights = fit / "best.weights.h5"
    if not weights.is_file():
        raise UserError(f"{weights} is missing: run the fit first (`python -m training --help`).")
    config = read_json(fit / "config.json")
    history = fit / "history.csv"
    epochs = max(0, len(history.read_text().splitlines()) - 1) if history.is_file() else 0
    return StoredFit(config, weights, {**config, "validations": epochs})


def transcriber_part(fit: Path, cache: Path) -> tuple[ModelPart, FeatureSpec, int]:
    """Return the transcriber of the fit in the folder `fit`, its features, and its look-ahead in frames.

    The inputs for calibration and comparison are scenes in `cache`. Raises UserError if weights or scenes are missing.
    """
    from training.scenes.cache import load_scenes
    from training.transcriber.net import NetConfig, build_step

    config, weights, training = stored_fit(fit)
    net, spec = NetConfig.from_dict(config["net"]), FeatureSpec.from_dict(config["features"])
    with keras.name_scope("transcriber"):
        model = build_step(net, spec, weights)
    gate = fit / "gate.json"
    unfitted = GateSpec(delay_frames=net.delay_frames, later=net.later).to_dict()
    section = read_json(gate) if gate.is_file() else {**unfitted, "calibrated": "not fitted: default thresholds"}

    def rolls(split: str, count: int, steps: int) -> list[Roll]:
        scenes = load_scenes(cache, split)
        if len(scenes) < count:
            raise UserError(
                f"{cache} has {len(scenes)} {split} scenes, {count} are needed: `python -m training scenes`."
            )
        chosen = [scenes[i] for i in np.linspace(0, len(scenes) - 1, count).astype(int)]
        return [list(islice(_scene_steps(scene), steps)) for scene in chosen]

    calibration = rolls("train", CALIBRATION_ROLLS, CALIBRATION_STEPS)
    check = rolls("valid", CHECK_ROLLS, CHECK_STEPS)
    if _has_own(check) and not _has_own(calibration):
        # the range of what the net makes of them would be that of silence, and int8 would cut it off
        raise UserError(
            f"The scenes for calibration in {cache} hold no notes that the box sent, those for the comparison do: "
            "run `python -m training scenes --kind bleed`, and for --corpus chopin, lieder and pop909."
        )
    thresholds = {"y": (0.5, 0.5, 0.5, NO_DECISION)}
    return ModelPart("transcriber", model, calibration, check, section, training, thresholds), spec, net.delay_frames


def _has_own(rolls: list[Roll]) -> bool:
    """Return True if the box sent a note in any of the roll-outs."""
    return any(step["own"].any() for roll in rolls for step in roll)


def _scene_steps(scene: Any) -> Iterator[Inputs]:
    silent = np.zeros((88, 2), np.float32)
    for i, frame in enumerate(scene.features):
        own = scene.own[i].astype(np.float32) / 255 if len(scene.own) else silent
        yield {"x": np.asarray(frame, np.float32) / 255, "own": own}


def accompanist_part(fit: Path, cache: Path) -> ModelPart:
    """Return the accompanist of the fit in the folder `fit`.

    The inputs for calibration and comparison are pieces in `cache`, processed by the same listener as on the device.
    Raises UserError if weights or pieces are missing.
    """
    from training.accompanist.fit import load_net
    from training.accompanist.net import step_model

    config, _, training = stored_fit(fit)
    with keras.name_scope("accompanist"):
        model = step_model(load_net(fit))
    extra = fit / "accompanist.json"
    section = {"gap_steps": config["gap_steps"], **(read_json(extra) if extra.is_file() else {})}
    corpora, seed = config["corpora"], config["seed"]
    calibration = _piece_rolls(cache, corpora, "train", seed, CALIBRATION_ROLLS, CALIBRATION_STEPS)
    check = _piece_rolls(cache, corpora, "valid", seed, CHECK_ROLLS * len(corpora), CHECK_STEPS // len(corpora))
    return ModelPart("accompanist", model, calibration, check, section, training)


def _piece_rolls(cache: Path, corpora: list[str], split: str, seed: int, count: int, steps: int) -> list[Roll]:
    """Return the inputs of the first `steps` steps of `count` pieces, with equally many pieces of each corpus.

    Shorter pieces are left out. Raises UserError if no piece is long enough.
    """
    from training.accompanist.data import sequences

    rolls: list[Roll] = []
    for i, corpus in enumerate(corpora):
        share = count // len(corpora) + (i < count % len(corpora))
        long_enough = (s for s in sequences(cache, [corpus], split, 1, seed) if len(s.x) >= steps)
        rolls += [[{"x": row.astype(np.float32) / 255} for row in s.x[:steps]] for s in islice(long_enough, share)]
    if not rolls:
        raise UserError(f"{cache} has no {split} pieces of {steps} steps: run `python -m training prepare` first.")
    return rolls
