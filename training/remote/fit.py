"""`python -m training gpu-fit` fits the transcriber on a GPU, on a machine to which a parcel was copied.

A parcel is the folder that `python -m training parcel` packs. The training examples never leave the GPU: scenes are
kept there as bytes, and every step draws its batch from them. The scenes are replaced by new ones as fast as the cores
render. The learning rate depends on the time and not on the number of steps, since a machine is lent for minutes.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from device.errors import UserError
from device.hearing.features import FeatureSpec
from training.remote.gpu_scenes import Scenes, batch_of
from training.remote.parcel import unpack
from training.remote.stream import VALID_FILES, frames_of, start
from training.transcriber.hear import asked_net, asked_weights, fit_named

CHUNK_STEPS = 20
"""Number of steps that a GPU makes in one call. Without a GPU it is 1: in a loop a processor convolves slowly."""
FILES_A_CHUNK = 14
"""Largest number of files of scenes that are moved to the GPU after each call of `Trainer.advance`."""
FIRST_SCENES = 320
"""Number of scenes that must be on the GPU before the first step."""
WARM_UP = 0.03
"""Share of the time in which the learning rate rises to its peak."""
LAST_RATE = 0.01
"""Learning rate at the end, relative to its peak."""
AVERAGE = 0.999
"""Decay per step of the running mean of the weights. The fit returns this mean (Polyak averaging)."""


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


class Trainer:
    """Fits the net. The net, its optimiser and the mean of its weights are all on the GPU."""

    def __init__(
        self, model: Any, batch: int, frames: int, spec: FeatureSpec, delays: NDArray[np.int64], weights: Any
    ) -> None:
        """Put the sequence model `model` on the GPU, and compile its steps at their first use.

        A step takes `batch` crops of `frames` frames. `delays` [88] is the look-ahead of each key in frames, and
        `weights` are those of the heads' losses.
        """
        import jax
        import keras
        from jax import numpy as jnp

        from training.transcriber.net import loss

        self.model, self.steps = model, 0
        self.chunk = 1 if jax.default_backend() == "cpu" else CHUNK_STEPS
        self.adam = keras.optimizers.AdamW(1e-3, weight_decay=1e-3, clipnorm=1.0)
        self.adam.build(model.trainable_variables)
        rate = [v.path.endswith("learning_rate") for v in self.adam.variables].index(True)
        values = {
            "trained": [v.value for v in model.trainable_variables],
            "others": [v.value for v in model.non_trainable_variables],
            "adam": [v.value for v in self.adam.variables],
        }
        values["mean"] = [jnp.copy(v) for v in (*values["trained"], *values["others"])]
        self.state = jax.tree.map(jnp.copy, values)
        most, last = int(delays.max()), frames_of(spec) - frames

        def error(trained: Any, others: Any, given: Any, wanted: Any, training: bool) -> Any:
            logits, others = model.stateless_call(trained, others, given, training=training)
            return loss(wanted, logits, weights), others

        def step(carry: Any, key: Any, shard: Any, count: Any, learning_rate: Any) -> Any:
            one, two = jax.random.split(key)
            scene = jax.random.randint(one, (batch,), 0, count)
            first = jax.random.randint(two, (batch,), most, last + 1)
            given, wanted = batch_of(shard, scene, first, frames, spec, delays)
            slope = jax.value_and_grad(lambda t: error(t, carry["others"], given, wanted, True), has_aux=True)
            (value, others), gradients = slope(carry["trained"])
            adam = list(carry["adam"])
            adam[rate] = learning_rate
            trained, adam = self.adam.stateless_apply(adam, gradients, carry["trained"])
            now = [*trained, *others]
            keep = jnp.minimum(AVERAGE, (1.0 + adam[0]) / (10.0 + adam[0])).astype(jnp.float32)
            mean = [
                (keep * m + (1 - keep) * v).astype(v.dtype) if jnp.issubdtype(v.dtype, jnp.floating) else v
                for m, v in zip(carry["mean"], now, strict=True)
            ]
            return {"trained": trained, "others": others, "adam": adam, "mean": mean}, value

        def chunk(state: Any, shard: Any, count: Any, seed: Any, learning_rate: Any) -> Any:
            keys = jax.random.split(jax.random.key(seed), self.chunk)
            state, values = jax.lax.scan(lambda s, k: step(s, k, shard, count, learning_rate), state, keys)
            return state, jnp.mean(values)

        def validate(mean: Any, shard: Any, scene: Any, first: Any) -> Any:
            given, wanted = batch_of(shard, scene, first, frames, spec, delays)
            count = len(model.trainable_variables)
            return error(mean[:count], mean[count:], given, wanted, False)[0]

        self._chunk = jax.jit(chunk, donate_argnums=0)
        self._validate = jax.jit(validate)
        self._batch, self._crops = batch, (most, last)

    def advance(self, shard: Any, count: int, seed: int, learning_rate: float) -> Any:
        """Make `chunk` training steps on scenes of `shard`. Returns their mean loss.

        The GPU may still be computing the loss when this returns.
        """
        self.state, value = self._chunk(self.state, shard, count, np.uint32(seed), np.float32(learning_rate))
        self.steps += self.chunk
        return value

    def validation_loss(self, shard: Any) -> float:
        """Return the loss of the mean weights over the scenes `shard`, two crops of each."""
        scenes = shard.shape[0]
        values = []
        for first in self._crops:
            for begin in range(0, scenes, self._batch):
                chosen = np.arange(begin, min(begin + self._batch, scenes))
                value = self._validate(self.state["mean"], shard, chosen, np.full(len(chosen), first))
                values.append((value, len(chosen)))
        return float(sum(float(v) * n for v, n in values) / sum(n for _, n in values))

    def keep(self, folder: Path) -> None:
        """Write the state of the fit into `folder`, so that `go_on` can resume the fit."""
        flat = {f"{name}-{i:03d}": np.asarray(v) for name, vs in self.state.items() for i, v in enumerate(vs)}
        with (folder / "state.part").open("wb") as file:
            np.savez(file, steps=self.steps, **flat)
        (folder / "state.part").replace(folder / "state.npz")

    def go_on(self, folder: Path) -> bool:
        """Read the state that `keep` wrote into `folder`. Returns False if there is none."""
        from jax import numpy as jnp

        if not (folder / "state.npz").is_file():
            return False
        with np.load(folder / "state.npz") as kept:
            self.steps = int(kept["steps"])
            self.state = {
                name: [jnp.asarray(kept[f"{name}-{i:03d}"]) for i in range(len(values))]
                for name, values in self.state.items()
            }
        return True

    def write_weights(self, path: Path) -> None:
        """Write the mean weights to the file `path` in Keras' format. The model then has these weights too."""
        variables = [*self.model.trainable_variables, *self.model.non_trainable_variables]
        for variable, value in zip(variables, self.state["mean"], strict=True):
            variable.assign(value)
        self.model.save_weights(path)


