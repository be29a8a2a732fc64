"""Makes the training steps of a fit on a GPU. Net, optimiser and the mean of the weights stay there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.hearing.features import FeatureSpec
from training.remote.gpu_scenes import batch_of
from training.remote.stream import frames_of

CHUNK_STEPS = 20
"""Number of steps that a GPU makes in one call. Without a GPU it is 1: in a loop a processor convolves slowly."""
AVERAGE = 0.999
"""Decay per step of the running mean of the weights. The fit returns this mean (Polyak averaging)."""


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

        self.model, self.steps = model, 0
        self.chunk = 1 if jax.default_backend() == "cpu" else CHUNK_STEPS
        self.adam = keras.optimizers.AdamW(1e-3, weight_decay=1e-3, clipnorm=1.0)
        self.adam.build(model.trainable_variables)
        self._rate_at = [v.path.endswith("learning_rate") for v in self.adam.variables].index(True)
        values = {
            "trained": [v.value for v in model.trainable_variables],
            "others": [v.value for v in model.non_trainable_variables],
            "adam": [v.value for v in self.adam.variables],
        }
        values["mean"] = [jnp.copy(v) for v in (*values["trained"], *values["others"])]
        self.state = jax.tree.map(jnp.copy, values)
        self._batch, self._frames, self._spec, self._delays, self._weights = batch, frames, spec, delays, weights
        self._firsts = int(delays.max()), frames_of(spec) - frames
        """First and last frame at which a crop may begin."""
        self._make_steps = jax.jit(self._steps_in_a_row, donate_argnums=0)
        self._validate = jax.jit(self._loss_of_mean)

    def _error(self, trained: Any, others: Any, given: Any, wanted: Any, *, training: bool) -> Any:
        """Return the loss of a batch with these values of the variables, and the new values of the others."""
        from training.transcriber.net import loss

        logits, others = self.model.stateless_call(trained, others, given, training=training)
        return loss(wanted, logits, self._weights), others

    def _step(self, state: Any, key: Any, shard: Any, count: Any, learning_rate: Any) -> Any:
        """Return the state after one training step on random crops of the first `count` scenes, and its loss."""
        import jax

        one, two = jax.random.split(key)
        least, most = self._firsts
        scene = jax.random.randint(one, (self._batch,), 0, count)
        first = jax.random.randint(two, (self._batch,), least, most + 1)
        given, wanted = batch_of(shard, scene, first, self._frames, self._spec, self._delays)
        slope = jax.value_and_grad(
            lambda t: self._error(t, state["others"], given, wanted, training=True), has_aux=True
        )
        (value, others), gradients = slope(state["trained"])
        adam = list(state["adam"])
        adam[self._rate_at] = learning_rate
        trained, adam = self.adam.stateless_apply(adam, gradients, state["trained"])
        mean = _running_mean(state["mean"], [*trained, *others], steps=adam[0])
        return {"trained": trained, "others": others, "adam": adam, "mean": mean}, value

    def _steps_in_a_row(self, state: Any, shard: Any, count: Any, seed: Any, learning_rate: Any) -> Any:
        """Return the state after `chunk` training steps, and their mean loss."""
        import jax
        from jax import numpy as jnp

        keys = jax.random.split(jax.random.key(seed), self.chunk)
        state, values = jax.lax.scan(lambda s, k: self._step(s, k, shard, count, learning_rate), state, keys)
        return state, jnp.mean(values)

    def _loss_of_mean(self, mean: Any, shard: Any, scene: Any, first: Any) -> Any:
        """Return the loss of the mean weights on the crops that begin at frames `first` of the scenes `scene`."""
        given, wanted = batch_of(shard, scene, first, self._frames, self._spec, self._delays)
        count = len(self.model.trainable_variables)
        return self._error(mean[:count], mean[count:], given, wanted, training=False)[0]

    def advance(self, shard: Any, count: int, seed: int, learning_rate: float) -> Any:
        """Make `chunk` training steps on scenes of `shard`. Returns their mean loss.

        The GPU may still be computing the loss when this returns.
        """
        self.state, value = self._make_steps(self.state, shard, count, np.uint32(seed), np.float32(learning_rate))
        self.steps += self.chunk
        return value

    def validation_loss(self, shard: Any) -> float:
        """Return the loss of the mean weights over the scenes `shard`, two crops of each."""
        scenes = shard.shape[0]
        values = []
        for first in self._firsts:
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


def _running_mean(mean: list[Any], now: list[Any], *, steps: Any) -> list[Any]:
    """Return the running mean of the variables after `steps` steps. At first it forgets faster.

    A variable that is no float, such as the state of a random generator, is not averaged.
    """
    from jax import numpy as jnp

    keep = jnp.minimum(AVERAGE, (1.0 + steps) / (10.0 + steps)).astype(jnp.float32)
    return [
        (keep * m + (1 - keep) * v).astype(v.dtype) if jnp.issubdtype(v.dtype, jnp.floating) else v
        for m, v in zip(mean, now, strict=True)
    ]
