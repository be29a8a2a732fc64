"""Keeps the scenes of a fit on the GPU as bytes, and cuts training examples out of them there."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.hearing.features import FeatureSpec
from training.remote.stream import FILE_SCENES, frames_of, row_bytes

SHARD_SCENES = 960
"""Scenes in one array on the GPU. It has less than 2^31 bytes, so 32 bits can address it."""


class Scenes:
    """Keeps scenes on the GPU, in arrays of `SHARD_SCENES` scenes. New scenes replace the oldest."""

    def __init__(self, folder: Path, scenes: int, spec: FeatureSpec) -> None:
        import jax
        from jax import lax
        from jax import numpy as jnp

        self.folder, self.read = folder, 0
        self._shape = (min(scenes, SHARD_SCENES), frames_of(spec), row_bytes(spec))
        self._most = max(1, scenes // SHARD_SCENES)
        self._new: Callable[[], Any] = lambda: jnp.zeros(self._shape, jnp.uint8)
        self.shards: list[Any] = [self._new()]

        def put(to: Any, rows: Any, at: int) -> Any:
            return lax.dynamic_update_slice(to, rows, (at, 0, 0))

        self._put: Callable[..., Any] = jax.jit(put, donate_argnums=0)

    def take(self, most: int) -> int:
        """Move up to `most` files of scenes to the GPU and delete them. Returns the number of files moved."""
        paths = sorted(self.folder.glob("train-*.npy"))[:most]
        for path in paths:
            held = self._shape[0]
            shard, at = divmod(self.read, held)
            shard %= self._most
            if shard == len(self.shards):
                self.shards.append(self._new())
            self.shards[shard] = self._put(self.shards[shard], np.load(path), at)
            self.read += FILE_SCENES
            path.unlink()
        return len(paths)

    def shard(self, rng: np.random.Generator) -> tuple[Any, int]:
        """Return a random one of the arrays, and the number of scenes in it.

        An array with more scenes is chosen more often.
        """
        held = self._shape[0]
        filled = [held if self.read >= held * (i + 1) else self.read - held * i for i in range(len(self.shards))]
        i = int(rng.choice(len(filled), p=np.array(filled) / sum(filled)))
        return self.shards[i], filled[i]


def batch_of(
    shard: Any, scene: Any, first: Any, frames: int, spec: FeatureSpec, delays: NDArray[np.int64]
) -> tuple[dict[str, Any], Any]:
    """Return inputs {x, own} and targets of the crops that begin at frames `first` [batch] of the scenes `scene`.

    `delays` [88] is the look-ahead of each key in frames: its targets come so much later. `first` is at least the
    largest of them.
    """
    import jax
    from jax import lax
    from jax import numpy as jnp

    from device.events import KEYS
    from training.remote.stream import HEADS, OWN

    most = int(delays.max())
    size = (1, most + frames, shard.shape[2])
    rows = jax.vmap(lambda i, f: lax.dynamic_slice(shard, (i, f - most, 0), size)[0])(scene, first)
    values = rows.astype(jnp.float32) / 255
    cut = [spec.bins * spec.channels, spec.bins * spec.channels + KEYS * HEADS]
    x, wanted, own = jnp.split(values, cut, axis=2)
    front = (values.shape[0], frames)
    given = {
        "x": x[:, most:].reshape(*front, spec.bins, spec.channels),
        "own": own[:, most:].reshape(*front, KEYS, OWN),
    }
    wanted = wanted.reshape(values.shape[0], -1, KEYS, HEADS)
    changes = [0, *(np.flatnonzero(np.diff(delays)) + 1).tolist(), KEYS]
    parts = [
        wanted[:, most - int(delays[low]) : most - int(delays[low]) + frames, low:high]
        for low, high in itertools.pairwise(changes)
    ]
    return given, jnp.concatenate(parts, axis=2)