@click.command()
@click.option("--parcel", "packed", type=click.Path(path_type=Path), help="Unpack this parcel into CACHE first.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/gpu-fit"), show_default=True)
@click.option("--begin", help="Begin with the best weights of this fit in training/fits.")
@click.option("--minutes", default=9.0, show_default=True, help="Minutes of the fit, without compilation.")
@click.option("--batch", default=128, show_default=True)
@click.option("--rate", default=4e-3, show_default=True, help="Peak learning rate.")
@click.option("--scenes", default=7680, show_default=True, help="Scenes of 24 s on the GPU, 2 MB each.")
@click.option("--seed", default=1, show_default=True)
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
    _fit(folder, out, begin, Schedule(rate, minutes), batch, scenes, seed, asked_net(changes), asked_weights(weights))
    if not streamed:
        (folder / "stop").touch()


def _fit(
    folder: Path,
    out: Path,
    begin: str | None,
    schedule: Schedule,
    batch: int,
    scenes: int,
    seed: int,
    config: Any,
    weights: Any,
) -> None:
    """Fit the net `config` on the scenes that appear in `folder` and write its best weights into `out`.

    `begin` names the fit from whose weights it begins, `batch` is the number of crops in a step, `scenes` the number
    kept on the GPU, and `weights` those of the heads' losses. A fit that was cut goes on from what `out` holds. Raises
    UserError if Keras does not run on jax.
    """
    import keras
    from jax import numpy as jnp

    from training.transcriber.fit import CROP_FRAMES, about_fit
    from training.transcriber.net import NetConfig, build_net, build_sequence
    from training.transcriber.widen import widened

    if keras.backend.backend() != "jax":
        raise UserError("gpu-fit needs Keras on jax: run it with KERAS_BACKEND=jax.")
    spec = FeatureSpec()
    keras.utils.set_random_seed(seed)
    first = fit_named(folder.parent, begin) if begin else None
    begun = about_fit(first) if first else None
    if first and begun:
        net = widened(config, spec, NetConfig.from_dict(begun["net"]), first / "best.weights.h5")
    else:
        net = build_net(config, spec)
    trainer = Trainer(build_sequence(net, CROP_FRAMES), batch, CROP_FRAMES, spec, config.delays(), weights)
    resumed = trainer.go_on(out)
    held = Scenes(folder, scenes, spec)
    waited = time.monotonic()
    while held.read < min(FIRST_SCENES, scenes) or len(list(folder.glob("valid-*.npy"))) < VALID_FILES:
        if not held.take(8):
            time.sleep(0.1)
    valid = jnp.asarray(np.concatenate([np.load(path) for path in sorted(folder.glob("valid-*.npy"))]))
    click.echo(f"{held.read} scenes after {time.monotonic() - waited:.0f} s")
    history = out / "history.csv"
    if not resumed:
        history.write_text("minutes,steps,scenes,loss,val_loss\n")
    click.echo(f"validation loss before: {trainer.validation_loss(valid):.4f}")
    click.echo(f"validated {time.monotonic() - waited:.0f} s after the start of the net")
    rng = np.random.default_rng([seed, trainer.steps])
    best = float("inf")
    elapsed = float(json.loads((out / "clock.json").read_text())["s"]) if resumed else 0.0
    float(trainer.advance(*held.shard(rng), seed=int(rng.integers(2**31)), learning_rate=0.0))  # compiles
    click.echo(f"compiled {time.monotonic() - waited:.0f} s after the start of the net")
    values: list[Any] = []
    last = time.monotonic()
    told = elapsed
    while elapsed < 60 * schedule.minutes:
        value = trainer.advance(*held.shard(rng), int(rng.integers(2**31)), schedule.at(elapsed))
        held.take(FILES_A_CHUNK)
        values.append(value)
        if len(values) > 1:
            float(values[-2])  # one chunk computes while the next is being asked for, and no more
        elapsed += time.monotonic() - last
        last = time.monotonic()
        if elapsed - told < min(30.0, 6 * schedule.minutes) and elapsed < 60 * schedule.minutes:
            continue
        lost = trainer.validation_loss(valid)
        mean = float(np.mean([float(v) for v in values]))
        values, told = [], elapsed
        line = f"{elapsed / 60:.2f},{trainer.steps},{held.read},{mean:.4f},{lost:.4f}"
        click.echo(line)
        with history.open("a") as file:
            file.write(line + "\n")
        if lost < best:
            best = lost
            trainer.write_weights(out / "best.weights.h5")
        trainer.keep(out)
        (out / "clock.json").write_text(json.dumps({"s": elapsed}))
        about = {
            "net": config.to_dict(),
            "features": spec.to_dict(),
            "seed": seed,
            "steps": trainer.steps,
            "batch": batch,
            "crop_frames": CROP_FRAMES,
            "rate": schedule.peak,
            "minutes": schedule.minutes,
            "loss": asdict(weights),
            "begun_from": begun,
            "scenes": {"train": held.read, "valid": len(valid)},
            "parameters": trainer.model.count_params(),
        }
        (out / "config.json").write_text(json.dumps(about, indent=1))
        last = time.monotonic()
