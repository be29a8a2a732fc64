"""`python -m training levers`: what each lever of the shipped transcriber brings, one at a time, on a small budget.

    python -m training levers --action measure                      # all of them
    python -m training levers --action measure --lever hop-10       # one; --lever may be given several times
    python -m training levers --action table                        # what was measured, in Markdown

Each is fitted from nothing for as many steps, its gate fitted, exported, and its .tflite streamed over the same sound.
`training/experiments/levers/setup.py` says what each is, docs/experiments.md has the figures.
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
from training.scenes.cache import INVENTED, QUIET, Studio, load_scenes, pieces_of
from training.scenes.scene import GATE

SCENES = {"pop909": 60, "lieder": 70, "chopin": 50, INVENTED: 30, QUIET: 10}
"""Scenes of 24 s for a fit."""
CHECKS = {"pop909": 8, "lieder": 8, "chopin": 8, INVENTED: 8, QUIET: 8}
"""Scenes that watch a fit, and as many for its gate."""
SETS = ("clean", "room", "noise", "bleed -6 dB", "line-out 0 dB")
MINUTE_S = 60.0
BATCH, EPOCH_STEPS, RATE = 8, 50, 3e-3


@click.command()
@click.option("--action", type=click.Choice(["measure", "table"]), required=True)
@click.option("--lever", "names", type=click.Choice(list(LEVERS)), multiple=True, help="Default: all.")
@click.option("--steps", default=200, show_default=True, help="Steps of 8 x 192 frames.")
@click.option("--takes", default=6, show_default=True, help="Rendered right hands per set.")
@click.option("--data", type=click.Path(path_type=Path), default=Path("../shared/data"), show_default=True)
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True)
def levers(action: str, names: tuple[str, ...], steps: int, takes: int, data: Path, cache: Path) -> None:
    """Fit and measure the transcriber's levers one at a time; what is measured already is left alone."""
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
    """Render a lever's scenes, but for those that are there: gives the folders of what watches it and of its own."""
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
    """Fit a lever's net and its gate into `folder`."""
    from training.transcriber.fit import FitPlan, fit
    from training.transcriber.gate_fit import fit_gate_of
    from training.transcriber.net import LossWeights, NetConfig

    net, spec = NetConfig.from_dict(dict(lever.net)), replace(FeatureSpec(), **lever.features)
    weights = LossWeights(**lever.loss)
    plan = FitPlan(net, spec, steps, EPOCH_STEPS, BATCH, RATE, steps, lever.seed, weights, lever.own)
    fit(plan, load_scenes(train, "train"), load_scenes(checks, "valid"), folder)
    fit_gate_of(folder, checks)


def exported(folder: Path, checks: Path) -> Path:
    """The bundle of the fit in `folder`, with the shipped accompanist."""
    out = folder / "bundle"
    command = [sys.executable, "-m", "export", "--name", folder.name, "--transcriber", str(folder), "--out", str(out)]
    command += ["--accompanist", str(default_bundle()), "--cache", str(checks)]
    # another process: the converter wants Keras on TensorFlow
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{folder.name} was not exported:\n{done.stdout}{done.stderr}")
    return out


def measured(bundle: Path, cache: Path, data: Path, takes: int) -> dict[str, float]:
    """The figures of a bundle: the first minute of each real recording, and right hands on the held-out piano."""
    opened = Bundle.open(bundle)
    real = [excerpt(take, MINUTE_S) for take in maps_takes(data / "maps-enstdkcl")]
    figures = figures_of("maps", compare(opened, real, None))
    for name in SETS:
        figures |= figures_of(name, compare(opened, right_hand_takes(cache, takes, name), None))
    return figures
