"""`python -m training gpu-fit` fits the transcriber on a GPU, on a machine to which a parcel was copied.

A parcel is the folder that `python -m training parcel` packs. The training examples never leave the GPU: scenes are
kept there as bytes, and every step draws its batch from them. The scenes are replaced by new ones as fast as the cores
render. The learning rate depends on the time and not on the number of steps, since a machine is lent for minutes.
"""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from device.errors import UserError
from device.hearing.features import FeatureSpec
from training.options import CACHE, SEED
from training.remote.gpu_scenes import Scenes
from training.remote.parcel import unpack
from training.remote.stream import VALID_FILES, start
from training.remote.trainer import Trainer
from training.transcriber.hear import asked_net, asked_weights, fit_named

if TYPE_CHECKING:
    from training.transcriber.net import LossWeights, NetConfig

FILES_A_CHUNK = 14
"""Largest number of files of scenes that are moved to the GPU after each call of `Trainer.advance`."""
FIRST_SCENES = 320
"""Number of scenes that must be on the GPU before the first step."""
WARM_UP = 0.03
"""Share of the time in which the learning rate rises to its peak."""
LAST_RATE = 0.01
"""Learning rate at the end, relative to its peak."""


@dataclass(frozen=True)
class Schedule:
    """Sets the learning rate over the `minutes` of a fit: a linear rise to `peak`, then a cosine."""

    peak: float
    minutes: float

    def at(self, elapsed_s: float) -> float:
        """Return the learning rate after `elapsed_s` seconds of the fit."""
        share = min(elapsed_s / (60 * self.minutes), 1.0)
        if share < WARM_UP:
            return self.peak * max(share / WARM_UP, 0.05)
        fall = 0.5 * (1 + np.cos(np.pi * (share - WARM_UP) / (1 - WARM_UP)))
        return self.peak * float(LAST_RATE + (1 - LAST_RATE) * fall)


@dataclass(frozen=True)
class GpuFitPlan:
    """The options of a fit: the net, and the weights of the losses of its heads.

    `batch` is the number of crops in a step, `scenes` the number of scenes that the GPU holds, and `begin` names the
    fit from whose weights it begins.
    """

    net: NetConfig
    weights: LossWeights
    schedule: Schedule
    batch: int
    scenes: int
    seed: int
    begin: str | None = None


class GpuFit:
    """Fits the net of a plan on the scenes that appear in `folder`, and writes its best weights into `out`.

    A fit that was cut goes on from what `out` holds.
    """

    def __init__(self, plan: GpuFitPlan, folder: Path, out: Path) -> None:
        """Build the net, and read the state of a fit that was cut. Raises UserError if Keras does not run on jax."""
        import keras

        from training.transcriber.fit import CROP_FRAMES, about_fit
        from training.transcriber.net import NetConfig, build_net, build_sequence
        from training.transcriber.widen import widened

        if keras.backend.backend() != "jax":
            raise UserError("gpu-fit needs Keras on jax: run it with KERAS_BACKEND=jax.")
        self._plan, self._folder, self._out, self._spec = plan, folder, out, FeatureSpec()
        keras.utils.set_random_seed(plan.seed)
        first = fit_named(folder.parent, plan.begin) if plan.begin else None
        self._begun = about_fit(first) if first else None
        if first and self._begun:
            before = NetConfig.from_dict(self._begun["net"])
            net = widened(plan.net, self._spec, before, first / "best.weights.h5")
        else:
            net = build_net(plan.net, self._spec)
        sequence = build_sequence(net, CROP_FRAMES)
        self._trainer = Trainer(sequence, plan.batch, CROP_FRAMES, self._spec, plan.net.delays(), plan.weights)
        self._resumed = self._trainer.go_on(out)
        self._held = Scenes(folder, plan.scenes, self._spec)
        self._elapsed_s = float(json.loads((out / "clock.json").read_text())["s"]) if self._resumed else 0.0
        self._best = math.inf

    def run(self) -> None:
        """Fit until the time of the schedule is over. Print and store a line of losses at each validation."""
        began = time.monotonic()
        valid = self._first_scenes()
        click.echo(f"{self._held.read} scenes after {time.monotonic() - began:.0f} s")
        if not self._resumed:
            (self._out / "history.csv").write_text("minutes,steps,scenes,loss,val_loss\n")
        click.echo(f"validation loss before: {self._trainer.validation_loss(valid):.4f}")
        click.echo(f"validated {time.monotonic() - began:.0f} s after the start of the net")
        rng = np.random.default_rng([self._plan.seed, self._trainer.steps])
        float(self._advance(rng, learning_rate=0.0))  # compiles
        click.echo(f"compiled {time.monotonic() - began:.0f} s after the start of the net")
        while self._elapsed_s < 60 * self._plan.schedule.minutes:
            loss = self._until_validation(rng)
            self._validate(valid, loss)

    def _first_scenes(self) -> Any:
        """Wait until the first scenes are on the GPU and all validation scenes are rendered. Return these."""
        from jax import numpy as jnp

        least = min(FIRST_SCENES, self._plan.scenes)
        while self._held.read < least or len(list(self._folder.glob("valid-*.npy"))) < VALID_FILES:
            if not self._held.take(8):
                time.sleep(0.1)
        return jnp.asarray(np.concatenate([np.load(path) for path in sorted(self._folder.glob("valid-*.npy"))]))

    def _advance(self, rng: np.random.Generator, learning_rate: float) -> Any:
        """Make some training steps on a random array of scenes. Return their mean loss, which may still be computed."""
        return self._trainer.advance(*self._held.shard(rng), int(rng.integers(2**31)), learning_rate)

    def _until_validation(self, rng: np.random.Generator) -> float:
        """Train until it is time to validate or the time is over. Return the mean loss of the steps."""
        schedule, begun_s, last = self._plan.schedule, self._elapsed_s, time.monotonic()
        end_s = min(begun_s + min(30.0, 6 * schedule.minutes), 60 * schedule.minutes)
        values: list[Any] = []
        while self._elapsed_s < end_s:
            values.append(self._advance(rng, schedule.at(self._elapsed_s)))
            self._held.take(FILES_A_CHUNK)
            if len(values) > 1:
                float(values[-2])  # one chunk computes while the next is being asked for, and no more
            self._elapsed_s += time.monotonic() - last
            last = time.monotonic()
        return float(np.mean([float(v) for v in values]))

    def _validate(self, valid: Any, loss: float) -> None:
        """Validate on the scenes `valid` and write the state of the fit. `loss` is that of the last training steps."""
        trainer, out = self._trainer, self._out
        lost = trainer.validation_loss(valid)
        line = f"{self._elapsed_s / 60:.2f},{trainer.steps},{self._held.read},{loss:.4f},{lost:.4f}"
        click.echo(line)
        with (out / "history.csv").open("a") as file:
            file.write(line + "\n")
        if lost < self._best:
            self._best = lost
            trainer.write_weights(out / "best.weights.h5")
        trainer.keep(out)
        (out / "clock.json").write_text(json.dumps({"s": self._elapsed_s}))
        (out / "config.json").write_text(json.dumps(self._about(len(valid)), indent=1))

    def _about(self, valid: int) -> dict[str, Any]:
        """Return what config.json says of the fit. `valid` is the number of validation scenes."""
        from training.transcriber.fit import CROP_FRAMES

        plan, trainer = self._plan, self._trainer
        return {
            "net": plan.net.to_dict(),
            "features": self._spec.to_dict(),
            "seed": plan.seed,
            "steps": trainer.steps,
            "batch": plan.batch,
            "crop_frames": CROP_FRAMES,
            "rate": plan.schedule.peak,
            "minutes": plan.schedule.minutes,
            "loss": asdict(plan.weights),
            "begun_from": self._begun,
            "scenes": {"train": self._held.read, "valid": valid},
            "parameters": trainer.model.count_params(),
        }


