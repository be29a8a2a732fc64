"""`python -m training levers` measures the effect of each lever on the transcriber with a short fit.

    python -m training levers --action measure                      # all levers
    python -m training levers --action measure --lever hop-10       # one lever; --lever may be repeated
    python -m training levers --action table                        # prints the results in Markdown

A lever is one change that was tried in the training of the transcriber. The net of each lever starts from random
weights and is fitted for the same number of steps. Its gate is fitted next, and net and gate are exported as a bundle.
The exported .tflite model then transcribes recordings hop by hop. All levers get the same recordings.
`training/experiments/levers/setup.py` defines the levers, and docs/experiments/transcriber-fit.md has the figures.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click

from device.bundles.bundle import Bundle, default_bundle
from device.errors import UserError
from device.hearing.features import FeatureSpec
from training.experiments.levers.figures import FIGURES, figures_of, table
from training.experiments.levers.setup import LEVERS, ONE_PIANO, TIMBRE, Lever
from training.hearing_figures.measure import compare
from training.hearing_figures.takes import excerpt, maps_takes, right_hand_takes
from training.options import CACHE, DATA
from training.scenes.cache import INVENTED, QUIET, Studio, load_scenes, pieces_of
from training.scenes.scene import GATE

SCENES = {"pop909": 60, "lieder": 70, "chopin": 50, INVENTED: 30, QUIET: 10}
"""Number of training scenes per source. A scene lasts 24 s."""
CHECKS = {"pop909": 8, "lieder": 8, "chopin": 8, INVENTED: 8, QUIET: 8}
"""Number of validation scenes per source. The gate is fitted on other scenes, as many per source."""
SETS = ("clean", "room", "noise", "bleed -6 dB", "line-out 0 dB")
MINUTE_S = 60.0
"""Seconds of each real recording, from its start, that are measured."""
BATCH, EPOCH_STEPS, RATE = 8, 50, 3e-3
"""Scenes in a batch, steps between two validations, and the peak learning rate of each fit."""


@click.command()
@click.option("-a", "--action", type=click.Choice(["measure", "table"]), required=True, help="What is done.")
@click.option(
    "--lever", "names", type=click.Choice(list(LEVERS)), multiple=True, help="Lever to measure. Default: all."
)
@click.option("--steps", default=200, show_default=True, help="Training steps; a step has 8 x 192 frames.")
@click.option("--takes", default=6, show_default=True, help="Rendered right-hand takes per set.")
@DATA
@CACHE
def levers(action: str, names: tuple[str, ...], steps: int, takes: int, data: Path, cache: Path) -> None:
    """Fit and measure the transcriber's levers one at a time. Levers with figures are not measured again."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    root = cache / "levers"
    if action == "table":
        click.echo(table(root))
        return
    for name in names or LEVERS:
        folder, lever = root / "fits" / name, LEVERS[name]
        if (folder / FIGURES).is_file():
            continue
        checks, train = rendered(lever, cache, data, root)
        if not (folder / "gate.json").is_file():
            fitted(lever, steps, folder, checks, train)
        figures = measured(exported(folder, checks), cache, data, takes)
        about = json.loads((folder / "config.json").read_text())
        told = {"lever": lever.to_dict(), "steps": steps, "parameters": about["parameters"], "figures": figures}
        (folder / FIGURES).write_text(json.dumps(told, indent=1))
        click.echo(f"{name}: {figures}")


def rendered(lever: Lever, cache: Path, data: Path, root: Path) -> tuple[Path, Path]:
    """Render the scenes of a lever that are missing in `root`.

    Returns two folders: the one of the validation scenes, then the one of the training scenes. They are the same folder
    if the lever has no training scenes of its own.
    """
    spec = replace(FeatureSpec(), **lever.features)
    checks = root / lever.looks
    plain = Studio.opened(cache, data, spec)
    for split, counts in (("train", SCENES), ("valid", CHECKS), (GATE, CHECKS)):
        for source, count in counts.items():
            plain.render(checks, split, source, pieces_of(cache, source, split), range(count))
    if not lever.own_scenes:
        return checks, checks
    colour, only = ("", ONE_PIANO) if lever.without == TIMBRE else (lever.without, "")
    studio = Studio.opened(cache, data, spec, colour, only)
    for source in lever.sources:
        count = round(SCENES[source] * lever.amount)
        studio.render(root / lever.name, "train", source, pieces_of(cache, source, "train"), range(count))
    return checks, root / lever.name


def fitted(lever: Lever, steps: int, folder: Path, checks: Path, train: Path) -> None:
    """Fit the net of `lever` for `steps` steps, then its gate, and write both into `folder`.

    The gate turns the net's outputs into notes. `train` is the folder of the training scenes. `checks` is the folder of
    the validation scenes, and of the scenes on which the gate is fitted.
    """
    from training.transcriber.fit import FitPlan, fit
    from training.transcriber.gate_fit import fit_gate_of
    from training.transcriber.net import LossWeights, NetConfig

    net, spec = NetConfig.from_dict(dict(lever.net)), replace(FeatureSpec(), **lever.features)
    weights = LossWeights(**lever.loss)
    plan = FitPlan(
        net,
        spec,
        steps=steps,
        epoch_steps=EPOCH_STEPS,
        batch=BATCH,
        rate=RATE,
        patience=steps,
        seed=lever.seed,
        weights=weights,
        own=lever.own,
    )
    fit(plan, load_scenes(train, "train"), load_scenes(checks, "valid"), folder)
    fit_gate_of(folder, checks)


def exported(folder: Path, checks: Path) -> Path:
    """Export the fit in `folder` as a bundle with the shipped accompanist, and return the bundle's folder.

    Raises UserError, with the output of the export, if the export fails.
    """
    out = folder / "bundle"
    command = [sys.executable, "-m", "export", "--name", folder.name, "--transcriber", str(folder), "--out", str(out)]
    command += ["--accompanist", str(default_bundle()), "--cache", str(checks)]
    # The export runs in another process because the converter needs Keras on TensorFlow.
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{folder.name} was not exported:\n{done.stdout}{done.stderr}")
    return out


def measured(bundle: Path, cache: Path, data: Path, takes: int) -> dict[str, float]:
    """Measure a bundle on the first minute of each real recording, and on `takes` right hands on the held-out piano.

    A bundle is a folder with exported models. Returns each figure's value by its name.
    """
    opened = Bundle.open(bundle)
    real = [excerpt(take, MINUTE_S) for take in maps_takes(data / "maps-enstdkcl")]
    figures = figures_of("maps", compare(opened, real, None))
    for name in SETS:
        figures |= figures_of(name, compare(opened, right_hand_takes(cache, takes, name), None))
    return figures
