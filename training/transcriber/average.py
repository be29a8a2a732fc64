"""`python -m training average` makes a fit whose weights lie between those of two fits of one net.

If the second fit was begun from the first, nets between them are often as good as the first on the sound of the first,
and as good as the second on the sound of the second: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"
(WiSE-FT, arXiv 2109.01903). It takes seconds, because nothing is fitted.

The means and variances of the normalisations belong to the outputs of their convolutions. Those of an average net are
not the averages of those of the two nets, so they can be measured again on scenes (Izmailov et al. 2018, "Averaging
weights leads to wider optima and better generalization", arXiv 1803.05407, section 3.2).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from device.errors import UserError
from device.hearing.features import FeatureSpec
from training.options import CACHE
from training.scenes.cache import load_scenes
from training.scenes.scene import Scene
from training.transcriber.hear import fit_named

if TYPE_CHECKING:
    from training.transcriber.net import NetConfig, TranscriberNet

SAME = ("net", "features")
"""Entries of config.json that both fits must have in common: otherwise a weight means another thing in each."""

CROPS, BATCH = 2, 8
"""Crops of each scene on which the normalisations are measured, and crops in a batch, as in a fit on a CPU."""


def average_fits(first: Path, second: Path, share: float, folder: Path, scenes: Sequence[Scene] = ()) -> None:
    """Write a fit into `folder` with the weights (1 - share) x `first` + share x `second`.

    `first` and `second` are folders of fits, and `share` is a number from 0 to 1. The statistics of the normalisations
    are measured on `scenes`; without scenes they are averaged like the weights. The gate is that of `first`, if it has
    one. Raises UserError if the nets differ.
    """
    from training.transcriber.fit import about_fit
    from training.transcriber.net import NetConfig, build_net, build_sequence

    abouts = [json.loads((fit / "config.json").read_text()) for fit in (first, second)]
    for name in SAME:
        if abouts[0][name] != abouts[1][name]:
            raise UserError(
                f"The fits {first.name} and {second.name} have different entries `{name}` in config.json: "
                "average fits of one net."
            )
    config, spec = NetConfig.from_dict(abouts[0]["net"]), FeatureSpec.from_dict(abouts[0]["features"])
    nets = [build_net(config, spec, fit / "best.weights.h5") for fit in (first, second)]
    for one, other in zip(nets[0].weights, nets[1].weights, strict=True):
        one.assign((1 - share) * np.asarray(one) + share * np.asarray(other))
    if scenes:
        _measure_norms(nets[0], config, spec, scenes)
    model = build_sequence(nets[0], 1)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_weights(folder / "best.weights.h5")
    told = [about_fit(first), about_fit(second)]
    if told[1].get("begun_from") == told[0]:
        told[1]["begun_from"] = {"name": first.name}
    averaged = [{"share": part, **about} for part, about in zip((1 - share, share), told, strict=True)]
    about: dict[str, Any] = {**{name: abouts[0][name] for name in SAME}, "averaged": averaged}
    about["scenes"] = {"norms": len(scenes)}
    (folder / "config.json").write_text(json.dumps({**about, "parameters": model.count_params()}, indent=1))
    if (first / "gate.json").is_file():
        shutil.copyfile(first / "gate.json", folder / "gate.json")


def _measure_norms(net: TranscriberNet, config: NetConfig, spec: FeatureSpec, scenes: Sequence[Scene]) -> None:
    """Set the mean and the variance of each normalisation of `net` to their means over crops of `scenes`."""
    from training.transcriber.fit import CROP_FRAMES, fixed_crops
    from training.transcriber.net import build_sequence

    model = build_sequence(net, CROP_FRAMES)
    inputs, _ = fixed_crops(list(scenes), config.delays(), spec, each=CROPS)
    for first in range(0, len(inputs["x"]), BATCH):
        batch = {name: values[first : first + BATCH] for name, values in inputs.items()}
        for norm in (net.stem_norm, *net.norms, net.mix_norm):
            # with this momentum the statistics are the mean over all crops so far
            norm.momentum = first / (first + len(batch["x"]))
        model(batch, training=True)


@click.command()
@CACHE
@click.option("--fits", nargs=2, required=True, metavar="FIRST SECOND", help="Two fits of one net.")
@click.option("--share", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Share of the second fit.")
@click.option("--name", required=True, help="Folder of the average in CACHE/fits.")
@click.option(
    "--norms/--no-norms", default=True, show_default=True, help="Measure the normalisations on the training scenes."
)
def average(cache: Path, fits: tuple[str, str], share: float, name: str, norms: bool) -> None:
    """Average the weights of two fits, for example of a fit and of the fit that it began with.

    The average has the gate of the first fit until `python -m training gate` fits one.
    """
    os.environ.setdefault("KERAS_BACKEND", "jax")
    first, second = (fit_named(cache, each) for each in fits)
    if name in fits:
        raise UserError(f"--name {name} would replace a fit that is averaged: give another name.")
    scenes = load_scenes(cache, "train") if norms else []
    if norms and not scenes:
        raise UserError(f"No scenes in {cache}: run `python -m training scenes` first, or give --no-norms.")
    average_fits(first, second, share, cache / "fits" / name, scenes)
    click.echo(f"{cache / 'fits' / name}: {1 - share:g} of {fits[0]} and {share:g} of {fits[1]}")