@click.command()
@click.option("--parcel", "packed", type=click.Path(path_type=Path), help="Unpack this parcel into CACHE first.")
@CACHE
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("out/gpu-fit"), show_default=True, help="Folder of the fit."
)
@click.option("--begin", help="Begin with the best weights of this fit in training/fits.")
@click.option("--minutes", default=9.0, show_default=True, help="Minutes of the fit, without compilation.")
@click.option("--batch", default=128, show_default=True, help="Stretches in a batch.")
@click.option("--rate", default=4e-3, show_default=True, help="Peak learning rate.")
@click.option("--scenes", default=7680, show_default=True, help="Scenes of 24 s on the GPU, 2 MB each.")
@SEED
@click.option("--workers", default=max((os.cpu_count() or 2) - 2, 1), show_default=True, help="Processes that render.")
@click.option("--modal", default=64, show_default=True, help="Computed pianos to render from the parcel.")
@click.option("--net", "changes", default="{}", help='JSON changes to the net, e.g. {"width": 32}.')
@click.option("--loss", "weights", default="{}", help='JSON changes to the weights of the heads, e.g. {"offset": 0}.')
@click.option("--streamed", is_flag=True, help="`python -m training stream` runs already.")
def gpu_fit(
    packed: Path | None,
    cache: Path,
    out: Path,
    begin: str | None,
    minutes: float,
    batch: int,
    rate: float,
    scenes: int,
    seed: int,
    workers: int,
    modal: int,
    changes: str,
    weights: str,
    streamed: bool,
) -> None:
    """Fit the transcriber on this machine's GPU, and render its scenes on all cores meanwhile.

    Run it again to resume. OUT then holds best.weights.h5, config.json and history.csv, as a fit of `hear` does.
    """
    os.environ.setdefault("KERAS_BACKEND", "jax")
    began = time.monotonic()
    if packed:
        unpack(packed, cache, modal)
        click.echo(f"unpacked in {time.monotonic() - began:.0f} s")
    folder = cache / "stream"
    if not streamed:
        start(cache, folder, seed, workers)
    out.mkdir(parents=True, exist_ok=True)
    plan = GpuFitPlan(
        asked_net(changes),
        asked_weights(weights),
        schedule=Schedule(rate, minutes),
        batch=batch,
        scenes=scenes,
        seed=seed,
        begin=begin,
    )
    GpuFit(plan, folder, out).run()
    if not streamed:
        (folder / "stop").touch()
